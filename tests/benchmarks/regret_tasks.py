"""The family of tasks, by kind, on which advice about rates is judged by the loss on unseen rows.

Each task has rows to train on, rows to choose and react with (validation), and rows that nothing
has seen (test). Whole kinds belong to one of two groups: rules are tuned on the first, and the
second is kept aside until they stand. Needs the back end JAX.
"""

import functools
import zlib
from dataclasses import dataclass

import jax
import keras
import numpy as np
from regret_task_constants import constant_loss
from regret_task_models import LOSSES, OPTIMIZERS, Variational, network
from regret_task_sequences import DATA

TUNING, ASIDE = "tuning", "kept aside"
_HELD = 600
_PRE_TRAINING = 1000


@dataclass(frozen=True)
class Task:
    """One network on one set of data, with a loss, an optimizer and a batch size."""

    group: str
    kind: str
    data: str
    network: str
    loss: str
    optimizer: str
    batch_size: int
    rows: int
    checkpoint: str = ""  # the data that the network was trained on before
    new_head: bool = False

    @property
    def name(self):
        words = self.data, self.network, self.loss, self.optimizer, str(self.batch_size)
        return "-".join(words)

    @property
    def in_loop(self):
        """False where a compiled loop would be slow on a CPU, as XLA's convolutions are in one."""
        return "convolutions" not in self.network

    def parts(self):
        """Returns training, validation and test rows, each as (inputs, targets, weights)."""
        return _parts(self.data, self.rows)

    def model(self, seed):
        """Returns the model, compiled and built, its new weights drawn from `seed`."""
        x, y, _ = self.parts()[0]
        if self.checkpoint:
            model = _continued(self, seed)
        elif self.network == "variational":
            keras.utils.set_random_seed(seed)
            pixels = self.loss == "binary"
            model = Variational(x.shape[1], 32, 4, "tanh" if pixels else "relu", pixels, seed)
        else:
            keras.utils.set_random_seed(seed)
            model = network(self.network, self.loss, x, y)
        return _compiled(model, self.loss, OPTIMIZERS[self.optimizer](), self.parts()[0])

    def constant_loss(self, part=2):
        """Returns the loss, on one of the parts, of the constant answer best on training rows."""
        train = self.parts()[0]
        return constant_loss(self.model(0), self.loss, train, self.parts()[part])


@functools.lru_cache(None)
def _parts(data, rows):
    rng = np.random.default_rng(zlib.crc32(data.encode()))
    x, y, *weights = DATA[data](rng, rows + 2 * _HELD)
    arrays = x, y, weights[0] if weights else None
    count = len(jax.tree.leaves(x)[0])
    held = min(_HELD, (count - rows) // 2)
    order = rng.permutation(count)
    train, validation, test, _ = np.split(order, [rows, rows + held, rows + 2 * held])
    return tuple(
        jax.tree.map(lambda a, rows=rows: a[rows], arrays) for rows in (train, validation, test)
    )


def _compiled(model, loss, optimizer, part):
    variational = isinstance(model, Variational)
    model.compile(optimizer, None if variational else LOSSES[loss]())
    head = jax.tree.map(lambda a: a[:2], part)
    if variational:
        model(head[0])
        model.optimizer.build(model.trainable_variables)
    else:
        # Builds loss, metrics and optimizer, so that the state has its form before the first step.
        model._symbolic_build(data_batch=head)
    return model


def _continued(task, seed):
    """Returns a network whose weights come from a checkpoint; those of a new head from `seed`."""
    x, y, _ = task.parts()[0]
    weights = _checkpoint(task.checkpoint, task.network, task.loss)
    keras.utils.set_random_seed(seed)
    model = network(task.network, task.loss, x, y)
    for layer, values in zip(model.layers, weights):
        if not (task.new_head and layer.name == "head"):
            layer.set_weights(values)
    return model


@functools.lru_cache(None)
def _checkpoint(data, name, loss):
    """Returns the weights of each layer after training on other data."""
    (x, y, _), _, _ = _parts(data, 800)
    keras.utils.set_random_seed(0)
    decay = keras.optimizers.schedules.PolynomialDecay(0.005, _PRE_TRAINING, 0.0)
    optimizer = keras.optimizers.Adam(decay)
    model = _compiled(network(name, loss, x, y), loss, optimizer, (x, y, None))
    order = np.random.default_rng(0).integers(len(x), size=(_PRE_TRAINING, 32))
    x, y, order = jax.numpy.asarray(x), jax.numpy.asarray(y), jax.numpy.asarray(order)
    variables = (
        model.trainable_variables, model.non_trainable_variables,
        model.optimizer.variables, model.metrics_variables,
    )  # fmt: skip
    state = [[v.value for v in group] for group in variables]

    def update(i, state):
        return [list(s) for s in model.train_step(state, (x[order[i]], y[order[i]], None))[1]]

    run = jax.jit(lambda state: jax.lax.fori_loop(0, _PRE_TRAINING, update, state))
    for variable, value in zip(variables[0] + variables[1], sum(run(state)[:2], [])):
        variable.assign(value)
    return [layer.get_weights() for layer in model.layers]


# Kind: (data, network, loss, optimizer, batch size, training rows), …
_TUNING = {
    "plain classification": (
        ("digits", "relu2", "classes", "Adam", 32, 900),
        ("cancer", "tanh1", "binary", "momentum", 16, 250),
        ("classes", "residual", "classes", "AdamW", 64, 2000),
    ),
    "raw inputs": (
        ("bright_digits", "relu2", "classes", "Adam", 32, 700),
        ("raw_wine", "relu1", "classes", "momentum", 8, 90),
        ("raw_cancer", "relu2", "binary", "RMSprop", 16, 250),
        ("people", "relu2", "mse", "Adam", 32, 800),
    ),
    "embeddings": (
        ("ratings", "factors", "mse", "Adam", 64, 3000),
        ("clicks", "embedded1", "binary", "Adagrad", 32, 2500),
        ("word_pairs", "embedded2", "classes", "RMSprop", 64, 2000),
    ),
    "noisy labels": (
        ("mislabelled_digits", "wide1", "classes", "Adam", 32, 800),
        ("flipped_moons", "relu3", "binary", "momentum", 16, 400),
        ("guessed_classes", "swish2", "classes", "Nadam", 64, 1200),
    ),
    "class weights": (
        ("rare", "relu2", "binary", "Adam", 32, 1200),
        ("eights", "tanh2", "binary", "AdamW", 32, 900),
        ("skewed_classes", "relu2", "classes", "momentum", 64, 1500),
    ),
    "heavy-tailed targets": (
        ("heavy_tails", "relu2", "mse", "Adam", 32, 800),
        ("heavier_tails", "tanh2", "mae", "RMSprop", 16, 800),
        ("heavy_diabetes", "elu2", "mae", "SGD", 16, 240),
    ),
    "BatchNorm": (
        ("digits", "batchnorm2", "classes", "Nadam", 32, 600),
        ("teacher", "batchnorm3", "mse", "SGD", 128, 1500),
        ("classes", "batchnorm1", "classes", "RMSprop", 16, 700),
    ),
    "recurrent": (
        ("sines", "gru", "mse", "Adam", 32, 600),
        ("counting", "lstm", "mse", "RMSprop", 16, 800),
        ("markov", "embedded_gru", "classes", "Nadam", 32, 500),
    ),
    "new head on a checkpoint": (
        ("high_digits", "relu2", "classes", "Adam", 16, 200, "low_digits", True),
        ("related_teacher", "swish2", "mse", "RMSprop", 32, 300, "clean_teacher", True),
        ("merged_classes", "relu3", "classes", "momentum", 32, 300, "many_classes", True),
    ),
    "segmentation": (
        ("disks", "convolutions2", "binary", "Adam", 16, 400),
        ("figures", "normalized_convolutions", "classes", "momentum", 8, 300),
        ("reddish", "convolutions3", "dice", "RMSprop", 8, 600),
    ),
    "plateau before learning": (
        ("parity", "tanh2", "binary", "momentum", 32, 500),
        ("spirals", "sigmoid4", "binary", "Adam", 32, 1000),
        ("product", "tanh5", "mse", "AdamW", 64, 1500),
    ),
    "offset targets": (
        ("offset_teacher", "relu2", "mse", "Adam", 32, 1000),
        ("offset_diabetes", "tanh2", "mse", "Lion", 16, 240),
        ("offset_friedman", "layernorm2", "mae", "AdamW", 64, 1200),
    ),
}
_ASIDE = {
    "plain regression": (
        ("friedman", "relu3", "mse", "Nadam", 32, 600),
        ("diabetes", "layernorm2", "mse", "RMSprop", 32, 240),
        ("teacher", "swish2", "huber", "momentum", 128, 2000),
    ),
    "raw targets": (
        ("progression", "relu2", "mse", "Adam", 16, 240),
        ("prices", "elu2", "mae", "RMSprop", 32, 800),
        ("centred_prices", "relu2", "mse", "momentum", 32, 1000),
    ),
    "sparse counts": (
        ("topics", "relu1", "classes", "AdamW", 32, 800),
        ("sentiment", "linear", "binary", "Adagrad", 16, 1500),
        ("visits", "relu1", "poisson", "Adam", 64, 1500),
    ),
    "focal loss": (
        ("fraud", "relu2", "focal", "Adam", 32, 1200),
        ("one_hot_digits", "tanh2", "focal_classes", "RMSprop", 32, 600),
        ("rings", "relu3", "balanced_focal", "momentum", 32, 800),
    ),
    "tiny batches": (
        ("diabetes", "relu2", "mse", "Adam", 4, 240),
        ("wine", "elu2", "classes", "momentum", 4, 90),
        ("digits", "relu1", "classes", "Lion", 8, 500),
    ),
    "dropout": (
        ("digits", "dropout1", "classes", "AdamW", 32, 400),
        ("classes", "dropout2", "classes", "nesterov", 64, 1200),
        ("friedman", "dropout3", "mse", "Adam", 32, 500),
    ),
    "attention from scratch": (
        ("counting", "attention", "mse", "Adam", 32, 800),
        ("letters", "causal_attention", "classes", "AdamW", 16, 600),
        ("lookup", "asking_attention", "classes", "Nadam", 32, 2500),
    ),
    "a checkpoint trained further": (
        ("turned_digits", "relu2", "classes", "Adam", 16, 250, "digits"),
        ("faster_sines", "tanh2", "mse", "RMSprop", 16, 250, "sines"),
        ("later_chains", "causal_attention", "classes", "AdamW", 16, 250, "markov"),
    ),
    "variational": (
        ("pictures", "variational", "binary", "Adam", 32, 900),
        ("clusters", "variational", "mse", "RMSprop", 32, 500),
        ("patches", "variational", "mse", "AdamW", 64, 1500),
    ),
    "quantiles": (
        ("uneven", "relu2", "pinball9", "SGD", 32, 800),
        ("friedman", "tanh2", "pinball1", "RMSprop", 16, 400),
        ("uneven", "swish2", "pinballs", "momentum", 64, 1000),
    ),
    "two outputs": (
        ("digit_and_ink", "relu2", "class_and_value", "Adam", 32, 800),
        ("class_and_value", "batchnorm2", "class_and_value", "Lion", 64, 1200),
        ("two_values", "elu2", "two_values", "momentum", 32, 800),
    ),
    "memory": (
        ("first_token", "token_gru", "classes", "Adam", 32, 1000),
        ("adding", "lstm", "mse", "RMSprop", 32, 1000),
        ("first_or_last", "rnn", "mse", "momentum", 32, 1000),
    ),
}
TASKS = tuple(
    Task(group, kind, *task)
    for group, kinds in ((TUNING, _TUNING), (ASIDE, _ASIDE))
    for kind, tasks in kinds.items()
    for task in tasks
)
