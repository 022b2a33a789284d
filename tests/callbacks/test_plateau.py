"""`ReduceLROnPlateau`: the rule by lists of numbers, and in `fit` floor, start and reports."""

import logging

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import once

from keras_lr import callbacks, schedules

nan, inf = float("nan"), float("inf")


def cuts(rule, values, rate=1.0):
    """Returns the evaluations (from 0) at which the rule cuts."""
    state, places = rule.start(), []
    for i, value in enumerate(values):
        before = state.factor
        state = rule.update(state, value, rate * before)
        if state.factor != before:
            places.append(i)
    return places


def rule(patience=1, **options):
    options = {"factor": 0.5, "mode": "min", "min_delta": 0.0, **options}
    return callbacks.ReduceLROnPlateau(patience=patience, **options)


# Evaluations at which a constant metric is cut, by (patience, cooldown): Keras' own, run by hand.
TRUTH = {
    (0, 0): [1, 2, 3, 4, 5, 6, 7, 8],
    (0, 1): [1, 2, 3, 4, 5, 6, 7, 8],
    (0, 2): [1, 3, 5, 7],
    (1, 0): [1, 2, 3, 4, 5, 6, 7, 8],
    (1, 1): [1, 2, 3, 4, 5, 6, 7, 8],
    (1, 2): [1, 3, 5, 7],
    (2, 0): [2, 4, 6, 8],
    (2, 1): [2, 4, 6, 8],
    (2, 2): [2, 5, 8],
    (3, 0): [3, 6],
    (3, 1): [3, 6],
    (3, 2): [3, 7],
}


@once
@pytest.mark.parametrize("cooldown", [0, 2])
def test_one_more_patience_and_cooldown_is_pytorch(cooldown):
    torch = pytest.importorskip("torch")
    metrics = np.cumprod(1 + np.random.default_rng(0).normal(-0.004, 0.05, 200))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=3, threshold=0.01, cooldown=cooldown, eps=0.0
    )
    expected = [1.0]
    for metric in metrics:
        theirs.step(metric)
        expected.append(optimizer.param_groups[0]["lr"])
    longer = cooldown + 1 if cooldown else 0
    ours = rule(4, min_delta=0.01, threshold_mode="rel", cooldown=longer)
    assert expected[-1] < 1e-3
    assert list(callbacks.replay(ours, metrics.tolist()).factors) == expected


@pytest.mark.parametrize(("patience", "cooldown"), TRUTH)
def test_patience_and_cooldown_truth_table(patience, cooldown):
    found = cuts(rule(patience, cooldown=cooldown), [1.0] * 9)
    assert found == TRUTH[patience, cooldown]


@pytest.mark.parametrize(("patience", "cooldown"), TRUTH)
def test_truth_table_is_that_of_keras(patience, cooldown):
    theirs = keras.callbacks.ReduceLROnPlateau(
        "loss", 0.5, patience, mode="min", min_delta=0.0, cooldown=cooldown
    )
    model = unit_gradient.build(keras.optimizers.SGD(1.0))
    theirs.set_model(model)
    theirs.on_train_begin()
    places, rate = [], 1.0
    for i in range(9):
        theirs.on_epoch_end(i, {"loss": 1.0})
        now = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        places += [i] if now != rate else []
        rate = now
    assert places == TRUTH[patience, cooldown]


def test_a_metric_that_is_not_finite_is_never_the_best():
    assert cuts(rule(1), [nan, 1.0, 0.9, 0.8, 0.7]) == []
    assert cuts(rule(1), [-inf, 1.0, 0.9, 0.8]) == []
    assert cuts(rule(1), [1.0, nan, 0.9, inf]) == [1, 3]
    assert cuts(rule(1), [1.0, -inf, 0.9]) == [1]


def test_relative_threshold_is_safe_for_small_and_negative_values():
    halving = [1e-4 / 2**i for i in range(8)]
    absolute = {"min_delta": 1e-4, "threshold_mode": "abs"}
    relative = {"min_delta": 1e-4, "threshold_mode": "rel"}
    assert cuts(rule(2, **absolute), halving) != []
    assert cuts(rule(2, **relative), halving) == []
    worsening = [-1.0 + 0.01 * i for i in range(6)]
    assert cuts(rule(1, **relative), worsening) == [1, 2, 3, 4, 5]
    flat = cuts(rule(1, **relative), [1.0] * 5)
    assert flat == cuts(rule(1, **relative), [-1.0] * 5) == [1, 2, 3, 4]


# By policy: the evaluations, and which of them are cut.
POLICIES = {
    "bad": ([1.0, nan, 0.9, nan, inf], [1, 3, 4]),
    "ignore": ([1.0, nan, nan, 0.9, inf], []),
    # Also before there is a best, and in the cooldown, in which 1.1 does not count.
    "reduce": ([nan, 1.0, 1.1, nan, 0.9], [0, 3]),
    "stop": ([1.0, nan, nan], []),
}


@pytest.mark.parametrize("on_nan", POLICIES)
def test_what_follows_from_a_metric_that_is_not_finite(on_nan):
    values, expected = POLICIES[on_nan]
    assert cuts(rule(1, on_nan=on_nan, cooldown=5 * (on_nan == "reduce")), values) == expected


def test_at_the_floor_not_even_nan_reduces():
    assert cuts(rule(1, on_nan="reduce", min_lr=0.3), [nan, nan, nan]) == [0, 1]


def test_smoothing_is_the_corrected_exponential_mean():
    values = [3.0, 1.0, nan, 2.0, -4.0]
    smooth, means = rule(99, smoothing=0.75), []
    state = smooth.start()
    for value in values:
        state = smooth.update(state, value, 1.0)
        means.append(state.mean)
    # Its definition: m = 0.75 m + 0.25 v from m = 0, divided by 1 − 0.75ⁿ.
    m, expected = 0.0, []
    for n, value in enumerate([3.0, 1.0, 2.0, -4.0], start=1):
        m = 0.75 * m + 0.25 * value
        expected.append(m / (1 - 0.75**n))
    np.testing.assert_allclose(means, np.insert(expected, 2, expected[1]))
    assert state.best == pytest.approx(min(expected))
    assert cuts(rule(2, smoothing=0.9), [1.0] * 5) == cuts(rule(2), [1.0] * 5) == [2, 4]
    # What it is for: noise of five times the descent cuts no more.
    noisy = 2.0 - 0.02 * np.arange(40) + np.random.default_rng(0).normal(0.0, 0.1, 40)
    assert len(cuts(rule(3), noisy)) > 5 and cuts(rule(3, smoothing=0.9), noisy) == []


@pytest.mark.parametrize("kind", [callbacks.ReduceLROnPlateau, callbacks.GreedyLR])
def test_a_window_is_gone(kind):
    message = f"{kind.__name__} has no `window` any more: give `smoothing=.k - 1. / .k . 1.`"
    with pytest.raises(ValueError, match=message):
        kind(window=3)


# What ends the training, the cuts until then, and how many evaluations of a constant there are.
ENDS = {
    "cuts": ({"stop_after_cuts": 2}, [2, 4], 7),
    "cuts, with cooldown": ({"stop_after_cuts": 2, "cooldown": 2}, [2, 5], 9),
    "min_lr": ({"stop_at_min_lr": True, "min_lr": 0.3}, [2, 4], 7),
    "min_lr before cuts": ({"stop_at_min_lr": True, "stop_after_cuts": 9, "min_lr": 0.6}, [2], 5),
    "cuts before min_lr": ({"stop_at_min_lr": True, "stop_after_cuts": 1, "min_lr": 0.1}, [2], 5),
    "NaN": ({"stop_after_cuts": 1, "on_nan": "reduce"}, [2], 5),
    "not at min_lr": ({"min_lr": 0.3}, [2, 4], None),
}


@pytest.mark.parametrize("what", ENDS)
def test_training_ends_where_a_cut_would_be_due_and_none_is_left(what):
    options, places, length = ENDS[what]
    found = callbacks.replay(rule(2, **options), [1.0] * 20, learning_rate=1.0)
    assert [event.epoch for event in found.events] == places
    assert found.stopped == (length is not None)
    assert len(found.epochs) == (length or 20)


def test_no_end_before_a_cut_is_due():
    one = rule(2, stop_after_cuts=1)
    values = [1.0, 1.0, 1.0, 1.0, 0.9, 0.9, 0.8, 0.7]
    assert not callbacks.replay(one, values).stopped
    # A NaN that would have cut at once ends the training at once.
    assert callbacks.replay(rule(2, stop_after_cuts=1, on_nan="reduce"), [1.0, nan, nan]).stopped
    assert not callbacks.replay(
        rule(1, stop_after_cuts=1, on_nan="ignore"), [1.0, nan, nan]
    ).stopped


@pytest.mark.parametrize("restore_best", [False, "weights"])
def test_the_end_in_fit(restore_best, capsys):
    keras.config.enable_interactive_logging()
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    ends = {"stop_at_min_lr": True, "min_lr": 0.1, "restore_best": restore_best, "verbose": 1}
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, **ends)
    history = unit_gradient.fit(model, 1, 9, [unit_gradient.Feed([1.0] * 9), plateau])
    # Each rate is trained at, the lowest too.
    assert history.history["learning_rate"] == pytest.approx([0.4, 0.4, 0.2, 0.1])
    if restore_best:
        assert float(model.get_layer("trace_0").w) == pytest.approx(-0.4)
    else:
        np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.2, 0.1], atol=1e-6)
    told = "ReduceLROnPlateau ends the training (loss no better than 1 for 1 evaluations)."
    assert capsys.readouterr().out.count(told) == 1


def test_a_state_without_a_count_of_cuts_is_taken():
    plateau = rule(1, stop_after_cuts=2)
    entry = plateau.get_state()
    entry["state"].pop("cuts")
    plateau.set_state(entry)
    assert plateau.state.cuts == 0
    with pytest.raises(ValueError, match="`min_lr` must be above 0 with stop_at_min_lr"):
        rule(1, stop_at_min_lr=True)


def test_max_mode_mirrors_min_mode():
    values = [0.1, 0.5, 0.4, 0.6, 0.6, 0.6]
    assert cuts(rule(1, mode="max"), values) == cuts(rule(1), [-v for v in values]) == [2, 4, 5]


@pytest.mark.parametrize("own", [0.8, schedules.Constant(0.8)])
def test_no_cut_brings_the_next_update_under_min_lr(own):
    model = unit_gradient.build(keras.optimizers.SGD(own))
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.25, patience=1, min_lr=0.1)
    unit_gradient.fit(model, 1, 5, [unit_gradient.Feed([1.0] * 5), plateau])
    expected = [0.8, 0.8, 0.2, 0.1, 0.1]
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=1e-6)
    # One event each, and none for float noise at the floor.
    assert [event.epoch for event in plateau.driver.events] == [1, 2]


def test_counters_can_be_read_and_written_and_are_reset_by_the_next_fit():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    plateau = callbacks.ReduceLROnPlateau("loss", patience=3)
    unit_gradient.fit(model, 1, 3, [unit_gradient.Feed([1.0, 2.0, 2.0]), plateau])
    assert (plateau.best, plateau.wait, plateau.cooldown_counter) == (1.0, 2, 0)
    plateau.wait, plateau.best, plateau.cooldown_counter = 1, 0.5, 7
    assert (plateau.best, plateau.wait, plateau.cooldown_counter) == (0.5, 1, 7)
    unit_gradient.fit(model, 1, 1, [unit_gradient.Feed([3.0]), plateau])
    assert (plateau.best, plateau.wait, plateau.cooldown_counter) == (3.0, 0, 0)


def test_epochs_before_the_start_are_not_looked_at():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, start_from_epoch=2)
    feed = unit_gradient.Feed([0.1, 0.1, 1.0, 1.0, 1.0])
    unit_gradient.fit(model, 1, 5, [feed, plateau])
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.4, 0.4, 0.2], atol=1e-6)
    unit_gradient.fit(model, 1, 5, [feed, plateau], initial_epoch=4)
    assert plateau.best == 1.0


def test_verbose_tells_who_changed_what_and_why(capsys, caplog):
    def run():
        model = unit_gradient.build(keras.optimizers.SGD(0.4))
        plateau = callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, verbose=1)
        unit_gradient.fit(model, 1, 2, [unit_gradient.Feed([1.0, 2.0]), plateau])

    keras.config.enable_interactive_logging()
    run()
    told = "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.04 (loss no better than 1"
    assert told in capsys.readouterr().out
    keras.config.disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO):
            run()
    finally:
        keras.config.enable_interactive_logging()
    assert told in caplog.text


BAD = {
    "factor": (1.0, "`factor` must be a finite number > 0 and < 1. Received: factor=1.0"),
    "patience": (-1, "`patience` must be an integer >= 0"),
    "min_delta": (nan, "`min_delta` must be a finite number >= 0"),
    "cooldown": (1.5, "`cooldown` must be an integer >= 0"),
    "min_lr": (-0.1, "`min_lr` must be a finite number >= 0"),
    "mode": ("lower", "`mode` must be one of 'auto', 'min', 'max'"),
    "threshold_mode": ("relative", "`threshold_mode` must be one of 'abs', 'rel'"),
    "smoothing": (1.0, "`smoothing` must be a finite number >= 0 and < 1"),
    "on_nan": ("raise", "`on_nan` must be one of 'bad', 'ignore', 'reduce', 'stop'"),
    "restore_best": (True, "`restore_best` must be False, 'weights' or 'all'"),
    "stop_after_cuts": (
        0,
        "`stop_after_cuts` must be an integer >= 1. Received: stop_after_cuts=0",
    ),
    "stop_at_min_lr": ("yes", "`stop_at_min_lr` must be True or False"),
    "start_from_epoch": (-1, "`start_from_epoch` must be an integer >= 0"),
    "on_train_end": ("reset", "`on_train_end` must be one of 'keep', 'restore_initial'"),
    "monitor": (3, "`monitor` must be a string"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name):
    value, message = BAD[name]
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        callbacks.ReduceLROnPlateau(**{name: value})
