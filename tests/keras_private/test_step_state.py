"""Whatever a step changes is put back to the bit by all who promise it, or refused before."""

import keras
import numpy as np
import pytest
from support import changing_models as models
from support.small_network import assert_same_bits
from support.tiers import cells

from keras_lr import callbacks, range_test

ALL = list(models.ROWS)
# The rows that were lost, on the back end that has them.
QUICK = [name for name in ALL if name in ("LoRA", "GAN", "variable of TensorFlow")]
rows = pytest.mark.parametrize("name", cells(ALL, QUICK))
needs_gan = pytest.mark.skipif("GAN" not in ALL, reason="JAX hands a step one optimizer's state")


@rows
def test_a_step_changes_what_the_row_is_about(name):
    build, read = models.ROWS[name]
    model = build()
    models.fit(model, 1)
    before = read(model)
    models.fit(model, 1)
    assert any(a.tobytes() != b.tobytes() for a, b in zip(before, read(model)))


@rows
def test_after_a_range_test(name):
    model = models.ROWS[name][0]()
    models.fit(model, 1)
    before = models.state(model, name)
    found = range_test(
        model, models.X, models.Y, num_steps=12, batch_size=models.BATCH, verbose=0, **named(model)
    )
    assert len(found.losses) >= 5
    assert_same_bits(models.state(model, name), before)


def named(model):
    if isinstance(model, models.Listed):
        return {"optimizer": model.kept[0]["g"]}
    return {"optimizer": model.g_optimizer} if isinstance(model, models.Gan) else {}


@rows
def test_after_a_recovery(name):
    model, watch = models.ROWS[name][0](), models.Watch(name)
    rule = callbacks.RecoverFromDivergence(verbose=0, **named(model))
    fed = models.feed([1.0, float("nan"), 0.9], "loss")
    models.fit(model, 3, [fed, watch, rule])
    assert rule.recoveries == 1
    assert_same_bits(watch.begins[2], watch.ends[0])


@rows
def test_after_the_way_back_to_the_best_epoch(name):
    model, watch = models.ROWS[name][0](), models.Watch(name)
    back = {"mode": "min", "restore_best": "all", **named(model)}
    rule = callbacks.ReduceLROnPlateau("metric", 0.5, 1, **back)
    models.fit(model, 3, [models.feed([1.0, 3.0, 3.0]), watch, rule])
    assert_same_bits(watch.begins[2], watch.ends[0])


@rows
def test_a_run_from_a_backup_is_the_run_that_was_not_stopped(name, tmp_path):
    class Killed(Exception):
        pass

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise Killed

    def run(*others):
        model = models.ROWS[name][0]()
        backup = callbacks.TrainingBackup(tmp_path, keep=True, verbose=0)
        models.fit(model, 4, [backup, *others])
        return models.state(model, name)

    straight = models.ROWS[name][0]()
    models.fit(straight, 4)
    with pytest.raises(Killed, match="^$"):
        run(Kill())
    assert_same_bits(run(), models.state(straight, name))


WHOLE = {
    "recovery": lambda tmp_path: callbacks.RecoverFromDivergence(verbose=0),
    "best": lambda tmp_path: callbacks.ReduceLROnPlateau("loss", restore_best="all"),
    "backup": lambda tmp_path: callbacks.TrainingBackup(tmp_path / "run", verbose=0),
}


@needs_gan
@pytest.mark.parametrize("kind", WHOLE)
def test_an_optimizer_that_is_not_built_is_refused_before_training(kind, tmp_path):
    model = models.gan(is_built=False)
    before = models.values(model.weights)
    with pytest.raises(ValueError, match=r"model\.g_optimizer\.build\(weights\)"):
        models.fit(model, 1, [WHOLE[kind](tmp_path)])
    assert_same_bits(models.values(model.weights), before)


@needs_gan
def test_without_its_optimizer_s_state_weights_go_back_whatever_is_built():
    model = models.gan(is_built=False)
    watch = Weights()
    back = {"mode": "min", "restore_best": "weights", **named(model)}
    rule = callbacks.ReduceLROnPlateau("metric", 0.5, 1, **back)
    models.fit(model, 3, [models.feed([1.0, 3.0, 3.0]), watch, rule])
    assert_same_bits(watch.begins[2], watch.ends[0])


class Weights(models.Watch):
    def __init__(self):
        super().__init__("GAN")

    def on_epoch_begin(self, epoch, logs=None):
        self.begins.append(models.values(self.model.weights))

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(models.values(self.model.weights))


@pytest.mark.filterwarnings("ignore:Skipping variable loading:UserWarning")
def test_a_backup_of_another_model_is_refused(tmp_path):
    def backup():
        return callbacks.TrainingBackup(tmp_path, keep=True, verbose=0)

    models.fit(models.lora(), 1, [backup()])
    model = models.sequential(keras.layers.Dense(4, name="a"), keras.layers.Dense(1))
    with pytest.raises(ValueError, match="does not fit this model"):
        models.fit(model, 2, [backup()])
    assert np.all(np.isfinite(model.get_weights()[0]))
