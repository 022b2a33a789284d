"""Callbacks without `fit`: attached to a model, and told of the end of an epoch by `step`."""

import keras

from keras_lr import checks
from keras_lr.driving.driver import Driver
from keras_lr.keras_private.fit_call import fits_under_way


class ByHand:
    """What lets a callback be used in a loop of one's own.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import ReduceLROnPlateau
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), "mse")
    >>> plateau = ReduceLROnPlateau(factor=0.5, patience=1, mode="min")
    >>> plateau.attach(model)
    >>> x, y = np.ones((4, 2)), np.ones((4, 1))
    >>> for validation_loss in [1.0, 0.9, 0.95]:
    ...     _ = model.train_on_batch(x, y)
    ...     plateau.step(validation_loss)
    0.1
    0.1
    0.05
    >>> plateau.detach()
    """

    def attach(self, model, *, epochs=None, steps_per_epoch=None, initial_epoch=0):
        """Drives the rate of a compiled model from its next update on, without `fit`.

        Any number of callbacks can be attached to a model, all before its next update; they
        multiply, as in `fit`. `epochs` and `steps_per_epoch` (in batches) are for durations in
        epochs or percent; `initial_epoch` is where a loop that was stopped goes on. Works with
        `train_on_batch`, with `fit` without callbacks of ours, and with every loop that calls
        `optimizer.apply`; in a step that the user has compiled with it (`tf.function`, `jax.jit`),
        if it is traced after this. Until `detach`.
        """
        count = checks.Number(minimum=1, integer=True)
        run = {
            "epochs": None if epochs is None else count("epochs", epochs),
            "steps": None if steps_per_epoch is None else count("steps_per_epoch", steps_per_epoch),
        }
        self._at = checks.Number(minimum=0, integer=True)("initial_epoch", initial_epoch)
        driver = vars(self).get("driver")
        if driver is not None and driver.by_hand and driver.rates and driver.drives(self.model):
            raise ValueError(f"{self.owner} is attached to a model: call `detach()` first.")
        if fits_under_way(model):
            raise ValueError("`attach` is for loops without `fit`: give callbacks to `fit` itself.")
        companions = Driver.attached(model)
        for name, value in companions[0].params.items() if companions else ():
            if None not in (value, run[name]) and value != run[name]:
                checks.refuse(name, f"{value}, as for {companions[0].owner}", run[name])
            run[name] = value if run[name] is None else run[name]
        together = [*companions, self]
        for callback in together:
            callback.set_model(model)
            callback.set_params(run)
            callback.on_train_begin()
        self.driver.by_hand = True
        for callback in together:
            callback.on_epoch_begin(callback._at)

    def step(self, value=None):
        """Ends an epoch: takes the value of the metric, or logs, and applies what follows.

        Returns the rate of the next update, of several optimizers the smallest.
        """
        driver = vars(self).get("driver")
        if driver is None or not driver.by_hand or not driver.rates:
            raise ValueError(f"Call {type(self).__name__}.attach(model) before `step`.")
        if not driver.drives(self.model):
            name = type(self).__name__
            raise ValueError(f"The model was compiled anew: call {name}.attach(model) again.")
        driver.adopt_foreign_writes()
        self.on_epoch_end(self._at, self._logs_of(value))
        self._at += 1
        self.on_epoch_begin(self._at)
        return driver.next_rate()

    def detach(self):
        """Takes this callback, and those attached with it, off the model; reductions stay."""
        driver = vars(self).get("driver")
        if driver is not None and driver.by_hand:
            for callback in driver.callbacks + driver.hooks:
                callback.on_train_end()

    def _logs_of(self, value):
        if isinstance(value, dict):
            return value
        monitor = getattr(self, "monitor", None)
        if monitor is None and value is not None:
            checks.refuse("value", f"None or logs, as {type(self).__name__} has no metric", value)
        if keras.ops.is_tensor(value):
            value = keras.ops.convert_to_numpy(value)
        number = checks.as_number(value)
        if monitor is not None and number is None:
            checks.refuse("value", f"a number, the value of {monitor}, or logs", value)
        return {} if monitor is None else {monitor: number}
