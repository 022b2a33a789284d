"""What a range test is given as data, in every form that `fit` takes, and what it must leave."""

import random

import keras
import numpy as np
import pytest
from keras import ops

RNG = np.random.default_rng(1)
X = RNG.normal(size=(20, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]] + 0.3 * RNG.normal(size=(20, 1))).astype("float32")
# 20 samples in batches of 8: the last has 4.
BATCHES = [(X[i : i + 8], Y[i : i + 8]) for i in (0, 8, 16)]
SWEEP = {"verbose": 0, "start": 1e-3, "end": 0.05, "num_steps": 8, "shuffle": False}


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return BATCHES[index]


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return BATCHES[index % 3]


def generator():
    yield from BATCHES


def tensorflow_data(finish=lambda data: data):
    tf = pytest.importorskip("tensorflow")
    return finish(tf.data.Dataset.from_tensor_slices((X, Y)).batch(8))


def torch_loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(data, batch_size=8)


KINDS = {
    "arrays": lambda: (X, Y),
    "tensors": lambda: (ops.convert_to_tensor(X), ops.convert_to_tensor(Y)),
    "PyDataset": lambda: (Batches(), None),
    "PyDataset without end": lambda: (Endless(), None),
    "PyDataset with workers": lambda: (Batches(workers=2), None),
    "function that makes a generator": lambda: (generator, None),
    "tf.data": lambda: (tensorflow_data(), None),
    "tf.data without end": lambda: (tensorflow_data(lambda data: data.repeat()), None),
    "tf.data of unknown length": lambda: (
        tensorflow_data(lambda data: data.filter(lambda x, y: True)),
        None,
    ),
    "DataLoader": lambda: (torch_loader(), None),
}


def values(variables):
    return [ops.convert_to_numpy(v.value).copy() for v in variables]


def state(model):
    """Everything that has a value: of the model, its optimizer, its metrics, all generators."""
    found = {
        "weights": values(model.variables),
        "optimizer": values(model.optimizer.variables),
        "metrics": values(model.metrics_variables),
        "numpy": [np.random.get_state()[1].copy(), np.array(np.random.get_state()[2])],
        "python": [np.array(random.getstate()[1])],
    }
    if keras.config.backend() == "torch":
        import torch

        found["torch"] = [torch.get_rng_state().numpy().copy()]
    return found


def attributes(model):
    names = ("train_function", "test_function", "stop_training", "history", "steps_per_execution")
    names += ("_compile_loss", "_compile_metrics", "_loss_tracker", "optimizer")
    found = {name: getattr(model, name, None) for name in names}
    leaf = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return {**found, "rate": leaf._learning_rate, "own": set(vars(leaf)), "keys": set(vars(model))}


def assert_same(before, after):
    assert before.keys() == after.keys()
    for name in before:
        assert len(before[name]) == len(after[name]), name
        for one, other in zip(before[name], after[name]):
            # By bytes: NaN is equal to itself, and -0.0 is not 0.0.
            assert one.dtype == other.dtype and one.tobytes() == other.tobytes(), name
