"""`Schedule`: what every schedule is, and the one place that decides how a call is evaluated."""

import dataclasses
import typing

import keras
import numpy as np
from keras import ops

from keras_lr import checks
from keras_lr.schedules import configs, durations, fields, summaries
from keras_lr.schedules.evaluation import host_value, in_graph, require_rates, result_dtype

DEFINED: list[type] = []
"""Every class of schedules, in the order of their definition."""

_OPERATIONS: dict[str, typing.Any] = {}


def operation(build):
    """Enters what a method of `Schedule` calls by name: the module that defines it imports this."""
    _OPERATIONS[build.__name__] = build
    return build


def named(*, default, kw_only=False):
    """Returns the field `name`: in the config as in Keras, not in `==`, `hash` and `repr`."""
    return dataclasses.field(default=default, kw_only=kw_only, compare=False, repr=False)


@typing.dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, named))
class Schedule(keras.optimizers.schedules.LearningRateSchedule, durations.HasDurations):
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

    `t` is the number of updates already made. It is exact: float64 on the host, and in a compiled
    step float64 on TensorFlow and PyTorch and an integer on JAX, which has no float64 by default.
    Subtract, compare and take `t % n` freely; instead of `t // n` use `whole_periods` of
    evaluation.py. `xp` is NumPy on the host and `keras.ops` in a compiled step; a formula may use
    the names that both have.
    """

    # NumPy scalars on the left leave arithmetic to us instead of looping over an object array.
    __array_ufunc__ = None

    if not typing.TYPE_CHECKING:

        def __init__(self):
            raise NotImplementedError(
                "Schedule is the base of schedules: derive a class from it, with fields and `rate`."
            )

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__annotations__:
            cls.__annotations__["name"] = fields.Text
            cls.name = named(default=cls.__name__, kw_only=True)
        dataclasses.dataclass(frozen=True, repr=False)(cls)
        # Readers of `help` and of error messages want names and defaults, not types.
        cls.__init__.__annotations__ = {}
        DEFINED.append(cls)
        package = cls.__module__.partition(".")[0]
        keras.saving.register_keras_serializable(package=package)(cls)

    def __post_init__(self):
        for name, kind in fields.kinds(type(self)).items():
            object.__setattr__(self, name, kind(name, getattr(self, name)))
        self.check()
        # Not a `cached_property`: its lock, taken while a step is traced, stops `torch.compile`.
        vars(self)["_durations"] = tuple(fields.durations_in(self))
        if not self._durations:
            vars(self).update(self.prepare())
            self._require_rates()

    def check(self):
        """Raises `ValueError` where arguments, each valid by itself, do not fit together."""

    def prepare(self):
        """Returns attributes to compute once, before a step is compiled, as a dictionary.

        Called when every duration is in updates; raises `ValueError` as `check` does.
        """
        return {}

    def _require_rates(self):
        """Raises where the first or the last rate is none that a step can have."""
        if fields.holds_function(self):
            # It may be slow or have side effects: it is asked when it is needed.
            return
        steps = [0, 1] if self.length is None else [0, 1, self.length / 2, self.length]
        try:
            with np.errstate(all="ignore"):
                rates = self.rate(np.array(steps, "float64"), np)
        except Exception:
            # The formula of a user that does not work on arrays: the error comes when it is used.
            return
        require_rates(self, steps, rates)

    def rate(self, t, xp):
        """Returns the rate at `t` updates: the formula, in names that NumPy and Keras share."""
        raise NotImplementedError(f"{type(self).__name__} must define `rate(self, t, xp)`.")

    @property
    def length(self):
        """The update from which on the rate stays the same, or None if it never does."""
        return None

    # Evaluation

    def __call__(self, step) -> typing.Any:
        """Returns the rate at `step`: a tensor of its shape, float32 (float64 if floatx is so)."""
        self._require_updates()
        t = host_value(step)
        if t is not None:
            rates = self._on_host(t)
            # A Python float becomes a tensor in half the time a 0-d array takes.
            rates = rates.item() if rates.ndim == 0 else rates
            return ops.convert_to_tensor(rates, dtype=result_dtype())
        return ops.cast(self.rate(in_graph(step), ops), result_dtype())

    def rates(self, steps):
        """Returns the rates at `steps` as a float64 array of the same shape; an int n is 0…n−1.

        >>> from keras_lr.schedules import LinearDecay
        >>> LinearDecay(1.0, 4).rates(6).tolist()
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
        """
        self._require_updates()
        if checks.as_number(steps) is not None:
            steps = np.arange(checks.Number(minimum=0, integer=True)("steps", steps))
        try:
            steps = np.asarray(steps, "float64")
        except (TypeError, ValueError):
            checks.refuse("steps", "a number of updates, or an array of updates", steps)
        return self._on_host(steps)

    def rate_at(self, t):
        """Returns the rate of one update as a float, worked out on the host."""
        self._require_updates()
        # What NumPy computes from a scalar is a scalar, and several times as fast.
        with np.errstate(over="ignore"):
            return float(self.rate(np.float64(t), np))

    def _on_host(self, t):
        # `t[()]` turns a 0-d array into a scalar: arithmetic on scalars is several times faster.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            rates = np.asarray(self.rate(t[()], np), dtype="float64")
        require_rates(self, t, rates)
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
        """Returns one line: the first, the highest and the last rate, each with its update.

        Only a schedule that never ends needs `total_steps`. In a run of more than a million
        updates, the peak is looked for at a million evenly spaced ones.

        >>> from keras_lr.schedules import LinearDecay
        >>> LinearDecay(0.1, 90).with_warmup(10).describe()
        'first 0.01 at update 0, peak 0.1 at update 9, last 0 at update 100'
        """
        self._require_updates()
        return summaries.described(self, total_steps)

    def plot(self, total_steps=None, ax=None, **options):
        """Draws the rate over the updates; returns the axes. Options as in `plot_schedules`."""
        from keras_lr import plotting

        return plotting.plot_schedules([self], total_steps, ax=ax, **options)

    def marks(self, last):
        """Returns where something begins, up to the update `last`: pairs of an update and a word.

        The words are "warmup end", "restart" and "boundary" (the next piece begins there). Raises
        ValueError where they are more than 100,000.

        >>> from keras_lr.schedules import LinearDecay
        >>> LinearDecay(0.1, 50).with_warmup(10).then(LinearDecay(0.01, 40), at=60).marks(100)
        ((10, 'warmup end'), (60, 'boundary'))
        """
        self._require_updates()
        last = checks.Number(minimum=0, integer=True)("last", last)
        return summaries.collected(self._marks(last), last)

    def _marks(self, last):
        """Yields the marks of this class, in any order; some may lie beyond `last`.

        There may be more than memory can hold: where they are listed, they are counted.
        """
        return iter(())

    # Durations

    def resolve(self, epochs=None, *, steps_per_epoch=None, total_steps=None) -> "Schedule":
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
        return configs.built(cls, config)

    def __repr__(self):
        shown = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not field.compare or value == field.default:
                continue
            required = field.default is dataclasses.MISSING and not field.kw_only
            shown.append(repr(value) if required else f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    # Composition: each builds a schedule of another class

    def __add__(self, other) -> "Schedule":
        return _OPERATIONS["added"](self, other)

    def __radd__(self, other) -> "Schedule":
        return _OPERATIONS["added"](other, self)

    def __sub__(self, other) -> "Schedule":
        return _OPERATIONS["subtracted"](self, other)

    def __rsub__(self, other) -> "Schedule":
        return _OPERATIONS["subtracted"](other, self)

    def __mul__(self, other) -> "Schedule":
        return _OPERATIONS["multiplied"](self, other)

    def __rmul__(self, other) -> "Schedule":
        return _OPERATIONS["multiplied"](other, self)

    def __neg__(self) -> "Schedule":
        return _OPERATIONS["multiplied"](self, -1.0)

    def clip(self, minimum=None, maximum=None) -> "Schedule":
        """Returns the schedule with rates held between two limits; either may be left out."""
        return _OPERATIONS["Clip"](self, minimum, maximum)

    def shift(self, steps) -> "Schedule":
        """Returns the schedule started `steps` updates later; until then, its first rate."""
        return _OPERATIONS["Shift"](self, steps)

    def stretch(self, factor) -> "Schedule":
        """Returns the schedule `factor` times slower; steps per epoch turn epochs into updates."""
        return _OPERATIONS["Stretch"](self, factor)

    def hold(self, every) -> "Schedule":
        """Returns the schedule as a staircase: its rate changes only every `every` updates."""
        return _OPERATIONS["Hold"](self, every)

    def repeat(self, period, period_multiplier=1.0, amplitude_multiplier=1.0) -> "Schedule":
        """Returns the schedule restarted every `period` updates; options as in `Repeat`."""
        return _OPERATIONS["Repeat"](self, period, period_multiplier, amplitude_multiplier)

    def then(self, other, at) -> "Schedule":
        """Returns this schedule until update `at`, and from there `other`, from its own 0."""
        return _OPERATIONS["followed"](self, other, at)

    def with_warmup(self, warmup_steps, **options) -> "Schedule":
        """Returns the schedule after a warmup; options as in `Warmup`."""
        return _OPERATIONS["Warmup"](self, warmup_steps, **options)

    def jitter(self, amplitude, **options) -> "Schedule":
        """Returns the schedule with a random perturbation; options as in `Jitter`."""
        return _OPERATIONS["Jitter"](self, amplitude, **options)


if typing.TYPE_CHECKING:

    class Named(Schedule):
        """What type checkers see of most classes: `name` as the last argument, by keyword only."""

        name: fields.Text = named(default="", kw_only=True)
else:
    Named = Schedule
