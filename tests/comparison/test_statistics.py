"""Student's t for whole degrees of freedom, Holm's correction, and paired differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr.comparison.statistics import holm, mean_and_error, paired, t_quantile, t_tail

# Two-sided 95 % quantiles, as printed in every table.
TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 30: 2.042}


@pytest.mark.parametrize("freedom", TABLE)
def test_quantiles_are_those_of_the_tables(freedom):
    assert t_quantile(0.95, freedom) == pytest.approx(TABLE[freedom], abs=5e-4)


def test_tails_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 2, 3, 4, 5, 8, 17, 40, 199):
        t = np.array([0.0, 0.1, 1.0, 2.5, -4.0, 8.0])
        ours = [t_tail(value, freedom) for value in t]
        expected = 2.0 * stats.t.sf(np.abs(t), freedom)
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-13)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_holm_claims_what_its_steps_claim(likelihoods):
    corrected = holm(likelihoods)
    # The procedure as Holm wrote it: from the lowest on, until one is above level / (n − i).
    claimed = []
    for i, p in enumerate(sorted(likelihoods)):
        if p * (len(likelihoods) - i) >= 0.05:
            break
        claimed.append(p)
    assert sorted(p for p, c in zip(likelihoods, corrected) if c < 0.05) == claimed
    assert all(c >= p for p, c in zip(likelihoods, corrected))


def test_a_paired_test_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=5), rng.normal(size=5)
    found, expected = paired(a, b), stats.ttest_rel(a, b)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.difference / found.error == pytest.approx(expected.statistic)


def test_what_is_the_same_in_all_seeds_shows_no_difference():
    assert paired([0.1, 0.2], [0.1, 0.2]) == (0.0, 0.0, 1.0)
    # The last bits differ.
    assert paired([0.1, 0.2], [0.1 + 1e-17, 0.2 + 3e-17]).p == 1.0
    assert paired([1.1, 1.2], [0.1, 0.2]).p == 0.0


def test_what_is_no_number_shows_nothing():
    found = paired([math.inf, 1.0, 1.0], [0.0, 0.0, 0.0])
    assert math.isnan(found.difference) and found.p == 1.0
    assert paired([1.0], [0.0]).p == 1.0
    assert mean_and_error([1.0, math.inf])[0] == math.inf
