"""Rules for a first rate: from the batch size, the data or the model.

They are rules of thumb to start a search from. Only the batch-size rules have evidence.
"""

import math

from keras_lr import checks


def scale_learning_rate(base, batch_size, base_batch_size, rule="linear") -> float:
    """Returns the rate for `batch_size` if `base` was tuned with `base_batch_size`.

    * `"linear"`: base · batch_size / base_batch_size, for SGD with a warmup (arXiv 1706.02677)
    * `"sqrt"`: base · sqrt(batch_size / base_batch_size), for Adam (arXiv 2205.10287)

    >>> scale_learning_rate(0.1, batch_size=1024, base_batch_size=256)
    0.4
    >>> scale_learning_rate(0.001, batch_size=1024, base_batch_size=256, rule="sqrt")
    0.002
    """
    exponent = {"linear": 1.0, "sqrt": 0.5}[checks.Choice(("linear", "sqrt"))("rule", rule)]
    ratio = checks.POSITIVE("batch_size", batch_size) / checks.POSITIVE(
        "base_batch_size", base_batch_size
    )
    return _first_rate(checks.RATE("base", base) * ratio**exponent)


def learning_rate_for_data_size(c, n) -> float:
    """Returns c / n, for n training samples.

    >>> learning_rate_for_data_size(50.0, 50_000)
    0.001
    """
    return _first_rate(checks.POSITIVE("c", c) / checks.POSITIVE("n", n))


def learning_rate_for_model(c, model) -> float:
    """Returns c / (number of trainable parameters), for a model of that complexity.

    `model` is a built Keras model, or the number of parameters itself.

    >>> learning_rate_for_model(10.0, 10_000)
    0.001
    """
    return _first_rate(checks.POSITIVE("c", c) / checks.POSITIVE("model", _parameters(model)))


def _first_rate(rate):
    return checks.RATE("the rate that follows from these", rate)


def _parameters(model):
    if not hasattr(model, "trainable_weights"):
        return model
    if not model.built:
        raise ValueError(
            "`model` must be built, so that its parameters can be counted: call "
            f"model.build(input_shape) first. Received: model={model!r}"
        )
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)
