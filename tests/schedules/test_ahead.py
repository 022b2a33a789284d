"""The rates that are worked out ahead are those of the schedule, in any order of updates."""

import numpy as np
import pytest

from keras_lr import schedules
from keras_lr.schedules.ahead import RatesAhead

SCHEDULES = [
    schedules.Constant(0.1),
    schedules.WarmupCosine(0.1, 200),
    schedules.LinearDecay(0.1, 70).jitter(0.5, every=3, seed=1),
    # Beyond what float32 can hold from update 1024 on: no one may get there.
    schedules.ExponentialDecay(1.0, 8, 2.0),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_are_the_rates_of_the_schedule_in_any_order(schedule):
    ahead = RatesAhead(schedule)
    updates = [0, 1, 63, 64, 200, 65, 2, 1000, -1]
    expected = schedule.rates(updates)
    np.testing.assert_allclose([ahead.at(t) for t in updates], expected, rtol=1e-15)


def test_do_not_depend_on_where_a_run_begins():
    schedule = schedules.WarmupCosine(0.1, 500).jitter(0.1)
    whole, resumed = RatesAhead(schedule), RatesAhead(schedule)
    assert [whole.at(t) for t in range(200)][77:] == [resumed.at(t) for t in range(77, 200)]


def test_a_function_from_outside_is_asked_for_no_later_update():
    values = [0.3, 0.2, 0.1]
    ahead = RatesAhead(schedules.LambdaDecay(1.0, lambda t: values[int(t)]) * 2.0)
    assert [ahead.at(t) for t in range(3)] == [0.6, 0.4, 0.2]


def test_a_formula_for_single_updates_is_asked_one_by_one():
    class Single(schedules.Schedule):
        def rate(self, t, xp):
            return 0.1 if t < 2 else 0.01

    ahead = RatesAhead(Single())
    assert [ahead.at(t) for t in range(4)] == [0.1, 0.1, 0.01, 0.01]
