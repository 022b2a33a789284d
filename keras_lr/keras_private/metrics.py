"""What Keras knows of a model's metrics: which way they improve, and whether they are built."""

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


def are_built(model):
    """Tells whether a model's metrics are there: a new one builds them with its first batch."""
    return all(getattr(metric, "built", True) for metric in model.metrics)


def _compiled_metrics(model):
    # A callback that was in no fit yet has no model.
    for metric in getattr(model, "metrics", ()):
        yield from getattr(metric, "metrics", None) or [metric]
