"""Which runs the verdict on training curves is trained and judged on: a family of sweeps.

A sweep is one task (`regret_tasks.py`, and convolutions and autoencoders made here) with an
optimizer, a batch size, a number of rows, a schedule and a number of epochs, all drawn from fixed
seeds, and the same run at 18 rates. Then come tasks that are drawn too (`diagnosis_drawn.py`), one
sweep each, as what is learned about other tasks grows with the number of tasks. Needs the back end
JAX.
"""

import dataclasses
import itertools

import numpy as np
import regret_task_models
from diagnosis_drawn import KIND_ASIDE, drawn
from keras import layers, ops
from regret_tasks import TASKS, Task

RATES, RATIO = 18, 2.15
_SWEEPS, _DRAWN = 252, 500
SCHEDULES = "constant", "linear", "cosine", "WSD", "plateau"
_MOST_UPDATES, _LEAST_UPDATES = 2400, 80
_FEWER_UPDATES = {"images": 400, "drawn": 1600}
# The middle of the sweep, by optimizer; a range of 5.6 decades is around it.
_MIDDLES = {
    "SGD": 0.1, "momentum": 0.02, "nesterov": 0.02, "Adam": 0.005, "AdamW": 0.005,
    "RMSprop": 0.003, "Adagrad": 0.1, "Nadam": 0.005, "Lion": 0.001,
}  # fmt: skip
_COMMON = "SGD", "momentum", "Adam", "AdamW", "RMSprop", "Adagrad"
# On these the middle for SGD, whose best rate goes with the scale of inputs and targets, is lower.
_SCALED = {
    "bright_digits": 1e-3, "raw_wine": 1e-4, "raw_cancer": 1e-4, "people": 1e-4, "topics": 0.3,
    "progression": 1e-2, "prices": 1e-2, "centred_prices": 1e-2, "offset_teacher": 0.1,
    "offset_diabetes": 0.1, "offset_friedman": 0.1,
}  # fmt: skip
# Kinds of tasks, a third of all, that nothing is tuned on.
ASIDE_KINDS = {
    "raw targets", "sparse counts", "focal loss", "tiny batches", "a checkpoint trained further",
    "quantiles", "two outputs", "memory", "convolutions aside", KIND_ASIDE,
}  # fmt: skip


def _shifted(x, filters):
    """A 3 × 3 convolution as one product: XLA's own are slow on a CPU in a loop."""
    height, width = x.shape[1:3]
    padded = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    parts = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return layers.Dense(filters)(ops.concatenate(parts, -1))


def _images(*filters, normalized=False):
    def build(x):
        x = layers.Reshape((8, 8, 1))(x) if len(x.shape) == 2 else x
        for count in filters:
            x = _shifted(x, count)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x) if normalized else x)
            x = layers.AveragePooling2D(2)(x)
        return layers.Flatten()(x)

    return build


regret_task_models.NETWORKS.update(
    images=_images(8, 12),
    normalized_images=_images(8, 12, normalized=True),
    bottleneck=regret_task_models.dense(24, 6, 24),
)
_ADDED = (
    ("convolutions", "digits", "images", "classes", "Adam", 32, 800),
    ("convolutions", "mislabelled_digits", "normalized_images", "classes", "momentum", 32, 900),
    ("convolutions", "eights", "normalized_images", "binary", "SGD", 64, 900),
    ("convolutions aside", "turned_digits", "normalized_images", "classes", "Adam", 16, 600),
    ("convolutions aside", "one_hot_digits", "images", "focal_classes", "RMSprop", 32, 900),
    ("autoencoding", "pictures", "bottleneck", "mse", "Adam", 32, 900),
    ("autoencoding", "clusters", "bottleneck", "mse", "momentum", 32, 800),
    ("autoencoding", "patches", "bottleneck", "mae", "AdamW", 64, 2000),
)
TASKS_OF_FAMILY = tuple(t for t in TASKS if t.in_loop) + tuple(Task("", *row) for row in _ADDED)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The same run at `RATES` rates, from the same weights and with the same batches."""

    task: Task
    schedule: str
    epochs: int
    seed: int

    @property
    def name(self):
        parts = self.task.name, str(self.task.rows), self.schedule, str(self.epochs), str(self.seed)
        return "-".join(parts)

    def path(self, folder):
        """The file of what it leaves."""
        return folder / f"{self.name}.npz"

    @property
    def group(self):
        """What is left out together: all tasks on the same data."""
        return self.task.data

    @property
    def is_aside(self):
        return self.task.kind in ASIDE_KINDS

    @property
    def rates(self):
        middle = _MIDDLES[self.task.optimizer]
        if self.task.optimizer in ("SGD", "momentum", "nesterov"):
            middle *= _SCALED.get(self.task.data, 1.0)
        return middle * RATIO ** (np.arange(RATES) - (RATES - 1) / 2)


def family():
    """Returns the sweeps: every task with its own optimizer, some with another, and drawn tasks."""
    pairs = (
        sweep
        for number in itertools.count()
        for index, task in _shuffled(number)
        for sweep in _variants(task, np.random.default_rng([number, index]), number)
    )
    of_drawn = (
        sweep
        for number in range(_DRAWN)
        for sweep in list(_variants(drawn(number), np.random.default_rng([0, 0, number]), 0))[:1]
    )
    return [*itertools.islice(pairs, _SWEEPS), *of_drawn]


def _shuffled(number):
    order = np.random.default_rng(number).permutation(len(TASKS_OF_FAMILY))
    return [(int(i), TASKS_OF_FAMILY[i]) for i in order]


def _variants(task, rng, number):
    optimizer = str(rng.choice(_COMMON)) if number else task.optimizer
    rows = max(int(task.rows * rng.choice([0.35, 0.6, 1.0])), 60)
    largest = min(256, rows // 3)
    sizes = [size for size in (8, 16, 32, 64, 128, 256) if size <= largest]
    size = int(rng.choice(sizes))
    task = dataclasses.replace(task, optimizer=optimizer, batch_size=size, rows=rows)
    each = rows // size
    most = next((n for word, n in _FEWER_UPDATES.items() if word in task.network), _MOST_UPDATES)
    longest = int(np.clip(most / each, 10, 300))
    shortest = int(np.clip(_LEAST_UPDATES / each, 10, longest))
    schedules = rng.permutation(SCHEDULES)
    for i in range(2):
        epochs = int(round(np.exp(rng.uniform(np.log(shortest), np.log(longest)))))
        yield Sweep(task, str(schedules[i]), epochs, 10 * number + i)
