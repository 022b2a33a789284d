"""`TrainingBackup`: what is on disk when, and what is said of a backup that cannot be used."""

import json

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.stops import Stop
from support.tiers import once

from keras_lr import callbacks
from keras_lr import files as sealing

JSON = "keras_lr-backup.json"
ARRAYS, WEIGHTS = (f"keras_lr-backup-2.{kind}" for kind in ("callbacks.npz", "weights.h5"))


def train(folder, epochs=4, stop=None, used=(), model=None, **options):
    model = model or unit_gradient.build(keras.optimizers.SGD(0.4))
    backup = callbacks.TrainingBackup(folder, verbose=0, **options)
    ours = [backup, *used, *([] if stop is None else [Stop(stop)])]
    try:
        unit_gradient.fit(model, 2, epochs, ours)
    except KeyboardInterrupt:
        return model
    return model


def names(folder):
    # An interrupted fit may leave its lock, a hidden file, until the next one.
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def files(epoch):
    return [f"keras_lr-backup-{epoch}.callbacks.npz", f"keras_lr-backup-{epoch}.weights.h5"]


def updates(model):
    return unit_gradient.applied(model).size


def test_one_whole_backup_at_any_time(tmp_path):
    train(tmp_path, stop=2)
    assert names(tmp_path) == [*files(2), JSON]
    assert updates(train(tmp_path)) == 8


def test_every_second_epoch(tmp_path):
    train(tmp_path, stop=2, every=2)
    assert json.loads((tmp_path / JSON).read_text())["epoch"] == 2
    model = train(tmp_path, stop=3, every=2)
    # Counted from where the run went on.
    assert json.loads((tmp_path / JSON).read_text())["epoch"] == 2
    assert updates(model) == 8


def test_what_becomes_of_it_at_the_end(tmp_path):
    folder = tmp_path / "run"
    train(folder)
    assert not folder.exists()
    train(folder, keep=True)
    assert names(folder) == [*files(4), JSON]
    assert updates(train(folder, epochs=6, keep=True)) == 12
    assert updates(train(folder, epochs=6, keep=True)) == 12
    (folder / "notes.txt").write_text("the user's own")
    train(folder, epochs=6)
    assert len(names(folder)) == 4, "a fit of no epochs deletes nothing"
    train(folder, epochs=7)
    assert names(folder) == ["notes.txt"]


def test_after_a_loss_that_is_not_finite_it_stays(tmp_path):
    feed = unit_gradient.Feed([1.0, 1.0, 1.0, float("nan")])
    unit_gradient.fit(
        unit_gradient.build("sgd"), 2, 4, [feed, callbacks.TrainingBackup(tmp_path, verbose=0)]
    )
    assert names(tmp_path) == [*files(3), JSON]


def test_a_kill_while_the_weights_are_written_leaves_the_backup_before(tmp_path, monkeypatch):
    train(tmp_path, stop=2)

    def half_written(self, path, **options):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save_weights", half_written)
        train(tmp_path)
    assert names(tmp_path) == [*files(2), "keras_lr-backup-3.weights.h5", JSON]
    assert updates(train(tmp_path)) == 8
    assert not tmp_path.exists()


def test_going_on_is_told(tmp_path, capsys):
    train(tmp_path, stop=1)
    unit_gradient.fit(
        unit_gradient.build(keras.optimizers.SGD(0.4)), 2, 4, [callbacks.TrainingBackup(tmp_path)]
    )
    assert "TrainingBackup: going on after 1 epochs, from" in capsys.readouterr().out


def test_callbacks_that_are_new_or_missing_are_told(tmp_path, capsys):
    feed = unit_gradient.Feed([1.0] * 5, "m")
    plateau = callbacks.ReduceLROnPlateau("m", factor=0.5, patience=1, mode="min")
    train(tmp_path, stop=3, used=[feed, plateau])
    decay = callbacks.ValidationDecay("m", mode="min")
    model = train(tmp_path, epochs=5, used=[feed, decay])
    told = capsys.readouterr().out
    assert "ValidationDecay(monitor='m') is not in the backup: it begins with a fresh" in told
    assert "The backup knows ReduceLROnPlateau(monitor='m'), now missing: its last factor" in told
    expected = np.repeat([0.4, 0.4, 0.2, 0.1, 0.1], 2)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


@once
@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (
            JSON,
            lambda b: b[:-30],
            "is damaged: put back a copy of it, or delete the",
        ),
        (JSON, lambda b: b"", "is damaged"),
        (JSON, lambda b: b.replace(b'"files"', b'"names"'), "damaged.*the checksum is not that"),
        (JSON, lambda b: b.replace(b'"checksum"', b'"chocksum"'), "damaged.*there is no checksum"),
        (
            JSON,
            lambda b: sealing.sealed({"keras_lr_backup": 7}).encode(),
            "has format 7, and this keras_lr reads 1 and 2: install",
        ),
        (
            WEIGHTS,
            lambda b: b[: len(b) // 2],
            "2.weights.h5 has changed",
        ),
        (
            WEIGHTS,
            lambda b: b[:-9] + b"?" + b[-8:],
            "2.weights.h5 has changed",
        ),
        (WEIGHTS, None, "is damaged.*FileNotFoundError"),
        (
            ARRAYS,
            lambda b: b[:-1],
            "2.callbacks.npz has changed",
        ),
    ],
)
def test_a_damaged_backup_stops_the_run_and_stays(name, damage, message, tmp_path):
    train(tmp_path, stop=2)
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    before = names(tmp_path)
    with pytest.raises(ValueError, match=message):
        train(tmp_path)
    assert names(tmp_path) == before


def test_a_backup_of_another_model_is_refused(tmp_path):
    train(tmp_path, stop=2)
    other = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match="does not fit this model or its optimizer: run the scr"):
        train(tmp_path, model=other)


def test_bad_arguments(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for directory in (file, 3, None):
        with pytest.raises(ValueError, match="`directory` must be the path of a folder"):
            callbacks.TrainingBackup(directory)
    with pytest.raises(ValueError, match="`every` must be an integer >= 1"):
        callbacks.TrainingBackup(tmp_path, every=0)
    with pytest.raises(ValueError, match="`keep` must be"):
        callbacks.TrainingBackup(tmp_path, keep="yes")
