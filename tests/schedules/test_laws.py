"""Every law of schedules on every example of `examples`."""

import copy
import dataclasses
import inspect
import json
import math
import pickle

import keras
import numpy as np
import pytest
from keras import ops
from support.arrays import to_numpy
from support.backends import compiled
from support.examples import SCHEDULES

from keras_lr import schedules

ULP = float(np.finfo("float32").eps)
STEPS = sorted({step for example in SCHEDULES for step in example.steps})
# A function has no repr that could be evaluated; test_function.py has its laws.
FOR_TORCH = {
    "CosineDecay, warmup",
    "CosineDecayRestarts",
    "PiecewiseConstantDecay",
    "LambdaDecay",
    "Tabulated",
    "RandomUniform",
    "Jitter, normal",
    "CyclicalLearningRate, triangular2",
    "OneCycle",
    "WarmupStableDecay",
    "Repeat, growing, each with a warmup",
    "Maximum",
    "Hold",
}
PRINTABLE = [example for example in SCHEDULES if "<function" not in repr(example.schedule)]


def for_every(examples):
    return pytest.mark.parametrize("example", examples, ids=lambda example: example.title)


def expected(example, steps):
    return np.array([example.oracle(t) for t in steps])


def assert_within(actual, desired, example, ulps):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=ulps * ULP * example.peak)


def test_every_public_class_has_an_example():
    public = {c for c in vars(schedules).values() if inspect.isclass(c)}
    concrete = {c for c in public if issubclass(c, schedules.Schedule)}
    concrete -= {schedules.Schedule, schedules.Annealing, schedules.Recipe}
    assert {type(example.schedule) for example in SCHEDULES} == concrete


@for_every(SCHEDULES)
def test_host_equals_oracle(example):
    rates = example.schedule.rates(example.steps)
    assert rates.dtype == "float64"
    tolerance = 1e-12 * example.peak
    np.testing.assert_allclose(rates, expected(example, example.steps), rtol=0, atol=tolerance)


@for_every(SCHEDULES)
def test_host_equals_oracle_at_every_update(example):
    count = example.total_steps + 2
    np.testing.assert_allclose(
        example.schedule.rates(count),
        expected(example, range(count)),
        rtol=0,
        atol=1e-12 * example.peak,
    )


@for_every(SCHEDULES)
def test_scalar_equals_vector(example):
    rates = example.schedule.rates(example.steps)
    scalars = [to_numpy(example.schedule(step)) for step in example.steps]
    np.testing.assert_array_equal(scalars, rates.astype("float32"))
    np.testing.assert_array_equal(
        to_numpy(example.schedule(example.steps)), rates.astype("float32")
    )


@for_every(SCHEDULES)
def test_shape_is_kept(example):
    flat = example.schedule.rates(6)
    np.testing.assert_array_equal(example.schedule.rates(np.arange(6).reshape(2, 3)).ravel(), flat)
    np.testing.assert_array_equal(example.schedule.rates([[0, 1], [2, 3]]).ravel(), flat[:4])
    np.testing.assert_array_equal(example.schedule.rates([]), flat[:0])
    assert example.schedule(np.arange(6).reshape(2, 3)).shape == (2, 3)
    assert example.schedule(np.array(3)).shape == ()


@for_every(SCHEDULES)
def test_scalar_call_returns_float32_scalar(example):
    rate = example.schedule(3)
    assert ops.is_tensor(rate)
    assert rate.shape == ()
    assert keras.backend.standardize_dtype(rate.dtype) == "float32"


# Each is compiled into the same one function; torch.compile takes a second for each.
COMPILED = [e for e in SCHEDULES if keras.config.backend() != "torch" or e.title in FOR_TORCH]


def all_rates(step):
    return [example.schedule(step) for example in COMPILED]


@pytest.mark.parametrize("how", compiled.keys())
def test_compiled_equals_host(how):
    function = compiled[how](all_rates)
    vector = function(ops.convert_to_tensor(STEPS, dtype="int32"))
    scalars = [function(ops.convert_to_tensor(step, dtype="int32")) for step in STEPS]
    for i, example in enumerate(COMPILED):
        host = example.schedule.rates(STEPS)
        assert keras.backend.standardize_dtype(vector[i].dtype) == "float32"
        assert_within(to_numpy(vector[i]), host, example, ulps=2)
        assert_within([to_numpy(rates[i]) for rates in scalars], host, example, ulps=2)


# Periods whose rounded reciprocal, times the period, is less than 1.
AWKWARD = [49, 98, 103, 107, 161, 187]


@pytest.mark.parametrize("how", compiled.keys())
def test_compiled_periods_end_when_they_end(how):
    every = [
        schedule
        for n in AWKWARD
        for schedule in (
            schedules.StepDecay(1.0, n, 0.5),
            schedules.ExponentialDecay(1.0, n, 0.5, staircase=True),
            schedules.CosineDecayRestarts(1.0, n, 1.0),
            schedules.PolynomialDecay(1.0, n, cycle=True),
            schedules.LinearDecay(1.0, n).repeat(n),
            schedules.RandomUniform(0.0, 1.0, n),
            schedules.LinearDecay(1.0, 1000).hold(n),
            schedules.CyclicalLearningRate(0.0, 1.0, 1, n - 1, mode="triangular2"),
        )
    ]
    steps = np.unique([n * i + j for n in AWKWARD for i in range(8) for j in (-1, 0, 1)])[1:]
    rates = compiled[how](lambda t: [s(t) for s in every])(ops.convert_to_tensor(steps, "int32"))
    for schedule, actual in zip(every, rates):
        np.testing.assert_allclose(to_numpy(actual), schedule.rates(steps), rtol=0, atol=2 * ULP)


@for_every(SCHEDULES)
def test_any_type_of_step(example):
    expected_rate = np.float32(example.schedule.rates([3])[0])
    numbers = [3, 3.0, np.int32(3), np.int64(3), np.uint8(3), np.float16(3), np.float64(3)]
    for step in [*numbers, *tensors(3)]:
        np.testing.assert_array_equal(to_numpy(example.schedule(step)), expected_rate)


@for_every(SCHEDULES)
def test_accelerator_equals_host(example, accelerator):
    steps = ops.convert_to_tensor(example.steps, dtype="int32")
    assert_within(
        to_numpy(example.schedule(steps)), example.schedule.rates(example.steps), example, ulps=2
    )


@for_every(SCHEDULES)
def test_any_type_of_step_on_an_accelerator(example, accelerator):
    for step in tensors(3):
        rate = example.schedule(step)
        assert keras.backend.standardize_dtype(rate.dtype) == "float32"
        assert rate.shape == ()
        assert_within(to_numpy(rate), example.schedule.rates([3])[0], example, ulps=2)


def tensors(step):
    dtypes = ["int32", "int64", "uint8", "float16", "float32"]
    yield from (ops.convert_to_tensor(np.array(step, dtype)) for dtype in dtypes)
    yield keras.Variable(step, dtype="int32", trainable=False)


@for_every(SCHEDULES)
def test_json_round_trip(example):
    text = json.dumps(keras.saving.serialize_keras_object(example.schedule))
    revived = keras.saving.deserialize_keras_object(json.loads(text))
    assert revived == example.schedule
    assert hash(revived) == hash(example.schedule)
    np.testing.assert_array_equal(revived.rates(110), example.schedule.rates(110))


@for_every(PRINTABLE)
def test_repr_evaluates_to_the_schedule(example):
    assert eval(repr(example.schedule), vars(schedules)) == example.schedule


@for_every(SCHEDULES)
def test_frozen(example):
    for field in dataclasses.fields(example.schedule):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"assign to field '{field.name}"):
            setattr(example.schedule, field.name, None)


@for_every(SCHEDULES)
def test_name_is_config_only(example):
    named = dataclasses.replace(example.schedule, name="my_rate")
    assert named == example.schedule
    assert hash(named) == hash(example.schedule)
    assert repr(named) == repr(example.schedule)
    assert named.get_config()["name"] == "my_rate"
    assert type(named).from_config(named.get_config()).name == "my_rate"


@for_every(SCHEDULES)
def test_copies_are_equal(example):
    example.schedule.rates(5)  # what a call caches must not get into the way
    for twin in (
        copy.deepcopy(example.schedule),
        copy.copy(example.schedule),
        pickle.loads(pickle.dumps(example.schedule)),
        example.schedule.resolve(3, steps_per_epoch=5),
    ):
        assert twin == example.schedule
        np.testing.assert_array_equal(twin.rates(20), example.schedule.rates(20))


def test_different_schedules_are_unequal():
    assert len({example.schedule for example in SCHEDULES}) == len(SCHEDULES)


@for_every([example for example in SCHEDULES if example.schedule.length is not None])
def test_rate_is_held_from_its_length_on(example):
    length = example.schedule.length
    beyond = [length, length + 0.5, length + 1, 2 * length + 3, 1000 * length, 2**31 - 2]
    last = example.schedule.rates([length])[0]
    np.testing.assert_allclose(example.schedule.rates(beyond), last, rtol=1e-14, atol=0)
    np.testing.assert_allclose(example.oracle(math.ceil(length)), last, rtol=1e-12, atol=1e-15)


@for_every(SCHEDULES)
def test_finite_for_ever(example):
    steps = np.append(np.arange(1000), [2**24 - 1, 2**24, 2**31 - 2])
    assert np.isfinite(example.schedule.rates(steps)).all()
