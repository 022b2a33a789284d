import json

import keras
import numpy as np
import pytest
from keras import ops
from support.arrays import to_numpy

from keras_lr.schedules import Constant, LinearDecay, PowerDecay, Schedule, StepDecay
from keras_lr.schedules.fields import Length, Rate


class HalfLife(Schedule):
    """What a user writes: fields and a formula."""

    initial_learning_rate: Rate
    half_life: Length
    tags: tuple = ()

    def rate(self, t, xp):
        return self.initial_learning_rate * xp.exp2(-t / self.half_life)


def test_own_schedule_has_everything():
    schedule = HalfLife(0.8, 10, tags=["a"])
    np.testing.assert_allclose(schedule.rates([0, 10, 20]), [0.8, 0.4, 0.2])
    assert repr(schedule) == "HalfLife(0.8, 10, tags=('a',))"
    text = json.dumps(keras.saving.serialize_keras_object(schedule))
    assert keras.saving.deserialize_keras_object(json.loads(text)) == schedule
    assert schedule != HalfLife(0.8, 11, tags=["a"])
    assert (schedule * 0.5).with_warmup(2).rates([1])[0] == 0.4
    with pytest.raises(ValueError, match="`half_life` must be .* Received: half_life=0"):
        HalfLife(0.8, 0)


def test_schedule_without_formula():
    class Empty(Schedule):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty must define `rate\(self, t, xp\)`"):
        Empty()(0)


def test_unknown_and_missing_arguments():
    with pytest.raises(TypeError, match="unexpected keyword argument 'decay_step'"):
        LinearDecay(0.1, decay_step=10)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'decay_steps'"):
        LinearDecay(0.1)
    with pytest.raises(ValueError, match="`name` must be a string. Received: name=3"):
        LinearDecay(0.1, 10, name=3)


def test_rates_counts_or_takes_steps():
    schedule = LinearDecay(1.0, 4)
    for steps in (3, np.int64(3), [0, 1, 2], (0, 1, 2), np.arange(3), range(3)):
        np.testing.assert_array_equal(schedule.rates(steps), [1.0, 0.75, 0.5])
    np.testing.assert_array_equal(schedule.rates(ops.convert_to_tensor([0, 2])), [1.0, 0.5])


def test_float_steps():
    np.testing.assert_allclose(LinearDecay(1.0, 4).rates([0.5, 3.5]), [0.875, 0.125])


def test_rates_belong_to_the_caller():
    schedule = Constant(0.1)
    schedule.rates(3)[:] = 7.0
    np.testing.assert_array_equal(schedule.rates(3), 0.1)


@pytest.mark.parametrize("floatx", ["float16", "bfloat16"])
def test_half_precision_holds_no_learning_rate(floatx):
    keras.config.set_floatx(floatx)
    try:
        rate = Constant(1e-8)(0)
    finally:
        keras.config.set_floatx("float32")
    assert keras.backend.standardize_dtype(rate.dtype) == "float32"
    np.testing.assert_allclose(to_numpy(rate), 1e-8)


@pytest.mark.skipif(keras.config.backend() == "jax", reason="JAX needs jax_enable_x64 for float64")
def test_float64_where_floatx_is():
    keras.config.set_floatx("float64")
    try:
        rate = StepDecay(0.1, 1, 0.3)(5)
    finally:
        keras.config.set_floatx("float32")
    assert keras.backend.standardize_dtype(rate.dtype) == "float64"
    assert to_numpy(rate) == StepDecay(0.1, 1, 0.3).rates([5])[0]


@pytest.mark.skipif(keras.config.backend() != "torch", reason="Apple GPUs are PyTorch's")
def test_apple_gpus_compute_without_float64(monkeypatch, accelerator):
    import torch

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    seen = []
    schedule = HalfLife(0.8, 10)
    monkeypatch.setattr(HalfLife, "rate", lambda self, t, xp: seen.append(t) or t * 0.1)
    schedule(torch.tensor(3))
    assert [t.dtype for t in seen] == [torch.int32]


def test_count_is_exact_beyond_float32():
    # 2**24 + 1 is no float32 number: a float counter would be a step behind.
    schedule = StepDecay(1.0, 2**24 + 1, 0.5)
    steps = [2**24, 2**24 + 1]
    np.testing.assert_array_equal(to_numpy(schedule(ops.convert_to_tensor(steps))), [1.0, 0.5])
    np.testing.assert_array_equal(to_numpy(schedule(np.array(steps))), [1.0, 0.5])


def test_describe():
    warm = LinearDecay(0.1, 90).with_warmup(10)
    assert warm.describe() == "first 0.01 at update 0, peak 0.1 at update 9, last 0 at update 100"
    assert PowerDecay(0.8, 10, 2.0).describe(30) == (
        "first 0.8 at update 0, peak 0.8 at update 0, last 0.05 at update 30"
    )
    # The end of a decay of 2.5 updates is reached at the third.
    assert LinearDecay(0.1, 2.5).describe().endswith("last 0 at update 3")


def test_describe_needs_an_end():
    with pytest.raises(
        ValueError, match=r"PowerDecay.* never ends: give describe\(total_steps=…\)"
    ):
        PowerDecay(0.8, 10, 2.0).describe()
    with pytest.raises(ValueError, match="`total_steps` must be a finite number > 0. Received"):
        Constant(0.1).describe(total_steps=-1)


def test_config_is_plain():
    config = LinearDecay(np.float32(0.5), np.int64(10)).get_config()
    assert config == {
        "initial_learning_rate": 0.5,
        "decay_steps": 10,
        "end_learning_rate": 0.0,
        "name": "LinearDecay",
    }
    assert [type(value) for value in config.values()] == [float, int, float, str]


def test_keras_knows_them_as_schedules():
    schedule = LinearDecay(0.1, 10)
    assert isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
    revived = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert revived == schedule


@pytest.mark.parametrize("step", [None, "x"])
def test_a_step_that_is_no_number_is_refused(step):
    with pytest.raises(ValueError, match="`step` must be a number of updates.*Received: step="):
        LinearDecay(0.1, 10)(step)
