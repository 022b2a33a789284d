"""Keras' own tests of `ReduceLROnPlateau`, on ours."""

import keras_own

_names = keras_own.load(
    "keras.src.callbacks.reduce_lr_on_plateau_test",
    "from keras.src import callbacks",
    "from keras_lr import callbacks",
)


class TestReduceLROnPlateau(_names["ReduceLROnPlateauTest"]):
    # It demands an error where an optimizer has a schedule: here that works (test_driver_matrix).
    test_throws_when_optimizer_has_schedule = None
