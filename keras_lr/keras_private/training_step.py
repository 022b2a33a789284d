"""The compiled training step of a model: built anew, or forgotten, when what is in it changed."""

from keras_lr.keras_private.fit_call import FitCall


def rebuild(model):
    """Compiles the training step anew, in the midst of a fit too."""
    model.make_train_function(force=True)


def forget(model):
    """Drops the compiled training step: the next use builds it."""
    model.train_function = None


def call_after_fit(overrides, model, action):
    """Has `action` called when the training step is asked for after the running `fit` has ended.

    By the next `fit`, or by `train_on_batch`. While the running one is under way `train_on_batch`,
    and a `fit` inside it, may ask as they like.
    """

    def make_train_function(force=False):
        if FitCall.is_asking(model) or FitCall.of(model) is None:
            action()
        return type(model).make_train_function(model, force=force)

    overrides.put(model, "make_train_function", make_train_function)
