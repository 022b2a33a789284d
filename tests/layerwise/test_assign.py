"""Rates by layer, judged by how far each layer's weight moves."""

import pathlib

import keras
import numpy as np
import pytest
from keras.optimizers import SGD
from support import unit_gradient
from support.effective_rates import CASES, EPOCHS, LOSSES, PER_EPOCH, linear
from support.tiers import cells, once

from keras_lr import callbacks, discriminative, get_rate, range_test, set_rate
from keras_lr.schedules import LinearDecay, PolynomialDecay

pytestmark = unit_gradient.needs_multi_optimizer

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"

SHARES = {"trace_0": 1.0, "trace_1": 0.25, "trace_2": 0.0}
MULTIPLIERS = {"trace_1": 0.25, "trace_2": 0.0}


def compiled(optimizer, multipliers=None, layers=3, **options):
    """Returns a model of traces that trains under `discriminative`."""
    model = unit_gradient.build("sgd", layers)
    optimizer = discriminative(optimizer, model, multipliers or MULTIPLIERS)
    model.compile(optimizer, unit_gradient.mean_output, **options)
    return model


def assert_applied(model, expected, shares=SHARES, atol=2e-6):
    for layer, share in shares.items():
        applied = unit_gradient.applied(model, layer)
        np.testing.assert_allclose(applied, share * np.array(expected), atol=atol, err_msg=layer)


OPTIMIZERS = {
    "float": (lambda: SGD(0.4), lambda t: 0.4),
    "schedule": (lambda: SGD(LinearDecay(0.4, 20)), linear),
}
WITH_SCHEDULE = ["plateau", "fit schedule", "scheduler and factors", "threshold and warmup"]
CELLS = [(case, "float") for case in CASES] + [(case, "schedule") for case in WITH_SCHEDULE]


@once
@pytest.mark.parametrize(("case", "kind"), cells(CELLS, quick=CELLS[::3]))
def test_every_callback_keeps_the_shares(case, kind):
    make_callbacks, expected_rate = CASES[case]
    make_optimizer, base = OPTIMIZERS[kind]
    model = compiled(make_optimizer())
    recorder = callbacks.LearningRateRecorder()
    feed = unit_gradient.Feed(LOSSES)
    history = unit_gradient.fit(model, PER_EPOCH, EPOCHS, [feed, recorder, *make_callbacks()])
    total = PER_EPOCH * EPOCHS
    expected = np.array([expected_rate(t, base(t), PER_EPOCH, total) for t in range(total)])
    assert_applied(model, expected)
    assert list(recorder.learning_rates) == ["rest", "trace_1"]
    for name, share in (("rest", 1.0), ("trace_1", 0.25)):
        np.testing.assert_allclose(recorder.learning_rates[name], share * expected, atol=1e-7)
        column = history.history[f"learning_rate_{name}"]
        np.testing.assert_allclose(column, share * expected[PER_EPOCH - 1 :: PER_EPOCH], atol=1e-7)


@pytest.mark.parametrize(
    ("make", "rates"),
    [
        (lambda: SGD(0.4), [0.4] * 4),
        (lambda: SGD(LinearDecay(0.4, 4)), [0.4, 0.3, 0.2, 0.1]),
        (
            lambda: SGD(keras.optimizers.schedules.PolynomialDecay(0.4, 4, 0.0)),
            [0.4, 0.3, 0.2, 0.1],
        ),
        (lambda: SGD(0.4, loss_scale_factor=8.0), [0.4] * 4),
        (lambda: SGD(LinearDecay(0.4, 4), gradient_accumulation_steps=2), [0, 0.3, 0, 0.1]),
    ],
    ids=["float", "schedule", "Keras' schedule", "loss scale factor", "accumulation"],
)
def test_rates_of_the_groups(make, rates):
    model = compiled(make())
    unit_gradient.fit(model, 4)
    assert_applied(model, rates)
    assert model.optimizer.loss_scale_factor == make().loss_scale_factor


@pytest.mark.parametrize("mode", [{"run_eagerly": True}, {"jit_compile": True}])
def test_other_modes(mode):
    if mode.get("jit_compile") and keras.config.backend() == "torch":
        pytest.skip("torch.compile takes a minute, and has its case in test_driver.py")
    model = compiled(SGD(LinearDecay(0.4, 4)), **mode)
    unit_gradient.fit(model, 2, 2, [callbacks.Warmup(2)])
    assert_applied(model, [0.2, 0.3, 0.2, 0.1])


def test_a_loss_scale_goes_outside():
    model = unit_gradient.build("sgd", 3)
    inner = discriminative(SGD(LinearDecay(0.4, 4)), model, MULTIPLIERS)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=4.0)
    model.compile(optimizer, unit_gradient.mean_output)
    unit_gradient.fit(model, 4, 1, [callbacks.Warmup(2)])
    assert_applied(model, [0.2, 0.3, 0.2, 0.1])
    assert get_rate(model) == {"rest": 0.0, "trace_1": 0.0}


@once
def test_the_floor_is_that_of_multiplier_1_and_frozen_weights_do_not_stop_the_cuts():
    model = compiled(SGD(0.4))
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_lr=0.1)
    unit_gradient.fit(model, 1, 5, [unit_gradient.Feed([1.0] * 5), plateau])
    assert_applied(model, [0.4, 0.4, 0.2, 0.1, 0.1])


@once
def test_the_scheduler_is_given_the_rate_at_multiplier_1():
    seen = []

    def halved(epoch, lr):
        seen.append(lr)
        return lr / 2

    model = compiled(SGD(0.4), {"trace_1": 1 / 2.6, "trace_2": 1 / 2.6**2})
    unit_gradient.fit(model, 1, 3, [callbacks.LearningRateScheduler(halved)])
    assert seen == pytest.approx([0.4, 0.2, 0.1], rel=1e-6)
    shares = {"trace_0": 1.0, "trace_1": 1 / 2.6, "trace_2": 1 / 2.6**2}
    assert_applied(model, [0.2, 0.1, 0.05], shares)


@once
@pytest.mark.parametrize("rate", [0.4, LinearDecay(0.4, 4)])
def test_rates_by_hand(rate):
    model = compiled(SGD(rate))
    unit_gradient.fit(model, 1)
    assert get_rate(model) == pytest.approx(
        {"rest": 0.4, "trace_1": 0.1} if rate == 0.4 else {"rest": 0.3, "trace_1": 0.075}
    )
    set_rate(model, 0.2)
    assert get_rate(model) == pytest.approx({"rest": 0.2, "trace_1": 0.05})
    unit_gradient.fit(model, 1)
    assert_applied(model, [0.4, 0.2])


@pytest.mark.parametrize("rate", [0.4, PolynomialDecay(0.0, 10, 0.4)])
def test_range_test_sweeps_the_rate_at_multiplier_1(rate):
    model = compiled(SGD(rate))
    x, y = unit_gradient.batches(4)
    options = {"batch_size": unit_gradient.BATCH, "num_steps": 10, "verbose": 0}
    found = range_test(model, x, y, start=0.01, end=1.0, **options)
    rates = 0.01 * 100 ** (np.arange(len(found.losses)) / 9)
    # The loss is the sum of the weights, which have fallen by 1, 0.25 and 0 times the rates so far.
    expected = -1.25 * (np.cumsum(rates) - rates)
    np.testing.assert_allclose(found.learning_rates, rates, rtol=1e-6)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5, atol=1e-6)
    unit_gradient.fit(model, 1)
    assert_applied(model, [float(rate(0)) if callable(rate) else rate])


def test_a_model_that_version_0_1_0_saved_goes_on():
    model = keras.saving.load_model(FIXTURES / "model-layerwise.keras")
    # It was saved where steps are compiled, which takes PyTorch a while.
    model.jit_compile = False
    plan = LinearDecay(0.1, 30)
    rates = [get_rate(model)]
    model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)
    rates.append(get_rate(model))
    # Two updates were made before it was saved.
    for t, found in enumerate(rates, start=2):
        rate = plan.rates([t])[0]
        assert found == pytest.approx({"rest": rate, "stem": 0.1 * rate})
    assert len(model.optimizer.variables) > 8 and model.optimizer.groups == [1, 1, 0, 0]
