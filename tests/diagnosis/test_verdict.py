"""The verdict: what changes nothing, what is plain, and what its data are."""

import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lr.diagnosis import verdict as module
from keras_lr.diagnosis.features import binned, features
from keras_lr.diagnosis.run_curves import RunCurves
from keras_lr.diagnosis.trees import Trees
from keras_lr.diagnosis.verdict import FINE, VERDICTS, model, probabilities, verdict

FILE = pathlib.Path(module.__file__).with_name("verdict.json")
DATA = json.loads(FILE.read_text())
TREES = Trees(DATA["rounds"])
T = np.arange(1, 61) / 60


def noisy(curve, size=0.01, seed=0):
    return curve + size * np.random.default_rng(seed).normal(size=len(curve))


PLAIN = {
    "too small": RunCurves(2.3 - 0.1 * T, 2.3 - 0.1 * T),
    "too large": RunCurves(
        noisy(0.4 + 2 * np.exp(-30 * T), 0.03), noisy(0.7 + 0.8 * T + np.exp(-30 * T), 0.15, 1)
    ),
    "diverged": RunCurves(np.exp(8 * T), np.exp(9 * T), initial=1.0),
    "good": RunCurves(
        0.3 + 2 * np.exp(-7 * T) - 0.02 * T, noisy(0.5 + 1.8 * np.exp(-7 * T) - 0.01 * T, 0.002)
    ),
}


def moved(curves, factor, shift):
    def move(values):
        return None if values is None else factor * values + shift

    return curves._replace(
        loss=move(curves.loss), val_loss=move(curves.val_loss), initial=move(curves.initial)
    )


@pytest.mark.parametrize("name", PLAIN)
def test_plain_cases(name):
    assert verdict(PLAIN[name])[0] == name


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("factor, shift", [(0.01, 0.0), (100.0, 0.0), (1.0, -50.0), (3.0, 7.0)])
def test_neither_scale_nor_sign_matters(name, factor, shift):
    expected, sure = verdict(PLAIN[name])
    found, p = verdict(moved(PLAIN[name], factor, shift))
    assert found == expected
    assert list(p.values()) == pytest.approx(list(sure.values()), abs=1e-6)


CURVES = st.lists(st.integers(-9999, 9999), min_size=5, max_size=80).map(lambda x: np.array(x) / 7)


@settings(max_examples=60, deadline=None)
@given(CURVES, st.sampled_from([0.25, 4.0, 1024.0]))
def test_features_do_not_change_with_the_scale(loss, factor):
    curves = RunCurves(loss, loss[::-1], initial=float(loss[0]) + 1.0)
    found, scaled = features(curves), features(moved(curves, factor, 0.0))
    assert found == pytest.approx(scaled, rel=1e-6, abs=1e-6, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(CURVES, st.booleans(), st.booleans())
def test_probabilities_sum_to_one_whatever_is_missing(loss, has_val, has_rate):
    curves = RunCurves(loss, loss if has_val else None, np.ones(len(loss)) if has_rate else None)
    found, p = verdict(curves)
    assert found in (*VERDICTS, "undetermined")
    assert sum(p.values()) == pytest.approx(1.0) and list(p) == list(VERDICTS)
    assert p == probabilities(curves)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=20, max_size=60).map(np.array), st.integers(2, 5))
def test_logging_more_often_changes_no_mean(values, times):
    # Each value is the mean over its part of the run, so repeating it says the same.
    assert binned(np.repeat(values, times)) == pytest.approx(binned(values), abs=1e-9)


def test_a_loss_of_any_size_is_judged_by_its_shape():
    for name in ("too small", "good", "too large"):
        assert verdict(moved(PLAIN[name], 1e250, 0.0))[0] == name


@pytest.mark.parametrize("last", [math.nan, math.inf, -math.inf])
def test_a_loss_that_ends_as_no_number_has_diverged(last):
    found, p = verdict(RunCurves(np.array([1.0, 0.9, last])))
    assert found == "diverged" and p["diverged"] == 0.99


@pytest.mark.parametrize(
    "loss", [[], [1.0], [2.0, 1.0, 0.5, 0.4], [math.nan, 1.0, 0.9, 0.8, 0.7]], ids=len
)
def test_short_runs_are_undetermined(loss):
    assert verdict(RunCurves(np.array(loss)))[0] == "undetermined"


@pytest.mark.parametrize("loss", [np.ones(30), np.zeros(30), np.full(30, 1e300), -np.ones(30)])
def test_a_constant_loss_is_no_error(loss):
    assert sum(verdict(RunCurves(loss, loss))[1].values()) == pytest.approx(1.0)


def test_a_validation_loss_that_was_seldom_measured_counts():
    val = np.full(60, np.nan)
    val[4::5] = PLAIN["good"].val_loss[4::5]
    sparse = features(PLAIN["good"]._replace(val_loss=val))
    dense = features(PLAIN["good"])
    assert sparse["val half"] == pytest.approx(dense["val half"], abs=0.1)


def test_many_points_take_linear_time():
    loss = np.geomspace(2.0, 1.0, 1_000_000)
    assert len(features(RunCurves(loss, loss))) == len(model().features)


# Trees and data


def by_hand(tree, row):
    while isinstance(tree, list):
        feature, threshold, missing, below, above = tree
        seen = row[feature]
        goes_below = bool(missing) if math.isnan(seen) else seen <= threshold
        tree = below if goes_below else above
    return tree


ROWS = st.lists(
    st.one_of(st.floats(-5, 5), st.just(math.nan)),
    min_size=len(model().features),
    max_size=len(model().features),
)


@settings(max_examples=8, deadline=None)
@given(ROWS)
def test_trees_are_what_one_reads_in_the_file(row):
    expected = [sum(by_hand(trees[k], row) for trees in DATA["rounds"]) for k in range(len(FINE))]
    assert TREES(row) == pytest.approx(expected, abs=1e-9)


def test_the_data_are_whole():
    names = list(features(PLAIN["good"]))
    assert DATA["features"] == names
    assert {len(trees) for trees in DATA["rounds"]} == {len(FINE)} == {len(DATA["start"])}
    assert FILE.stat().st_size < 400_000
    used = set()

    def visit(tree):
        if isinstance(tree, list):
            used.add(tree[0])
            visit(tree[3]), visit(tree[4])

    for trees in DATA["rounds"]:
        for tree in trees:
            visit(tree)
    assert max(used) < len(names) and len(used) > len(names) / 2


def test_it_needs_numpy_only():
    code = (
        "import sys, types, pathlib; root = pathlib.Path(sys.argv[1])\n"
        # Without `keras_lr/__init__.py`, which needs Keras.
        "for name in ('keras_lr', 'keras_lr.diagnosis'):\n"
        "    package = types.ModuleType(name); sys.modules[name] = package\n"
        "    package.__path__ = [str(root.joinpath(*name.split('.')))]\n"
        "import keras_lr.diagnosis.verdict as v, numpy as np\n"
        "from keras_lr.diagnosis.run_curves import RunCurves\n"
        "v.verdict(RunCurves(np.linspace(2, 1, 30)))\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    root = pathlib.Path(module.__file__).parents[2]
    out = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True
    )
    assert not {"keras", "sklearn", "tensorflow", "jax", "torch"} & set(out.stdout.split())
