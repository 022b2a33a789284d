"""The driver that a model has: of the running fit or loop, or left by an interrupted one."""

from keras_lr.driving.driver import Driver
from keras_lr.driving.run_length import batches_per_epoch
from keras_lr.keras_private.fit_call import FitCall

_PLACE = "_keras_lr_driver"


def running_driver(model):
    """Returns the driver of a model; None without any."""
    return vars(model).get(_PLACE)


def driver_for(callback, model):
    """Returns the driver of the fit that `callback` is in; a fit's callbacks share `params`."""
    driver = running_driver(model)
    if driver is None or driver.started or driver.params is not callback.params:
        if driver is not None:
            _refuse_nesting(driver, model, type(callback).__name__)
            driver.finish()
        driver = Driver(model, callback.params, batches_per_epoch(callback, model))
        driver.put_on(model, _PLACE)
    return driver


def end_interrupted_fit(model):
    """Gives back the optimizer of a model whose last fit was interrupted, as the next one would."""
    driver = running_driver(model)
    if driver is not None:
        driver.finish()


def _refuse_nesting(driver, model, name):
    """Raises if the fit or loop of a driver is under way."""
    running = FitCall.stack(model)
    if driver.driven and len(running) > 1:
        raise ValueError(
            "A `fit` inside a `fit` of the same model cannot have callbacks of keras_lr of its "
            f"own. Received: {name}"
        )
    if driver.by_hand and running and driver.drives(model):
        raise ValueError(
            "`fit` cannot have callbacks of keras_lr while others are attached to the model: "
            f"give all of them to `fit`, or call `detach()` first. Received: {name}"
        )
