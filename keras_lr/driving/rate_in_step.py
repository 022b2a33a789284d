"""The rate as a training step reads it: base and factors, and the dial that follows metrics."""

import weakref

import keras
from keras import ops

from keras_lr.keras_private.fit_call import model_in_step
from keras_lr.keras_private.optimizers import (
    counter_in_step,
    has_rate_variable,
    own_rate,
    rate_in_step,
    read,
)
from keras_lr.schedules import Schedule
from keras_lr.schedules.ahead import RatesAhead
from keras_lr.schedules.coerce import as_applied, is_fixed
from keras_lr.schedules.evaluation import host_count, result_dtype


class Dial:
    """What is changed between updates: `scale`, `level`, and the `offset` of the fit's clock.

    Python has them as numbers, a compiled step as live variables: no change compiles anything anew.
    """

    def __init__(self, live, optimizer):
        self.optimizer = optimizer
        self.scale, self.level, self.offset = 1.0, 0.0, 0
        count = counter_in_step(optimizer).dtype
        self.live_scale, self.live_level = live.add(optimizer, 1.0), live.add(optimizer, 0.0)
        self.live_offset = live.add(optimizer, 0, count)
        # The models whose compiled steps ask it.
        self.models = weakref.WeakSet()

    def set(self, scale, level):
        """Applies `scale · base + level` from the next update on."""
        self.scale, self.level = scale, level
        self.live_scale.assign(scale)
        self.live_level.assign(level)

    def set_clock(self, offset):
        """Has the fit's clock show the number of updates less `offset`."""
        self.offset = offset
        self.live_offset.assign(offset)

    def clock_in_step(self):
        """Returns the t of the fit's schedules, inside the training step."""
        return ops.subtract(self.optimizer.iterations, self.live_offset)


class RateInStep:
    """`(scale · base(t) + level) × factors(t)`, in the place of an optimizer's own rate.

    Called inside the training step, once per update or once per trace. Two are equal if the one
    would be compiled as the other. Where the counter can be read, as in eager steps, the rate is
    worked out on the host and becomes one tensor at the end.
    """

    def __init__(self, optimizer, dial, base, factors):
        self._optimizer, self._dial = optimizer, dial
        self._base, self._factors = base, factors
        self._own = own_rate(optimizer)
        self._base_ahead = self._ahead_of_base()
        self._factors_ahead = [RatesAhead(factor) for factor in factors]
        self._contents = self._described()

    def __eq__(self, other):
        same_dial = isinstance(other, RateInStep) and self._dial is other._dial
        return same_dial and self._contents == other._contents

    __hash__ = None  # type: ignore[assignment]

    def _described(self):
        # The same schedule is another base as the optimizer's own: it has another clock.
        if self._base is not None:
            described = [self._base, None]
        elif has_rate_variable(self._optimizer):
            described = [None, None]
        else:
            described = [None, _fixed(self._own)]
        described += self._factors
        # A function from outside may return something else by the next fit: it equals nothing.
        return [d if d is None or is_fixed(d) else object() for d in described]

    def _ahead_of_base(self):
        """Returns what the base is on the host, where it is a schedule of ours."""
        base = self._own if self._base is None else self._base
        return RatesAhead(base) if isinstance(base, Schedule) else None

    def __call__(self):
        updates = host_count(self._optimizer.iterations)
        return self._in_graph() if updates is None else self._on_host(updates)

    def _on_host(self, updates):
        clock = updates - self._dial.offset
        if has_rate_variable(self._optimizer) and self._base is None:
            rate = read(self._own)
        elif self._base_ahead is None:
            rate = read(self._own(counter_in_step(self._optimizer)))
        elif self._base is not None:
            rate = self._base_ahead.at(clock)
        else:
            rate = self._base_ahead.at(host_count(counter_in_step(self._optimizer)))
        rate = rate * self._dial.scale + self._dial.level
        for factor in self._factors_ahead:
            rate *= factor.at(clock)
        return ops.convert_to_tensor(rate, dtype=result_dtype())

    def _in_graph(self):
        if keras.config.backend() == "tensorflow":
            # JAX compiles anew when the live variables go.
            model = model_in_step()
            self._dial.models.update([] if model is None else [model])
        if self._base is not None:
            rate = self._base(self._dial.clock_in_step())
        elif has_rate_variable(self._optimizer):
            rate = rate_in_step(self._optimizer)
        else:
            # The schedule that the fit began with: the one in the optimizer has the cuts in it.
            rate = self._own(counter_in_step(self._optimizer))
        rate = ops.add(ops.multiply(rate, self._dial.live_scale), self._dial.live_level)
        for factor in self._factors:
            rate = ops.multiply(rate, factor(self._dial.clock_in_step()))
        return rate


def _fixed(own):
    """Returns a schedule of an optimizer as a value; one of Keras' is what its config says."""
    try:
        return as_applied(own)
    except ValueError:
        # Keras takes arguments that ours refuse.
        return object()
