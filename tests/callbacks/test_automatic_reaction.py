"""`AutoLearningRate` during the run: back to the best state and on, stopped runs, and warnings."""

import json
import math

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.small_network import AfterEpoch, assert_same_bits, network, poison, state_of, train
from support.tiers import cells, once, rest

from keras_lr import callbacks
from keras_lr.callbacks import AutoLearningRate, automatic, replay
from keras_lr.finder.length import peak_factor
from keras_lr.schedules import LinearToZero

CUT = automatic._CUT
PER_EPOCH = 3


def auto(*args, **options):
    return AutoLearningRate(*args, **{"verbose": 0, **options})


# The rule, on lists of numbers

TRACES = {
    "progress": ([5, 4, 3, 2], [0, 0, 0, 0]),
    "a stall": ([5, 4, 4, 3], [0, 0, 1, 1]),
    "a new best after the cut, and another stall": ([5, 6, 4, 4], [0, 1, 1, 2]),
    "a fruitless cut: back and on at the rate before, until the end": (
        [5, 6, 6, 6, 6],
        [0, 1, 0, 0, 0],
    ),
    "of two cuts one stays": ([5, 6, 4, 6, 6, 6], [0, 1, 1, 2, 1, 1]),
    "progress after that is not followed by a cut": ([5, 6, 6, 4, 4, 4], [0, 1, 0, 0, 0, 0]),
    "no number: at once": ([5, math.nan, 4], [0, 1, 1]),
    "no number, again and again": ([5, math.nan, math.inf, 4], [0, 1, 2, 2]),
    "no number after a fruitless cut": ([5, 6, 6, math.nan], [0, 1, 0, 1]),
    "no number from the beginning": ([math.nan, math.nan, 4], [1, 2, 2]),
}


@pytest.mark.parametrize("kind", TRACES)
def test_the_rule_on_numbers(kind):
    values, cuts = TRACES[kind]
    found = replay(auto(), {"val_loss": values}, learning_rate=0.1)
    np.testing.assert_allclose(found.factors, CUT ** np.array([0, *cuts], float), rtol=1e-12)


def test_higher_is_better_where_the_metric_says_so():
    found = replay(auto(monitor="val_accuracy"), [0.5, 0.6, 0.4], learning_rate=0.1)
    np.testing.assert_allclose(found.factors, [1, 1, 1, CUT])


def test_patience_is_a_share_of_the_epochs():
    rule, epochs = auto(epochs=200), 200
    assert rule.patience == round(automatic._PATIENCE * epochs) > 2
    values = [1.0] * (rule.patience + 1)
    factors = replay(rule, values, learning_rate=0.1).factors
    assert factors[rule.patience] == 1 and factors[-1] == CUT


def test_update_is_pure():
    rule = auto(mode="min")
    state = rule.start()
    assert rule.update(state, 1.0, 0.1) == rule.update(state, 1.0, 0.1) != state
    assert state == rule.start()


# The rates, and the states

VALUES = [1.0, 0.8, 0.9, 0.7, 0.75, 0.76, 0.6, 0.65]
# Cuts per epoch, and how many epochs of updates there have been when it begins: after a stall they
# are those of the best.
CUTS = [0, 0, 0, 1, 1, 2, 1, 1]
BEGINS = [0, 1, 2, 2, 3, 3, 3, 4]
BEST = [0, 1, 3, 6]


def reacting(values=VALUES, rule=None, others=(), model=None, **options):
    model = model or unit_gradient.build(keras.optimizers.SGD(0.01))
    rule = rule or auto()
    feed = unit_gradient.Feed(values, "val_loss")
    options = {"validation_data": unit_gradient.batches(1), **options}
    unit_gradient.fit(model, PER_EPOCH, len(values), [*others, feed, rule], **options)
    return model, rule


def rates_of(rule, epochs):
    """Returns the rates of some epochs of the trace of `VALUES`."""
    rates = LinearToZero(rule.peak, PER_EPOCH * len(VALUES)).rates(PER_EPOCH * len(VALUES))
    return np.concatenate(
        [
            rates[PER_EPOCH * BEGINS[e] : PER_EPOCH * (BEGINS[e] + 1)] * CUT ** CUTS[e]
            for e in epochs
        ]
    )


def test_the_weights_are_those_of_the_best_states_at_the_rates_that_led_there():
    model, rule = reacting()
    np.testing.assert_allclose(
        unit_gradient.applied(model), rates_of(rule, BEST), rtol=2e-3, atol=1e-6
    )
    assert int(model.optimizer.iterations) == PER_EPOCH * len(BEST)


@once
def test_a_recorder_has_what_was_applied_and_why():
    recorder = callbacks.LearningRateRecorder()
    _, rule = reacting(others=[recorder])
    np.testing.assert_allclose(
        recorder.learning_rate[-PER_EPOCH:], rates_of(rule, [7]), rtol=1e-5, atol=1e-9
    )
    reasons = [event.reason for event in recorder.events]
    assert reasons[0] == "val_loss no better than 0.8 for an evaluation, back there"
    assert reasons[2] == "val_loss no better at the lower rate, back to the best state"
    assert len(reasons) == 4 and reasons[3].startswith("back to epoch 7, the best")
    assert recorder.event_positions[3] == len(recorder.updates)
    recorder.plot()


class Notes(keras.callbacks.Callback):
    """The state of a model at the begin and the end of every epoch."""

    def on_train_begin(self, logs=None):
        self.begins, self.ends = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.begins.append(state_of(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(state_of(self.model))


@pytest.mark.parametrize("optimizer", cells(["adam", "sgd"], ["adam"]))
def test_the_state_after_a_reaction_is_the_best_to_the_bit(optimizer):
    model, notes, rule = network(optimizer), Notes(), auto()
    feed = unit_gradient.Feed([1.0, 0.8, 0.9, 0.7, 0.75], "val_loss")
    train(model, 5, [notes, feed, rule], validation_split=0.25)
    assert_same_bits(notes.begins[3], notes.ends[1])
    assert_same_bits(state_of(model), notes.ends[3])
    with pytest.raises(AssertionError):
        assert_same_bits(notes.ends[3], notes.ends[4])


def averages_of(model):
    averages = model.optimizer._model_variables_moving_average
    return [np.array(keras.ops.convert_to_numpy(v)) for v in averages]


@once
def test_averages_of_the_best_epoch_are_what_is_left():
    optimizer = keras.optimizers.SGD(0.01, use_ema=True, ema_momentum=0.5)
    model, notes, kept = network(optimizer), Notes(), []
    feed = unit_gradient.Feed([1.0, 0.8, 0.9], "val_loss")
    note = AfterEpoch(1, lambda model: kept.extend(averages_of(model)))
    train(model, 3, [notes, feed, note, auto()], validation_split=0.25)
    assert_same_bits(averages_of(model), kept)
    assert_same_bits([*map(keras.ops.convert_to_numpy, model.trainable_weights)], kept)
    assert not np.array_equal(kept[0], notes.ends[1][0])


@once
def test_where_the_first_epoch_breaks_it_goes_back_to_the_beginning():
    model, notes = network("adam"), Notes()
    before = state_of(model)
    rule, feed = auto(), unit_gradient.Feed([math.nan, math.nan, 0.5], "val_loss")
    train(model, 3, [AfterEpoch(0, poison), notes, feed, rule], validation_split=0.25)
    # The optimizer was built meanwhile.
    assert_same_bits(notes.begins[1][: len(model.weights)], before[: len(model.weights)])
    assert rule.state.factor == pytest.approx(CUT**2)
    assert_same_bits(state_of(model), notes.ends[2])


@once
def test_without_validation_data_or_with_react_off_nothing_reacts(capsys):
    for options in ({"validation_data": None}, {"rule": auto(react=False)}):
        model, rule = reacting(**options)
        expected = LinearToZero(rule.peak, 24).rates(24)
        np.testing.assert_allclose(unit_gradient.applied(model), expected, rtol=2e-3, atol=1e-6)


@once
def test_a_run_that_goes_back_begins_higher_as_it_bears_more():
    peaks = []
    for react in (True, False):
        model, rule = unit_gradient.build(keras.optimizers.SGD(0.01)), auto(react=react)
        unit_gradient.fit(model, 10, 20, [rule], validation_data=unit_gradient.batches(1))
        assert rule.found.total_steps == 200
        peaks.append(rule.peak)
    # The sweep has 50 updates, five passes.
    factors = [peak_factor(200, 50, 10, reacts) for reacts in (True, False)]
    assert peaks[0] / peaks[1] == pytest.approx(factors[0] / factors[1])
    assert peaks[0] > 1.5 * peaks[1]


@once
def test_it_says_that_it_ends_with_the_best_state(capsys):
    reacting(rule=auto(verbose=1))
    told = capsys.readouterr().out
    assert "ends the training: back to epoch 7, the best, val_loss = 0.6." in told
    assert told.count("reducing learning rate") == 2


# Runs that are stopped and go on


class Stop(keras.callbacks.Callback):
    """Ends the process after an epoch, as a kill would."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.after:
            raise KeyboardInterrupt


def stopped_run(make, make_savers, after, values=VALUES):
    """Returns the model and the rule of a run that was killed after some epochs and went on."""
    model = unit_gradient.build(keras.optimizers.SGD(0.01))
    feed = unit_gradient.Feed(values, "val_loss")
    options = {"validation_data": unit_gradient.batches(1)}
    first = make()
    used = [feed, first, *make_savers(), Stop(after)]
    with pytest.raises(KeyboardInterrupt):
        unit_gradient.fit(model, PER_EPOCH, len(values), used, **options)
    model, rule = unit_gradient.build(keras.optimizers.SGD(0.01)), make()
    used = [feed, rule, *make_savers()]
    unit_gradient.fit(model, PER_EPOCH, len(values), used, **options)
    assert rule.peak == first.peak and rule.found is None
    return model, rule


@pytest.mark.parametrize("after", [5, *(pytest.param(n, marks=rest) for n in (2, 3, 7))])
def test_a_backup_goes_on_at_the_rates_of_a_run_that_was_not_stopped(tmp_path, after):
    def savers():
        return [callbacks.TrainingBackup(tmp_path / "backup")]

    model, rule = stopped_run(auto, savers, after)
    expected, whole = reacting()
    assert rule.peak == whole.peak
    np.testing.assert_allclose(
        unit_gradient.applied(model), unit_gradient.applied(expected), rtol=1e-6
    )


@once
def test_a_state_file_keeps_the_choice(tmp_path):
    falling = [1.0, 0.9, 0.8, 0.7]

    def make():
        return auto(state_path=tmp_path / "state")

    def savers():
        return [keras.callbacks.BackupAndRestore(tmp_path / "backup")]

    model, rule = stopped_run(make, savers, 2, falling)
    total = PER_EPOCH * len(falling)
    np.testing.assert_allclose(
        unit_gradient.applied(model), LinearToZero(rule.peak, total).rates(total), rtol=2e-3
    )


@once
def test_without_either_it_raises_and_names_both(tmp_path):
    def savers():
        return [keras.callbacks.BackupAndRestore(tmp_path / "backup")]

    with pytest.raises(ValueError, match=r"state_path=….*TrainingBackup.*begins at epoch 2"):
        stopped_run(auto, savers, 2)


@once
def test_a_state_goes_into_another_one():
    model, rule = reacting([1.0, 0.9])
    state, other = json.loads(json.dumps(rule.get_state())), auto()
    other.set_state(state)
    assert other.get_state()["state"]["peak"] == rule.peak == other.peak
    feed = unit_gradient.Feed([1.0, 0.9, 0.8, 0.7], "val_loss")
    options = {"validation_data": unit_gradient.batches(1), "initial_epoch": 2}
    unit_gradient.fit(model, PER_EPOCH, 4, [feed, other], **options)
    assert other.peak == rule.peak and other.found is None
    expected = LinearToZero(rule.peak, 12).rates(12)[6:]
    np.testing.assert_allclose(unit_gradient.applied(model)[6:], expected, rtol=2e-3)


# Where the choice turns out wrong


def breaking(others=(), **options):
    model = network("adam")
    rule = auto()
    train(model, 4, [AfterEpoch(0, poison), *others, rule], **options)
    return model, rule


@once
def test_it_says_once_that_the_choice_was_wrong_and_names_the_recovery():
    with pytest.warns(UserWarning, match=r"too high for this run.*RecoverFromDivergence") as told:
        breaking()
    assert len([w for w in told if "too high" in str(w.message)]) == 1


@once
@pytest.mark.parametrize("value, warned", [(1e6, True), (1e-3, False)])
def test_an_explosion_is_told_from_progress(value, warned, recwarn):
    model = network("adam")
    train(model, 2, [unit_gradient.Feed([value, value]), auto()])
    assert any("too high for this run" in str(w.message) for w in recwarn) == warned


@once
def test_beside_a_recovery_the_training_goes_on_lower(recwarn):
    recovery = callbacks.RecoverFromDivergence(verbose=0)
    model, rule = breaking([recovery])
    assert recovery.recoveries == 1 and np.all(np.isfinite(model.get_weights()[0]))
    assert not [w for w in recwarn if "too high" in str(w.message)]
