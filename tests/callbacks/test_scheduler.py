"""`LearningRateScheduler`: any scalar, any signature, beside other callbacks, on any optimizer."""

import functools

import keras
import numpy as np
import pytest
from keras import ops
from support import unit_gradient
from support.tiers import once

from keras_lr import callbacks, schedules
from keras_lr.callbacks.loss_driven import BoldDriver
from keras_lr.callbacks.scheduler import LearningRateScheduler

BACKEND = keras.backend.backend()
BASES = {"float": 0.4, "schedule": schedules.LinearDecay(0.4, 20)}


def fit(scheduler, *others, own=0.4, per_epoch=2, epochs=3, **options):
    model = unit_gradient.build(keras.optimizers.SGD(own))
    used = [scheduler, *others]
    history = unit_gradient.fit(model, per_epoch, epochs, used, **options)
    return unit_gradient.applied(model), history.history, model


@pytest.mark.parametrize("kind", BASES)
def test_each_epoch_has_its_rate_from_its_first_update(kind):
    applied, logs, model = fit(LearningRateScheduler(lambda e: 0.1 * (e + 1)), own=BASES[kind])
    np.testing.assert_allclose(applied, [0.1, 0.1, 0.2, 0.2, 0.3, 0.3], atol=1e-6)
    np.testing.assert_allclose(logs["learning_rate"], [0.1, 0.2, 0.3])
    # As with Keras the last rate stays.
    assert float(model.optimizer.learning_rate) == pytest.approx(0.3)


@pytest.mark.parametrize("kind", BASES)
def test_lr_is_the_base_and_not_what_the_factors_made_of_it(kind):
    seen = []

    def schedule(epoch, lr):
        seen.append((epoch, lr))
        return lr / 2

    feed = unit_gradient.Feed([1.0, 1.0, 1.0])
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1)
    used = [callbacks.Warmup(4), feed, plateau]
    applied, _, _ = fit(LearningRateScheduler(schedule), *used, own=BASES[kind])
    assert seen == [(0, 0.4), (1, 0.2), (2, 0.1)]
    expected = [0.2 / 4, 0.2 / 2, 0.1 * 3 / 4, 0.1, 0.05 / 10, 0.05 / 10]
    np.testing.assert_allclose(applied, expected, atol=1e-6)


@once
def test_a_reused_scheduler_begins_with_the_rate_that_it_finds():
    seen = []
    scheduler = LearningRateScheduler(lambda epoch, lr: seen.append(lr) or 0.1)
    fit(scheduler, epochs=2)
    fit(scheduler, epochs=1, own=schedules.Constant(0.7))
    assert seen == [0.4, 0.1, 0.7]


@once
def test_lr_is_what_somebody_else_wrote_meanwhile():
    class Writer(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = 0.05

    # What is written has a factor of 1/2 in it by then; another one comes an epoch later.
    feed, seen = unit_gradient.Feed([1.0, 1.0, 1.0, 1.0]), []
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    scheduler = LearningRateScheduler(lambda epoch, lr: seen.append(lr) or lr)
    with pytest.warns(UserWarning, match="Somebody else writes the learning rate of sgd"):
        applied, _, _ = fit(scheduler, feed, plateau, Writer(), epochs=4, per_epoch=1)
    np.testing.assert_allclose(seen, [0.4, 0.4, 0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(applied, [0.4, 0.4, 0.05, 0.025], atol=1e-6)


SCALARS = {
    "int": 1,
    "float": 0.5,
    "float16": np.float16(0.5),
    "float32": np.float32(0.5),
    "0-d array": np.array(0.5),
    "tensor": lambda: ops.exp(ops.convert_to_tensor(0.0)) / 2,
    "variable": lambda: keras.Variable(0.5),
}


@once
@pytest.mark.parametrize("kind", SCALARS)
def test_any_scalar_may_be_returned(kind):
    value = SCALARS[kind]
    value = value() if callable(value) else value
    applied, logs, _ = fit(LearningRateScheduler(lambda epoch: value), epochs=1)
    expected = 1.0 if kind == "int" else 0.5
    assert applied.tolist() == [expected, expected]
    assert logs["learning_rate"] == [expected] and type(logs["learning_rate"][0]) is float


@once
@pytest.mark.parametrize("value", [None, "0.1", True, [0.1], np.array([0.1]), float("nan"), -0.1])
def test_what_is_no_rate_is_refused_before_it_is_used(value):
    message = r"`schedule\(1\)` must be a finite number >= 0. Received: schedule\(1\)="
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    scheduler = LearningRateScheduler(lambda epoch: value if epoch else 0.2)
    with pytest.raises(ValueError, match=message):
        unit_gradient.fit(model, 2, 3, [scheduler])
    np.testing.assert_allclose(unit_gradient.applied(model), [0.2, 0.2], atol=1e-6)


class Method:
    def one(self, epoch):
        return 0.25

    def two(self, epoch, lr):
        return 0.5 * lr

    __call__ = two


SIGNATURES = {
    "one": (lambda epoch: 0.25, 0.25),
    "two": (lambda epoch, lr: lr / 2, 0.2),
    "two by default": (lambda epoch, lr=0.1: lr / 2, 0.2),
    "any": (lambda *arguments: arguments[1] / 2, 0.2),
    "keyword with default": (lambda epoch, *, power=2: 0.5**power, 0.25),
    "partial": (functools.partial(lambda scale, epoch: scale, 0.25), 0.25),
    "method of one": (Method().one, 0.25),
    "method of two": (Method().two, 0.2),
    "object": (Method(), 0.2),
    "schedule": (schedules.Tabulated([0.25, 0.1]), 0.25),
    "Keras schedule": (keras.optimizers.schedules.InverseTimeDecay(0.25, 1, 1.0), 0.25),
}


@once
@pytest.mark.parametrize("kind", SIGNATURES)
def test_the_signature_decides(kind):
    schedule, expected = SIGNATURES[kind]
    applied, _, _ = fit(LearningRateScheduler(schedule), epochs=1)
    np.testing.assert_allclose(applied, expected, atol=1e-6)


@pytest.mark.parametrize("error", [TypeError("mine"), ValueError("mine"), KeyError("mine")])
def test_errors_of_the_schedule_come_out_as_they_are(error):
    def schedule(epoch, lr):
        raise error

    with pytest.raises(type(error), match="mine") as caught:
        fit(LearningRateScheduler(schedule))
    assert caught.value is error


@pytest.mark.parametrize("schedule", [0.1, lambda: 0.1, lambda a, b, c: 0.1, lambda *, epoch: 0.1])
def test_what_cannot_be_called_so_is_refused(schedule):
    with pytest.raises(ValueError, match=r"`schedule` must be a function of \(epoch\) or of"):
        LearningRateScheduler(schedule)


def test_verbose_tells_every_epoch(capsys):
    keras.config.enable_interactive_logging()
    fit(LearningRateScheduler(lambda epoch: 0.25, 1), epochs=2)
    told = capsys.readouterr().out
    for epoch in (1, 2):
        assert f"Epoch {epoch}: LearningRateScheduler setting learning rate to 0.25." in told


@pytest.mark.parametrize("kind", BASES)
def test_every_few_updates_the_function_is_tabulated(kind):
    asked = []

    def schedule(k):
        asked.append(k)
        return 0.1 if k % 2 else 0.3

    scheduler = LearningRateScheduler(schedule, every=3)
    applied, logs, model = fit(scheduler, own=BASES[kind], per_epoch=5, epochs=2)
    assert asked == [0, 1, 2, 3]
    np.testing.assert_allclose(applied, [0.3] * 3 + [0.1] * 3 + [0.3] * 3 + [0.1], atol=1e-6)
    np.testing.assert_allclose(logs["learning_rate"], [0.1, 0.1])
    # Nothing of it stays.
    assert float(model.optimizer.learning_rate) == pytest.approx(0.4 if kind == "float" else 0.2)


@pytest.mark.parametrize("every", [1, 49, 98])
def test_whole_blocks_are_exact_in_a_compiled_step(every):
    model = unit_gradient.build(keras.optimizers.SGD(0.4), jit_compile=BACKEND != "torch")
    scheduler = LearningRateScheduler(lambda k: 0.01 * (1 + k % 7), every=every)
    unit_gradient.fit(model, 196, 1, [scheduler])
    expected = [0.01 * (1 + t // every % 7) for t in range(196)]
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


def test_a_block_may_be_longer_than_the_fit_and_the_last_is_held():
    run = schedules.durations.Run(total_steps=5)
    built = LearningRateScheduler(lambda k: 0.1 * (k + 1), every=3).build(run)
    np.testing.assert_allclose(built.rates(9), [0.1] * 3 + [0.2] * 6)
    applied, _, _ = fit(LearningRateScheduler(lambda k: 0.1 + k, every=1000))
    np.testing.assert_allclose(applied, [0.1] * 6, atol=1e-6)


def test_blocks_need_a_function_of_the_index_and_a_known_length():
    with pytest.raises(ValueError, match="function of the index alone where `every` is a number"):
        LearningRateScheduler(lambda epoch, lr: lr, every=10)
    with pytest.raises(ValueError, match="`every` must be an integer >= 1. Received: every=0"):
        LearningRateScheduler(lambda k: 0.1, every=0)

    def generator():
        yield from (unit_gradient.batches(1) for _ in range(4))

    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    with pytest.raises(ValueError, match="every n updates needs the length of the run") as caught:
        model.fit(generator(), verbose=0, callbacks=[LearningRateScheduler(lambda k: 0.1, every=2)])
    assert "steps_per_epoch=…" in "".join(caught.value.__notes__)
    told = LearningRateScheduler(lambda k: 0.1 * (k + 1), every=2, steps_per_epoch=4)
    model.fit(generator(), verbose=0, callbacks=[told])
    np.testing.assert_allclose(unit_gradient.applied(model)[:4], [0.1, 0.1, 0.2, 0.2], atol=1e-6)


def test_two_bases_are_refused():
    with pytest.raises(ValueError, match="At most one callback can name absolute learning rates"):
        fit(LearningRateScheduler(lambda e: 0.1), callbacks.FitSchedule(0.1))


def test_it_goes_with_loss_driven_rules():
    feed = unit_gradient.Feed([1.0, 0.9, 2.0])
    scheduler = LearningRateScheduler(lambda epoch, lr: lr / 2)
    applied, _, _ = fit(feed, scheduler, BoldDriver(increase=3.0), epochs=3, per_epoch=1)
    np.testing.assert_allclose(applied, [0.2, 0.1, 0.05 * 3], atol=1e-6)


@unit_gradient.needs_multi_optimizer
def test_optimizers_of_one_rate_share_lr_and_of_several_rates_have_none():
    def model(first, second):
        groups = keras.optimizers.OptimizerMap(
            keras.optimizers.SGD(first), {"trace_1/.*": keras.optimizers.SGD(second)}
        )
        return unit_gradient.build(keras.optimizers.MultiOptimizer(groups), layers=2)

    same, different = model(0.4, 0.4), model(0.4, 0.2)
    history = unit_gradient.fit(same, 1, 2, [LearningRateScheduler(lambda epoch, lr: lr / 2)])
    for layer in ("trace_0", "trace_1"):
        np.testing.assert_allclose(unit_gradient.applied(same, layer), [0.2, 0.1], atol=1e-6)
    names = [f"learning_rate_{o.name}" for o in same.optimizer.optimizers]
    assert [history.history[name] for name in names] == [[0.2, 0.1]] * 2
    with pytest.raises(ValueError, match="function of the epoch alone.*Received: 0.2, 0.4"):
        unit_gradient.fit(different, 1, 2, [LearningRateScheduler(lambda epoch, lr: lr / 2)])
    assert len(unit_gradient.applied(different)) == 0
