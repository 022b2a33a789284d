"""What Keras knows of a model's metrics: which way they improve, and whether they are built."""

import itertools

import keras

_DECIDE = {"fit", "train_step", "test_step", "evaluate", "metrics", "compute_metrics"}
_DECIDE |= {"get_metrics_result", "train_function", "make_train_function", "compile"}
_UP = ("accuracy", "acc", "auc", "precision", "recall", "f1", "iou", "dice", "r2", "bleu")
_DOWN = ("loss", "error", "mse", "mae", "mape", "msle", "rmse", "perplexity", "divergence")


def is_lower_better(name, model):
    """Tells whether a metric improves downwards; None where neither Keras nor its name says so.

    >>> is_lower_better("val_loss", None), is_lower_better("val_acc", None)
    (True, False)
    >>> is_lower_better("score", None)
    """
    name = name.removeprefix("val_")
    for metric in _compiled_metrics(model):
        if metric.name == name and getattr(metric, "_direction", None) in ("up", "down"):
            return metric._direction == "down"
    words = name.lower().split("_")
    if any(word in _DOWN for word in words):
        return True
    return False if any(word in _UP for word in words) else None


def logged_names(model):
    """Returns the names that a model puts into the logs of an epoch; None where nobody can know.

    More than there will be rather than less. A training step, metrics or outputs of the user's own
    may bring anything.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse", metrics=["mae"])
    >>> sorted(logged_names(model))
    ['loss', 'mae', 'mean_absolute_error']
    """
    compiled = getattr(model, "_compile_metrics", None)
    given = []
    for name in ("_user_metrics", "_user_weighted_metrics"):
        given += keras.tree.flatten(getattr(compiled, name, None) or [])
    if _has_own_logs(model) or len(getattr(model, "outputs", None) or [None]) > 1:
        return None
    names = {"loss"}
    for metric in _compiled_metrics(model):
        names.add(metric.name)
    for metric in given:
        if isinstance(metric, str):
            names.add(metric)
            if metric in ("acc", "accuracy", "ce", "crossentropy"):
                continue
            metric = keras.metrics.get(metric)
        names.add(getattr(metric, "name", getattr(metric, "__name__", "")))
    return frozenset(names - {"compile_metrics"})


def _has_own_logs(model):
    """Tells whether a class that is not Keras' decides what is in the logs."""
    # Those before the first of Keras' own, behind which those of the back end are.
    kinds = type(model).__mro__
    theirs = itertools.takewhile(lambda c: c.__module__.partition(".")[0] != "keras", kinds)
    is_known = isinstance(model, (keras.Sequential, keras.Model)) and (
        isinstance(model, keras.Sequential) or getattr(model, "outputs", None)
    )
    return not is_known or any(_DECIDE & vars(c).keys() for c in theirs)


def are_built(model):
    """Tells whether a model's metrics are there: a new one builds them with its first batch."""
    return all(getattr(metric, "built", True) for metric in model.metrics)


def _compiled_metrics(model):
    # A callback that was in no fit yet has no model.
    for metric in getattr(model, "metrics", ()):
        yield from getattr(metric, "metrics", None) or [metric]
