"""What every test shares: a header that names the back end, seeds, and NumPy at the door."""

import os

import hypothesis
import keras
import numpy as np
import pytest
from support import tiers

from keras_lr.schedules import base

# Doctests are those of the package alone.
collect_ignore_glob = ["support/*", "fixtures/*", "typing/*"]

# How long an example takes says more of the machine, and of what else it does.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_report_header():
    return f"keras {keras.__version__} on {keras.config.backend()}, numpy {np.__version__}"


def pytest_configure(config):
    # What tests start in a process of its own imports what they do.
    folders = [str(config.rootpath), str(config.rootpath / "tests")]
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([*folders, *filter(None, known)])
    # Keras' own tests carry this mark; all three back ends that we run on can train.
    config.addinivalue_line("markers", "requires_trainable_backend: needs a back end that trains")
    if keras.config.backend() == "tensorflow":
        _read_without_tuning()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    # Before any selection by marks.
    config.stash[tiers.COLLECTED] = list(items)
    tiers.sort_into_tiers(items)


def _read_without_tuning():
    """Keeps `tf.data` from tuning itself: whoever drops an iterator may wait for its tuning thread.

    That sleeps up to as long as the iterator is old, a minute at most, and cannot be woken: suites
    stood still for ten minutes in all.
    """
    import tensorflow as tf

    options, begin = tf.data.Options(), tf.data.Dataset.__iter__
    options.autotune.enabled = False
    tf.data.Dataset.__iter__ = lambda dataset: begin(dataset.with_options(options))


@pytest.fixture(autouse=True)
def seeds():
    keras.utils.set_random_seed(0)
    # Keras' own tests, which run among ours, leave it switched off.
    keras.config.enable_interactive_logging()


@pytest.fixture
def accelerator(monkeypatch):
    """Makes every call of a schedule go the way of a step that lives on an accelerator."""
    monkeypatch.setattr(base, "host_value", lambda step: None)
