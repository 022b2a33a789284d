"""`MomentumSchedule` and `WeightDecaySchedule`, judged by the weights after every update."""

import functools

import keras
import numpy as np
import pytest
from keras import optimizers
from support import drill, unit_gradient
from support.drill import BIAS, GRADIENTS, MATRIX, UPDATES, drilled, reference
from support.tiers import cells, diagonal, once, rest

from keras_lr import callbacks, schedules
from keras_lr.callbacks.hyperparameters import MomentumSchedule, WeightDecaySchedule

BACKEND = keras.backend.backend()
# Falls and comes back, as one-cycle has it.
CYCLE = schedules.LinearDecay(0.95, "50%", 0.3).then(schedules.Constant(0.8), "75%")
PLAN = [0.95 - 0.65 * min(t / 12, 1) if t < 18 else 0.8 for t in range(UPDATES)]

MOMENTA = {
    "SGD": (lambda: optimizers.SGD(0.1, 0.9), drill.sgd, {}),
    "Nesterov": (lambda: optimizers.SGD(0.1, 0.9, True), drill.sgd, {"nesterov": True}),
    "RMSprop": (lambda: optimizers.RMSprop(0.1, momentum=0.9), drill.rmsprop, {}),
    "Adam": (lambda: optimizers.Adam(0.1), drill.adam, {}),
    "Adam, AMSGrad": (lambda: optimizers.Adam(0.1, amsgrad=True), drill.adam, {"amsgrad": True}),
    "AdamW": (lambda: optimizers.AdamW(0.1, weight_decay=0.0), drill.adam, {}),
    "Adamax": (lambda: optimizers.Adamax(0.1), drill.adamax, {}),
    "Nadam": (lambda: optimizers.Nadam(0.1), drill.nadam, {}),
    "Lamb": (lambda: optimizers.Lamb(0.1), drill.lamb, {}),
    "Lion": (lambda: optimizers.Lion(0.1), drill.lion, {}),
    "Muon": (
        lambda: optimizers.Muon(0.1, weight_decay=0.0, adam_weight_decay=None),
        drill.muon,
        {},
    ),
}
MODES = {"eager": {"run_eagerly": True}, "graph": {"jit_compile": False}}
if BACKEND != "torch":
    MODES["xla"] = {"jit_compile": True}
DEFAULT = "xla" if BACKEND == "jax" else "graph"
OTHERS = [mode for mode in MODES if mode != DEFAULT]
CELLS = [(name, DEFAULT) for name in MOMENTA] + [
    (name, mode) for name in ("Nesterov", "Adam") for mode in OTHERS
]


# Each optimizer has a formula of its own, each mode another way to the weight.
QUICK = diagonal(("Nesterov", "Adam"), [DEFAULT, *OTHERS])


@pytest.mark.parametrize(("name", "mode"), cells(CELLS, QUICK))
def test_weights_follow_the_formula_with_the_momentum_of_the_update(name, mode):
    make, rule, options = MOMENTA[name]
    course = drilled(make(), MomentumSchedule(CYCLE), **MODES[mode])
    np.testing.assert_allclose(course, reference(rule, PLAN, **options), atol=2e-5)


@once
@pytest.mark.parametrize("name", ["SGD", "RMSprop"])
def test_a_momentum_of_zero_drops_what_was_accumulated(name):
    make, rule, _ = MOMENTA[name]
    schedule = schedules.LinearDecay(0.9, 6, 0.0).then(schedules.Constant(0.9), 12)
    plan = [max(0.9 - 0.15 * t, 0) if t < 12 else 0.9 for t in range(UPDATES)]
    course = drilled(make(), MomentumSchedule(schedule))
    np.testing.assert_allclose(course, reference(rule, plan), atol=2e-5)


DECAYS = {
    "SGD": (lambda: optimizers.SGD(0.1, weight_decay=0.5), drill.sgd, 0.0),
    "AdamW": (lambda: optimizers.AdamW(0.1), drill.adam, 0.9),
    "Lion": (lambda: optimizers.Lion(0.1, weight_decay=0.0), drill.lion, 0.9),
    "Muon": (lambda: optimizers.Muon(0.1, adam_beta_1=0.95), drill.muon, 0.95),
}


@pytest.mark.parametrize(
    ("name", "mode"),
    cells(
        [(name, DEFAULT) for name in DECAYS] + [("AdamW", mode) for mode in OTHERS],
        [("SGD", DEFAULT), ("AdamW", OTHERS[0])],
    ),
)
def test_weights_decay_by_the_decay_of_the_update(name, mode):
    make, rule, momentum = DECAYS[name]
    course = drilled(make(), WeightDecaySchedule(CYCLE), **MODES[mode])
    np.testing.assert_allclose(course, reference(rule, [momentum] * UPDATES, PLAN), atol=2e-5)


# What wraps an optimizer, or makes its step another


def both():
    return MomentumSchedule(CYCLE), WeightDecaySchedule(CYCLE)


def test_inside_a_loss_scale_optimizer():
    inner = optimizers.Adam(0.1, weight_decay=0.1)
    course = drilled(optimizers.LossScaleOptimizer(inner, initial_scale=8.0), *both())
    np.testing.assert_allclose(course, reference(drill.adam, PLAN, PLAN), atol=2e-5)


@unit_gradient.needs_multi_optimizer
def test_every_optimizer_of_a_multi_optimizer():
    first = optimizers.SGD(0.1, 0.9, weight_decay=0.1)
    second = optimizers.Adam(0.1, weight_decay=0.1)
    groups = optimizers.OptimizerMap(first, {"drill/bias": second})
    course = drilled(optimizers.MultiOptimizer(groups), *both())
    for part, rule in ((MATRIX, drill.sgd), (BIAS, drill.adam)):
        expected = reference(rule, PLAN, PLAN)[:, part]
        np.testing.assert_allclose(course[:, part], expected, atol=2e-5)


def test_durations_are_in_real_updates_under_accumulation():
    optimizer = optimizers.SGD(0.1, 0.9, weight_decay=0.1, gradient_accumulation_steps=2)
    course = drilled(optimizer, *both())[1::2]
    gradients = (GRADIENTS[::2] + GRADIENTS[1::2]) / 2
    plan = [0.95 - 0.65 * min(t / 6, 1) if t < 9 else 0.8 for t in range(12)]
    np.testing.assert_allclose(course, reference(drill.sgd, plan, plan, gradients), atol=2e-5)


def test_averaged_weights_are_those_of_the_scheduled_course():
    # The last row is the average, which Keras puts in the place of the weights after training.
    optimizer = optimizers.SGD(0.1, 0.9, use_ema=True, ema_momentum=0.5)
    course = drilled(optimizer, MomentumSchedule(CYCLE))
    expected = reference(drill.sgd, PLAN)
    shares = 0.5 ** np.minimum(np.arange(UPDATES, 0, -1), UPDATES - 1)
    np.testing.assert_allclose(course[:-1], expected[:-1], atol=2e-5)
    np.testing.assert_allclose(course[-1], shares @ expected, atol=2e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras refuses steps_per_execution on PyTorch")
def test_steps_per_execution_makes_no_staircase():
    course = drilled(optimizers.SGD(0.1, 0.9, weight_decay=0.1), *both(), steps_per_execution=4)
    np.testing.assert_allclose(course, reference(drill.sgd, PLAN, PLAN), atol=2e-5)


# Fits: clocks, company, what stays behind


FALLING = schedules.LinearDecay(0.8, "100%")


def falls(momenta, rates):
    """Returns by how much a weight of gradient 1 falls in each update, from no speed."""
    speeds = [0.0]
    for momentum, rate in zip(momenta, rates, strict=True):
        speeds.append(momentum * speeds[-1] + rate)
    return speeds[1:]


def assert_falls(model, momenta, rates=None):
    rates = [0.1] * len(momenta) if rates is None else rates
    np.testing.assert_allclose(unit_gradient.applied(model), falls(momenta, rates), atol=3e-6)


@rest
@pytest.mark.skipif(BACKEND != "torch", reason="the other back ends compile above")
def test_a_compiled_pytorch_step_sees_the_momentum_of_the_update(monkeypatch):
    import torch

    # Traced as ever; to generate machine code for it takes half a minute, and changes nothing.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    model = unit_gradient.build(optimizers.SGD(0.1, 0.9), jit_compile=True)
    unit_gradient.fit(model, 10, 1, [MomentumSchedule(FALLING)])
    assert_falls(model, 0.8 - 0.08 * np.arange(10))


class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt("stop")


def test_each_fit_has_its_own_clock_and_leaves_nothing_behind():
    optimizer = optimizers.SGD(0.1, 0.9)
    model = unit_gradient.build(optimizer)
    unit_gradient.fit(model, 2)
    before = set(vars(optimizer)), len(optimizer.variables)
    for _ in range(2):
        unit_gradient.fit(model, 2, 2, [MomentumSchedule(FALLING)])
    unit_gradient.fit(model, 2)
    with pytest.raises(KeyboardInterrupt, match="stop"):
        unit_gradient.fit(model, 2, 2, [MomentumSchedule(FALLING), Interrupt()])
    unit_gradient.fit(model, 2)
    plan = [0.8, 0.6, 0.4, 0.2]
    assert_falls(model, [0.9] * 2 + plan * 2 + [0.9] * 2 + plan[:2] + [0.9] * 2)
    assert (set(vars(optimizer)) - {"_keras_lr_last_schedule"}, len(optimizer.variables)) == before
    assert "make_train_function" not in vars(model)


@once
def test_a_run_in_two_parts_has_the_momentum_of_one():
    model = unit_gradient.build(optimizers.SGD(0.1, 0.9))
    for begin, end in ((0, 1), (1, 4)):
        schedule = schedules.LinearDecay(0.8, "4 epochs")
        unit_gradient.fit(model, 2, end, [MomentumSchedule(schedule)], initial_epoch=begin)
    assert_falls(model, [0.8 - 0.1 * t for t in range(8)])


@once
def test_together_with_every_kind_of_rate_callback():
    model = unit_gradient.build(optimizers.SGD(0.4, 0.9))
    recorder = callbacks.LearningRateRecorder()
    used = [
        unit_gradient.Feed([1.0] * 4),
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1),
        MomentumSchedule(FALLING),
        callbacks.FitSchedule(schedules.LinearDecay(0.8, "100%")),
        callbacks.Warmup(4),
        recorder,
    ]
    unit_gradient.fit(model, 2, 4, used)
    t = np.arange(8)
    rates = 0.8 * (1 - t / 8) * np.minimum((t + 1) / 4, 1) * np.repeat([1, 1, 0.5, 0.25], 2)
    np.testing.assert_allclose(recorder.learning_rate, rates, atol=1e-7)
    assert_falls(model, 0.8 - 0.1 * t, rates)


def test_the_rate_is_left_to_others(recwarn):
    model = unit_gradient.build(optimizers.SGD(0.1, 0.9))
    theirs = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / 2**epoch)
    unit_gradient.fit(model, 2, 2, [MomentumSchedule(FALLING), theirs])
    assert_falls(model, [0.8, 0.6, 0.4, 0.2], [0.1, 0.1, 0.05, 0.05])
    assert not [str(w.message) for w in recwarn if "Somebody else" in str(w.message)]


@once
def test_what_is_saved_during_fit_is_what_keras_saves(tmp_path):
    path = str(tmp_path / "{epoch}.keras")
    model = unit_gradient.build(optimizers.AdamW(0.1, weight_decay=0.2))
    checkpoint = keras.callbacks.ModelCheckpoint(path)
    unit_gradient.fit(model, 3, 2, [*both(), checkpoint])
    custom = {"Trace": unit_gradient.Trace, "mean_output": unit_gradient.mean_output}
    loaded = keras.models.load_model(path.format(epoch=1), custom_objects=custom)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.optimizer.beta_1 == 0.9 and loaded.optimizer.weight_decay == 0.2
    # Trained on from the checkpoint, the model arrives where the other did.
    unit_gradient.fit(loaded, 3, 2, both(), initial_epoch=1)
    ours, theirs = unit_gradient.applied(model), unit_gradient.applied(loaded)
    np.testing.assert_allclose(theirs, ours, atol=1e-7)


# Refusals


def refused(used, optimizer, message):
    model = unit_gradient.build(optimizer)
    with pytest.raises(ValueError, match=message):
        unit_gradient.fit(model, 2, 2, used)
    return model


@pytest.mark.parametrize(
    ("make", "optimizer", "message"),
    [
        (MomentumSchedule, lambda: optimizers.Adagrad(), "with a momentum .* Received: Adagrad"),
        (MomentumSchedule, lambda: optimizers.Ftrl(), "with a momentum .* Received: Ftrl"),
        (MomentumSchedule, lambda: optimizers.ScheduleFreeAdamW(), "Received: ScheduleFreeAdamW"),
        (MomentumSchedule, lambda: optimizers.SGD(0.1), r"built with .* Received: momentum=0\.0"),
        (MomentumSchedule, lambda: optimizers.RMSprop(), r"built with .* Received: momentum=0\.0"),
        (WeightDecaySchedule, lambda: optimizers.Adam(), "built with .* weight_decay=None"),
        (WeightDecaySchedule, lambda: optimizers.SGD(weight_decay=False), "weight_decay=False"),
    ],
)
def test_optimizers_that_have_nothing_to_drive(make, optimizer, message):
    refused([make(0.5)], optimizer(), message)


def test_a_momentum_that_was_set_too_late_for_its_slots():
    optimizer = optimizers.SGD(0.1)
    model = unit_gradient.build(optimizer)
    unit_gradient.fit(model, 2)
    optimizer.momentum = 0.9
    with pytest.raises(ValueError, match="to be built with a momentum > 0"):
        unit_gradient.fit(model, 2, 1, [MomentumSchedule(0.5)])


@pytest.mark.parametrize(
    ("make", "schedule", "message"),
    [
        (MomentumSchedule, 1.0, r"`momentum\[0\]` must be a finite number >= 0 and < 1. Received"),
        (MomentumSchedule, 0.99999999, r"Received: momentum\[0\]=1.0"),
        (MomentumSchedule, schedules.LinearDecay(0.5, 2, 1.25), r"Received: momentum\[2\]=1.25"),
        (MomentumSchedule, lambda t: t - 1, r"Received: momentum\[0\]=-1.0"),
        (MomentumSchedule, lambda t: t * np.nan, "`function` must return a finite number.*nan"),
        (WeightDecaySchedule, lambda t: 1 - t, r"Received: weight_decay\[3\]=-2.0"),
    ],
)
def test_values_that_cannot_be(make, schedule, message):
    refused([make(schedule)], optimizers.AdamW(), message)


def test_values_after_the_end_of_the_fit_do_not_matter():
    model = unit_gradient.build(optimizers.SGD(0.1, 0.9))
    unit_gradient.fit(model, 4, 1, [MomentumSchedule(lambda t: t / 4)])
    assert_falls(model, [0.0, 0.25, 0.5, 0.75])


def test_two_schedules_for_the_same_number():
    twice = [MomentumSchedule(0.5), MomentumSchedule(0.6)]
    message = "At most one MomentumSchedule can be in a fit"
    model = refused(twice, optimizers.SGD(0.1, 0.9), message)
    unit_gradient.fit(model, 2, 1, twice[:1])
    unit_gradient.fit(model, 2, 1)
    assert_falls(model, [0.5, 0.5, 0.9, 0.9])
