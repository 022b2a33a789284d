"""Every argument of every callback, with values that it does not expect."""

import inspect

import keras
import pytest
from support import hostile

from keras_lr import callbacks

CLASSES = [
    c
    for c in vars(callbacks).values()
    if inspect.isclass(c)
    and issubclass(c, keras.callbacks.Callback)
    and c is not callbacks.RateCallback
]


@pytest.mark.parametrize("callback_class", CLASSES, ids=lambda c: c.__name__)
def test_what_is_refused_is_named(callback_class, tmp_path, monkeypatch):
    # Some arguments are names of files.
    monkeypatch.chdir(tmp_path)
    tried = 0
    for name, value, arguments in hostile.cases(callback_class, seed=1, share=1.0):
        tried += 1
        try:
            callback_class(**arguments)
        except ValueError as error:
            message = str(error)
            assert "Received: " in message, (name, message)
            assert name in message, (name, type(value), message)
    assert tried > 0
