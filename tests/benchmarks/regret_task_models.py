"""The networks, losses and optimizers of the tasks, by their names."""

import jax
import keras
from keras import layers, ops


def dense(*units, activation="relu", before=None, after=None, initializer="glorot_uniform"):
    def build(x):
        x = layers.Flatten()(x) if len(x.shape) > 2 else x
        for count in units:
            x = layers.Dense(count, kernel_initializer=initializer)(x)
            x = layers.Activation(activation)(before()(x) if before else x)
            x = after()(x) if after else x
        return x

    return build


def _residual(x):
    x = layers.Dense(24)(x)
    for _ in range(3):
        x = x + layers.Dense(24)(layers.Dense(32, "gelu")(layers.LayerNormalization()(x)))
    return layers.LayerNormalization()(x)


def _block(x, causal=False):
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 8)(y, y, use_causal_mask=causal)
    return x + layers.Dense(16)(layers.Dense(32, "gelu")(layers.LayerNormalization()(x)))


def _placed(x, tokens=40):
    length = x.shape[1]
    x = layers.Dense(16)(x) if len(x.shape) > 2 else layers.Embedding(tokens, 16)(x)
    return x + layers.Embedding(length, 16)(ops.arange(length))


def _attention(x):
    return layers.GlobalAveragePooling1D()(_block(_placed(x)))


def _causal_attention(x):
    return layers.LayerNormalization()(_block(_placed(x, 64), causal=True))


def _asking_attention(x):
    # The question stands last.
    return layers.LayerNormalization()(_block(_placed(x)))[:, -1]


def _factors(x):
    left, right = (layers.Embedding(100, 6)(x[:, i]) for i in range(2))
    return layers.Dot(axes=1)([left, right])


def _embedded(*units):
    def build(x):
        return dense(*units)(layers.Flatten()(layers.Embedding(100, 8)(x)))

    return build


def _convolutions(*filters, normalized=False):
    def build(x):
        for count in filters:
            x = layers.Conv2D(count, 3, padding="same", use_bias=not normalized)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x) if normalized else x)
        return x

    return build


def _normalization():
    return layers.BatchNormalization(momentum=0.9)


NETWORKS = {
    "linear": dense(),
    "relu1": dense(32),
    "relu2": dense(32, 32),
    "relu3": dense(24, 24, 24),
    "he4": dense(24, 24, 24, 24, initializer="he_normal"),
    "wide1": dense(128),
    "tanh1": dense(24, activation="tanh"),
    "tanh2": dense(24, 24, activation="tanh"),
    "elu2": dense(16, 16, activation="elu"),
    "swish2": dense(40, 40, activation="swish"),
    "sigmoid4": dense(10, 10, 10, 10, activation="sigmoid"),
    "tanh5": dense(12, 12, 12, 12, 12, activation="tanh"),
    "layernorm2": dense(24, 24, before=layers.LayerNormalization),
    "batchnorm1": dense(48, before=layers.BatchNormalization),
    "batchnorm2": dense(32, 32, before=_normalization),
    "batchnorm3": dense(24, 24, 24, before=_normalization),
    "dropout1": dense(64, after=lambda: layers.Dropout(0.5)),
    "dropout2": dense(40, 40, after=lambda: layers.Dropout(0.3)),
    "dropout3": dense(32, 32, 32, after=lambda: layers.Dropout(0.15), activation="gelu"),
    "residual": _residual,
    "factors": _factors,
    "embedded1": _embedded(24),
    "embedded2": _embedded(32, 16),
    "gru": lambda x: layers.GRU(12)(x),
    "lstm": lambda x: layers.LSTM(12)(x),
    "embedded_gru": lambda x: layers.GRU(16, return_sequences=True)(layers.Embedding(12, 8)(x)),
    "token_gru": lambda x: layers.GRU(12)(layers.Embedding(8, 6)(x)),
    "rnn": lambda x: layers.SimpleRNN(16)(x),
    "attention": _attention,
    "causal_attention": _causal_attention,
    "asking_attention": _asking_attention,
    "convolutions2": _convolutions(8, 8),
    "convolutions3": _convolutions(6, 6, 6),
    "normalized_convolutions": _convolutions(8, 8, normalized=True),
}


def pinball(*quantiles):
    """Quantile loss: mean of max(q e, (q − 1) e) with e = target − prediction."""

    def loss(y, predicted):
        error, q = y - predicted, ops.array(quantiles, dtype=predicted.dtype)
        return ops.mean(ops.maximum(q * error, (q - 1.0) * error), axis=-1)

    return loss


def _sparse():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


LOSSES = {
    "classes": _sparse,
    "binary": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "poisson": keras.losses.Poisson,
    "focal": lambda: keras.losses.BinaryFocalCrossentropy(from_logits=True),
    "balanced_focal": lambda: keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, gamma=3.0, from_logits=True
    ),
    "focal_classes": lambda: keras.losses.CategoricalFocalCrossentropy(from_logits=True),
    "dice": keras.losses.Dice,
    "pinball9": lambda: pinball(0.9),
    "pinball1": lambda: pinball(0.1),
    "pinballs": lambda: pinball(0.1, 0.5, 0.9),
    "class_and_value": lambda: [_sparse(), keras.losses.MeanSquaredError()],
    "two_values": lambda: [keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()],
}
_LAST = {"poisson": "softplus", "dice": "sigmoid"}

# Every rate is Keras' default.
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.01),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "Adam": lambda: keras.optimizers.Adam(0.001),
    "AdamW": lambda: keras.optimizers.AdamW(0.001),
    "RMSprop": lambda: keras.optimizers.RMSprop(0.001),
    "Nadam": lambda: keras.optimizers.Nadam(0.001),
    "Lion": lambda: keras.optimizers.Lion(0.001),
    "Adagrad": lambda: keras.optimizers.Adagrad(0.001),
}


def _units(loss, y):
    if loss == "pinballs":
        return 3
    if y.dtype.kind == "i":
        return int(y.max()) + 1
    return y.shape[-1]


def network(name, loss, x, y):
    """Returns a functional model of this network, with a last layer for each output of `y`."""
    if isinstance(x, dict):
        inputs = {k: keras.Input(a.shape[1:], dtype=a.dtype, name=k) for k, a in x.items()}
        features = NETWORKS[name](layers.Concatenate()(list(inputs.values())))
    else:
        inputs = keras.Input(x.shape[1:], dtype=x.dtype)
        features = NETWORKS[name](inputs)
    if name == "factors":
        return keras.Model(inputs, layers.Dense(1, name="head")(features))

    def head(target, i=""):
        units, activation = _units(loss, target), _LAST.get(loss)
        return layers.Dense(units, activation, name=f"head{i}")(features)

    several = isinstance(y, list)
    outputs = [head(target, i) for i, target in enumerate(y)] if several else head(y)
    return keras.Model(inputs, outputs)


class _Sample(layers.Layer):
    """Draws z = mean + exp(log variance / 2) · noise."""

    def __init__(self, seed):
        super().__init__()
        self._noise = keras.random.SeedGenerator(seed)

    def call(self, mean, log_variance):
        noise = keras.random.normal(ops.shape(mean), seed=self._noise)
        return mean + ops.exp(0.5 * log_variance) * noise


class Variational(keras.Model):
    """A variational autoencoder with steps of its own, as Keras' guide for JAX writes them."""

    def __init__(self, size, hidden, codes, activation, pixels, seed):
        super().__init__()
        self.encoder = layers.Dense(hidden, activation)
        self.mean, self.log_variance = layers.Dense(codes), layers.Dense(codes)
        self.sample = _Sample(seed)
        self.decoder = keras.Sequential([layers.Dense(hidden, activation), layers.Dense(size)])
        self.pixels = pixels
        self.total = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.total]

    def call(self, x):
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        return self.decoder(self.sample(mean, log_variance)), mean, log_variance

    def _bound(self, trainable, others, x):
        """Returns the negative evidence bound of a row and the new state of the noise."""
        (y, mean, log_variance), others = self.stateless_call(trainable, others, x)
        if self.pixels:
            error = ops.binary_crossentropy(x, y, from_logits=True)
        else:
            error = 2.0 * ops.square(x - y)
        divergence = 0.5 * (ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance)
        return ops.mean(ops.sum(error, -1) + ops.sum(divergence, -1)), others

    def constant_loss(self, x, centre):
        """Returns the loss of one answer for every row, with a code that says nothing."""
        if self.pixels:
            p = ops.clip(centre, 1e-6, 1.0 - 1e-6)
            error = -x * ops.log(p) - (1.0 - x) * ops.log(1.0 - p)
        else:
            error = 2.0 * ops.square(x - centre)
        return float(ops.mean(ops.sum(error, -1)))

    def _record(self, metrics, loss, rows):
        metrics = self.total.stateless_update_state(metrics, loss, sample_weight=rows)
        return {"loss": self.total.stateless_result(metrics)}, metrics

    def train_step(self, state, data):
        trainable, others, slots, metrics = state
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        gradient = jax.value_and_grad(self._bound, has_aux=True)
        (loss, others), gradients = gradient(trainable, others, x)
        trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
        logs, metrics = self._record(metrics, loss, x.shape[0])
        return logs, (trainable, others, slots, metrics)

    def test_step(self, state, data):
        trainable, others, metrics = state
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        loss, others = self._bound(trainable, others, x)
        logs, metrics = self._record(metrics, loss, x.shape[0])
        return logs, (trainable, others, metrics)
