"""The compiled training step of a model: built anew, or forgotten, when what is in it changed."""

from keras_lr.keras_private.fit_call import FitCall


def rebuild(model):
    """Compiles the training step anew, in the midst of a fit too."""
    model.make_train_function(force=True)


def forget(model):
    """Drops the compiled training step: the next use builds it."""
    model.train_function = None


def call_before_next_fit(overrides, model, action):
    """Has `action` called when a `fit` asks for the training step while no other is under way.

    `train_on_batch`, and a `fit` inside a `fit`, may ask as they like.
    """

    def make_train_function(force=False):
        if FitCall.is_asking(model):
            action()
        return type(model).make_train_function(model, force=force)

    overrides.put(model, "make_train_function", make_train_function)
