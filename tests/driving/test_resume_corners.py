"""Stopped runs and loops by hand, where a reviewer broke them."""

import warnings

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.stops import Stop

from keras_lr import callbacks, schedules


def sgd(rate=0.4):
    return unit_gradient.build(keras.optimizers.SGD(rate))


def plateau(**options):
    return callbacks.ReduceLROnPlateau(
        **{"monitor": "m", "factor": 0.5, "patience": 1, "mode": "min", **options}
    )


def feed(*values, name="m"):
    return unit_gradient.Feed(list(values), name)


def backup(folder, **options):
    return callbacks.TrainingBackup(folder, **{"verbose": 0, **options})


def resumed(make, used, folder, epoch, per_epoch=2, epochs=6, **options):
    """Returns the rates of a whole run, and of one that was stopped in `epoch`."""
    whole, first, second = make(), make(), make()
    unit_gradient.fit(whole, per_epoch, epochs, used(), **options)
    with pytest.raises(KeyboardInterrupt):
        stopped = [*used(), backup(folder), Stop(epoch)]
        unit_gradient.fit(first, per_epoch, epochs, stopped, **options)
    unit_gradient.fit(second, per_epoch, epochs, [*used(), backup(folder)], **options)
    return unit_gradient.applied(whole), unit_gradient.applied(second)


def test_a_clock_that_went_back_goes_on_from_there(tmp_path):
    def used():
        values = feed(1.0, 0.5, 0.9, 0.9, 0.4, 0.3, 0.2, 0.1)
        plan = callbacks.FitSchedule(schedules.LinearDecay(0.4, "100%"))
        return [values, plateau(patience=2, restore_best="all"), plan]

    whole, second = resumed(lambda: sgd(0.1), used, tmp_path, 5, epochs=8)
    np.testing.assert_allclose(second, whole, atol=2e-6)
    assert len(whole) == 12, "two epochs of two updates must have been undone"


def test_a_clock_that_skipped_updates_goes_on_from_there(tmp_path):
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    y = x.sum(1, keepdims=True) * 1e3

    def run(*used):
        keras.utils.set_random_seed(0)
        dense = keras.layers.Dense(1, dtype="mixed_float16")
        model = keras.Sequential([keras.Input((3,)), dense])
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
        model.compile(scaled, "mse")
        plan = callbacks.FitSchedule(schedules.LinearDecay(1e-3, "100%"))
        try:
            model.fit(x, y, 4, epochs=6, shuffle=False, verbose=0, callbacks=[*used, plan])
        except KeyboardInterrupt:
            return None
        assert 0 < int(scaled.iterations) < 24, "some updates must have been skipped"
        return model.get_weights()

    whole = run()
    run(Stop(3), backup(tmp_path))
    for one, other in zip(whole, run(backup(tmp_path))):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("duration, told", [("100%", True), (20, False)])
def test_another_number_of_epochs_is_told(duration, told, tmp_path, capsys):
    plan = callbacks.FitSchedule(schedules.LinearDecay(0.4, duration))
    with pytest.raises(KeyboardInterrupt):
        unit_gradient.fit(sgd(), 2, 4, [plan, backup(tmp_path), Stop(2)])
    model = sgd()
    unit_gradient.fit(model, 2, 8, [plan, backup(tmp_path, verbose=1)])
    message = "the run had 4 epochs and has 8 now. From here on FitSchedule() is what it would be"
    assert (message in capsys.readouterr().out) == told
    # The clock goes on: update 4 of 8 epochs of two updates is a quarter of the way.
    length = 16 if told else 20
    assert unit_gradient.applied(model)[4] == pytest.approx(0.4 * (1 - 4 / length), rel=1e-4)


def test_a_model_that_fit_builds(tmp_path):
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")

    def run(*used):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(0.1), "mse")
        try:
            model.fit(x, y, 4, epochs=4, shuffle=False, verbose=0, callbacks=list(used))
        except KeyboardInterrupt:
            return None
        return model.get_weights()

    whole = run()
    run(backup(tmp_path), Stop(2))
    for one, other in zip(whole, run(backup(tmp_path))):
        np.testing.assert_array_equal(one, other)


def test_validation_that_is_over_before_the_run_goes_on(tmp_path):
    options = {"validation_data": unit_gradient.batches(1), "validation_freq": 2}

    def used():
        return [feed(None, 1.0, None, 1.0, None, name="val_m"), plateau(monitor="val_m")]

    whole, second = resumed(sgd, used, tmp_path, 4, epochs=5, **options)
    np.testing.assert_allclose(second, whole, atol=2e-6)


def test_a_saver_between_two_callbacks_with_state_files(tmp_path):
    def used():
        return [
            feed(*[1.0] * 6),
            plateau(factor=0.1, patience=3, state_path=tmp_path / "a.json"),
            keras.callbacks.ModelCheckpoint(
                tmp_path / "{epoch}.weights.h5", save_weights_only=True
            ),
            plateau(factor=0.5, patience=3, state_path=tmp_path / "b.json"),
        ]

    whole, model = sgd(), sgd()
    unit_gradient.fit(whole, 2, 6, used())
    model.optimizer.build(model.trainable_variables)
    model.load_weights(tmp_path / "4.weights.h5")
    unit_gradient.fit(model, 2, 6, used(), initial_epoch=4)
    expected = unit_gradient.applied(whole)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)
    assert expected[-1] == pytest.approx(0.4 * 0.1 * 0.5, rel=1e-3)


# What is on disk


def test_files_of_the_user_stay(tmp_path):
    mine = tmp_path / "epoch-best.weights.h5"
    mine.write_bytes(b"a week of training")
    path = tmp_path / "epoch-{epoch:02d}.weights.h5"
    saver = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    unit_gradient.fit(sgd(), 2, 2, [backup(tmp_path), saver])
    kept = ["epoch-01.weights.h5", "epoch-02.weights.h5", "epoch-best.weights.h5"]
    assert sorted(p.name for p in tmp_path.iterdir()) == kept


def test_fewer_epochs_do_not_delete_the_backup(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        unit_gradient.fit(sgd(), 2, 6, [backup(tmp_path), Stop(4)])
    unit_gradient.fit(sgd(), 2, 3, [backup(tmp_path)])
    model = sgd()
    assert unit_gradient.fit(model, 2, 6, [backup(tmp_path)]).epoch == [4, 5]


def test_a_loss_that_is_not_finite_replaces_no_backup(tmp_path):
    losses = unit_gradient.Feed([1.0, 1.0, float("nan"), float("nan"), 1.0])
    with pytest.raises(KeyboardInterrupt):
        unit_gradient.fit(sgd(), 2, 5, [losses, backup(tmp_path), Stop(3)])
    assert unit_gradient.fit(sgd(), 2, 5, [losses, backup(tmp_path)]).epoch == [2, 3, 4]


@pytest.mark.parametrize("first", [True, False])
def test_best_weights_are_kept_at_the_end_too(first, tmp_path):
    def used():
        saver = [backup(tmp_path, keep=True)]
        rule = [plateau(restore_best="weights", patience=2)]
        return [feed(1.0, 0.5, 0.9, 0.9, 0.9), *(saver + rule if first else rule + saver)]

    whole, model = sgd(), sgd()
    unit_gradient.fit(whole, 2, 5, used()[:1] + [plateau(restore_best="weights", patience=2)])
    unit_gradient.fit(sgd(), 2, 3, used())
    unit_gradient.fit(model, 2, 5, used())
    np.testing.assert_array_equal(whole.get_weights()[0], model.get_weights()[0])


def test_swapped_weights_are_not_backed_up(tmp_path):
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    model = unit_gradient.build(keras.optimizers.SGD(0.4, use_ema=True))
    with pytest.raises(ValueError, match="SwapEMAWeights must be listed before TrainingBackup"):
        unit_gradient.fit(model, 2, 2, [backup(tmp_path), swap])
    unit_gradient.fit(model, 2, 2, [swap, backup(tmp_path)])


# By hand


def test_what_cannot_be_attached(tmp_path):
    model, rule = sgd(), plateau()
    with pytest.raises(ValueError, match="TrainingBackup must be given to `fit`"):
        backup(tmp_path).attach(model)
    rule.attach(model)
    for other in (model, sgd()):
        with pytest.raises(ValueError, match="is attached to a model: call `detach"):
            rule.attach(other)
    model.compile(keras.optimizers.SGD(0.4), unit_gradient.mean_output)
    with pytest.raises(ValueError, match=r"compiled anew: call ReduceLROnPlateau.attach\(model\)"):
        rule.step(1.0)
    rule.attach(model)
    for expected in (0.4, 0.2):
        unit_gradient.fit(model, 1)
        assert rule.step(1.0) == expected
    # A handle that was lost holds nobody up once the model is compiled again.
    model.compile(keras.optimizers.SGD(0.4), unit_gradient.mean_output)
    unit_gradient.fit(model, 2, 1, [callbacks.Warmup(2)])
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.2, 0.4], atol=2e-6)


def test_a_callback_is_listed_once():
    rule = callbacks.Warmup(4)
    with pytest.raises(ValueError, match=r"must be listed once. Received twice: Warmup\(\)"):
        unit_gradient.fit(sgd(), 2, 1, [rule, rule])


def test_a_best_that_is_set_in_numpy(tmp_path):
    class Set(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            rule.best, rule.wait = np.float32(0.5), np.int64(0)

    rule = plateau(state_path=tmp_path / "state.json")
    unit_gradient.fit(sgd(), 1, 2, [feed(1.0, 1.0), rule, Set()])
    assert rule.get_state()["state"]["best"] == 0.5


class Wrapped(keras.Model):
    def fit(self, *arguments, **options):
        return super().fit(*arguments, **options)


def test_a_fit_around_keras_fit_is_one():
    inputs = keras.Input((1,))
    model = Wrapped(inputs, unit_gradient.Trace(name="trace_0")(inputs))
    model.compile(keras.optimizers.SGD(0.4), unit_gradient.mean_output)
    with pytest.raises(KeyboardInterrupt):
        unit_gradient.fit(model, 2, 3, [callbacks.Warmup(100), Stop(0)])
    unit_gradient.fit(model, 2)
    unit_gradient.fit(model, 2, 1, [callbacks.Warmup(2)])
    expected = [0.004, 0.008, 0.4, 0.4, 0.2, 0.4]
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


@pytest.mark.parametrize(
    "own, used",
    [
        (schedules.LinearDecay(0.4, 2), [callbacks.LearningRateScheduler(lambda e: 0.1)]),
        (0.001, [callbacks.LearningRateScheduler(lambda e: 0.1), plateau(min_lr=0.01)]),
        (schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.01, 0.001]), [plateau(min_lr=1e-4)]),
    ],
)
def test_no_alarm_where_all_is_well(own, used):
    model = sgd(own)
    unit_gradient.fit(model, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unit_gradient.fit(model, 4, 1, [feed(1.0), *used])
