"""What callbacks say to the user, and whether they shall."""

import logging

import keras
import numpy as np

from keras_lr import checks


def verbosity(name, value):
    """The kind of an argument: 0 or 1 or more, or as a boolean, which Keras takes too."""
    value = int(value) if isinstance(value, (bool, np.bool_)) else value
    return checks.Number(minimum=0, integer=True)(name, value)


def tell(message):
    """Says something to the user where Keras would: on the screen, or in the log."""
    if keras.config.is_interactive_logging_enabled():
        print("\n" + message)
    else:
        logging.getLogger("keras_lr").info(message)
