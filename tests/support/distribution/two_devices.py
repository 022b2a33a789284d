"""Trains on two devices of one process; writes down what was done to each one's weights.

To be run by test_distribution.py, in an environment where JAX has two devices.
"""

import contextlib
import functools
import json
import pathlib
import sys
import tempfile
import traceback

import keras
import numpy as np
from support import unit_gradient
from support.distribution import copies
from support.distribution.cases import BACKEND, CASES, EPOCHS, IMPOSSIBLE, PER_EPOCH
from support.effective_rates import OPTIMIZERS
from support.unit_gradient import Feed

from keras_lr import callbacks, range_test, schedules

OBJECTS = {"Trace": unit_gradient.Trace, "mean_output": unit_gradient.mean_output}


@functools.cache
def distribute():
    """Makes two devices, once; returns what opens the scope that builds a model on both."""
    if BACKEND == "jax":
        # Not as a scope: `fit` too has to know of it, or else it does not split the batches.
        keras.distribution.set_distribution(keras.distribution.DataParallel())
        return contextlib.nullcontext
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope


def build(make_optimizer, **options):
    with distribute()():
        return unit_gradient.build(make_optimizer(), **options)


def fit(model, epochs, callbacks):
    """Trains for epochs of the same length on both back ends."""
    if BACKEND != "tensorflow":
        return unit_gradient.fit(model, PER_EPOCH, epochs, callbacks)
    import tensorflow as tf

    # Without an end, TensorFlow has to split it among the devices only once per fit.
    data = tf.data.Dataset.from_tensor_slices(unit_gradient.batches(PER_EPOCH))
    data = data.batch(unit_gradient.BATCH).repeat()
    options = {"steps_per_epoch": PER_EPOCH, "shuffle": False, "verbose": 0}
    return model.fit(data, epochs=epochs, callbacks=list(callbacks), **options)


def train(case):
    model, recorder = build(case.optimizer, **case.options), callbacks.LearningRateRecorder()
    own = case.callbacks()
    # After what feeds the logs, before what may undo an epoch.
    fit(model, EPOCHS, [*own[:1], recorder, *own[1:]])
    return {"applied": copies.applied(model), "recorded": recorder.learning_rate.tolist()}


def train_without_ours(case):
    fit(build(case.optimizer, **case.options), EPOCHS, [])


def resume(kind):
    """Trains, is cut and saved; then the model trains on another plan, and what was saved as is."""
    model = build(OPTIMIZERS[kind][0])
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    fit(model, 2, [Feed([1.0, 1.0]), callbacks.Warmup(4), plateau])
    with tempfile.TemporaryDirectory() as directory, distribute()():
        model.save(f"{directory}/model.keras")
        loaded = keras.saving.load_model(f"{directory}/model.keras", custom_objects=OBJECTS)
    fit(model, 1, [callbacks.FitSchedule(schedules.LinearDecay(0.8, "100%"))])
    fit(loaded, 1, [])
    return {"applied": copies.applied(model), "loaded": copies.applied(loaded)}


def validate():
    """Each batch has a target of 0 on one device and of 10 on the other; no callback feeds logs."""
    x, y = np.zeros((8, 1), "float32"), np.array([[0.0], [10.0]] * 4, "float32")
    with distribute()():
        model = unit_gradient.build("sgd")
        model.compile(keras.optimizers.SGD(0.4), lambda target, w: (target + w)[:, 0])
    threshold = callbacks.ValidationThreshold([2.0, 6.0], [0.1, 0.2, 0.3])
    options = {"batch_size": 2, "epochs": 2, "shuffle": False, "verbose": 0}
    history = model.fit(x, y, validation_data=(x, y), callbacks=[threshold], **options).history
    return {"applied": copies.applied(model), "val_loss": history["val_loss"]}


def train_with_optimizer_from_outside():
    model = build(lambda: "sgd")
    model.compile("sgd", unit_gradient.mean_output)
    fit(model, 1, [callbacks.Warmup(2)])


def find_a_rate():
    model = build(lambda: keras.optimizers.SGD(0.4))
    range_test(model, *unit_gradient.batches(4), batch_size=2, num_steps=10, verbose=0)
    fit(model, 1, [])
    return {"applied": copies.applied(model)}


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except Exception:
        return {"error": traceback.format_exc()}


def main(path):
    outcomes = {name: attempt(train, case) for name, case in CASES.items()}
    outcomes |= {f"resumed, {kind}": attempt(resume, kind) for kind in ("float", "schedule")}
    outcomes["validation"] = attempt(validate)
    outcomes["range test"] = attempt(find_a_rate)
    if BACKEND == "tensorflow":
        outcomes |= {name: attempt(train_without_ours, IMPOSSIBLE[name]) for name in IMPOSSIBLE}
        outcomes["outside"] = attempt(train_with_optimizer_from_outside)
    pathlib.Path(path).write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1])
