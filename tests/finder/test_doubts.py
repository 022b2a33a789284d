"""What is said where the rate that was chosen does not hold in the run."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from keras_lr.finder.search_in_fit import Doubts

# A sweep: the loss before training is 2 ± 0.1, and falls by 1.
SWEEP = np.concatenate([np.tile([1.9, 2.1], 10), np.linspace(2.0, 1.0, 40)])
FOUND = SimpleNamespace(losses=SWEEP, smoothed=SWEEP)


def said(losses, half=5, found=FOUND, may_explode=False):
    """Returns what is said during a run, by epoch."""
    doubts, messages = Doubts("Someone", found, half, may_explode), {}
    for epoch, loss in enumerate(losses):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            doubts.look(epoch, loss)
        if told:
            messages[epoch] = " ".join(str(w.message) for w in told)
    return messages


@pytest.mark.parametrize(
    "losses",
    [
        [1.5] * 10,
        # It may take a while, and the loss of an epoch is a mean over its updates.
        [2.2, 2.1, 2.0, 1.99, 1.98],
        # The range of the sweep above the loss before training is no explosion.
        [2.9, 1.0, 2.9],
    ],
)
def test_of_a_run_that_learns_nothing_is_said(losses):
    assert said(losses) == {}


@pytest.mark.parametrize("half", [1, 5, 51])
def test_a_run_that_does_not_move_is_named_at_half_of_its_epochs(half):
    messages = said([2.2] * 2 * half, half)
    assert list(messages) == [half - 1]
    assert f"does not move this run: up to epoch {half} the" in messages[half - 1]
    assert "was never below that before training, 2. " in messages[half - 1]
    assert said([2.2] * 2 * half, None) == {}


@pytest.mark.parametrize("loss", [math.nan, math.inf, 50.0])
def test_an_explosion_is_said_once(loss):
    messages = said([1.5, loss, loss, 1.4, loss])
    assert list(messages) == [1] and "is too high for this run" in messages[1]


def test_where_somebody_sees_to_explosions_only_the_other_is_said():
    assert said([math.nan] * 10, may_explode=True) == {}
    assert list(said([2.5, math.nan, 2.5, 2.5, 2.5], may_explode=True)) == [4]


def test_a_choice_that_was_kept_has_no_sweep_to_compare_with():
    assert said([50.0] * 10, found=None) == {}
    assert list(said([50.0, math.nan], found=None)) == [1]
