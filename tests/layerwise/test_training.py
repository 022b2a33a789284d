"""Groups in training: like one optimizer but for the rate, frozen to the bit, whole when loaded."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops, optimizers
from support import unit_gradient
from support.tiers import once, rest

from keras_lr import callbacks, discriminative, get_rate
from keras_lr.schedules import Constant, LinearDecay

pytestmark = unit_gradient.needs_multi_optimizer

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(12, 3)).astype("float32")
Y = RANDOM.normal(size=(12, 2)).astype("float32")


def build():
    keras.utils.set_random_seed(1)
    names = ("embed", "block", "head")
    layers = [keras.layers.Dense(2, name=name, activation="tanh") for name in names]
    layers.insert(1, keras.layers.BatchNormalization(name="norm"))
    layers[0].kernel_constraint = keras.constraints.MaxNorm(0.5)
    return keras.Sequential([keras.Input((3,)), *layers])


def trained(optimizer, model=None, compiled=False):
    model = model or build()
    # Compiling takes longer than all the rest.
    model.compile(optimizer, "mse", run_eagerly=not compiled)
    model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return model


OPTIMIZERS = {
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "AdamW": lambda: optimizers.AdamW(LinearDecay(0.1, 10), weight_decay=0.1),
    "clipnorm": lambda: optimizers.Adam(0.1, clipnorm=0.01),
    "average": lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5),
    "overwritten by its average": lambda: optimizers.SGD(
        0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    ),
    "accumulation": lambda: optimizers.Adam(0.1, gradient_accumulation_steps=3),
}
COMPILED = ("AdamW", "average")
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


@once
@every_optimizer
def test_groups_of_multiplier_1_train_like_one_optimizer(name):
    make, model, compiled = OPTIMIZERS[name], build(), name in COMPILED
    grouped = discriminative(make(), model, {"block": 1.0, "*/bias": 1.0})
    trained(grouped, model, compiled)
    plain = trained(make(), compiled=compiled)
    for ours, expected in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)


@every_optimizer
def test_a_multiplier_of_0_freezes_exactly_the_named_weights(name):
    make, model = OPTIMIZERS[name], build()
    before = [weight.copy() for weight in model.get_weights()]
    frozen = {"embed": 0, "block/bias": 0}
    optimizer = discriminative(make(), model, frozen)
    trained(optimizer, model, name in COMPILED)
    for weight, old in zip(model.weights, before):
        named = "embed" in weight.path or weight.path.endswith("block/bias")
        new = ops.convert_to_numpy(weight.value)
        assert (new.tobytes() == old.tobytes()) == named, weight.path
    slots = [variable.path for variable in optimizer.variables]
    assert not any("embed" in path or "block_bias" in path for path in slots)
    assert any("head_kernel" in path for path in slots) == (len(slots) > 4)


def test_what_was_excluded_from_weight_decay_stays_so():
    def make():
        optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
        return optimizer

    model = build()
    grouped = trained(discriminative(make(), model, {"block": 1.0}), model)
    for ours, plain in zip(grouped.get_weights(), trained(make()).get_weights()):
        np.testing.assert_allclose(ours, plain, atol=1e-6)


def test_the_multiplier_scales_the_decay_too():
    layers = [keras.layers.Dense(1, use_bias=False, name=name) for name in "ab"]
    model = keras.Sequential([keras.Input((1,)), *layers])
    model.set_weights([np.ones((1, 1))] * 2)
    optimizer = discriminative(optimizers.SGD(0.5, weight_decay=0.1), model, {"a": 0.2})
    # The gradient is 0: only the decay moves the weights, by lr · decay · weight.
    model.compile(optimizer, lambda y_true, y_pred: 0.0 * ops.mean(y_pred))
    model.train_on_batch(np.ones((1, 1)), np.ones((1, 1)))
    moved = [1.0 - weight.item() for weight in model.get_weights()]
    assert moved == pytest.approx([0.01, 0.05], abs=1e-6)


def test_a_group_that_the_loss_does_not_see():
    inputs = keras.Input((3,))
    outputs = {name: keras.layers.Dense(2, name=name)(inputs) for name in ("seen", "unseen")}
    model = keras.Model(inputs, outputs)
    optimizer = discriminative(optimizers.SGD(0.1), model, {"unseen": 0.5})
    model.compile(optimizer, {"seen": "mse", "unseen": None})
    before = [weight.copy() for weight in model.get_weights()]
    model.fit(X, {"seen": Y}, batch_size=4, verbose=0)
    moved = [(new != old).any() for new, old in zip(model.get_weights(), before)]
    assert moved == ["unseen" not in weight.path for weight in model.weights]
    assert [int(part.iterations) for part in optimizer.optimizers] == [3, 3]


def test_another_set_of_weights_is_refused():
    model = build()
    optimizer = discriminative(optimizers.SGD(0.1), model, {"block": 0.1})
    model.layers[0].trainable = False
    with pytest.raises(ValueError, match="made for, .*Received: 6 trainable weights, made for 8"):
        trained(optimizer, model)
    model.layers[0].trainable = True
    trained(optimizer, model)
    model.layers[0].trainable = False
    with pytest.raises(ValueError, match="trainable"):
        trained(optimizer, model)


def test_a_lambda_is_no_hindrance(recwarn):
    model = build()
    schedule = LinearDecay(0.1, 10) * (lambda t: 1.0 / (1.0 + t))
    optimizer = discriminative(optimizers.SGD(schedule), model, {"block": 0.5})
    assert get_rate(optimizer) == pytest.approx({"rest": 0.1, "block": 0.05})
    assert not recwarn.list


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """Keras gives its weights other paths when it is loaded."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.second = keras.layers.Dense(3), keras.layers.Dense(2)

    def call(self, x):
        return self.second(self.first(x))


SCRIPT = """
import json, os, sys
import keras, numpy as np
import keras_lr
found = {}
loaded = {"model": keras.models.load_model(os.path.join(sys.argv[1], "model.keras"))}
import test_training as here
loaded["subclassed"] = keras.models.load_model(os.path.join(sys.argv[1], "subclassed.keras"))
loaded["weights"] = model = here.compiled(here.build(), here.MULTIPLIERS)
model.optimizer.build(model.trainable_variables)
model.load_weights(os.path.join(sys.argv[1], "weights.weights.h5"))
for name, model in loaded.items():
    state = [np.array(v).tolist() for v in model.optimizer.variables]
    found[name] = state, keras_lr.get_rate(model), here.went_on(model)
print(json.dumps(found))
"""
MULTIPLIERS = {"embed": 0, "block": 0.1}


def compiled(model, multipliers):
    optimizer = optimizers.Adam(LinearDecay(0.1, 20))
    model.compile(discriminative(optimizer, model, multipliers), "mse")
    return model


def went_on(model):
    """Returns the weights after two more epochs, the second at a rate that a callback names."""
    for extra in ([], [callbacks.FitSchedule(Constant(0.02))]):
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0, callbacks=extra)
    return [weight.tolist() for weight in model.get_weights()]


@rest
def test_saved_and_loaded_in_a_fresh_process(tmp_path):
    other = Subclassed()
    other(X)
    saved = {
        "model": compiled(build(), MULTIPLIERS),
        "weights": compiled(build(), MULTIPLIERS),
        "subclassed": compiled(other, {other.first.name: 0.1}),
    }
    for name, model in saved.items():
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
        if name == "weights":
            model.save_weights(tmp_path / "weights.weights.h5")
        else:
            model.save(tmp_path / f"{name}.keras")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    here = pathlib.Path(__file__).parent
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=here).stdout
    for name, (state, rates, weights) in json.loads(found.splitlines()[-1]).items():
        model = saved[name]
        assert rates == pytest.approx(get_rate(model)), name
        for theirs, variable in zip(state, model.optimizer.variables, strict=True):
            np.testing.assert_allclose(theirs, variable.numpy(), rtol=1e-6, err_msg=name)
        for theirs, ours in zip(weights, went_on(model), strict=True):
            np.testing.assert_allclose(theirs, ours, atol=1e-6, err_msg=name)


def test_keras_3_14_is_told(monkeypatch):
    monkeypatch.delattr(optimizers, "MultiOptimizer")
    with pytest.raises(RuntimeError, match=r"pip install 'keras>=3.15'\. Received: Keras 3"):
        discriminative(optimizers.SGD(0.1), build(), {"block": 0.1})
