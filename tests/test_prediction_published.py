"""`rank` against results of others: recorded runs of language models, and a published order."""

import pytest
from support.exact_risk import spearman

from keras_lr import rank
from keras_lr.schedules import Constant, CosineDecay, LinearDecay, MultiStepDecay, WarmupStableDecay

LONG, SHORT, STREAM = 50_000, 25_000, 2_000


def down(share, shape="linear"):
    return WarmupStableDecay(1.0, "100%", warmup=0, decay=share, shape=shape)


LINEAR, COSINE = LinearDecay(1.0, "100%"), CosineDecay(1.0, "100%")
TO_A_TENTH = CosineDecay(1.0, "100%", alpha=0.1)
# Validation losses of a language model of 124 million parameters, each schedule at the best of the
# rates that were tried, one seed: the logs of Schaipp et al., arXiv 2501.18965.
LOSSES = {
    "constant": (Constant(1.0), 3.112),
    "cosine to a tenth": (TO_A_TENTH, 2.982),
    "10 % down": (down("10%"), 2.983),
    "20 % down": (down("20%"), 2.966),
    "20 % down, as 1 − √u": (down("20%", "sqrt"), 2.960),
    "cosine": (COSINE, 2.9534),
    "linear": (LINEAR, 2.9535),
    "60 % down": (down("60%"), 2.951),
}
OF_HALF_THE_LENGTH = {
    f"{share} % down": (down(f"{share}%"), loss)
    for share, loss in [(10, 3.0541), (20, 3.0378), (40, 3.0272), (60, 3.0234), (80, 3.0238)]
}


@pytest.mark.parametrize("losses, steps", [(LOSSES, LONG), (OF_HALF_THE_LENGTH, SHORT)])
def test_it_orders_recorded_runs_of_language_models(losses, steps):
    table = rank({name: schedule for name, (schedule, _) in losses.items()}, steps)
    found = {row.name: row.bound for row in table.rows}
    pairs = [(found[name], loss) for name, (_, loss) in losses.items()]
    assert spearman(*zip(*pairs)) >= 0.8


def test_best_peaks_differ_as_those_of_the_recorded_runs():
    # Of grids of factors of 2, the best rates were 1/2, 1 and 2 times that of 20 % down.
    table = rank({"constant": 1.0, "down": down("20%"), "linear": LINEAR}, LONG)
    peaks = {row.name: row.relative_peak for row in table.rows}
    assert peaks["constant"] / peaks["down"] == pytest.approx(0.5, rel=0.3)
    assert peaks["linear"] / peaks["down"] == pytest.approx(2.0, rel=0.1)


def test_it_has_the_published_order_of_a_small_network_on_a_stream():
    """The best first: test losses .7833, .7848, .7870, .7903, .7947 and .8269."""
    stairs = MultiStepDecay(1.0, [STREAM // 2, 3 * STREAM // 4], 0.1)
    in_order = [LINEAR, COSINE, TO_A_TENTH, down("20%"), stairs, Constant(1.0)]
    table = rank({str(place): schedule for place, schedule in enumerate(in_order)}, STREAM)
    assert [row.name for row in table.rows] == list("012345")
