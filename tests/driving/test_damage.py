"""Damaged files: the documented error or the same run, never another one."""

import json
import pathlib

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.damage import damage

from keras_lr import callbacks
from keras_lr.driving import backup_folder, state_file

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
OWNER = "ReduceLROnPlateau(monitor='m')"
TO_DO = "put back a copy of it, or delete the"


def plateau(**options):
    return callbacks.ReduceLROnPlateau("m", 0.5, 1, mode="min", **options)


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """The state file of a run of three epochs."""
    path = tmp_path_factory.mktemp("run") / "plateau.json"
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    feed = unit_gradient.Feed([1.0, 1.0, 0.5], "m")
    unit_gradient.fit(model, 2, 3, [feed, plateau(state_path=path)])
    return path


def test_a_state_file_with_any_bit_flipped_or_cut_anywhere(states, tmp_path):
    whole = state_file.read_entries(states, OWNER)
    path, content = tmp_path / "plateau.json", states.read_bytes()
    refused = 0
    for damaged in damage(content, stride=11):
        path.write_bytes(damaged)
        try:
            found = state_file.read_entries(path, OWNER)
        except ValueError as error:
            refused += 1
            assert str(path) in str(error) and "delete the file to begin" in str(error)
            continue
        # A last entry that was cut off is missing; any other is what it was.
        assert found == whole[: len(found)] and len(found) >= len(damaged) / len(content) - 1
    assert refused > 0.3 * len(content)


def test_after_a_line_that_was_cut_off_the_run_goes_on_from_the_one_before(states, tmp_path):
    path = tmp_path / "plateau.json"
    path.write_bytes(states.read_bytes()[:-20])
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(4)
    feed = unit_gradient.Feed([1.0, 1.0, 0.5], "m")
    unit_gradient.fit(model, 2, 3, [feed, plateau(state_path=path)], initial_epoch=2)
    found, whole = (state_file.read_entries(p, OWNER) for p in (path, states))
    assert [(e["epoch"], e["state"]) for e in found] == [(e["epoch"], e["state"]) for e in whole]
    np.testing.assert_allclose(unit_gradient.applied(model), [0.2, 0.2], rtol=1e-5)


@pytest.mark.parametrize("row", [(1, 2), (2, 1), (1, 1, 2), (2,)], ids=str)
def test_lines_in_another_order_are_damage(row, states, tmp_path):
    head, *lines = states.read_text().splitlines()
    path = tmp_path / "plateau.json"
    path.write_text("".join(f"{line}\n" for line in [head, *(lines[i] for i in row)]))
    with pytest.raises(ValueError, match=f"is damaged.*{TO_DO} file.*the checksum is not that"):
        state_file.read_entries(path, OWNER)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("state-*.json")), ids=lambda p: p.stem)
def test_a_file_without_a_checksum_is_read_or_refused(path, tmp_path):
    owner = json.loads(path.read_text())["callback"]
    copy, content = tmp_path / "state.json", path.read_bytes()
    for damaged in damage(content, stride=23):
        copy.write_bytes(damaged)
        try:
            state_file.read_entries(copy, owner)
        except ValueError as error:
            assert str(copy) in str(error)
            assert "delete the file to begin" in str(error)


CHANGES = {
    "a negative epoch": ("epoch", -1),
    "an epoch beyond all": ("epoch", 10**400),
    "half an epoch": ("epoch", 0.5),
    "a flag": ("epoch", True),
    "batches of no optimizer": ("iterations", []),
    "batches of two": ("iterations", [1, 2]),
    "batches that are none": ("iterations", ["1"]),
    "no list": ("iterations", 3),
    "rates of two": ("rates", [{}, {}]),
    "an empty rate": ("rates", [{}]),
    "clocks of two": ("clocks", [1, 2]),
    "no clock": ("clocks", [None]),
    "a state that is none": ("state", []),
    "a scale of infinity": (
        "rates",
        [{"base": 0.1, "scale": float("inf"), "level": 0.0, "dialled": [[1.0, 0.0]]}],
    ),
    "a base that is none": (
        "rates",
        [{"base": "0.1", "scale": 1.0, "level": 0.0, "dialled": [[1.0, 0.0]]}],
    ),
    "never dialled": ("rates", [{"base": 0.1, "scale": 1.0, "level": 0.0, "dialled": []}]),
    "dialled one": ("rates", [{"base": 0.1, "scale": 1.0, "level": 0.0, "dialled": [[1.0]]}]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_field_is_checked(change, tmp_path):
    name, value = CHANGES[change]
    content = json.loads((FIXTURES / "state-plateau-number.json").read_text())
    content["entries"][-1][name] = value
    path = tmp_path / "state.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"state.json of .* is damaged.*{TO_DO} file"):
        state_file.read_entries(path, OWNER)


@pytest.fixture
def backup(tmp_path):
    """A small backup, and what is read of it."""
    folder = backup_folder.BackupFolder(tmp_path)
    content = {"epochs": 4, "clocks": [2], "callbacks": [], "generators": {"model": [1, 2]}}
    folder.write(2, content, lambda path: path.write_bytes(b"weights"), {})
    return folder, folder.read()


def test_a_backup_with_any_bit_flipped_or_cut_anywhere(backup, tmp_path):
    folder, whole = backup
    pointer = tmp_path / "keras_lr-backup.json"
    for damaged in damage(pointer.read_bytes(), stride=3):
        pointer.write_bytes(damaged)
        try:
            assert folder.read() == whole
        except ValueError as error:
            assert str(tmp_path) in str(error)
            assert "or delete the folder to train from the beginning" in str(error)


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": -1},
        {"epoch": 2.5},
        {"epochs": "4"},
        {"clocks": None},
        {"clocks": [1e400]},
        {"is_our_folder": 3},
        {"generators": []},
        {"files": {}},
        {"files": {"../other": 1, "keras_lr-backup-4.callbacks.npz": 2}},
        {"callbacks": [3]},
        {"callbacks": {}},
        {"clocks": [1, 2]},
    ],
    ids=str,
)
def test_every_field_of_a_backup_is_checked(changes, tmp_path):
    for path in (FIXTURES / "backup").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    folder, pointer = backup_folder.BackupFolder(tmp_path), tmp_path / "keras_lr-backup.json"
    content = json.loads(pointer.read_text())
    assert folder.read()[0]["epoch"] == 4
    pointer.write_text(json.dumps({**content, **changes}))
    with pytest.raises(ValueError, match=f"is damaged: {TO_DO} folder"):
        folder.read()
