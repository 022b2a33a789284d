"""What each device of a distributed model did to its own copy of the weights."""

import numpy as np
from support import unit_gradient


def of(variable):
    """Returns the value of a variable on each device that this process has."""
    value = variable.value
    if hasattr(value, "addressable_shards"):
        return [np.asarray(shard.data) for shard in value.addressable_shards]
    return [copy.numpy() for copy in value.values]


def applied(model, layer="trace_0"):
    """Returns the rates that were applied to each copy of a model whose gradient is 1."""
    trace = model.get_layer(layer)
    logs, counts, weights = of(trace.log), of(trace.count), of(trace.w)
    moved = [unit_gradient.moved(*copy) for copy in zip(logs, counts, weights)]
    return [rates.tolist() for rates in moved]
