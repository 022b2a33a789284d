"""Range tests of models whose `train_step` chooses which optimizer updates, and how often."""

import keras
import numpy as np
import pytest
from keras import ops
from support import changing_models as models
from support import unit_gradient
from support.range_tests import assert_same
from support.wrapped import Wrapper

from keras_lr import range_test

X = np.zeros((8, 1), "float32")
SWEEP = {"start": 1e-3, "end": 1e-1, "num_steps": 20, "batch_size": 2, "verbose": 0}
needs_own_optimizers = pytest.mark.skipif(
    models.BACKEND == "jax", reason="JAX hands a step the state of model.optimizer alone"
)


class OneWeight(models.OwnStep):
    """Its loss is its weight, whose gradient is 1; `plan` has the updates of every batch.

    "a" is an update by an optimizer of its own, "m" one by `model.optimizer`.
    """

    def __init__(self, plan=("a",)):
        super().__init__()
        self.one, self.plan = unit_gradient.Trace(), list(plan)
        self.one.build((None, 1))
        self.built = True

    def call(self, x, training=False):
        return self.one(x)

    def update(self, x, y):
        loss = ops.mean(self(x))
        for names in self.plan:
            optimizer = self.optimizer if names == "m" else self.a
            self.descend(optimizer, self.one, lambda: ops.mean(self(x)))
        return loss


def one_weight(*plan):
    model = OneWeight(plan)
    model.compile(keras.optimizers.SGD(0.25))
    model.a = keras.optimizers.SGD(0.5)
    model.a.build(model.trainable_variables)
    model.optimizer.build(model.trainable_variables)
    return model


def state(model):
    found = {"weights": models.values(model.weights)}
    return {**found, "slots": models.values([*model.a.variables, *model.optimizer.variables])}


def losses(model, **options):
    before = state(model)
    found = range_test(model, X, X, **{**SWEEP, **options})
    assert_same(before, state(model))
    np.testing.assert_allclose(found.learning_rates[:20], np.geomspace(1e-3, 1e-1, 20), rtol=1e-9)
    return found.losses, found.learning_rates


@needs_own_optimizers
def test_the_optimizer_that_is_named_moves_the_weights_at_the_rates():
    model = one_weight("a")
    found, rates = losses(model, optimizer=model.a)
    np.testing.assert_allclose(-np.diff(found), rates[:-1], rtol=2e-3)


@needs_own_optimizers
def test_the_others_go_on_at_their_own_rates():
    model = one_weight("a", "m")
    found, rates = losses(model, optimizer=model.a)
    np.testing.assert_allclose(-np.diff(found), rates[:-1] + 0.25, rtol=1e-4)


@needs_own_optimizers
@pytest.mark.parametrize("times", [2, 5])
def test_several_updates_of_a_batch_are_at_one_rate(times):
    model = one_weight(*"m" * times)
    found, rates = losses(model)
    assert len(found) >= 20
    np.testing.assert_allclose(-np.diff(found), times * rates[:-1], rtol=2e-3)


@needs_own_optimizers
def test_an_optimizer_that_does_not_update_is_refused_and_nothing_has_changed():
    model = one_weight("a")
    before = state(model)
    message = (
        r"must make updates with the optimizer sgd.*\(SGD\).*none in 50 batches"
        r".*model\.a that updates: range_test\(…, optimizer=model\.a\)"
    )
    with pytest.raises(ValueError, match=message):
        range_test(model, X, X, **SWEEP)
    assert_same(before, state(model))
    model = one_weight("m")
    with pytest.raises(ValueError, match="none in 50 batches"):
        range_test(model, X, X, **SWEEP, optimizer=model.a)


@needs_own_optimizers
def test_an_optimizer_that_is_not_built_is_refused_and_nothing_has_changed():
    model = models.gan(is_built=False)
    before = models.values(model.weights)
    for named in ({}, {"optimizer": model.g_optimizer}):
        with pytest.raises(ValueError, match=r"model\.g_optimizer\.build\(weights\)"):
            range_test(model, models.X, models.Y, verbose=0, **named)
    assert not model.g_optimizer.built and not model.d_optimizer.built
    assert all(np.array_equal(a, b) for a, b in zip(before, models.values(model.weights)))


@needs_own_optimizers
@pytest.mark.parametrize("is_named", [True, False])
def test_of_an_optimizer_around_another_the_inner_one_is_swept(is_named):
    model = unit_gradient.build(Wrapper(keras.optimizers.SGD(0.5)))
    model.optimizer.build(model.trainable_variables)
    named = {"optimizer": model.optimizer.base} if is_named else {}
    found = range_test(model, X, X, **SWEEP, **named)
    np.testing.assert_allclose(-np.diff(found.losses), found.learning_rates[:-1], rtol=2e-3)


@unit_gradient.needs_multi_optimizer
def test_one_part_of_several_optimizers_can_be_named_on_every_back_end():
    first, second = keras.optimizers.SGD(0.25), keras.optimizers.SGD(0.1)
    optimizer = keras.optimizers.MultiOptimizer(lambda v: first if "trace_0" in v.path else second)
    model = unit_gradient.build(optimizer, layers=2)
    found = range_test(model, X, X, **SWEEP, optimizer=second)
    np.testing.assert_allclose(-np.diff(found.losses), 0.25 + found.learning_rates[:-1], rtol=1e-4)


@pytest.mark.skipif(models.BACKEND != "jax", reason="the others can")
def test_on_jax_an_optimizer_beside_the_model_s_is_refused():
    model = unit_gradient.build("sgd")
    with pytest.raises(ValueError, match="On JAX a step is handed.*MultiOptimizer"):
        range_test(model, X, X, **SWEEP, optimizer=keras.optimizers.SGD(0.1))


def test_what_is_no_optimizer_is_refused():
    model = unit_gradient.build("sgd")
    with pytest.raises(ValueError, match="`optimizer` must be None or an optimizer"):
        range_test(model, X, X, **SWEEP, optimizer="adam")
