import math
import os
import subprocess
import sys
import textwrap
import traceback
import warnings

import keras
import numpy as np
import pytest
from keras import ops
from support import unit_gradient
from support.arrays import to_numpy
from support.backends import compiled
from support.tiers import rest

from keras_lr import schedules as s

REGISTERED = """
import keras
from keras import ops

@keras.saving.register_keras_serializable("test_function")
def wave(t):
    return 1.5 + ops.cos(ops.cast(t, "float32") / 5)
"""


@keras.saving.register_keras_serializable("keras_lr_test")
def halving(t):
    return 0.5**t


class Root(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of the user's own, which knows nothing of ours."""

    def __call__(self, step):
        return 0.1 / ops.sqrt(1.0 + ops.cast(step, "float32"))

    def get_config(self):
        return {}


def saved(schedule, path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedule), "mse")
    model.save(path)
    return path


# LambdaDecay


def test_registered_function_saves_and_loads(tmp_path):
    schedule = s.LambdaDecay(0.1, halving)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        path = saved(schedule, tmp_path / "model.keras")
    assert keras.saving.load_model(path).optimizer._learning_rate == schedule


@rest
def test_registered_function_loads_in_a_fresh_process(tmp_path):
    (tmp_path / "waves.py").write_text(REGISTERED)
    namespace = {}
    exec(REGISTERED, namespace)
    schedule = s.LambdaDecay(0.1, namespace["wave"])
    path = saved(schedule, tmp_path / "model.keras")
    script = f"""
        import keras, keras_lr, waves
        schedule = keras.saving.load_model({str(path)!r}).optimizer._learning_rate
        print("rate", float(schedule.rates([7])[0]))
    """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": keras.config.backend()},
    )
    assert process.returncode == 0, process.stderr
    rate = float(process.stdout.split("rate")[1])
    assert rate == pytest.approx(0.1 * (1.5 + np.cos(1.4)), rel=1e-6)


def test_bare_lambda_trains_and_warns_when_saved(tmp_path):
    schedule = s.LambdaDecay(0.1, lambda t: 1 / (1.0 + t))
    model = unit_gradient.build(keras.optimizers.SGD(schedule))
    unit_gradient.fit(model, per_epoch=4)
    np.testing.assert_allclose(unit_gradient.applied(model), [0.1, 0.05, 0.1 / 3, 0.025], rtol=1e-5)
    with pytest.warns(
        UserWarning, match="<lambda>.* of a LambdaDecay is not registered.*Tabulated"
    ):
        saved(schedule, tmp_path / "model.keras")


def test_errors_of_the_function_propagate():
    def broken(t):
        raise RuntimeError("my own words")

    for use in (lambda x: x(3), lambda x: x.rates(3)):
        with pytest.raises(RuntimeError, match="my own words"):
            use(s.LambdaDecay(0.1, broken))


def test_error_in_a_graph_carries_the_hint(accelerator):
    def broken(t):
        raise RuntimeError("my own words")

    with pytest.raises(RuntimeError, match="my own words") as caught:
        s.LambdaDecay(0.1, broken)(3)
    assert "Tabulated.from_function" in "".join(caught.value.__notes__)


@pytest.mark.skipif(keras.config.backend() == "torch", reason="torch.compile runs any Python")
@pytest.mark.parametrize("how", compiled.keys())
def test_ordinary_python_in_a_compiled_step_carries_the_hint(how):
    schedule = s.LambdaDecay(0.1, lambda t: math.exp(-t))
    step = ops.convert_to_tensor(2)
    with pytest.raises(Exception, match="float|Tracer|Tensor") as caught:
        compiled[how](lambda t: schedule(t))(step)
    assert "Tabulated.from_function" in "".join(traceback.format_exception(caught.value))
    # On the host, where a call is made for every step, it works.
    assert schedule.rates([2])[0] == 0.1 * math.exp(-2)


@pytest.mark.parametrize(
    "function, rates",
    [
        (lambda t: 0.5, [0.5, 0.5, 0.5, 0.5]),
        (lambda t: 1.0 if t < 2 else 0.5, [1.0, 1.0, 0.5, 0.5]),
        (lambda t: [1.0, 0.5][int(t) % 2], [1.0, 0.5, 1.0, 0.5]),
        (lambda t: ops.where(ops.cast(t, "float32") < 2.0, 1.0, 0.5), [1.0, 1.0, 0.5, 0.5]),
        (lambda t: np.float32(1.0) / (1 + t), [1, 1 / 2, 1 / 3, 1 / 4]),
    ],
)
def test_any_function_on_the_host(function, rates):
    schedule = s.LambdaDecay(2.0, function)
    np.testing.assert_allclose(schedule.rates(4), np.multiply(2.0, rates))
    np.testing.assert_allclose(schedule.rates([[0, 1], [2, 3]]).ravel(), np.multiply(2.0, rates))
    np.testing.assert_allclose([float(schedule(t)) for t in range(4)], np.multiply(2.0, rates))


@pytest.mark.parametrize("bad", [None, 0.5, "cosine"])
def test_what_is_no_function(bad):
    with pytest.raises(ValueError, match="`function` must be a function of the step. Received"):
        s.LambdaDecay(0.1, bad)
    with pytest.raises(ValueError, match="`function` must be a function of the step. Received"):
        s.Tabulated.from_function(bad, 3)


# Tabulated


def test_table():
    schedule = s.Tabulated([0.1, 0.2, 0.05])
    np.testing.assert_array_equal(
        schedule.rates([-5, 0, 1, 1.9, 2, 99]), [0.1, 0.1, 0.2, 0.2, 0.05, 0.05]
    )


def test_table_of_a_function():
    table = s.Tabulated.from_function(lambda step: 0.1 if step < 2 else 0.01, 4)
    assert table == s.Tabulated([0.1, 0.1, 0.01, 0.01])
    keras_table = s.Tabulated.from_function(keras.optimizers.schedules.CosineDecay(0.1, 10), 12)
    np.testing.assert_allclose(
        keras_table.rates(12), s.CosineDecay(0.1, 10).rates(12), rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize("bad", [[], 0.1, "0.1", [0.1, -1], [0.1, float("nan")], None])
def test_bad_tables(bad):
    with pytest.raises(ValueError, match=r"`values.*` must be .*Received: values"):
        s.Tabulated(bad)


@pytest.mark.parametrize("bad", [0, 2.5, "10", None])
def test_bad_table_lengths(bad):
    with pytest.raises(ValueError, match="`total_steps` must be an integer >= 1. Received"):
        s.Tabulated.from_function(halving, bad)


# Foreign schedules


@pytest.mark.parametrize(
    "theirs",
    [
        keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True, name="mine"),
        keras.optimizers.schedules.PiecewiseConstantDecay([3, 5], [0.1, 0.2, 0.3]),
        keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=4),
    ],
)
def test_schedules_of_keras_become_ours(theirs):
    ours = s.Shift(theirs, 0).schedule
    assert type(ours) is getattr(s, type(theirs).__name__)
    assert ours.name == theirs.name
    rates = [float(theirs(step)) for step in range(20)]
    np.testing.assert_allclose(ours.rates(20), rates, rtol=1e-5, atol=1e-9)


def test_own_keras_schedule_is_called():
    schedule = s.Shift(Root(), 2)
    np.testing.assert_allclose(schedule.rates(5), 0.1 / np.sqrt([1, 1, 1, 2, 3]), rtol=1e-6)
    config = keras.saving.serialize_keras_object(schedule)
    with keras.saving.custom_object_scope({"Root": Root}):
        revived = keras.saving.deserialize_keras_object(config)
    np.testing.assert_array_equal(revived.rates(5), schedule.rates(5))


def test_own_keras_schedule_in_a_compiled_step():
    how = next(iter(compiled))
    rate = compiled[how](lambda t: (s.Shift(Root(), 2) * 2.0)(t))(ops.convert_to_tensor(5))
    assert float(to_numpy(rate)) == pytest.approx(0.1, rel=1e-6)


@pytest.mark.parametrize("value", [None, math.nan, float("inf"), "0.1", [0.1, 0.2, 0.3, 0.4], 1j])
@pytest.mark.parametrize("steps", [3, [0, 1]])
def test_a_function_that_returns_no_number_is_named(value, steps):
    def broken(step):
        return value

    says = (
        "`function` must return a finite number for each step. Received: .* from broken at step 0"
    )
    with pytest.raises(ValueError, match=says):
        s.LambdaDecay(0.1, broken).rates(steps)
    with pytest.raises(ValueError, match=says):
        s.LambdaDecay(0.1, broken)(0)
    with pytest.raises(ValueError, match=says):
        s.Tabulated.from_function(broken, 2)


@pytest.mark.parametrize("value", [None, math.nan, "0.1"])
def test_a_function_that_returns_no_number_stops_a_fit(value):
    model = unit_gradient.build(keras.optimizers.SGD(s.LambdaDecay(0.1, lambda step: value)))
    with pytest.raises(ValueError, match="must return a finite number .*from <lambda> at"):
        unit_gradient.fit(model, 2, 1)


def test_the_step_of_the_first_value_that_is_none_is_said():
    late = s.LambdaDecay(0.1, lambda step: None if step == 3 else 1.0)
    with pytest.raises(ValueError, match="Received: None from <lambda> at step 3"):
        late.rates(5)


@pytest.mark.parametrize("function", [lambda: 0, 0.1, "cosine", None])
def test_what_is_no_function_of_the_step(function):
    with pytest.raises(
        ValueError, match="`function` must be a function of the step. Received: fun"
    ):
        s.LambdaDecay(0.1, function)
