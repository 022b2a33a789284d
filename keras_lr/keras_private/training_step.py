"""The compiled training step of a model: built anew, or forgotten, when what is in it changed."""


def rebuild(model):
    """Compiles the training step anew, in the midst of a fit too."""
    model.make_train_function(force=True)


def forget(model):
    """Drops the compiled training step: the next use builds it."""
    model.train_function = None
