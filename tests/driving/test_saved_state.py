"""States of callbacks: as JSON, in files, and what is said of files that cannot be used."""

import json

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import once

from keras_lr import callbacks
from keras_lr.files import sealed

LOSSES = [1.0, 1.0, 1.0, 0.5, 1.0, 1.0]
RULES = {
    "plateau": lambda **more: callbacks.ReduceLROnPlateau("m", mode="min", **more),
    "loss threshold": lambda **more: callbacks.LossThreshold(0.7, [0.1, 0.2], "m", **more),
    "validation threshold": lambda **more: callbacks.ValidationThreshold(1, [1, 2], "m", **more),
    "validation decay": lambda **more: callbacks.ValidationDecay("m", mode="min", **more),
    "bold driver": lambda **more: callbacks.BoldDriver("m", mode="min", **more),
    "greedy": lambda **more: callbacks.GreedyLR("m", mode="min", patience=1, **more),
    "recovery": lambda **more: callbacks.RecoverFromDivergence("m", mode="min", **more),
    "scheduler": lambda **more: callbacks.LearningRateScheduler(lambda e, lr: 0.9 * lr, **more),
}
FUNCTIONS = {
    "warmup": lambda: callbacks.Warmup(3),
    "fit schedule": lambda: callbacks.FitSchedule(0.1),
    "recorder": callbacks.LearningRateRecorder,
    "scheduler by updates": lambda: callbacks.LearningRateScheduler(lambda k: 0.1, every=2),
}


def plateau(path, **more):
    return RULES["plateau"](factor=0.5, patience=1, state_path=path, **more)


def fit(model, epochs, used, **more):
    return unit_gradient.fit(model, 2, epochs, [unit_gradient.Feed(LOSSES, "m"), *used], **more)


def trained(path, epochs=3):
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    fit(model, epochs, [plateau(path)])
    return model


@once
@pytest.mark.parametrize("rule", RULES)
def test_a_state_is_json_and_makes_an_equal_callback(rule):
    model, callback = unit_gradient.build("sgd"), RULES[rule]()
    fit(model, 4, [callback])
    state = json.loads(json.dumps(callback.get_state()))
    other = RULES[rule]()
    other.set_state(state)
    assert other.state == callback.state
    assert state["epoch"] == 4 and state["iterations"] == [8]


@pytest.mark.parametrize("rule", FUNCTIONS)
def test_a_function_of_the_update_has_no_state(rule):
    callback = FUNCTIONS[rule]()
    assert callback.get_state() == {}
    callback.set_state({})
    with pytest.raises(ValueError, match=r"`state` must be {}, for .* remembers nothing"):
        callback.set_state({"factor": 1.0})


def test_a_state_before_any_fit_is_only_a_state():
    callback = RULES["plateau"]()
    callback.best, callback.wait = 0.3, 2
    state = callback.get_state()
    assert sorted(state) == ["callback", "state"]
    model, again = unit_gradient.build(keras.optimizers.SGD(0.4)), RULES["plateau"](patience=3)
    again.set_state(state)
    fit(model, 2, [again])
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.04, 0.04], atol=2e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: [], "must be what `get_state` of another ReduceLROnPlateau.monitor='m'"),
        (lambda s: {**s, "callback": "BoldDriver(monitor='m')"}, "what `get_state` of another"),
        (lambda s: {**s, "state": {"factor": 1.0}}, "with the fields factor, rate, best, wait"),
        (lambda s: {**s, "state": {**s["state"], "best": {}}}, r"`state\['best'\]` must be"),
        (lambda s: {**s, "state": {**s["state"], "factor": -1.0}}, r"`state\['factor'\]` must"),
    ],
)
def test_a_state_of_something_else_is_refused(change, message):
    callback = RULES["plateau"]()
    state = callback.get_state()
    with pytest.raises(ValueError, match=message):
        callback.set_state(change(state))


def test_a_state_is_used_once():
    model, callback = unit_gradient.build(keras.optimizers.SGD(0.4)), plateau(None)
    fit(model, 3, [callback])
    assert callback.state.factor == 0.25
    callback.set_state(callback.get_state())
    fit(model, 1, [callback])
    assert callback.state.factor == 0.125
    fit(model, 1, [callback])
    assert callback.state.factor == 1.0
    expected = np.repeat([0.4, 0.4, 0.2, 0.1, 0.05], 2)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


# Files


def entries(path):
    """Returns what is in a state file, line by line, but for its head."""
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def test_a_file_has_an_entry_for_each_epoch(tmp_path):
    path = tmp_path / "new" / "plateau.json"
    trained(path)
    found = [(e["epoch"], e["iterations"], e["state"]["factor"]) for e in entries(path)]
    assert found == [(0, [0], 1.0), (1, [2], 1.0), (2, [4], 0.5), (3, [6], 0.25)]
    assert [p.name for p in path.parent.iterdir()] == ["plateau.json"]


def test_a_new_run_begins_the_file_anew_and_says_so(tmp_path, capsys):
    path = tmp_path / "plateau.json"
    trained(path)
    model = trained(path, epochs=2)
    assert f"{path} of an earlier run anew" in capsys.readouterr().out
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4] * 4, atol=2e-6)
    assert len(entries(path)) == 3


def test_a_second_fit_of_the_same_callback_is_a_new_run(tmp_path, capsys):
    path = tmp_path / "plateau.json"
    model, callback = unit_gradient.build(keras.optimizers.SGD(0.4)), plateau(path)
    for _ in range(2):
        fit(model, 2, [callback])
    assert "anew" in capsys.readouterr().out
    expected = np.repeat([0.4, 0.4, 0.2, 0.2], 2)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


def test_weights_that_no_entry_belongs_to_are_refused(tmp_path):
    path = tmp_path / "plateau.json"
    model = trained(path)
    with pytest.raises(ValueError, match=r"no entry .*: 0 epochs and 6 batches .* epoch 3 \(batch"):
        fit(model, 5, [plateau(path)])
    with pytest.raises(ValueError, match="no entry .*: 2 epochs and 6 batches done"):
        fit(model, 5, [plateau(path)], initial_epoch=2)
    fit(model, 5, [plateau(path)], initial_epoch=3)
    assert entries(path)[-1]["epoch"] == 5


def test_a_time_that_was_left_is_forgotten(tmp_path):
    path = tmp_path / "plateau.json"
    trained(path, epochs=5)
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(4)
    fit(model, 3, [plateau(path)], initial_epoch=2)
    assert [e["epoch"] for e in entries(path)] == [0, 1, 2, 3]


def test_a_missing_file_at_a_later_epoch_is_warned_about(tmp_path):
    model = unit_gradient.build("sgd")
    with pytest.warns(UserWarning, match="finds no state file .*plateau.json: training goes on at"):
        fit(model, 3, [plateau(tmp_path / "plateau.json")], initial_epoch=2)


@once
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:40], "is damaged, or no state file.*delete the file to begin"),
        (lambda text: text[:-40], "has no entry for the weights that training goes on from"),
        (lambda text: "", "is damaged, or no state file"),
        (lambda text: "[]", "is damaged, or no state file"),
        (lambda text: text.replace('"iterations"', '"steps"'), "damaged.*the checksum is not"),
        (lambda text: text.replace("checksum", "chocksum"), "damaged, or no state file"),
        (lambda text: sealed({"keras_lr_state": 3, "callback": "R()"}), "has format 3"),
        (
            lambda text: sealed({"keras_lr_state": 2, "callback": "R()", "schedules": []}),
            r"belongs to R\(\): give each callback",
        ),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_run_and_stays(damage, message, tmp_path):
    path = tmp_path / "plateau.json"
    model = trained(path)
    path.write_text(damage(path.read_text()))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        fit(model, 4, [plateau(path)], initial_epoch=3)
    assert path.read_bytes() == before
    np.testing.assert_allclose(unit_gradient.applied(model).size, 6)


def test_a_path_is_that_of_one_file_of_one_callback(tmp_path):
    with pytest.raises(ValueError, match="`state_path` must be None, or the path of a file"):
        plateau(tmp_path)
    with pytest.raises(ValueError, match="`state_path` must be None, or the path of a file"):
        plateau(3)
    two = [plateau(tmp_path / "a.json"), RULES["greedy"](state_path=str(tmp_path / "a.json"))]
    with pytest.raises(ValueError, match="`state_path` must be another for each callback"):
        fit(unit_gradient.build("sgd"), 1, two)


def test_a_table_as_schedule_is_written_once(tmp_path):
    from keras_lr import schedules

    path, table = tmp_path / "plateau.json", schedules.Tabulated(np.linspace(1, 0, 5000))
    model = unit_gradient.build(keras.optimizers.SGD(table))
    fit(model, 5, [plateau(path)])
    assert path.stat().st_size < 150_000
