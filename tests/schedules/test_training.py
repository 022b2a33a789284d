"""Every example schedule in training: the weights move by the rate, and a saved model loads."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.examples import SCHEDULES
from support.tiers import cells, rest

STEPS = 6
LOADER = """
import json, sys
import keras
import keras_lr

for path in sys.argv[1:]:
    optimizer = keras.saving.load_model(path).optimizer
    schedule = optimizer._learning_rate
    print(json.dumps([repr(schedule), schedule.rates(110).tolist(), int(optimizer.iterations)]))
"""


@pytest.mark.parametrize("example", cells(SCHEDULES, SCHEDULES[::7]), ids=lambda e: e.title)
def test_weights_move_by_the_rate(example):
    model = unit_gradient.build(keras.optimizers.SGD(example.schedule))
    unit_gradient.fit(model, per_epoch=STEPS)
    rates = example.schedule.rates(STEPS)
    # The weight itself is float32: its last bit limits what can be read from it.
    atol = 2 * np.finfo("float32").eps * max(np.abs(rates).sum(), example.peak)
    np.testing.assert_allclose(unit_gradient.applied(model), rates, rtol=0, atol=atol)


@rest
def test_saved_model_loads_in_a_fresh_process(tmp_path):
    # Functions are registered by the module that defines them: test_function.py loads those.
    examples = [example for example in SCHEDULES if "<function" not in repr(example.schedule)]
    paths = [str(tmp_path / f"{i}.keras") for i in range(len(examples))]
    for path, example in zip(paths, examples):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(example.schedule), "mse")
        model.optimizer.build(model.trainable_variables)
        model.optimizer.iterations.assign(1)
        model.save(path)
    environment = {**os.environ, "KERAS_BACKEND": keras.config.backend()}
    process = subprocess.run(
        [sys.executable, "-c", LOADER, *paths],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert process.returncode == 0, process.stderr
    loaded = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("[")]
    assert loaded == [
        [repr(example.schedule), example.schedule.rates(110).tolist(), 1] for example in examples
    ]
