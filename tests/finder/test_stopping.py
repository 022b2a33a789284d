"""When a sweep is over: diverged, levelled off, or with nothing more to see."""

import numpy as np
from support.sweeps import RATES

from keras_lr.finder.curve import Curve
from keras_lr.finder.result import RangeTest
from keras_lr.finder.stopping import AfterDivergence


def test_the_sweep_goes_on_while_the_loss_falls_and_ends_when_it_levels_off():
    falling, level = (AfterDivergence(100, 10, 0.85) for _ in range(2))
    steps = np.arange(300)
    ended = [
        next(i for i, x in enumerate(f) if rule.add(x)) + 1
        for rule, f in (
            (falling, 5.0 - 0.01 * steps),
            (level, np.maximum(5.0 - 0.05 * steps, 1.0)),
        )
    ]
    assert ended[0] == 200 and 100 <= ended[1] <= 105
    assert not falling.diverged and not level.diverged


def test_the_sweep_goes_on_to_the_divergence_where_noise_hides_the_fall():
    noise = np.random.default_rng(2).normal(scale=0.5, size=200)
    losses = np.interp(np.arange(200), [0, 90, 120, 140], [2.0, 1.9, 2.0, 9.0]) + noise
    hidden, clear = (AfterDivergence(100, 10, 0.85) for _ in range(2))
    ended = next(i for i, loss in enumerate(losses) if hidden.add(loss))
    assert hidden.diverged and 120 < ended < 140
    fallen_by_much = losses - 3.0 * (np.arange(200) > 60)
    ended = next(i for i, loss in enumerate(fallen_by_much) if clear.add(loss))
    assert 99 <= ended < 110 and not clear.diverged


def test_the_sweep_ends_where_the_first_rates_have_broken_a_classifier():
    # It comes down again, to the loss of a network that has died.
    losses = [2.5, 4e2, 7e4, 24.0, 1e3, 23.0, 30.0, 230.0, 33.0, 51.0, *[2.4] * 90]
    rule = AfterDivergence(100, 10, 0.85)
    ended = next(i for i, loss in enumerate(losses) if rule.add(loss)) + 1
    curve = Curve(RATES[:ended], np.array(losses[:ended]), 10, cut_short=rule.diverged)
    assert ended == 10 and RangeTest.of(curve, [curve]).status == "diverged at once"


def test_the_sweep_of_a_loss_that_never_moves_ends_at_twice_its_length():
    rule = AfterDivergence(100, 10, 0.85)
    assert next(i for i in range(300) if rule.add(2.0)) == 199 and not rule.diverged


def test_five_losses_in_a_row_that_are_no_numbers_end_the_sweep():
    rule = AfterDivergence(100, 10, 0.85)
    losses = [1.0, np.nan, np.inf, 1.0, *[np.nan] * 5]
    assert [rule.add(loss) for loss in losses].index(True) == 8
    assert rule.diverged
