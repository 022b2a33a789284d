"""Has every `fit` linted first, with what it was given."""

import inspect

import keras

from keras_lr import lint

_fit = keras.Model.fit


def findings_of(model, *args, **options):
    """Returns what `lint` finds of a model in a `fit` with these arguments."""
    given = inspect.signature(_fit).bind(model, *args, **options).arguments
    names = "epochs", "steps_per_epoch", "x", "batch_size", "validation_split", "initial_epoch"
    known = {name: given[name] for name in names if name in given}
    known["validation"] = given.get("validation_data") is not None
    return lint(model, given.get("callbacks"), **{"epochs": 1, **known})


def lint_every_fit(monkeypatch, found):
    """Has `fit` put what `lint` finds into a list, and then train."""

    def fit(self, *args, **options):
        found.append(findings_of(self, *args, **options))
        return _fit(self, *args, **options)

    monkeypatch.setattr(keras.Model, "fit", fit)
