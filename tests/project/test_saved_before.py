"""What earlier versions have saved loads, and goes on at the same rates."""

import json
import pathlib
import pickle
import shutil
import sys

import keras
import numpy as np
import pytest
from support.tiers import once

from keras_lr import callbacks, schedules

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
sys.path.insert(0, str(FIXTURES))

import make  # noqa: E402

EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
# Weights are float32 numbers around 5.
TOLERANCE = {"rtol": 0, "atol": 2e-6}
BASES = {"number": lambda: 0.4, "schedule": lambda: schedules.LinearDecay(0.4, 40)}


@pytest.mark.parametrize("name", EXPECTED["models"])
def test_a_model_goes_on_with_its_schedule(name):
    model = keras.saving.load_model(FIXTURES / f"model-{name}.keras")
    assert model.optimizer._learning_rate == make.FAMILIES[name]
    np.testing.assert_allclose(make.moves(model, 2), EXPECTED["models"][name], **TOLERANCE)


@once
@pytest.mark.parametrize("key", EXPECTED["states"])
def test_a_run_goes_on_from_a_state_file(key, tmp_path):
    name, base = key.split("-")
    shutil.copy(FIXTURES / f"state-{key}.json", tmp_path)
    model = make.model_of(BASES[base]())
    model.optimizer.build(model.trainable_variables)
    model.load_weights(FIXTURES / f"state-{key}.weights.h5")
    callback = make.STATES[name](state_path=tmp_path / f"state-{key}.json")
    applied = make.moves(model, len(make.METRICS), [callback], initial_epoch=4)
    np.testing.assert_allclose(applied, EXPECTED["states"][key], **TOLERANCE)


def test_a_run_goes_on_from_a_backup(tmp_path):
    shutil.copytree(FIXTURES / "backup", tmp_path / "backup")
    used = make.STATES["plateau"](), callbacks.Warmup(6)
    backup = callbacks.TrainingBackup(tmp_path / "backup", verbose=0)
    applied = make.moves(make.model_of(0.4), len(make.METRICS), [*used, backup])
    np.testing.assert_allclose(applied, EXPECTED["backup"], **TOLERANCE)


def test_pickled_schedules_are_read():
    for title, content in pickle.loads((FIXTURES / "schedules.pickle").read_bytes()).items():
        schedule = pickle.loads(content)
        row = next((row for row in EXPECTED["configs"] if row["title"] == title), None)
        if row is not None:
            np.testing.assert_array_equal(schedule.rates(row["steps"]), row["rates"], title)


def test_configs_are_read():
    for row in EXPECTED["configs"]:
        schedule = schedules.deserialize(row["config"])
        np.testing.assert_array_equal(schedule.rates(row["steps"]), row["rates"], row["title"])
