"""Runs that are stopped and started again apply the rates of one that was not: on the weights."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import matrix, once, rest

from keras_lr import callbacks, resume_at, schedules

PER_EPOCH, EPOCHS = 4, 6
LOSSES = [1.0, 1.0, 1.0, 1.0, 0.9, 1.0]
OTHER = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
OWN = {
    "float": lambda: 0.4,
    "ours": lambda: schedules.LinearDecay(0.4, 40),
    "keras": lambda: keras.optimizers.schedules.PolynomialDecay(0.4, 40, 0.0),
}


class Stop(keras.callbacks.Callback):
    """Raises in the midst of an epoch, as a user who interrupts, or kills the process."""

    def __init__(self, epoch, batch=1, kill=False):
        super().__init__()
        self.at, self.kill = (epoch, batch), kill

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt


def controllers(folder=None):
    """Returns two controllers, a warmup and what feeds them; with state files in `folder`."""

    def path(name):
        return None if folder is None else folder / "states" / f"{name}.json"

    return [
        unit_gradient.Feed(LOSSES, "metric"),
        unit_gradient.Feed(OTHER, "other"),
        callbacks.ReduceLROnPlateau(
            "metric", factor=0.5, patience=2, cooldown=1, mode="min", state_path=path("plateau")
        ),
        callbacks.ValidationDecay("other", mode="min", state_path=path("decay")),
        callbacks.Warmup("2 epochs"),
    ]


def build(own):
    return unit_gradient.build(keras.optimizers.SGD(OWN[own]()))


def uninterrupted(own, used=controllers):
    model = build(own)
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, used())
    return unit_gradient.applied(model)


def interrupted(model, used, epoch):
    with pytest.raises(KeyboardInterrupt):
        unit_gradient.fit(model, PER_EPOCH, EPOCHS, [*used, Stop(epoch)])


def check(model, own, used=controllers):
    np.testing.assert_allclose(unit_gradient.applied(model), uninterrupted(own, used), atol=2e-6)


@pytest.mark.parametrize(("own", "first"), matrix(OWN, [True, False]))
def test_backup_and_restore_with_state_files(own, first, tmp_path, capsys):
    def used():
        saver = [keras.callbacks.BackupAndRestore(tmp_path / "keras", delete_checkpoint=False)]
        ours = controllers(tmp_path)
        return saver + ours if first else ours + saver

    interrupted(build(own), used(), epoch=4)
    model = build(own)
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, used())
    check(model, own)
    assert "goes on with" not in capsys.readouterr().out


@pytest.mark.parametrize(("own", "epoch", "first"), matrix(OWN, [0, 4], [True, False]))
def test_training_backup_needs_no_state_files(own, epoch, first, tmp_path):
    def used():
        saver = [callbacks.TrainingBackup(tmp_path / "backup")]
        return saver + controllers() if first else controllers() + saver

    interrupted(build(own), used(), epoch)
    model = build(own)
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, used())
    check(model, own)
    assert not (tmp_path / "backup").exists()
    assert unit_gradient.fit(model, 1, 2).epoch == [0, 1]


@pytest.mark.parametrize(
    ("suffix", "own", "first"), matrix(["weights.h5", "keras"], ["float", "ours"], [True, False])
)
def test_checkpoint_of_an_epoch_and_initial_epoch(suffix, own, first, tmp_path):
    def used():
        path = os.path.join(tmp_path, "{epoch}." + suffix)
        weights = suffix == "weights.h5"
        saver = [keras.callbacks.ModelCheckpoint(path, save_weights_only=weights)]
        return saver + controllers(tmp_path) if first else controllers(tmp_path) + saver

    interrupted(build(own), used(), epoch=4)
    # Not the last one: the state files have gone on since.
    path = tmp_path / f"3.{suffix}"
    if suffix == "keras":
        custom = {"Trace": unit_gradient.Trace, "mean_output": unit_gradient.mean_output}
        model = keras.models.load_model(path, custom_objects=custom)
    else:
        model = build(own)
        model.optimizer.build(model.trainable_variables)
        model.load_weights(path)
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, used(), initial_epoch=3)
    check(model, own)


@once
def test_a_backup_within_an_epoch_goes_with_the_state_before_it(tmp_path):
    def used():
        saver = keras.callbacks.BackupAndRestore(tmp_path / "keras", save_freq=2)
        return [*controllers(tmp_path)[:-1], saver]

    interrupted(build("float"), used(), epoch=4)
    model = build("float")
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, used())
    expected = uninterrupted("float", lambda: controllers()[:-1])
    # Keras trains the whole epoch again: two updates more, at the rate of that epoch.
    at = 4 * PER_EPOCH
    expected = np.insert(expected, at, expected[at : at + 2])
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


@once
def test_a_scheduler_that_takes_the_rate_goes_on(tmp_path):
    def used():
        return [
            unit_gradient.Feed(LOSSES, "metric"),
            callbacks.ReduceLROnPlateau("metric", factor=0.5, patience=1, mode="min"),
            callbacks.LearningRateScheduler(lambda epoch, lr: 0.9 * lr),
        ]

    for own in OWN:
        backup = callbacks.TrainingBackup(tmp_path)
        interrupted(build(own), [*used(), backup], epoch=4)
        model = build(own)
        unit_gradient.fit(model, PER_EPOCH, EPOCHS, [backup, *used()])
        check(model, own, used)


@once
@pytest.mark.parametrize("kept", ["weights", "all"])
def test_the_best_weights_go_on_too(kept, tmp_path):
    def used():
        rule = {"factor": 0.5, "patience": 2, "mode": "min", "restore_best": kept}
        return [
            unit_gradient.Feed([1.0, 0.5, 0.9, 0.9, 0.9, 0.9], "metric"),
            callbacks.ReduceLROnPlateau("metric", **rule),
        ]

    def built():
        return unit_gradient.build(keras.optimizers.SGD(0.4, momentum=0.5))

    whole = built()
    unit_gradient.fit(whole, PER_EPOCH, EPOCHS, used())
    backup = callbacks.TrainingBackup(tmp_path)
    interrupted(built(), [backup, *used()], epoch=3)
    model = built()
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, [backup, *used()])
    for one, other in zip(whole.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_best_weights_are_refused_in_a_state_file(tmp_path):
    with pytest.raises(ValueError, match="`state_path` must be left out with restore_best"):
        callbacks.ReduceLROnPlateau(restore_best="all", state_path=tmp_path / "state.json")
    rule = callbacks.ReduceLROnPlateau("loss", restore_best="all")
    unit_gradient.fit(build("float"), 1, 1, [rule])
    with pytest.raises(ValueError, match="`state` must be left out with restore_best"):
        rule.set_state(rule.get_state())


def test_state_by_hand_and_resume_at():
    model, used = build("float"), controllers()
    unit_gradient.fit(model, PER_EPOCH, 3, used)
    states = [json.loads(json.dumps(callback.get_state())) for callback in used[2:]]
    again = build("float")
    again.set_weights(model.get_weights())
    resume_at(again, 3, PER_EPOCH)
    fresh = controllers()
    for callback, state in zip(fresh[2:], states):
        callback.set_state(state)
    unit_gradient.fit(again, PER_EPOCH, EPOCHS, fresh, initial_epoch=3)
    check(again, "float")


@once
def test_a_file_of_weights_has_the_moments_for_an_optimizer_that_is_built(tmp_path):
    x = np.random.default_rng(0).random((32, 4))
    options = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])

    def losses(first, last):
        history = model.fit(x, x.sum(axis=1), initial_epoch=first, epochs=last, **options)
        return history.history["loss"]

    model.compile(keras.optimizers.Adam(schedules.LinearDecay(0.1, 24)), "mse")
    losses(0, 3)
    model.save_weights(tmp_path / "after_3.weights.h5")
    expected = losses(3, 6)

    model.compile(keras.optimizers.Adam(schedules.LinearDecay(0.1, 24)), "mse")
    model.optimizer.build(model.trainable_variables)
    model.load_weights(tmp_path / "after_3.weights.h5")
    assert int(model.optimizer.iterations) == 12
    np.testing.assert_allclose(losses(3, 6), expected, rtol=1e-6)


@once
@unit_gradient.needs_multi_optimizer
def test_under_a_multi_optimizer(tmp_path):
    def model_of_two():
        pair = [keras.optimizers.SGD(0.4), keras.optimizers.SGD(schedules.LinearDecay(0.4, 40))]
        optimizer = keras.optimizers.MultiOptimizer(
            lambda variable: pair["trace_1" in variable.path]
        )
        return unit_gradient.build(optimizer, layers=2)

    whole = model_of_two()
    unit_gradient.fit(whole, PER_EPOCH, EPOCHS, controllers())
    backup = callbacks.TrainingBackup(tmp_path)
    interrupted(model_of_two(), [backup, *controllers()], epoch=4)
    model = model_of_two()
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, [backup, *controllers()])
    for layer in ("trace_0", "trace_1"):
        found, expected = (unit_gradient.applied(m, layer) for m in (model, whole))
        np.testing.assert_allclose(found, expected, atol=2e-6)


@once
def test_a_rate_of_the_users_own_is_kept_and_told(tmp_path, capsys):
    plateau = {"factor": 0.5, "patience": 1, "mode": "min", "state_path": tmp_path / "state.json"}
    model = build("float")
    feed = unit_gradient.Feed([1.0, 1.0, 0.9, 0.9], "metric")
    unit_gradient.fit(model, 1, 2, [feed, callbacks.ReduceLROnPlateau("metric", **plateau)])
    model.optimizer.learning_rate = 0.07
    used = [feed, callbacks.ReduceLROnPlateau("metric", **plateau)]
    unit_gradient.fit(model, 1, 4, used, initial_epoch=2)
    assert "has a rate of its own, 0.07" in capsys.readouterr().out
    expected = [0.4, 0.4, 0.07, 0.07]
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


def test_dropout_and_order_of_the_data_go_on(tmp_path):
    if keras.backend.backend() == "tensorflow":
        pytest.skip("tf.data shuffles with a generator that cannot be reached")
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    y = x.sum(1, keepdims=True)

    def trained(*used):
        keras.utils.set_random_seed(1)
        layers = [keras.Input((4,)), keras.layers.Dropout(0.3, seed=2), keras.layers.Dense(1)]
        model = keras.Sequential([*layers, keras.layers.BatchNormalization()])
        model.compile("adam", "mse")
        with contextlib.suppress(KeyboardInterrupt):
            model.fit(x, y, 4, epochs=5, callbacks=[*used], verbose=0)
        return model

    whole = trained()
    trained(callbacks.TrainingBackup(tmp_path), Stop(3))
    resumed = trained(callbacks.TrainingBackup(tmp_path))
    for one, other in zip(whole.variables, resumed.variables):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(one.value), keras.ops.convert_to_numpy(other.value)
        )


def main(folder, kill):
    """One run of a process of its own, which kills itself or ends."""
    model = build("ours")
    used = [*controllers(), callbacks.TrainingBackup(os.path.join(folder, "backup"))]
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, used + ([Stop(3, kill=True)] if kill else []))
    print(json.dumps(unit_gradient.applied(model).tolist()))


@rest
def test_a_killed_process(tmp_path):
    def run(*arguments):
        command = [sys.executable, __file__, str(tmp_path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    killed = run("kill")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = run()
    assert again.returncode == 0, again.stderr
    rates = json.loads(again.stdout.splitlines()[-1])
    np.testing.assert_allclose(rates, uninterrupted("ours"), atol=2e-6)


if __name__ == "__main__":
    main(sys.argv[1], kill=len(sys.argv) > 2)
