"""Random compositions of any depth behave like a single class."""

import json
import random

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import ops
from support.arrays import to_numpy
from support.backends import compiled
from support.composed import LAST, composition
from support.tiers import cells, once

from keras_lr import schedules

ULP = float(np.finfo("float32").eps)
STEPS = np.unique([*range(0, 40, 3), *range(40, LAST, 29), LAST])
# The host's arithmetic is the same whatever the back end: all of them on one.
HOST = 2_000 if keras.config.backend() == "tensorflow" else 1_000
# A compilation takes up to seconds.
COMPILED = {"tensorflow": 150, "jax": 100, "torch": 20}[keras.config.backend()]
BATCH = 20
# In float64 the last rounding is all there is; JAX rounds to float32 at each of six levels, and a
# stretched clock is no whole number there.
ULPS = 4 if keras.config.backend() == "jax" else 2


@once
@settings(max_examples=HOST, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_host(seed, depth):
    schedule, oracle = composition(random.Random(seed), depth)
    rates = schedule.rates(STEPS)
    expected = np.array([oracle(t) for t in STEPS.tolist()])
    np.testing.assert_allclose(rates, expected, rtol=0, atol=1e-12 * max(1, abs(expected).max()))
    few = STEPS[::9]
    scalars = [to_numpy(schedule(step)) for step in few.tolist()]
    np.testing.assert_array_equal(scalars, rates[::9].astype("float32"))
    text = json.dumps(schedules.serialize(schedule))
    revived = schedules.deserialize(json.loads(text))
    assert revived == schedule and hash(revived) == hash(schedule)
    assert eval(repr(schedule), vars(schedules)) == schedule


def batches():
    rng = random.Random(0)
    every = [composition(rng, rng.randint(2, 6))[0] for _ in range(COMPILED)]
    return [every[i : i + BATCH] for i in range(0, COMPILED, BATCH)]


# XLA takes ten times as long as a graph: three batches must do.
FIRST, *OTHERS = compiled
RUNS = [(FIRST, b) for b in batches()] + [(how, b) for how in OTHERS for b in batches()[:3]]
QUICK = RUNS[:1]


@pytest.mark.parametrize("how, batch", cells(RUNS, QUICK), ids=lambda value: str(value)[:20])
def test_compiled(how, batch):
    function = compiled[how](lambda step: [schedule(step) for schedule in batch])
    rates = function(ops.convert_to_tensor(STEPS, dtype="int32"))
    for schedule, actual in zip(batch, rates):
        host = schedule.rates(STEPS)
        tolerance = ULPS * ULP * abs(host).max()
        np.testing.assert_allclose(to_numpy(actual), host, rtol=0, atol=tolerance)
