"""`Schedule`: what every schedule is, and the one place that decides how a call is evaluated."""

import dataclasses
import math
import typing

import keras
import numpy as np
from keras import ops

from keras_lr import checks
from keras_lr.schedules import durations, fields
from keras_lr.schedules.evaluation import host_value, in_graph, result_dtype


@typing.dataclass_transform(frozen_default=True)
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate as a function of time: immutable, comparable, serialisable.

    A subclass declares its arguments as annotated fields and its formula as `rate(t, xp)`;
    constructor, checks, `==`, `hash`, `repr`, config and registration follow from those.

    >>> from keras_lr.schedules import Schedule
    >>> from keras_lr.schedules.fields import Length, Rate
    >>> class HalfLifeDecay(Schedule):
    ...     initial_learning_rate: Rate
    ...     half_life: Length
    ...
    ...     def rate(self, t, xp):
    ...         return self.initial_learning_rate * xp.exp2(-t / self.half_life)
    >>> HalfLifeDecay(0.8, 10).rates([0, 10, 20]).tolist()
    [0.8, 0.4, 0.2]
    >>> HalfLifeDecay(0.8, 0)
    Traceback (most recent call last):
    ValueError: `half_life` must be a number of updates, or a duration such as ...

    `t` counts the updates already made, exactly: on the host it is float64, in a compiled step
    float64 on TensorFlow and PyTorch and the integer itself on JAX, which has no float64 unless
    asked. So counts may be subtracted, compared and `%` freely (for `t // n` see `whole_periods` in
    evaluation.py); `xp` is NumPy on the host and `keras.ops` in a compiled step, of which a formula
    uses the names that both have.
    """

    # NumPy scalars on the left leave arithmetic to us instead of looping over an object array.
    __array_ufunc__ = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__annotations__:
            cls.__annotations__["name"] = fields.Text
            cls.name = named(cls.__name__, kw_only=True)
        dataclasses.dataclass(frozen=True, repr=False)(cls)
        package = cls.__module__.partition(".")[0]
        keras.saving.register_keras_serializable(package=package)(cls)

    def __post_init__(self):
        for name, kind in fields.kinds(type(self)).items():
            object.__setattr__(self, name, kind(name, getattr(self, name)))
        self.check()
        # Not a `cached_property`: its lock, taken while a step is traced, stops `torch.compile`.
        object.__setattr__(self, "_durations", tuple(fields.durations_in(self)))

    def check(self):
        """Raises `ValueError` where arguments, each good in itself, do not fit together."""

    def rate(self, t, xp):
        """Returns the rate at `t` updates; the formula, over names that NumPy and Keras share."""
        raise NotImplementedError(f"{type(self).__name__} must define `rate(self, t, xp)`.")

    @property
    def length(self):
        """The update from which the rate no longer changes, or None where there is none."""
        return None

    # Evaluation

    def __call__(self, step):
        """Returns the rate at `step`: a tensor of its shape, float32 (float64 if floatx is)."""
        self._require_updates()
        t = host_value(step)
        if t is not None:
            rates = self._on_host(t)
            # A Python float becomes a tensor in half the time that a 0-d array takes.
            rates = rates.item() if rates.ndim == 0 else rates
            return ops.convert_to_tensor(rates, dtype=result_dtype())
        return ops.cast(self.rate(in_graph(step), ops), result_dtype())

    def rates(self, steps):
        """Returns the rates at `steps` as a float64 array of their shape; an int n means 0…n−1.

        >>> from keras_lr.schedules import LinearDecay
        >>> LinearDecay(1.0, 4).rates(6).tolist()
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
        """
        self._require_updates()
        if checks.as_number(steps) is not None:
            steps = np.arange(checks.Number(minimum=0, integer=True)("steps", steps))
        return self._on_host(np.asarray(steps, "float64"))

    def _on_host(self, t):
        # `t[()]` makes a scalar of a 0-d array: arithmetic on those is several times faster.
        with np.errstate(over="ignore"):
            rates = np.asarray(self.rate(t[()], np), dtype="float64")
        return rates if rates.shape == t.shape else np.broadcast_to(rates, t.shape).copy()

    def _require_updates(self):
        if self._durations:
            raise ValueError(
                f"{self!r} has durations that are not in updates yet: "
                f"{', '.join(map(str, self._durations))}. Resolve them with "
                "`schedule.resolve(epochs=…, steps_per_epoch=…)`, or train with the callback "
                "`FitSchedule(schedule)`, which knows the length of the run."
            )

    def describe(self, total_steps=None):
        """Returns the first, the peak and the last rate, each with its update, in one line.

        `total_steps` is needed only by a schedule that never ends; a run of more than a million
        updates is searched for its peak at a million of them.

        >>> from keras_lr.schedules import LinearDecay
        >>> LinearDecay(0.1, 90).with_warmup(10).describe()
        'first 0.01 at update 0, peak 0.1 at update 9, last 0 at update 100'
        """
        self._require_updates()
        last = self.length if total_steps is None else checks.POSITIVE("total_steps", total_steps)
        if last is None:
            raise ValueError(f"{self!r} never ends: give describe(total_steps=…).")
        last = min(math.ceil(last), 2**53)
        steps = np.unique(np.linspace(0, last, min(last, 10**6) + 1).round())
        rates = self.rates(steps)
        places = {"first": 0, "peak": int(rates.argmax()), "last": -1}
        return ", ".join(
            f"{word} {rates[i]:.4g} at update {int(steps[i])}" for word, i in places.items()
        )

    def plot(self, total_steps=None, ax=None, **options):
        """Draws the rate over the updates and returns the axes (needs the extra `plot`)."""
        from keras_lr import plotting

        return plotting.plot_schedules([self], total_steps, ax=ax, **options)

    def marks(self, last):
        """Returns what begins when, up to the update `last`: pairs of an update and a word.

        The words are "warmup end", "restart" and "boundary", where the next piece begins.

        >>> from keras_lr.schedules import LinearDecay
        >>> LinearDecay(0.1, 50).with_warmup(10).then(LinearDecay(0.01, 40), at=60).marks(100)
        ((10, 'warmup end'), (60, 'boundary'))
        """
        self._require_updates()
        last = checks.Number(minimum=0, integer=True)("last", last)
        return tuple(sorted({(t, word) for t, word in self._marks(last) if 0 < t <= last}))

    def _marks(self, last):
        """Yields the marks of the class, in any order and beyond `last` if that is easier."""
        return ()

    # Durations

    def resolve(self, epochs=None, *, steps_per_epoch=None, total_steps=None):
        """Returns the same schedule with every duration in updates.

        >>> from keras_lr.schedules import LinearDecay
        >>> LinearDecay(0.1, "10 epochs").with_warmup("5%").resolve(20, steps_per_epoch=100)
        Warmup(LinearDecay(0.1, 1000), 100)
        """
        return fields.resolved(self, durations.Run(epochs, steps_per_epoch, total_steps))

    # Config and representation

    def get_config(self):
        """Returns the constructor's arguments, ready for JSON."""
        return {f.name: fields.to_config(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def from_config(cls, config):
        """Returns the schedule that `get_config` described."""
        revive = keras.saving.deserialize_keras_object
        return cls(**{name: revive(value) for name, value in config.items()})

    def __repr__(self):
        shown = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not field.compare or value == field.default:
                continue
            required = field.default is dataclasses.MISSING and not field.kw_only
            shown.append(repr(value) if required else f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    # Composition: each returns a schedule of the classes in compose.py

    def __add__(self, other):
        return _arithmetic().added(self, other)

    def __radd__(self, other):
        return _arithmetic().added(other, self)

    def __sub__(self, other):
        return _arithmetic().subtracted(self, other)

    def __rsub__(self, other):
        return _arithmetic().subtracted(other, self)

    def __mul__(self, other):
        return _arithmetic().multiplied(self, other)

    def __rmul__(self, other):
        return _arithmetic().multiplied(other, self)

    def __neg__(self):
        return _arithmetic().multiplied(self, -1.0)

    def clip(self, minimum=None, maximum=None):
        """Returns the schedule held between two rates; either may be left out."""
        return _compose().Clip(self, minimum, maximum)

    def shift(self, steps):
        """Returns the schedule `steps` updates later, at its first rate until then."""
        return _compose().Shift(self, steps)

    def stretch(self, factor):
        """Returns the schedule slowed down `factor` times; epochs → updates by steps per epoch."""
        return _compose().Stretch(self, factor)

    def hold(self, every):
        """Returns the schedule as a staircase: the rate changes every `every` updates only."""
        return _compose().Hold(self, every)

    def repeat(self, period, period_multiplier=1.0, amplitude_multiplier=1.0):
        """Returns the schedule started again every `period` updates; options as in `Repeat`."""
        from keras_lr.schedules.cyclic import Repeat

        return Repeat(self, period, period_multiplier, amplitude_multiplier)

    def then(self, other, at):
        """Returns this schedule until update `at`, from there `other`, which starts at its 0."""
        return _compose().followed(self, other, at)

    def with_warmup(self, warmup_steps, **options):
        """Returns the schedule after a warmup; options as in `Warmup`."""
        return _compose().Warmup(self, warmup_steps, **options)

    def jitter(self, amplitude, **options):
        """Returns the schedule with a random perturbation; options as in `Jitter`."""
        from keras_lr.schedules.noise import Jitter

        return Jitter(self, amplitude, **options)


def named(default, **options):
    """Returns the field `name`: in the config as in Keras, not in `==`, `hash` and `repr`."""
    return dataclasses.field(default=default, compare=False, repr=False, **options)


def _compose():
    # Imported late: the compositions are schedules themselves.
    from keras_lr.schedules import compose

    return compose


def _arithmetic():
    from keras_lr.schedules import algebra

    return algebra
