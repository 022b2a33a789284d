"""What callbacks say to the user, and whether they shall."""

import logging

import keras

from keras_lr import checks


def verbosity(name, value):
    """The kind of an argument: 0 or 1 or more, or as a boolean, which Keras takes too."""
    return checks.Number(minimum=0, integer=True)(name, int(value) if value in (0, 1) else value)


def tell(message):
    """Says something to the user where Keras would: on the screen, or in the log."""
    if keras.config.is_interactive_logging_enabled():
        print("\n" + message)
    else:
        logging.getLogger("keras_lr").info(message)
