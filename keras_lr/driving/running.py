"""The driver that a model has: of the running fit or loop, or left by an interrupted one."""

import keras

from keras_lr.driving.driver import PLACE, Driver
from keras_lr.driving.run_length import batches_per_epoch
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.optimizers import leaves


def running_driver(owner):
    """Returns the driver of a model or an optimizer; None without any."""
    return getattr(owner, "__dict__", {}).get(PLACE)


def driver_for(callback, model):
    """Returns the driver of the fit that `callback` is in; a fit's callbacks share `params`."""
    _end_those_of_others(model)
    driver = running_driver(model)
    if driver is None or driver.started or driver.params is not callback.params:
        if driver is not None:
            _refuse_nesting(driver, model, type(callback).__name__)
            driver.finish()
        batches = batches_per_epoch(callback, model)
        driver = Driver(model, callback.params, batches, callback.optimizer)
        driver.put_on(model)
    return driver


def end_interrupted_fit(owner):
    """Gives back the optimizers that an interrupted fit has left driven.

    `owner` is a model or an optimizer; what a running fit or loop drives is left alone.
    """
    for each in (owner, *_optimizers(owner)):
        driver = running_driver(each)
        if driver is not None and not driver.is_under_way:
            driver.finish()


def _optimizers(owner):
    optimizer = getattr(owner, "optimizer", owner)
    return leaves(optimizer) if isinstance(optimizer, keras.optimizers.Optimizer) else []


def _end_those_of_others(model):
    """Ends what interrupted fits of other models have left in the optimizer of this one."""
    for optimizer in _optimizers(model):
        driver = running_driver(optimizer)
        if driver is None or driver is running_driver(model):
            continue
        if driver.is_under_way:
            raise ValueError(
                f"The optimizer {optimizer.name} is driven in the running fit of another model, "
                "with which this one shares it. Compile each model with an optimizer of its own, "
                "or give callbacks of keras_lr to one of the two only."
            )
        driver.finish()


def _refuse_nesting(driver, model, name):
    """Raises if the fit or loop of a driver is under way."""
    running = FitCall.stack(model)
    if len(driver.driven) and len(running) > 1:
        raise ValueError(
            "A `fit` inside a `fit` of the same model cannot have callbacks of keras_lr of its "
            f"own. Received: {name}"
        )
    if driver.by_hand and running and driver.drives(model):
        raise ValueError(
            "`fit` cannot have callbacks of keras_lr while others are attached to the model: "
            f"give all of them to `fit`, or call `detach()` first. Received: {name}"
        )
