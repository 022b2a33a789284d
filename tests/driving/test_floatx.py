"""The three other types of floatx: every callback's rate within the rounding of that type.

Weights are float32, but where floatx is float64: there the rates are exact in float64. The record
says the same.
"""

import contextlib

import keras
import numpy as np
import pytest
from support import tiers, unit_gradient
from support.effective_rates import BACKEND, CASES, EPOCHS, LOSSES, OPTIMIZERS, PER_EPOCH

from keras_lr import callbacks, get_rate, schedules, set_rate

# Half a unit in the last place of the type in which the optimizer holds its rate.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float64": 2.0**-50}
KINDS = ["float", "schedule", "accumulation, float"]


@pytest.fixture(params=ROUNDING)
def floatx(request):
    before = keras.config.floatx()
    with contextlib.ExitStack() as stack:
        if BACKEND == "jax" and request.param == "float64":
            import jax

            # What a user sets once: JAX has no float64 otherwise.
            stack.callback(jax.config.update, "jax_enable_x64", jax.config.jax_enable_x64)
            jax.config.update("jax_enable_x64", True)
        stack.callback(keras.config.set_floatx, before)
        keras.config.set_floatx(request.param)
        yield request.param


def weights_of(floatx):
    return "float64" if floatx == "float64" else "float32"


@pytest.mark.parametrize(
    ("case", "kind"),
    tiers.cells(
        [(case, kind) for case in CASES for kind in KINDS],
        [("factors together", "float"), ("schedule and factors", "schedule")],
    ),
)
def test_weights_move_by_base_times_factors(case, kind, floatx):
    make_callbacks, expected_rate = CASES[case]
    make_optimizer, base = OPTIMIZERS[kind]
    model = unit_gradient.build(make_optimizer(), dtype=weights_of(floatx))
    recorder = callbacks.LearningRateRecorder()
    used = [unit_gradient.Feed(LOSSES), recorder, *make_callbacks()]
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, used)
    every = 2 if kind.startswith("accumulation") else 1
    per_epoch, total = PER_EPOCH // every, PER_EPOCH * EPOCHS // every
    applied = unit_gradient.applied(model)[every - 1 :: every]
    expected = [expected_rate(t, base(t), per_epoch, total) for t in range(total)]
    # The weight itself is rounded too, by which its steps come short.
    atol = 1e-15 if floatx == "float64" else 2e-6
    np.testing.assert_allclose(applied, expected, rtol=2 * ROUNDING[floatx], atol=atol)
    np.testing.assert_allclose(recorder.learning_rate, expected, rtol=2 * ROUNDING[floatx])


@pytest.mark.parametrize("own", [0.1, schedules.Constant(0.1)])
def test_rates_by_hand(own, floatx):
    model = unit_gradient.build(keras.optimizers.SGD(own), dtype=weights_of(floatx))
    np.testing.assert_allclose(get_rate(model), 0.1, rtol=ROUNDING[floatx])
    set_rate(model, 0.3)
    unit_gradient.fit(model, 1)
    np.testing.assert_allclose(get_rate(model), 0.3, rtol=ROUNDING[floatx])
    np.testing.assert_allclose(unit_gradient.applied(model), [0.3], rtol=2 * ROUNDING[floatx])


class Write(keras.callbacks.Callback):
    """Writes a rate, as others do, when epoch 2 begins."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.optimizer.learning_rate = 0.3


@pytest.mark.parametrize("written", [False, True])
def test_restore_initial_is_exact(written, floatx):
    model = unit_gradient.build(keras.optimizers.SGD(0.7), dtype=weights_of(floatx))
    model.optimizer.learning_rate = 0.3 if written else 0.7
    expected = float(model.optimizer.learning_rate)
    model.optimizer.learning_rate = 0.7
    cut = callbacks.ReduceLROnPlateau(
        "loss", factor=0.3, patience=1, mode="min", on_train_end="restore_initial"
    )
    used = [unit_gradient.Feed([1.0] * 5), cut, *([Write()] if written else [])]
    with pytest.warns(UserWarning, match="Somebody else writes") if written else _nothing():
        unit_gradient.fit(model, 1, 5, used)
    assert float(model.optimizer.learning_rate) == expected


def _nothing():
    return contextlib.nullcontext()


def test_what_a_keeping_callback_has_cut_since_a_foreign_write_stays():
    model = unit_gradient.build(keras.optimizers.SGD(0.8))
    keeps, restores = (
        callbacks.ReduceLROnPlateau(
            "loss", factor=0.5, patience=1, mode="min", on_train_end=end, min_delta=0.0
        )
        for end in ("keep", "restore_initial")
    )
    recorder = callbacks.LearningRateRecorder()
    used = [unit_gradient.Feed([1.0] * 4), keeps, restores, Write(), recorder]
    with pytest.warns(UserWarning, match="Somebody else writes"):
        unit_gradient.fit(model, 1, 4, used)
    # Cut to 0.2 by both, written to 0.3, cut to 0.075 and once more; the keeping one's cuts since.
    np.testing.assert_allclose(unit_gradient.applied(model), [0.8, 0.8, 0.3, 0.075], atol=1e-6)
    np.testing.assert_allclose(recorder.learning_rate, [0.8, 0.8, 0.3, 0.075], atol=1e-7)
    np.testing.assert_allclose(get_rate(model), 0.3 / 4, rtol=1e-6)
