"""Tasks drawn at random, each on data of its own, and their sweeps: more than anyone would write.

Task n is drawn from the seed n: data (`diagnosis_drawn_data.py`), rows, and a dense network of one
to three layers with an activation, perhaps a norm or dropout, a loss and an optimizer. Every third
is kept aside. Their sweeps are in NumPy, all rates in one array: nothing is compiled, so a sweep
takes about a second. Losses and optimizers are those of Keras with their defaults.
"""

import dataclasses
import functools

import numpy as np
from diagnosis_drawn_data import DATA
from diagnosis_drawn_training import Network, constant_loss, loss_of, optimizer_of

KIND, KIND_ASIDE = "drawn", "drawn aside"
_SEED, _HELD = 16, 600
_LOSSES = {
    "values": ("mse", "mse", "mae", "huber", "pinball9"),
    "classes": ("classes",), "clusters": ("classes",), "tokens": ("classes",),
    "templates": ("classes",), "halves": ("binary",), "copies": ("mse", "mae"),
    "counts": ("poisson",),
}  # fmt: skip
_CONTENTS = "values", "classes", "halves", *_LOSSES
_OPTIMIZERS = (
    "SGD", "momentum", "nesterov", "Adam", "Adam", "AdamW", "RMSprop", "Adagrad", "Lion",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A task, as `regret_tasks.Task` is, of which the number says the data and the network."""

    number: int
    optimizer: str
    rows: int
    batch_size: int = 32

    @property
    def kind(self):
        return KIND_ASIDE if self.number % 3 == 2 else KIND

    @property
    def data(self):
        return f"drawn{self.number}"

    network = "drawn"

    @property
    def name(self):
        return f"{self.data}-{self.optimizer}-{self.batch_size}"

    @property
    def content(self):
        return _CONTENTS[self.number % len(_CONTENTS)]

    def parts(self):
        """Returns training and validation rows, each as (inputs, targets)."""
        rng = np.random.default_rng([_SEED, self.number, 2])
        fixed = np.random.default_rng([_SEED, self.number, 1])
        x, y = DATA[self.content](fixed, rng, self.rows + _HELD)
        return (x[: self.rows], y[: self.rows]), (x[self.rows :], y[self.rows :])

    def architecture(self):
        """Returns the loss and the arguments of `Network` but for its sizes at both ends."""
        rng = np.random.default_rng([_SEED, self.number, 3])
        widths = [int(w) for w in rng.choice([8, 12, 16, 24, 32, 48], size=rng.integers(1, 4))]
        if self.content == "copies":
            widths = [24, int(rng.integers(3, 8)), 24]
        activation = str(rng.choice(["relu", "relu", "tanh", "swish", "elu"]))
        norm = rng.choice(["", "", "layer", "batch"])
        dropped = float(rng.choice([0.1, 0.3, 0.5])) if rng.random() < 0.2 else 0.0
        return str(rng.choice(_LOSSES[self.content])), widths, activation, str(norm), dropped


def drawn(number):
    """Returns a task."""
    rng = np.random.default_rng([_SEED, number])
    rows = int(np.exp(rng.uniform(np.log(80), np.log(2500))))
    return Drawn(number, str(rng.choice(_OPTIMIZERS)), rows)


class DrawnSweeper:
    """Runs the sweeps of a drawn task; factors are from `factor_of(schedule, updates, count)`."""

    def __init__(self, task, factor_of):
        self.task, self._factor_of = task, factor_of

    @np.errstate(all="ignore")
    def run(self, sweep):
        """Returns the arrays of a sweep."""
        task, peaks = self.task, np.asarray(sweep.rates, "float32")
        (x, y), validation = task.parts()
        loss, *architecture = task.architecture()
        loss_at = loss_of(loss)
        rng, count = np.random.default_rng(sweep.seed), len(peaks)
        outputs = int(max(y.max(), validation[1].max())) + 1 if y.dtype.kind == "i" else y.shape[1]
        network = Network(x.shape[1], outputs, *architecture, count, rng)
        step = optimizer_of(task.optimizer, network.weights)
        each = max(len(x) // task.batch_size, 1)
        factor = self._factor_of(sweep.schedule, sweep.epochs * each, count)
        score = functools.partial(_score, network, loss_at)
        initial, scores = score(x, y), [score(*validation)]
        losses, rates = [], []
        for epoch in range(sweep.epochs):
            order = np.resize(rng.permutation(len(x))[: each * task.batch_size],
                              (each, task.batch_size))  # fmt: skip
            of_epoch = (peaks * factor.at(epoch * each + np.arange(each))).astype("float32")
            for rate, rows in zip(of_epoch, order):
                value, slope = loss_at(network.forward(x[rows], rng), y[rows])
                losses.append(value)
                step(network.backward(slope), rate[:, None])
            rates.append(of_epoch[-1])
            scores.append(score(*validation))
            factor.see(scores[-1])
        updates = np.stack(losses, 1)
        return {
            "peaks": peaks,
            "initial": initial,
            "val_initial": scores[0],
            "constant": np.float64(constant_loss(loss_at, y, validation[1], outputs)),
            "loss": updates.reshape(count, -1, each).mean(2),
            "val_loss": np.stack(scores[1:], 1),
            "rate": np.stack(rates, 1),
            "updates": updates,
        }


def _score(network, loss_at, x, y):
    return loss_at(network.forward(x), y)[0]
