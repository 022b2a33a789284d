"""Live variables: seen by the compiled step, and by nothing that saves, loads or copies."""

import h5py
import keras
import numpy as np
import pytest
from keras import ops
from support import unit_gradient
from support.counting import build, moved, several, traces

from keras_lr.keras_private.live_variables import LiveVariable, LiveVariables, own_variables
from keras_lr.keras_private.optimizers import RATE_METHOD, leaves
from keras_lr.keras_private.overrides import Overrides

PER_EPOCH = 4
TABLE = [0.1, 0.4, 0.2, 0.8]


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.5),
    "adam": lambda: keras.optimizers.Adam(0.5, epsilon=1e-12),
    "accumulation": lambda: keras.optimizers.SGD(0.5, gradient_accumulation_steps=2),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5)),
    "several": pytest.param(several, marks=unit_gradient.needs_multi_optimizer),
}
EVERY = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


class Dial(keras.callbacks.Callback):
    """Multiplies the rates of a model's optimizers by a live factor, another one in each epoch."""

    def __init__(self, factors, meanwhile=lambda model: None):
        super().__init__()
        self.factors, self.meanwhile, self.overrides = factors, meanwhile, Overrides()

    def on_train_begin(self, logs=None):
        model = self.model
        self.live, self.dials = LiveVariables(model), []
        for optimizer in leaves(model.optimizer):
            dial = self.live.add(optimizer, 1.0)
            self.overrides.put(optimizer, RATE_METHOD, self.rate(optimizer, dial))
            self.dials.append(dial)
        self.overrides.note(model, "train_function")
        model.make_train_function(force=True)

    def rate(self, optimizer, dial):
        return lambda: ops.multiply(optimizer._learning_rate, dial)

    def on_epoch_begin(self, epoch, logs=None):
        self.meanwhile(self.model)
        for dial in self.dials:
            dial.assign(self.factors[epoch])

    def on_train_end(self, logs=None):
        self.live.take_off()
        self.overrides.take_off()


def in_a_file(path):
    """Returns the shapes of what a weights file holds, by their places in it."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item.shape} if hasattr(item, "shape") else {})
        )
    return found


@EVERY
def test_a_factor_changed_between_epochs_moves_the_weights_and_traces_nothing(make):
    model = build(make(), layers=2)
    factors = [1.0, 0.5, 0.25, 3.0]
    unit_gradient.fit(model, PER_EPOCH, len(factors), [Dial(factors)])
    accumulates = leaves(model.optimizer)[0].gradient_accumulation_steps or 1
    rates = [float(leaf.learning_rate) for leaf in leaves(model.optimizer)]
    for rate, layer in zip([*rates, rates[-1]], moved(model)):
        made = np.arange(len(layer)) % accumulates == accumulates - 1
        np.testing.assert_allclose(layer, rate * np.repeat(factors, PER_EPOCH) * made, rtol=1e-4)
    steps = len(factors) * PER_EPOCH
    expected = steps if keras.config.backend() == "torch" else 1
    assert [layer.calls for layer in traces(model)] == [expected] * 2


@EVERY
def test_files_written_meanwhile_have_the_layout_of_keras(make, tmp_path):
    model = build(make(), layers=2)
    plain, driven = tmp_path / "plain.weights.h5", tmp_path / "driven.weights.h5"
    model.save_weights(plain)
    model.save(tmp_path / "plain.keras")

    def write(model):
        model.save_weights(driven)
        model.save(tmp_path / "driven.keras")

    unit_gradient.fit(model, PER_EPOCH, 2, [Dial([1.0, 0.5], write)])
    assert in_a_file(driven) == in_a_file(plain)
    sizes = []
    for name in ("plain", "driven"):
        archive = np.load(tmp_path / f"{name}.keras", allow_pickle=False)
        (tmp_path / f"{name}.h5").write_bytes(archive["model.weights.h5"])
        sizes.append(in_a_file(tmp_path / f"{name}.h5"))
    assert sizes[0] == sizes[1]


@EVERY
def test_weights_loaded_meanwhile_are_loaded_whole(make, tmp_path, recwarn):
    model = build(make(), layers=2)
    unit_gradient.fit(model, PER_EPOCH)
    path = tmp_path / "before.weights.h5"
    model.save_weights(path)
    counts = [int(leaf._iterations) for leaf in leaves(model.optimizer)]
    assert counts[0] == PER_EPOCH
    load = iter([lambda model: None, lambda model: model.load_weights(path)])
    unit_gradient.fit(model, PER_EPOCH, 2, [Dial([1.0, 0.5], lambda model: next(load)(model))])
    # An epoch that was loaded over, and one after it.
    assert [int(leaf._iterations) for leaf in leaves(model.optimizer)] == [2 * n for n in counts]
    assert not [w for w in recwarn if "Skipping variable loading" in str(w.message)]


@EVERY
def test_afterwards_training_is_as_it_was(make):
    model, alone = build(make(), layers=2), build(make(), layers=2)
    held = [set(vars(leaf)) for leaf in leaves(model.optimizer)]
    count = len(model.optimizer.variables)
    unit_gradient.fit(model, PER_EPOCH, 2, [Dial([1.0, 1.0])])
    assert [set(vars(leaf)) for leaf in leaves(model.optimizer)] == held
    assert len(model.optimizer.variables) == count
    for layer in traces(model):
        layer.calls = 0
    unit_gradient.fit(model, PER_EPOCH)
    unit_gradient.fit(alone, PER_EPOCH, 3)
    for one, other in zip(moved(model), moved(alone)):
        assert np.array_equal(one, other)
    if keras.config.backend() != "torch":
        # What was compiled before is compiled no more, or once.
        assert max(layer.calls for layer in traces(model)) <= 1


@EVERY
def test_a_table_is_read_at_the_update(make):
    model, overrides = build(make()), Overrides()
    live = LiveVariables(model)
    tables = {leaf: live.add(leaf, np.zeros(4)) for leaf in leaves(model.optimizer)}

    def read(optimizer):
        return lambda: ops.take(tables[optimizer], optimizer.iterations)

    for leaf in tables:
        overrides.put(leaf, RATE_METHOD, read(leaf))
    tables[leaves(model.optimizer)[0]].assign(TABLE)
    every = leaves(model.optimizer)[0].gradient_accumulation_steps or 1
    unit_gradient.fit(model, 4 * every)
    live.take_off()
    overrides.take_off()
    np.testing.assert_allclose(moved(model)[0][every - 1 :: every], TABLE, rtol=1e-4)


def test_they_are_none_of_the_optimizers_own_variables():
    model = build(keras.optimizers.Adam(0.1))
    own = [id(v) for v in model.optimizer.variables]
    live, other = LiveVariables(model), LiveVariables(model)
    one, two = live.add(model.optimizer, 1.0), other.add(model.optimizer, [1.0, 2.0])
    assert isinstance(one, LiveVariable) and two.shape == (2,)
    assert [id(v) for v in own_variables(model.optimizer)] == own
    for each in (other, live):
        each.take_off()
    assert [id(v) for v in model.optimizer.variables] == own
    assert "save_own_variables" not in vars(model.optimizer)
