"""What is said of a run that goes on: only of one that is lost."""

import numpy as np
import pytest
from support.run_curves import decay, noisy

from keras_lr.diagnosis.early import warning_of
from keras_lr.diagnosis.run_curves import RunCurves


@pytest.mark.parametrize(
    "losses, initial, name",
    [
        ([2.0, np.nan], None, "nan"),
        ([2.0, 2.5, 3.5, 4.5, 6.0, 9.0], None, "diverging"),
        (noisy(np.full(10, 2.3), 0.01), None, "does not move"),
        (np.full(10, 2.3), 2.3, "does not move"),
    ],
)
def test_a_lost_run_is_named(losses, initial, name):
    assert warning_of(RunCurves(np.array(losses), initial=initial)).name == name


@pytest.mark.parametrize(
    "losses",
    [decay()[:5], decay(30.0)[:10], [2.0, 9.0, 4.0, 2.5, 2.2, 2.1], [2.0], noisy(decay(), 0.3)],
    ids=["falls fast", "falls slowly", "a bump at first", "one point", "noise"],
)
def test_of_any_other_nothing_is_said(losses):
    assert warning_of(RunCurves(np.array(losses))) is None


def test_a_loss_does_not_move_only_when_a_quarter_of_the_run_has_shown_it():
    flat = RunCurves(noisy(np.full(10, 2.3), 0.01))
    assert warning_of(flat, planned=100) is None
    assert warning_of(flat, planned=40).name == "does not move"
