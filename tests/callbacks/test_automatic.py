"""`AutoLearningRate` before the first update: what it chooses is what moves the weights."""

import copy
import pickle

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.effective_rates import BACKEND, DEFAULT_MODE, MODES, OPTIMIZERS
from support.tiers import cells, once

from keras_lr import callbacks, layerwise, schedules
from keras_lr.callbacks import AutoLearningRate
from keras_lr.schedules import LinearToZero
from keras_lr.schedules.durations import Run

PER_EPOCH, EPOCHS = 4, 5
TOTAL = PER_EPOCH * EPOCHS
LOSSES = [1.0, 1.0, 1.0, 0.2, 0.1]
DRAWS = np.array([0.2879204750061035, 0.16698020696640015, 0.028228819370269775])


def auto(*args, **options):
    return AutoLearningRate(*args, **{"verbose": 0, **options})


def trained(rule, others=(), optimizer=None, layers=1, model=None, **options):
    """Returns a model of gradient 1 after a fit with the rule."""
    if model is None:
        model = unit_gradient.build(optimizer or keras.optimizers.SGD(0.01), layers=layers)
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, [*others, rule], **options)
    return model


def linear(peak, total=TOTAL):
    """Linear to zero over `total` updates, a twentieth of them warmup, in plain Python."""
    warmup = int(0.05 * total + 0.5)
    rates = [peak * (t + 1) / warmup for t in range(warmup)]
    return np.array(rates + [peak * (1 - i / (total - warmup)) for i in range(total - warmup)])


def assert_applied(model, expected, layer="trace_0"):
    np.testing.assert_allclose(unit_gradient.applied(model, layer), expected, rtol=1e-3, atol=1e-6)


# What is applied


def test_the_weights_move_by_linear_to_zero_from_the_peak():
    rule, recorder = auto(), callbacks.LearningRateRecorder()
    model = trained(rule, [recorder])
    # The loss falls for ever, and says nothing but that the optimizer's own rate will do; it is
    # corrected for the length of the run.
    assert rule.peak == rule.found.suggestion
    assert 0.005 < rule.peak < 0.05 and rule.found.status == "still falling"
    assert_applied(model, linear(rule.peak))
    np.testing.assert_allclose(recorder.learning_rate, linear(rule.peak), rtol=1e-5)
    # Nothing stays.
    assert float(model.optimizer.learning_rate) == np.float32(0.01)
    assert int(model.optimizer.iterations) == TOTAL


FACTORS = {
    "warmup": (lambda: [callbacks.Warmup(8)], lambda: np.minimum((np.arange(TOTAL) + 1) / 8, 1)),
    "plateau": (
        lambda: [
            unit_gradient.Feed(LOSSES),
            callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1),
        ],
        lambda: np.repeat([1, 1, 0.5, 0.25, 0.25], PER_EPOCH),
    ),
    "jitter": (
        lambda: [callbacks.RandomJitter(0.5, seed=42)],
        lambda: 0.5 + np.repeat([*DRAWS, 0.9647769927978516, np.nan], PER_EPOCH),
    ),
    "recovery": (lambda: [callbacks.RecoverFromDivergence(verbose=0)], lambda: np.ones(TOTAL)),
}


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("kind", cells(FACTORS, ["plateau"]))
def test_it_is_the_base_of_all_factors(kind, is_first):
    make, factors = FACTORS[kind]
    rule, others, recorder = auto(), make(), callbacks.LearningRateRecorder()
    model = unit_gradient.build(keras.optimizers.SGD(0.01))
    together = [rule, *others, recorder] if is_first else [recorder, *others, rule]
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, together)
    expected, known = linear(rule.peak) * factors(), ~np.isnan(factors())
    np.testing.assert_allclose(
        unit_gradient.applied(model)[known], expected[known], rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(recorder.learning_rate[known], expected[known], rtol=1e-4)


SHAPES = {
    "constant": (schedules.Constant(3.0), lambda t: 1.0),
    "number": (0.5, lambda t: 1.0),
    "Keras' cosine": (
        keras.optimizers.schedules.CosineDecay(0.3, TOTAL),
        lambda t: 0.5 * (1 + np.cos(np.pi * t / TOTAL)),
    ),
    "percents": (
        schedules.WarmupStableDecay(7.0, "100%", warmup="20%", decay="20%", shape="linear"),
        lambda t: min((t + 1) / 4, 1.0, 1.0 - max(t - 16, 0) / 4),
    ),
    "function": (lambda step: 0.1 / (1.0 + step), lambda t: 1.0 / (1 + t)),
}


@once
@pytest.mark.parametrize("kind", cells(SHAPES, ["percents"]))
def test_of_a_schedule_only_the_shape_counts(kind):
    schedule, shape = SHAPES[kind]
    rule = auto(schedule)
    model = trained(rule)
    assert_applied(model, [rule.peak * shape(t) for t in range(TOTAL)])


CELLS = [(kind, mode) for kind in OPTIMIZERS for mode in MODES if BACKEND != "torch"]
CELLS += [(kind, DEFAULT_MODE) for kind in OPTIMIZERS if BACKEND == "torch"]


@pytest.mark.parametrize("kind, mode", cells(CELLS, [("accumulation, schedule", DEFAULT_MODE)]))
def test_on_every_kind_of_optimizer(kind, mode):
    make, _ = OPTIMIZERS[kind]
    rule, model = auto(), unit_gradient.build(make(), **MODES[mode])
    trained(rule, model=model)
    every = 2 if kind.startswith("accumulation") else 1
    expected = np.zeros(TOTAL)
    expected[every - 1 :: every] = linear(rule.peak, TOTAL // every)
    assert_applied(model, expected)


@once
def test_an_optimizer_with_a_schedule_at_its_end():
    rule = auto()
    model = trained(rule, optimizer=keras.optimizers.SGD(schedules.LinearDecay(0.0, 1)))
    assert rule.peak > 0
    assert_applied(model, linear(rule.peak))


@once
@unit_gradient.needs_multi_optimizer
def test_several_rates_keep_their_proportions():
    first, second = keras.optimizers.SGD(0.002), keras.optimizers.SGD(0.01)
    optimizer = keras.optimizers.MultiOptimizer(lambda v: first if "trace_0" in v.path else second)
    rule, plateau = auto(), callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    model = trained(rule, [unit_gradient.Feed(LOSSES), plateau], optimizer, layers=2)
    factors = np.repeat([1, 1, 0.5, 0.25, 0.25], PER_EPOCH)
    assert_applied(model, 0.2 * linear(rule.peak) * factors)
    assert_applied(model, linear(rule.peak) * factors, "trace_1")


@once
@unit_gradient.needs_multi_optimizer
def test_layers_have_their_multipliers():
    model = unit_gradient.build(keras.optimizers.SGD(0.01), layers=2)
    optimizer = layerwise.discriminative(
        keras.optimizers.SGD(0.01), model, multipliers={"trace_0": 0.1}
    )
    model.compile(optimizer, unit_gradient.mean_output)
    rule = auto()
    trained(rule, model=model)
    assert_applied(model, 0.1 * linear(rule.peak))
    assert_applied(model, linear(rule.peak), "trace_1")


@pytest.mark.skipif(keras.config.backend() == "torch", reason="PyTorch makes single steps")
@pytest.mark.rest
def test_several_steps_per_execution():
    model = unit_gradient.build(keras.optimizers.SGD(0.01), steps_per_execution=2)
    rule = auto()
    trained(rule, model=model)
    assert_applied(model, linear(rule.peak))
    assert model.steps_per_execution == 2


@once
def test_each_fit_chooses_anew_and_across_fits_once():
    model, rule = unit_gradient.build(keras.optimizers.SGD(0.01)), auto()
    trained(rule, model=model)
    first = rule.found
    trained(rule, model=model)
    assert rule.found is not first and rule.found is not None
    np.testing.assert_allclose(
        unit_gradient.applied(model)[TOTAL:], linear(rule.peak), rtol=1e-3, atol=1e-6
    )


@once
def test_across_fits_the_choice_and_the_clock_go_on():
    model, found = unit_gradient.build(keras.optimizers.SGD(0.01)), []
    rule = auto(across_fits=True, epochs=EPOCHS)
    for _ in range(EPOCHS):
        unit_gradient.fit(model, PER_EPOCH, 1, [rule])
        found.append(rule.found)
    assert found[0] is not None and found[1:] == [None] * (EPOCHS - 1)
    assert_applied(model, linear(rule.peak))


def test_across_fits_the_whole_length_must_be_given():
    with pytest.raises(ValueError, match=r"must know how long the run is.*epochs=…, in all"):
        trained(auto(across_fits=True))


# The evidence


@once
def test_it_says_in_one_line_what_it_chose_and_why(capsys):
    rule = AutoLearningRate(verbose=1)
    trained(rule)
    lines = [line for line in capsys.readouterr().out.splitlines() if "AutoLearningRate" in line]
    assert len(lines) == 1 and f"peak of {rule.peak:.3g} for 20 updates" in lines[0]
    assert "updates tried" in lines[0] and "LinearToZero" in lines[0]
    assert rule.found.total_steps == TOTAL and rule.found.plot() is not None
    assert rule.build(Run(10, 20)) == LinearToZero(rule.peak, 200)
    assert rule.schedule == LinearToZero(rule.peak, TOTAL)


@once
def test_a_copy_and_a_pickle_have_no_variables_and_train():
    rule = auto()
    trained(rule, validation_data=unit_gradient.batches(1))
    # Keras would copy the model with it.
    rule.set_model(None)
    for other in (copy.copy(rule), pickle.loads(pickle.dumps(rule))):
        model = trained(other)
        assert_applied(model, linear(other.peak))
        assert repr(other) == repr(rule) == "AutoLearningRate(verbose=0)"


# What is refused


def test_two_bases_are_refused_before_any_search():
    rule = auto()
    with pytest.raises(ValueError, match="At most one callback can name absolute learning rates"):
        trained(rule, [callbacks.FitSchedule(schedules.LinearDecay(0.1, "100%"))])
    assert rule.found is None


@once
def test_it_cannot_be_attached_and_leaves_nothing():
    model = unit_gradient.build(keras.optimizers.SGD(0.01))
    with pytest.raises(ValueError, match=r"cannot be attached.*range_test\(model, x, y\)"):
        auto().attach(model)
    plateau = callbacks.ReduceLROnPlateau("loss")
    plateau.attach(model)
    plateau.detach()
    trained(auto(), model=model)


def test_a_fit_that_begins_later_needs_the_choice():
    with pytest.raises(ValueError, match=r"state_path=….*TrainingBackup.*begins at epoch 2"):
        trained(auto(), initial_epoch=2)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"budget": 1.5}, "`budget` must be a finite number >= 0 and <= 1"),
        ({"budget": -0.1}, "`budget` must be"),
        ({"react": 2}, "`react` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"schedule": "linear"}, "`schedule` must be"),
        ({"monitor": None}, "`monitor` must be a string"),
        ({"mode": "best"}, "`mode` must be"),
        ({"epochs": 3, "total_steps": 4}, "`total_steps` must be None where `epochs` is given"),
        ({"steps_per_epoch": "many"}, "`steps_per_epoch` must be"),
        ({"optimizer": "sgd"}, "`optimizer` must be an optimizer"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AutoLearningRate(**options)


def test_a_schedule_without_a_rate_is_refused():
    with pytest.raises(ValueError, match="`schedule` must be a schedule with rates above 0"):
        trained(auto(0.0))
