"""The documents' two training examples that never ran, and the same experiments in Keras.

B6, a linear model with a linear decay (its diagnosis of the run comes with `diagnose`), and B7,
Adam alone against Adam with a schedule, as an honest comparison: rate tuned for each on the same
grid, ten networks for each, nothing claimed under two standard errors.
"""

import math

import keras
import numpy as np
import pytest
from support.arrays import to_numpy
from support.tiers import rest

from keras_lr import callbacks, schedules

# B6: the document's data and learning rule, as they stand


def document_data(n, d, rng):
    x = rng.standard_normal((n, d))
    return x, np.dot(x, np.array([1.0, -1.0])) + rng.standard_normal()


def document_perceptron(x, y, alpha, iterations):
    weights = np.zeros(x.shape[1])
    for _ in range(iterations):
        for i in range(len(x)):
            prediction = np.dot(x[i], weights)
            weights += alpha * prediction * (y[i] - prediction)
    return weights


def test_b6_the_data_cannot_be_made():
    with pytest.raises(ValueError, match="shapes"):
        document_data(1000, 20, np.random.default_rng(0))


def test_b6_with_two_columns_nothing_moves_and_the_loss_cannot_be_taken():
    x, y = document_data(100, 2, np.random.default_rng(0))
    weights = document_perceptron(x, y, alpha=0.1, iterations=5)
    np.testing.assert_array_equal(weights, 0.0)
    # One draw of noise for all: every target is off by the same amount.
    assert np.ptp(y - x @ [1.0, -1.0]) < 1e-12
    with pytest.raises(ValueError, match="broadcast"):
        np.mean((y - weights) ** 2)


def linear_data(n, noise, rng):
    truth = np.zeros(20)
    truth[:2] = 1.0, -1.0
    x = rng.standard_normal((n, 20))
    y = x @ truth + noise * rng.standard_normal(n)
    return x.astype("float32"), y[:, None].astype("float32"), truth


def test_b6_a_linear_model_with_a_linear_decay_learns():
    x, y, truth = linear_data(1000, 0.5, np.random.default_rng(0))
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((20, 1))])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    at_zero = float(np.mean(y**2))
    driver = callbacks.FitSchedule(schedules.LinearDecay(0.1, "100%"))
    recorder = callbacks.LearningRateRecorder()
    options = {"batch_size": 50, "epochs": 5, "verbose": 0, "callbacks": [driver, recorder]}
    losses = model.fit(x, y, **options).history["loss"]
    weights = to_numpy(model.weights[0].value)[:, 0]
    # The least-squares solution is the best that any run can reach on these data.
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    floor = float(np.mean((y - x @ best) ** 2))
    reached = float(np.mean((y - x @ weights[:, None]) ** 2))
    assert losses[0] < at_zero
    assert losses == sorted(losses, reverse=True)
    assert reached < 1.01 * floor
    np.testing.assert_allclose(weights, truth, atol=0.1)
    np.testing.assert_allclose(recorder.learning_rate, 0.1 * (1 - np.arange(100) / 100))


# B7: Adam alone, and Adam with a schedule

NETWORKS, TUNING, BATCH, UPDATES = 16, 6, 50, 108
TRAIN, VALIDATION, TEST = slice(900), slice(900, 1300), slice(1300, None)
GRID = [0.004, 0.016, 0.064, 0.256]


class Digits:
    """Networks side by side in one model, as Adam treats each weight by itself.

    Each has its own initial weights, split of the images and order of the batches, all drawn by
    NumPy, so that the experiment is the same on every back end. (A seeded Keras on TensorFlow
    would also visit the images in the same order in every epoch.)
    """

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        images, self.labels = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
        self.images = (images / 16).astype("float32")
        self.own = np.stack([rng.permutation(len(images)) for _ in range(NETWORKS)], axis=1)
        self.initial = [
            rng.standard_normal((NETWORKS, 64, 32)) / math.sqrt(64),
            np.zeros((NETWORKS, 32)),
            rng.standard_normal((NETWORKS, 32, 10)) / math.sqrt(32),
            np.zeros((NETWORKS, 10)),
        ]

    def batches(self):
        order = np.random.default_rng(1)
        for _ in range(UPDATES * BATCH // 900):
            shuffled = order.permuted(self.own[TRAIN], axis=0)
            for rows in shuffled.reshape(-1, BATCH, NETWORKS):
                yield self.images[rows], self.labels[rows]

    def accuracy(self, model, part):
        rows = self.own[part]
        answers = to_numpy(model(self.images[rows])).argmax(axis=-1)
        return np.mean(answers == self.labels[rows], axis=0)

    def train(self, learning_rate):
        wide = {"equation": "bni,nio->bno", "bias_axes": "no"}
        layers = [
            keras.layers.EinsumDense(output_shape=(NETWORKS, 32), activation="relu", **wide),
            keras.layers.EinsumDense(output_shape=(NETWORKS, 10), **wide),
        ]
        model = keras.Sequential([keras.Input((NETWORKS, 64)), *layers])
        model.set_weights(self.initial)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
        model.compile(keras.optimizers.Adam(learning_rate), loss)
        model.fit(self.batches(), steps_per_epoch=UPDATES, shuffle=False, verbose=0)
        return model


def tuned(arm, data):
    """Returns the rate that the tuning networks choose, and the test accuracies of the others."""
    found = {}
    for rate in GRID:
        model = data.train(arm(rate))
        score = data.accuracy(model, VALIDATION)[:TUNING].mean()
        found[rate] = score, data.accuracy(model, TEST)[TUNING:]
    best = max(found, key=lambda rate: found[rate][0])
    return best, found[best][1]


def verdict(first, second):
    """Returns the difference by network, its standard error, and what may be said of it."""
    difference = second - first
    mean = difference.mean()
    error = difference.std(ddof=1) / math.sqrt(len(difference))
    claim = "no difference shown" if abs(mean) < 2 * error else "better" if mean > 0 else "worse"
    return mean, error, claim


@pytest.fixture
def one_thread():
    # PyTorch's threads wait for each other busily: 12 times slower where the cores are shared.
    if keras.config.backend() != "torch":
        yield
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@rest
@pytest.mark.usefixtures("one_thread")
def test_b7_adam_alone_against_adam_with_a_schedule():
    data = Digits(seed=1)
    rate, alone = tuned(float, data)
    peak, scheduled = tuned(lambda peak: schedules.LinearDecay(peak, UPDATES), data)
    mean, error, claim = verdict(alone, scheduled)
    # Inside the grid, or the tuning has not found the best rate of either.
    assert {rate, peak} <= set(GRID[1:-1])
    assert rate <= peak
    assert min(alone.mean(), scheduled.mean()) > 0.93
    assert 0 < error < 0.01
    assert claim == "better"
    assert mean < 0.02


def test_b7_nothing_is_claimed_under_two_standard_errors():
    noise = np.array([-1.0, 1.0, -1.0, 1.0])
    assert verdict(np.zeros(4), noise + 1.0)[2] == "no difference shown"
    assert verdict(np.zeros(4), noise + 1.3)[2] == "better"
    assert verdict(np.zeros(4), noise - 1.3)[2] == "worse"
