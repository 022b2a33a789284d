"""Models whose training step changes what no weight, metric or `model.optimizer` holds.

Each row is a function that builds the model, the same every time, and one that reads what it is
about, by the model's own attributes.
"""

import keras
import numpy as np
from keras import ops
from support import unit_gradient

BACKEND = keras.config.backend()
RNG = np.random.default_rng(5)
X = RNG.normal(size=(16, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
# Two batches per epoch.
BATCH = 8


class OwnStep(keras.Model):
    """A model whose `train_step` updates by `update(x, y)`, which returns the loss."""

    def train_step(self, data):
        return {"loss": self.update(*data)}

    def gradients(self, layer, loss):
        """Returns the gradients of a loss, given as a function, by the weights of a layer."""
        if BACKEND == "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                value = loss()
            return value, tape.gradient(value, layer.trainable_weights)
        self.zero_grad()
        value = loss()
        value.backward()
        return value, [v.value.grad for v in layer.trainable_weights]

    def descend(self, optimizer, layer, loss):
        value, gradients = self.gradients(layer, loss)
        if BACKEND == "tensorflow":
            optimizer.apply(gradients, layer.trainable_weights)
        else:
            import torch

            with torch.no_grad():
                optimizer.apply(gradients, layer.trainable_weights)
        return value


class Gan(OwnStep):
    """Two layers with an optimizer each; `model.optimizer` is what Keras makes by itself."""

    def __init__(self):
        super().__init__()
        self.g, self.d = keras.layers.Dense(4), keras.layers.Dense(1)
        self.g.build((None, 4))
        self.d.build((None, 4))
        self.built = True

    def call(self, x):
        return self.d(self.g(x))

    def update(self, x, y):
        self.descend(self.d_optimizer, self.d, lambda: ops.mean((self(x) - y) ** 2))
        return self.descend(self.g_optimizer, self.g, lambda: ops.mean((self(x) - y) ** 2))


def gan(is_built=True):
    keras.utils.set_random_seed(1)
    model = Gan()
    model.compile()
    model.g_optimizer, model.d_optimizer = keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.05)
    if is_built:
        model.g_optimizer.build(model.g.trainable_weights)
        model.d_optimizer.build(model.d.trainable_weights)
    return model


class Listed(Gan):
    """Its optimizers are in a dict in a list."""

    def update(self, x, y):
        self.d_optimizer, self.g_optimizer = (self.kept[0][name] for name in "dg")
        try:
            return super().update(x, y)
        finally:
            del self.d_optimizer, self.g_optimizer


def listed():
    keras.utils.set_random_seed(1)
    model = Listed()
    model.compile()
    model.kept = [{"g": keras.optimizers.Adam(0.1), "d": keras.optimizers.Adam(0.05)}]
    model.kept[0]["g"].build(model.g.trainable_weights)
    model.kept[0]["d"].build(model.d.trainable_weights)
    return model


class Average:
    """A running average of weights, in variables that no layer tracks."""

    def __init__(self, weights):
        self.shadow = [keras.Variable(w.value, trainable=False) for w in weights]

    def follow(self, weights):
        for average, weight in zip(self.shadow, weights):
            average.assign(0.9 * average.value + 0.1 * ops.stop_gradient(weight.value))


class Averaged(Gan):
    def update(self, x, y):
        loss = super().update(x, y)
        self.average.follow(self.g.trainable_weights)
        return loss


def averaged():
    keras.utils.set_random_seed(1)
    model = Averaged()
    model.compile()
    model.g_optimizer, model.d_optimizer = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)
    model.g_optimizer.build(model.g.trainable_weights)
    model.d_optimizer.build(model.d.trainable_weights)
    model.average = Average(model.g.trainable_weights)
    return model


class Counter(keras.layers.Layer):
    """Counts its training steps in a variable of TensorFlow, and draws from its own generator."""

    def __init__(self):
        super().__init__()
        import tensorflow as tf

        self.steps = tf.Variable(0, trainable=False)
        self.generator = tf.random.Generator.from_seed(7)

    def call(self, x, training=False):
        if training:
            self.steps.assign_add(1)
            return x + 0.01 * self.generator.normal(ops.shape(x))
        return x


def torch_module(kind):
    import torch

    class Counts(torch.nn.Module):
        """Its buffers are put anew at every step, as `x = x + 1` does, and one is not saved."""

        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros(()))
            self.register_buffer("sums", torch.zeros(4), persistent=False)

        def forward(self, x):
            if self.training:
                self.count = self.count + 1
                self.sums = self.sums + x.detach().sum(0)
            return x

    torch.manual_seed(1)
    return torch.nn.BatchNorm1d(4) if kind == "statistics" else Counts()


def sequential(*layers, optimizer=None, batch=None):
    model = keras.Sequential([keras.Input((4,), batch_size=batch), *layers])
    model.compile(optimizer or keras.optimizers.Adam(0.05), "mse")
    return model


def network(*kinds):
    keras.utils.set_random_seed(1)
    middle = [kind() for kind in kinds]
    return sequential(keras.layers.Dense(4), *middle, keras.layers.Dense(1))


def lora(mode=None):
    keras.utils.set_random_seed(1)
    model = sequential(keras.layers.Dense(4, name="a"), keras.layers.Dense(1))
    layer = model.get_layer("a")
    if mode is not None:
        layer.quantize(mode)
    layer.enable_lora(2)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model


def float8():
    keras.utils.set_random_seed(1)
    model = sequential(keras.layers.Dense(4, name="a"), keras.layers.Dense(1))
    model.get_layer("a").quantize("float8")
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model


def stateful():
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Reshape((4, 1)), keras.layers.SimpleRNN(3, stateful=True)]
    return sequential(*layers, keras.layers.Dense(1), batch=BATCH)


def several():
    keras.utils.set_random_seed(1)
    first, second = keras.optimizers.SGD(0.02, momentum=0.9), keras.optimizers.Adam(0.01)
    optimizer = keras.optimizers.MultiOptimizer(lambda v: first if "kernel" in v.path else second)
    return sequential(keras.layers.Dense(4), keras.layers.Dense(1), optimizer=optimizer)


def values(variables):
    return [np.array(ops.convert_to_numpy(v.value)) for v in variables]


def slots(*optimizers):
    """Returns the state of optimizers but for their rates."""
    own = [v for o in optimizers for v in o.variables if "learning_rate" not in v.path]
    return values(own)


def module_values(module):
    return [b.detach().numpy().copy() for b in module.buffers()]


def _counter(model):
    layer = next(layer for layer in model.layers if isinstance(layer, Counter))
    return [layer.steps.numpy(), layer.generator.state.numpy()]


# By name: what builds the model, and what reads of it that which the row is about.
ROWS = {
    "BatchNorm and dropout": (
        lambda: network(keras.layers.BatchNormalization, lambda: keras.layers.Dropout(0.3)),
        lambda m: values(m.layers[1].non_trainable_variables),
    ),
    "LoRA": (lora, lambda m: values(m.get_layer("a").weights)),
    "LoRA on int8": (lambda: lora("int8"), lambda m: values(m.get_layer("a").weights)),
    "float8": (float8, lambda m: values(m.get_layer("a").weights)),
}
if BACKEND != "jax":
    # On JAX Keras leaves the states as they are in training; on PyTorch it fails but for this one.
    ROWS["stateful RNN"] = stateful, lambda m: values(m.layers[1].states)
if hasattr(keras.optimizers, "MultiOptimizer"):
    ROWS["several optimizers in one"] = several, lambda m: slots(*m.optimizer.optimizers)
if BACKEND != "jax":
    ROWS["GAN"] = gan, lambda m: slots(m.g_optimizer, m.d_optimizer)
    ROWS["GAN, optimizers in a list"] = listed, lambda m: slots(*m.kept[0].values())
    ROWS["average in a helper"] = averaged, lambda m: values(m.average.shadow)
if BACKEND == "tensorflow":
    ROWS["variable of TensorFlow"] = lambda: network(Counter), _counter
if BACKEND == "torch":
    ROWS["buffers of PyTorch"] = (
        lambda: network(lambda: keras.layers.TorchModuleWrapper(torch_module("statistics"))),
        lambda m: module_values(m.layers[1].module),
    )
    ROWS["buffers put anew"] = (
        lambda: network(lambda: keras.layers.TorchModuleWrapper(torch_module("counts"))),
        lambda m: module_values(m.layers[1].module),
    )


def state(model, name):
    """Returns all weights, the slots of `model.optimizer` if it is used, and the row's values."""
    own = [] if isinstance(model, OwnStep) else slots(model.optimizer)
    return [*values(model.weights), *own, *ROWS[name][1](model)]


def fit(model, epochs, used=(), **options):
    """Trains on two batches per epoch."""
    options = {"epochs": epochs, "batch_size": BATCH, "shuffle": False, "verbose": 0, **options}
    return model.fit(X, Y, callbacks=[*used], **options)


class Watch(keras.callbacks.Callback):
    """Notes the state at the end of every epoch and at the begin of the next."""

    def __init__(self, name):
        super().__init__()
        self.name, self.ends, self.begins = name, [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.begins.append(state(self.model, self.name))

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(state(self.model, self.name))


def feed(values, name="metric"):
    """Returns a callback that puts these values in the place of a metric."""
    return unit_gradient.Feed(list(values), name)
