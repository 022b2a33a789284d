"""Callbacks without `fit`: attached to a model, and told of the end of an epoch by `step`."""

import keras

from keras_lr import checks
from keras_lr.driving.running import running_driver
from keras_lr.driving.watching import OptimizerWatch
from keras_lr.keras_private.fit_call import FitCall

_COUNT = checks.Number(minimum=1, integer=True)


def attach(callback, model, epochs, steps_per_epoch, initial_epoch):
    """Has a callback drive the rate of a compiled model from its next update on; returns its epoch.

    What is attached already is begun anew together with it, so that all are checked together.
    """
    run = {
        "epochs": None if epochs is None else _COUNT("epochs", epochs),
        "steps": None if steps_per_epoch is None else _COUNT("steps_per_epoch", steps_per_epoch),
    }
    first = checks.Number(minimum=0, integer=True)("initial_epoch", initial_epoch)
    if is_attached(callback):
        raise ValueError(f"{callback.owner} is attached to a model: call `detach()` first.")
    if FitCall.of(model):
        raise ValueError("`attach` is for loops without `fit`: give callbacks to `fit` itself.")
    companions = _attached_before(model)
    for name, value in companions[0].params.items() if companions else ():
        if None not in (value, run[name]) and value != run[name]:
            checks.refuse(name, f"{value}, as for {companions[0].owner}", run[name])
        run[name] = value if run[name] is None else run[name]
    together = [*companions, callback]
    for each in together:
        each.set_model(model)
        each.set_params(run)
        each.on_train_begin()
    callback.driver.by_hand = True
    for each in together:
        each.on_epoch_begin(first if each is callback else each.attached_epoch)
        watch(each)
    return first


def watch(callback):
    """Notes which batches were counted, to see at the next `step` that there are more."""
    callback.attached_watch = OptimizerWatch(callback.model, callback.driver.driven)


def is_attached(callback):
    """Tells whether a callback drives a model without `fit`, one that was not compiled anew."""
    driver = callback.driver
    return bool(
        driver is not None
        and driver.by_hand
        and len(driver.driven)
        and driver.drives(callback.model)
    )


def _attached_before(model):
    """Returns the callbacks that are attached to a model, taken off to be so with another."""
    driver = running_driver(model)
    if driver is None or not driver.by_hand:
        return []
    if not driver.drives(model):
        driver.finish()
        return []
    return driver.give_back_callbacks()


def step(callback, value):
    """Ends an epoch with the value of the metric, or logs; returns the rate of the next update."""
    driver, name = callback.driver, type(callback).__name__
    if driver is None or not driver.by_hand or not len(driver.driven):
        raise ValueError(f"Call {name}.attach(model) before `step`.")
    if not driver.drives(callback.model):
        raise ValueError(f"The model was compiled anew: call {name}.attach(model) again.")
    callback.attached_watch.check(callback.model, drives=True)
    driver.others.end_epoch()
    driver.others.adopt()
    callback.on_epoch_end(callback.attached_epoch, _logs(callback, value))
    callback.attached_epoch += 1
    callback.on_epoch_begin(callback.attached_epoch)
    watch(callback)
    return driver.next_rate(callback)


def detach(callback):
    """Takes a callback, and those attached with it, off the model; reductions stay."""
    driver = callback.driver
    if driver is not None and driver.by_hand:
        for each in list(driver.callbacks):
            each.on_train_end()


def _logs(callback, value):
    if isinstance(value, dict):
        return value
    monitor = getattr(callback, "monitor", None)
    if monitor is None and value is not None:
        checks.refuse("value", f"None or logs, as {type(callback).__name__} has no metric", value)
    if keras.ops.is_tensor(value):
        value = keras.ops.convert_to_numpy(value)
    number = checks.as_number(value)
    if monitor is not None and number is None:
        checks.refuse("value", f"a number, the value of {monitor}, or logs", value)
    return {} if monitor is None else {monitor: number}
