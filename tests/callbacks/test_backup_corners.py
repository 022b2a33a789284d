"""`TrainingBackup`: weights that are lost, folders that cannot go, other rates in the script."""

import contextlib
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.stops import Stop

from keras_lr import callbacks, schedules

JSON = "keras_lr-backup.json"


def build(rate=0.4):
    return unit_gradient.build(keras.optimizers.SGD(rate))


def train(folder, rate=0.4, stop=None, used=(), epochs=4, **options):
    model = build(rate)
    backup = callbacks.TrainingBackup(folder, **{"verbose": 0, **options})
    ours = [backup, *used, *([] if stop is None else [Stop(stop)])]
    with contextlib.suppress(KeyboardInterrupt):
        unit_gradient.fit(model, 2, epochs, ours)
    return model


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


# What is not finite


class Poison(keras.callbacks.Callback):
    """Makes the last update of an epoch infinite: the loss of that epoch does not show it."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.is_here = epoch == self.epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.is_here and batch == 1:
            self.model.optimizer.learning_rate.assign(np.inf)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("at, kept", [(0, None), (2, 2), (3, 3)])
def test_weights_that_are_not_finite_replace_no_backup(at, kept, keep, tmp_path):
    with pytest.warns(UserWarning, match=f"after {at + 1} epochs there is NaN or infinity in"):
        train(tmp_path, used=[Poison(at)], keep=keep)
    assert (JSON in names(tmp_path)) == (kept is not None)
    if kept is not None:
        assert f"keras_lr-backup-{kept}.weights.h5" in names(tmp_path)
        assert unit_gradient.applied(train(tmp_path)) == pytest.approx([0.4] * 8, rel=1e-5)


def test_a_weight_that_never_was_finite_is_no_loss(tmp_path):
    class Masked(keras.layers.Layer):
        def build(self, shape):
            never = keras.initializers.Constant(-np.inf)
            self.mask = self.add_weight(shape=(1,), initializer=never, trainable=False)

        def call(self, x):
            return x + 0.0 * keras.ops.cast(self.mask > 0.0, x.dtype)

    model = keras.Sequential([Masked(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    backup = callbacks.TrainingBackup(tmp_path, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        unit_gradient.fit(model, 2, 4, [backup, Stop(2)])
    assert JSON in names(tmp_path)


# The folder


def test_a_link_is_emptied(tmp_path):
    (tmp_path / "far").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "far", target_is_directory=True)
    train(link, stop=2)
    assert len(names(tmp_path / "far")) == 3
    assert unit_gradient.applied(train(link)).size == 8
    assert link.is_symlink() and names(tmp_path / "far") == []


@pytest.mark.parametrize("name", [".", None])
def test_the_folder_one_is_in_is_emptied(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(name or tmp_path, stop=2)
    assert unit_gradient.applied(train(name or tmp_path)).size == 8
    assert tmp_path.exists() and list(tmp_path.iterdir()) == []


def test_a_mount_point_is_emptied(tmp_path, monkeypatch):
    def busy(path):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr("pathlib.Path.rmdir", busy)
    train(tmp_path)
    assert list(tmp_path.iterdir()) == []


SECOND = """
import pathlib, sys
sys.path.insert(0, sys.argv[2])
from keras_lr.driving.backup_folder import BackupFolder
from keras_lr.driving.state_file import StateFile
for one, arguments in [
    (BackupFolder(pathlib.Path(sys.argv[1])), []),
    (StateFile(sys.argv[1] + "/state.json"), ["Rule()"]),
]:
    try:
        one.open(*arguments)
        print("opened")
    except ValueError as error:
        print(error)
"""


def test_a_second_process_is_refused_and_spoils_nothing(tmp_path):
    class Second(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.said = second()

    def second():
        command = [sys.executable, "-c", SECOND, tmp_path, os.getcwd()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        return done.stdout.splitlines()

    watch = Second()
    rule = callbacks.LearningRateScheduler(lambda epoch: 0.4, state_path=tmp_path / "state.json")
    model = train(tmp_path, used=[rule, watch])
    by = f"is in use by process {os.getpid()}"
    assert f"The backup in {tmp_path} {by}" in watch.said[0]
    assert f"The state file {tmp_path}/state.json of Rule() {by}" in watch.said[1]
    assert "give this one another `state_path`." in watch.said[1]
    assert unit_gradient.applied(model) == pytest.approx([0.4] * 8, rel=1e-5)
    assert names(tmp_path) == ["state.json"] and len(list(tmp_path.iterdir())) == 1


# Another rate in the script

LINEAR = schedules.LinearDecay(0.4, 16)
THEIRS = keras.optimizers.schedules.ExponentialDecay
OTHERS = {
    "number": (0.4, 0.2, lambda t: 0.4 + 0 * t, lambda t: 0.2 + 0 * t),
    "ours": (LINEAR, LINEAR * 0.5, lambda t: 0.4 * (1 - t / 16), lambda t: 0.2 * (1 - t / 16)),
    "Keras'": (
        THEIRS(0.4, 4, 0.5),
        THEIRS(0.1, 4, 0.25),
        lambda t: 0.4 * 0.5 ** (t / 4),
        lambda t: 0.1 * 0.25 ** (t / 4),
    ),
}


def cut():
    """Halves the rate after the third epoch."""
    feed = unit_gradient.Feed([1.0, 0.9, 0.9, 0.8], "m")
    return [feed, callbacks.ReduceLROnPlateau("m", factor=0.5, patience=1, mode="min")]


@pytest.mark.parametrize("used", [list, cut], ids=["alone", "cut"])
@pytest.mark.parametrize("choice", ["keep", "take"])
@pytest.mark.parametrize("kind", OTHERS)
def test_the_rate_that_counts_is_told_and_applied(kind, choice, used, tmp_path, capsys):
    then, now, old, new = OTHERS[kind]
    train(tmp_path, then, stop=3, used=used())
    capsys.readouterr()
    model = train(tmp_path, now, used=used(), on_new_rate=choice)
    t, factor = np.arange(8.0), np.repeat([1.0, 0.5 if used is cut else 1.0], [6, 2])
    counts = {"keep": old, "take": new}[choice]
    expected = np.where(t < 6, old(t), counts(t)) * factor
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)
    told = capsys.readouterr().out
    other = {"keep": "take", "take": "keep"}[choice]
    assert told.count("was built with") == 1 and "another schedule" not in told
    assert f"on_new_rate={other!r}) chooses the other." in told
    if kind == "number":
        number = {"keep": "0.4", "take": "0.2"}[choice]
        assert f"built with 0.4, and now it is built with 0.2: {number} counts." in told


@pytest.mark.parametrize("kind", OTHERS)
def test_the_same_rate_is_not_told(kind, tmp_path, capsys):
    train(tmp_path, OTHERS[kind][0], stop=3, used=cut())
    train(tmp_path, OTHERS[kind][0], used=cut(), on_new_rate="take")
    assert "built with" not in capsys.readouterr().out


def test_a_model_that_goes_on_itself_has_no_new_rate(tmp_path, capsys):
    model = build()
    for stop in (3, 9):
        used = [*cut(), callbacks.TrainingBackup(tmp_path, verbose=0), Stop(stop)]
        with contextlib.suppress(KeyboardInterrupt):
            unit_gradient.fit(model, 2, 4, used)
    assert "built with" not in capsys.readouterr().out


def test_a_new_rate_is_taken_once(tmp_path, capsys):
    train(tmp_path, 0.4, stop=1)
    train(tmp_path, 0.2, stop=3, on_new_rate="take")
    assert "was built with" in capsys.readouterr().out
    model = train(tmp_path, 0.2, on_new_rate="take")
    assert "was built with" not in capsys.readouterr().out
    expected = np.repeat([0.4, 0.2], [2, 6])
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


def test_a_schedule_in_the_place_of_a_number_is_refused(tmp_path):
    train(tmp_path, 0.4, stop=2)
    with pytest.raises(ValueError, match="had 0.4 and has LinearDecay.*FitSchedule drives a sched"):
        train(tmp_path, LINEAR)


def test_another_schedule_of_a_callback_is_told(tmp_path, capsys):
    plans = [callbacks.FitSchedule(schedules.LinearDecay(rate, "100%")) for rate in (0.4, 0.2)]
    train(tmp_path, stop=2, used=plans[:1])
    train(tmp_path, stop=3, used=plans[:1])
    assert "in the run that was backed up" not in capsys.readouterr().out
    model = train(tmp_path, used=plans[1:])
    told = capsys.readouterr().out
    assert "FitSchedule() had LinearDecay(0.4, 8" in told and "which counts from here on" in told
    assert unit_gradient.applied(model)[-1] == pytest.approx(0.2 / 8, rel=1e-3)


def test_bad_choices():
    with pytest.raises(ValueError, match="`on_new_rate` must be one of 'keep', 'take'. Received"):
        callbacks.TrainingBackup("run", on_new_rate="new")
