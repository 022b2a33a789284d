"""The driver beyond the matrix: clocks, second fits, checkpoints, refusals, what stays behind."""

import functools
import gc
import pathlib
import pickle
import weakref

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import matrix, once, rest

from keras_lr import callbacks, schedules

BACKEND = keras.backend.backend()
LINEAR = schedules.LinearDecay(0.8, "100%")


def rates_of(model, since=0):
    return unit_gradient.applied(model)[since:]


def test_a_second_fit_starts_its_clock_at_zero_and_leaves_nothing_behind():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    for _ in range(2):
        unit_gradient.fit(model, 2, 2, [callbacks.FitSchedule(LINEAR)])
    unit_gradient.fit(model, 2, 2)
    expected = [0.8, 0.6, 0.4, 0.2] * 2 + [0.4] * 4
    np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)


@once
def test_a_later_fit_without_callbacks_before_one_with_them():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    unit_gradient.fit(model, 2)
    unit_gradient.fit(model, 2, 2, [callbacks.Warmup(4)])
    unit_gradient.fit(model, 2)
    expected = [0.4, 0.4, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)


def test_a_fit_that_starts_at_a_later_epoch_goes_on_where_that_epoch_begins():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    unit_gradient.fit(model, 2, 4, [callbacks.FitSchedule(LINEAR)], initial_epoch=2)
    np.testing.assert_allclose(rates_of(model), [0.4, 0.3, 0.2, 0.1], atol=2e-6)


def test_a_run_in_two_parts_has_the_rates_of_one():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    for begin, end in ((0, 1), (1, 4)):
        warmup = callbacks.Warmup("2 epochs")
        unit_gradient.fit(model, 2, end, [warmup], initial_epoch=begin)
    expected = [0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4]
    np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras refuses steps_per_execution on PyTorch")
def test_steps_per_execution_makes_no_staircase():
    model = unit_gradient.build(keras.optimizers.SGD(0.4), steps_per_execution=4)
    unit_gradient.fit(model, 4, 2, [callbacks.FitSchedule(LINEAR), callbacks.Warmup(2)])
    expected = 0.8 * (1 - np.arange(8) / 8) * np.minimum((np.arange(8) + 1) / 2, 1)
    np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)


def test_a_bare_callback_loses_no_step():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    x, y = unit_gradient.batches(6)
    model.fit(x, y, batch_size=unit_gradient.BATCH, verbose=0, callbacks=callbacks.Warmup(4))
    np.testing.assert_allclose(rates_of(model), [0.1, 0.2, 0.3, 0.4, 0.4, 0.4], atol=2e-6)


# Traced either way; to generate machine code for it takes half a minute.
@pytest.mark.skipif(BACKEND != "torch", reason="the matrix compiles on the other back ends")
@pytest.mark.parametrize("code", ["eager", pytest.param("inductor", marks=rest)])
def test_compiled_pytorch_step_sees_steps_and_metrics(code, monkeypatch):
    import torch

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=code))
    schedule = schedules.LinearDecay(0.8, 8)
    model = unit_gradient.build(keras.optimizers.SGD(schedule), jit_compile=True)
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    feed = unit_gradient.Feed([1.0, 1.0, 1.0, 1.0])
    unit_gradient.fit(model, 2, 4, [callbacks.Warmup(2), feed, plateau])
    factor = np.repeat([1, 1, 0.5, 0.25], 2) * np.minimum((np.arange(8) + 1) / 2, 1)
    np.testing.assert_allclose(rates_of(model), 0.8 * (1 - np.arange(8) / 8) * factor, atol=2e-6)


@once
def test_metric_reductions_stay_and_can_be_undone():
    for on_train_end, expected in (("keep", 0.1), ("restore_initial", 0.4)):
        for own in (0.4, schedules.Constant(0.4)):
            model = unit_gradient.build(keras.optimizers.SGD(own))
            plateau = callbacks.ReduceLROnPlateau(
                "loss", factor=0.5, patience=1, on_train_end=on_train_end
            )
            unit_gradient.fit(model, 1, 3, [unit_gradient.Feed([1.0] * 3), plateau])
            unit_gradient.fit(model, 1)
            np.testing.assert_allclose(rates_of(model, 3), [expected], atol=2e-6)


@pytest.mark.parametrize(("ours", "expected"), [([callbacks.Warmup(2)], 0.2), ([], 0.4)])
def test_after_an_interrupted_fit_the_next_one_is_clean(ours, expected):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt("stop")

    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    with pytest.raises(KeyboardInterrupt, match="stop"):
        unit_gradient.fit(model, 2, 2, [callbacks.FitSchedule(LINEAR), Interrupt()])
    unit_gradient.fit(model, 2, 1, ours)
    np.testing.assert_allclose(rates_of(model), [0.8, 0.6, expected, 0.4], atol=2e-6)
    assert "make_train_function" not in vars(model)


@once
def test_rates_that_somebody_else_writes_are_recorded_and_warned_about():
    def halve(epoch, rate):
        return 0.4 / 2**epoch

    theirs = keras.callbacks.LearningRateScheduler(halve)
    for order in (1, -1):
        model = unit_gradient.build(keras.optimizers.SGD(0.4))
        recorder = callbacks.LearningRateRecorder()
        unit_gradient.fit(model, 2, 3, [recorder, theirs][::order])
        assert recorder.learning_rate.tolist() == [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]
        np.testing.assert_allclose(recorder.learning_rate, rates_of(model), atol=2e-6)
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    message = "Keras' LearningRateScheduler writes the learning rate beside ReduceLROnPlateau of"
    with pytest.warns(UserWarning, match=message) as found:
        unit_gradient.fit(model, 2, 3, [unit_gradient.Feed([1.0] * 3), theirs, plateau, recorder])
    assert sum("learning rate" in str(warning.message) for warning in found) == 1
    np.testing.assert_allclose(recorder.learning_rate, rates_of(model, 6), atol=2e-6)
    write = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(
            model.optimizer, "learning_rate", 0.3 - epoch / 9
        )
    )
    with pytest.warns(UserWarning, match="Somebody else writes the learning rate of"):
        unit_gradient.fit(model, 2, 2, [write, plateau])


def test_keras_callbacks_that_would_fail_in_mid_training_are_refused():
    model = unit_gradient.build(keras.optimizers.SGD(schedules.Constant(0.4)))
    theirs = keras.callbacks.ReduceLROnPlateau("loss")
    with pytest.raises(ValueError, match="Keras' ReduceLROnPlateau cannot write the rate of an"):
        unit_gradient.fit(model, 2, 1, [theirs, callbacks.Warmup(2)])
    assert unit_gradient.applied(model).size == 0


def test_training_on_a_batch_in_between_leaves_the_fit_alone():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    x, y = unit_gradient.batches(1)
    extra = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: model.train_on_batch(x, y))
    unit_gradient.fit(model, 2, 2, [callbacks.Warmup(8), extra])
    np.testing.assert_allclose(rates_of(model), 0.05 * np.arange(1, 7), atol=2e-6)


def test_a_loop_by_hand_with_a_callback_list():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    x, y = unit_gradient.batches(1)
    ours = [callbacks.Warmup(4), callbacks.Warmup(2)]
    by_hand = keras.callbacks.CallbackList(ours, model=model)
    by_hand.on_train_begin()
    by_hand.on_epoch_begin(0)
    for batch in range(5):
        by_hand.on_train_batch_begin(batch)
        model.train_on_batch(x, y)
    by_hand.on_train_end()
    model.train_on_batch(x, y)
    expected = [0.05, 0.2, 0.3, 0.4, 0.4, 0.4]
    np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)


def test_a_schedule_assigned_between_fits_is_compiled():
    model = unit_gradient.build(keras.optimizers.SGD(schedules.Constant(0.4)))
    unit_gradient.fit(model, 2)
    model.optimizer.learning_rate = schedules.Constant(0.01)
    recorder = callbacks.LearningRateRecorder()
    unit_gradient.fit(model, 2, 1, [recorder])
    np.testing.assert_allclose(rates_of(model), [0.4, 0.4, 0.01, 0.01], atol=2e-6)
    assert recorder.learning_rate.tolist() == [0.01, 0.01]


@pytest.mark.parametrize("own", [0.4, schedules.Constant(0.4)])
@pytest.mark.parametrize("new", [None, 0.01])
def test_an_interrupted_fit_restores_what_nobody_has_written_since(own, new):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt("stop")

    model = unit_gradient.build(keras.optimizers.SGD(own))
    plateau = callbacks.ReduceLROnPlateau(
        "loss", factor=0.5, patience=1, on_train_end="restore_initial"
    )
    with pytest.raises(KeyboardInterrupt, match="stop"):
        unit_gradient.fit(model, 1, 5, [unit_gradient.Feed([1.0] * 5), plateau, Interrupt()])
    if new is not None:
        is_float = isinstance(own, float)
        model.optimizer.learning_rate = new if is_float else schedules.Constant(new)
    unit_gradient.fit(model, 1, 2)
    np.testing.assert_allclose(rates_of(model, 3), [new or 0.4] * 2, atol=2e-6)


@once
def test_an_interrupted_fit_keeps_no_model_alive():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("stop")

    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    with pytest.raises(RuntimeError, match="stop"):
        unit_gradient.fit(model, 2, 2, [callbacks.Warmup(4), Interrupt()])
    reference = weakref.ref(model)
    del model
    keras.backend.clear_session()
    gc.collect()
    assert reference() is None


@pytest.mark.filterwarnings("ignore:From here on the optimizer has Table times a factor")
def test_a_keras_schedule_that_indexes_with_the_step():
    class Table(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return keras.ops.take(keras.ops.convert_to_tensor([0.4, 0.3, 0.2, 0.1] * 4), step)

        def get_config(self):
            return {}

    feed = unit_gradient.Feed([1.0] * 4)
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    for optimizer, ours in (
        (keras.optimizers.SGD(Table()), [feed, plateau]),
        (keras.optimizers.SGD(0.4), [feed, plateau, callbacks.FitSchedule(Table())]),
    ):
        model = unit_gradient.build(optimizer)
        recorder = callbacks.LearningRateRecorder()
        unit_gradient.fit(model, 2, 3, [recorder, *ours])
        expected = [0.4, 0.3, 0.2, 0.1, 0.2, 0.15]
        np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)
        np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)


@once
def test_callbacks_and_records_can_be_pickled_after_a_fit():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    recorder = callbacks.LearningRateRecorder()
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[recorder])
    revived = pickle.loads(pickle.dumps(recorder))
    assert revived.learning_rate.tolist() == recorder.learning_rate.tolist() == [0.01]


# Checkpoints


class Saver(keras.callbacks.Callback):
    """Saves model and weights at the end of each epoch, as any of Keras' savers does."""

    def __init__(self, folder):
        super().__init__()
        self.folder = pathlib.Path(folder)

    def on_epoch_end(self, epoch, logs=None):
        self.model.save(self.folder / f"{epoch}.keras")
        self.model.save_weights(self.folder / f"{epoch}.weights.h5")


OPTIMIZERS = {
    "SGD, float": lambda: keras.optimizers.SGD(0.4, momentum=0.5),
    "SGD, schedule": lambda: keras.optimizers.SGD(schedules.LinearDecay(0.4, 20), momentum=0.5),
    "Adam, float": lambda: keras.optimizers.Adam(0.4),
    "Adam, Keras schedule": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.4, 10, 0.5)
    ),
    "loss scale, float": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.4)),
    "loss scale, schedule": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(schedules.LinearDecay(0.4, 20))
    ),
}


def every_callback():
    return [
        unit_gradient.Feed([1.0, 1.0, 1.0]),
        callbacks.Warmup(3),
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1),
        callbacks.RandomJitter(0.1),
    ]


@pytest.mark.parametrize(("kind", "saver_first"), matrix(OPTIMIZERS, [True, False]))
def test_checkpoints_under_our_callbacks_load_completely(kind, saver_first, tmp_path, recwarn):
    model = unit_gradient.build(OPTIMIZERS[kind]())
    saver = Saver(tmp_path)
    ours = every_callback()
    unit_gradient.fit(model, 3, 2, [saver, *ours] if saver_first else [*ours, saver])
    custom = {"Trace": unit_gradient.Trace, "mean_output": unit_gradient.mean_output}
    loaded = keras.saving.load_model(tmp_path / "1.keras", custom_objects=custom)
    plain = unit_gradient.build(OPTIMIZERS[kind]())
    plain.optimizer.build(plain.trainable_variables)
    plain.load_weights(tmp_path / "1.weights.h5")
    assert not [w for w in recwarn if "Skipping variable loading" in str(w.message)]
    for revived in (loaded, plain):
        assert int(revived.optimizer.iterations) == 6
        for ours, theirs in zip(model.optimizer.variables, revived.optimizer.variables):
            # The rate variable may have been cut after the saver had saved.
            if ours.name != "learning_rate":
                np.testing.assert_array_equal(
                    keras.ops.convert_to_numpy(ours.value), keras.ops.convert_to_numpy(theirs.value)
                )


def test_a_saved_schedule_model_continues_at_the_reduced_rate(tmp_path):
    model = unit_gradient.build(keras.optimizers.SGD(schedules.LinearDecay(0.8, 8)))
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    ours = [callbacks.Warmup(2), plateau]
    unit_gradient.fit(model, 2, 2, [unit_gradient.Feed([1.0, 1.0]), *ours, Saver(tmp_path)])
    custom = {"Trace": unit_gradient.Trace, "mean_output": unit_gradient.mean_output}
    loaded = keras.saving.load_model(tmp_path / "1.keras", custom_objects=custom)
    unit_gradient.fit(loaded, 2, 1)
    # Updates 4 and 5 of the schedule, times the factor, without the warmup that is over.
    np.testing.assert_allclose(rates_of(loaded, 4), [0.2, 0.15], atol=2e-6)


# What cannot work says so before the first batch


def test_two_bases_are_refused():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    both = [callbacks.FitSchedule(LINEAR), callbacks.RandomLearningRate(0.1, 0.2)]
    with pytest.raises(ValueError, match="FitSchedule and RandomLearningRate"):
        unit_gradient.fit(model, 2, 1, both)
    assert len(rates_of(model)) == 0
    # The refused pair is not remembered.
    unit_gradient.fit(model, 2, 1, both[:1])
    np.testing.assert_allclose(rates_of(model), [0.8, 0.4], atol=2e-6)


def test_a_callable_rate_is_refused():
    model = unit_gradient.build(keras.optimizers.SGD(lambda: 0.1))
    with pytest.raises(ValueError, match="built with a float or a schedule.*Received"):
        unit_gradient.fit(model, 2, 1, [callbacks.Warmup(2)])


def test_an_uncompiled_model_is_refused():
    callback = callbacks.Warmup(2)
    callback.set_params({})
    callback.set_model(keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(ValueError, match="compiled first"):
        callback.on_train_begin()


def test_epochs_of_unknown_length_are_refused():
    def endless():
        while True:
            yield unit_gradient.batches(1)

    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    schedule = callbacks.FitSchedule(schedules.LinearDecay(0.8, "1 epoch"))
    with pytest.raises(ValueError, match="steps_per_epoch"):
        model.fit(endless(), epochs=1, verbose=0, callbacks=[schedule])
    model.fit(endless(), epochs=1, steps_per_epoch=2, verbose=0, callbacks=[schedule])
    np.testing.assert_allclose(rates_of(model), [0.8, 0.4], atol=2e-6)


def test_another_keras_is_refused_by_name(monkeypatch):
    monkeypatch.setattr("keras_lr.keras_private.optimizers.RATE_METHOD", "_moved_elsewhere")
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    with pytest.raises(RuntimeError, match=f"Keras {keras.__version__}"):
        unit_gradient.fit(model, 2, 1, [callbacks.Warmup(2)])
