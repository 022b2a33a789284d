"""Models of a unit gradient that count how often their Python runs: once per compiled trace."""

import keras
from keras import ops
from support import unit_gradient


class Counting(unit_gradient.Trace):
    """Counts how often its Python runs in training: once per trace, or per step where eager."""

    calls = 0

    def call(self, x, training=False):
        self.calls += bool(training)
        return super().call(x, training)


def build(optimizer, layers=1, **options):
    """Returns a compiled model of counting layers side by side, its optimizer built."""
    inputs = keras.Input((1,))
    outputs = [Counting(name=f"trace_{i}")(inputs) for i in range(layers)]
    model = keras.Model(inputs, ops.sum(ops.stack(outputs), axis=0))
    model.compile(optimizer, unit_gradient.mean_output, **options)
    model.optimizer.build(model.trainable_variables)
    return model


def traces(model):
    """Returns the counting layers of a model."""
    return [layer for layer in model.layers if isinstance(layer, Counting)]


def take_count(model):
    """Returns the calls in each layer since the last look."""
    counts = [layer.calls for layer in traces(model)]
    for layer in traces(model):
        layer.calls = 0
    return counts


def moved(model):
    """Returns by how much the weights of each layer moved in each batch."""
    return [unit_gradient.applied(model, layer.name) for layer in traces(model)]


def several():
    """Returns two optimizers in one: of `trace_0`, and of the others."""
    first, second = keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.25)
    return keras.optimizers.MultiOptimizer(lambda v: first if "trace_0" in v.path else second)
