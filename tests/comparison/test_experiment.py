"""`compare` from end to end: what it returns, goes on with, and refuses before any run."""

import json
import re

import keras
import numpy as np
import pytest
from support.comparisons import BATCH_SIZE, DATA, EPOCHS, build_linear
from support.tiers import once, rest

from keras_lr import compare, schedules
from keras_lr.comparison import bench

LINEAR = {"linear": schedules.LinearDecay(1.0, "100%")}
OPTIONS = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "seeds": 2, "verbose": 0}
FEW = {"rates": [0.0625, 0.125, 0.25]}


def compared(schedules=LINEAR, build=build_linear, data=DATA, **options):
    return compare(build, data, schedules, **{**OPTIONS, **FEW, **options})


def results(found):
    """Returns all that a comparison has found but the times."""
    found = found.to_dict()
    return [[run.pop("seconds") for run in found["runs"]], found][1]


@pytest.fixture
def runs(monkeypatch):
    """Notes the runs that are made."""
    made, make = [], bench.Bench.make
    monkeypatch.setattr(
        bench.Bench, "make", lambda self, task: [made.append(task), make(self, task)][1]
    )
    return made


pytestmark = once


def test_a_comparison_has_each_contender_at_its_own_rate(runs):
    before = np.random.get_state()[1].copy()
    found = compared()
    assert {row.name for row in found.contestants} == {"constant", "linear"}
    for row in found.contestants:
        assert row.is_interior and len(row.values) == 2
        best = min(row.curve, key=lambda point: point.mean)
        assert row.rate == best.rate
        assert row.mean == pytest.approx(np.mean(row.values))
    means = [row.mean for row in found.contestants]
    assert means == sorted(means) and found.best == found.contestants[0].name
    assert len(runs) == len(set(runs)) == len(found.runs)
    assert {(task.seed, task.purpose) for task in runs} == {
        (0, "choose"),
        (1, "choose"),
        (2, "report"),
        (3, "report"),
    }
    json.dumps(found.to_dict(), allow_nan=False)
    assert str(found) == found.report()
    # Whoever calls it goes on with the random numbers that they would have had.
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_call_that_was_ended_goes_on_and_has_the_same_table(tmp_path, runs):
    expected = results(compared(directory=tmp_path))
    count, path = len(runs), tmp_path / "results.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    # Ended after the first line, in the midst of choosing, in the last line, and not at all.
    cut = len(lines) // 2
    for content, left in [
        (lines[:1], count),
        (lines[:cut], count + 1 - cut),
        ([*lines[:-1], lines[-1][:30]], 1),
        (lines, 0),
    ]:
        path.write_bytes(b"".join(content))
        runs.clear()
        assert results(compared(directory=tmp_path)) == expected
        assert len(runs) == left


def test_more_contenders_are_all_that_is_trained(tmp_path, runs):
    compared(directory=tmp_path)
    runs.clear()
    found = compared({**LINEAR, "recipe": schedules.LinearToZero}, directory=tmp_path)
    assert {task.name for task in runs} == {"recipe"} and len(found.contestants) == 3


def test_two_names_of_one_schedule_are_trained_once(runs):
    found = compared({"constant": 1.0, "again": schedules.Constant(0.3)})
    assert len(runs) == len({task[1:] for task in runs})
    assert found.differences[0].difference == 0.0 and not found.differences[0].is_claimed


@rest
def test_changed_data_and_models_are_refused(tmp_path):
    compared(directory=tmp_path)
    x, y = DATA["train"]
    with pytest.raises(ValueError, match="results with the same data as now"):
        compared(data={**DATA, "train": (x + 1e-3, y)}, directory=tmp_path)

    def other(seed):
        model = build_linear(seed)
        model.compile(keras.optimizers.SGD(0.125, momentum=0.5), "mse", metrics=["mae"])
        return model

    with pytest.raises(ValueError, match="results with the same model as now"):
        compared(build=other, directory=tmp_path)


@rest
def test_an_accuracy_or_error_may_be_what_counts():
    found = compared(metric="mae", rates=[0.1, 0.2, 0.4])
    assert found.metric == "mae" and not found.higher_is_better
    assert "test mae" in found.report()


def unseeded(seed):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def fixed(seed):
    return build_linear(0)


def seeded_but_for_dropout(seed):
    start = keras.initializers.GlorotUniform(seed)
    dense = keras.layers.Dense(1, kernel_initializer=start)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), dense])
    model.compile("sgd", "mse")
    return model


def uncompiled(seed):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])


def with_schedule(seed):
    model = build_linear(seed)
    model.compile(keras.optimizers.SGD(schedules.Constant(0.1)), "mse")
    return model


REFUSED = {
    "no function": ({"build": build_linear(0)}, "`build_model` must be a function of a seed"),
    "no model": ({"build": lambda seed: "model"}, "a function of a seed that returns a compiled"),
    "not compiled": ({"build": uncompiled}, "a function of a seed that returns a compiled"),
    "unseeded": ({"build": unseeded}, "two models of seed 0 with other first weights"),
    "dropout": ({"build": seeded_but_for_dropout}, "two models of seed 0 with other random"),
    "no rate": (
        {"build": with_schedule, "rates": None},
        "`rates` must be a list of rates to begin with",
    ),
    "too long": ({"schedules": {"a": schedules.LinearDecay(1.0, 16)}}, "as long as the run, 15"),
    "one seed": ({"seeds": 1}, "`seeds` must be an integer >= 2"),
    "metric": ({"metric": "accuracy"}, r"`metric` must be one of .*\['loss', 'mae'\]"),
    "mode": ({"mode": "down"}, "`mode` must be one of"),
    "rates": ({"rates": [0.0, 0.1]}, r"`rates\[0\]` must be"),
    "epochs": ({"epochs": 0}, "`epochs` must be an integer >= 1"),
    "two engines": ({"workers": 2, "executor": type("E", (), {"submit": print})()}, "`workers`"),
    "no executor": ({"executor": 3}, "`executor` must be a concurrent.futures.Executor"),
    "no workers": ({"workers": 0}, "`workers` must be an integer >= 1"),
    "folder": ({"directory": __file__}, "`directory` must be a folder that can be written to"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_before_any_run(name, runs):
    options, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        compared(**options)
    assert runs == []


def test_rows_in_two_parts_are_said():
    x, y = DATA["train"]
    with pytest.warns(UserWarning, match="5 of 20 rows of the test data are in the train data"):
        found = compared(
            data={
                **DATA,
                "test": (np.r_[x[:5], DATA["test"][0][5:]], np.r_[y[:5], DATA["test"][1][5:]]),
            }
        )
    assert "Note: 5 of 20 rows of the test data" in " ".join(found.report().split())


def test_a_seed_that_is_not_used_is_said():
    assert re.search("have the same first weights", " ".join(compared(build=fixed).notes))


@rest
def test_errors_of_the_user_come_through_and_results_are_kept(tmp_path, runs):
    class Broken(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        compared({"constant": 1.0, "zz": Broken()}, directory=tmp_path)
    count = len(runs)
    runs.clear()
    compared({"constant": 1.0}, directory=tmp_path)
    assert count > 1 and all(task.name == "constant" for task in runs)
