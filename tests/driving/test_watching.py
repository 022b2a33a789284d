"""Which optimizer updates: exchanged, the model's own, wrapped, shared, left by an interrupt."""

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import matrix
from support.wrapped import Wrapper

from keras_lr import callbacks, get_rate, schedules, set_rate

BACKEND = keras.backend.backend()
LINEAR = schedules.LinearDecay(0.8, "100%")
trains_by_hand = pytest.mark.skipif(BACKEND == "jax", reason="the step there is a pure function")


class Exchange(keras.callbacks.Callback):
    """Gives the model another optimizer when epoch 2 begins, as an unfrozen second stage does."""

    def __init__(self, rate, compiles):
        super().__init__()
        self.rate, self.compiles = rate, compiles

    def on_epoch_begin(self, epoch, logs=None):
        if epoch != 2:
            return
        optimizer = keras.optimizers.SGD(self.rate)
        if self.compiles:
            self.model.compile(optimizer, unit_gradient.mean_output)
        else:
            self.model.optimizer = optimizer


def cut():
    return [unit_gradient.Feed([1.0] * 4), callbacks.ReduceLROnPlateau("loss", 0.5, patience=1)]


# What is in the fit, and the rates of 4 epochs of 2 updates at 0.4, and at 0.2 from epoch 2 on.
EXCHANGED = {
    "fit schedule": (lambda: [callbacks.FitSchedule(LINEAR)], 0.8 * (1 - np.arange(8) / 8)),
    "warmup": (
        lambda: [callbacks.Warmup(6)],
        [0.4 / 6, 0.8 / 6, 0.2, 1.6 / 6, 1 / 6, 0.2, 0.2, 0.2],
    ),
    "plateau": (cut, [0.4, 0.4, 0.4, 0.4, 0.1, 0.1, 0.05, 0.05]),
    "nothing but a record": (lambda: [], [0.4] * 4 + [0.2] * 4),
}


@pytest.mark.parametrize("compiles", [True, False])
@pytest.mark.parametrize("kind", EXCHANGED)
def test_another_optimizer_is_driven_from_there_on(kind, compiles):
    make, expected = EXCHANGED[kind]
    model, recorder = (
        unit_gradient.build(keras.optimizers.SGD(0.4)),
        callbacks.LearningRateRecorder(),
    )
    used = [Exchange(0.2, compiles), *make(), recorder]
    history = unit_gradient.fit(model, 2, 4, used).history
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)
    assert recorder.updates.tolist() == list(range(8)) and not recorder.undone.any()
    np.testing.assert_allclose(history["learning_rate"], expected[1::2], atol=1e-7)


@pytest.mark.parametrize("before, after", [(1, 2), (2, 1)])
def test_another_accumulation_goes_on_at_the_same_batch(before, after):
    def optimizer(every):
        return keras.optimizers.SGD(0.4, gradient_accumulation_steps=every if every > 1 else None)

    class Other(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.compile(optimizer(after), unit_gradient.mean_output)

    model, recorder = unit_gradient.build(optimizer(before)), callbacks.LearningRateRecorder()
    unit_gradient.fit(model, 4, 2, [Other(), callbacks.FitSchedule(LINEAR), recorder])
    # Half of the run is behind; the updates of an epoch fall on every batch, or every second one.
    halves = {1: np.arange(4) / 8, 2: np.arange(2) / 4}
    expected = 0.8 * (1 - np.concatenate([halves[before], 0.5 + halves[after]]))
    moved = unit_gradient.applied(model)
    np.testing.assert_allclose(moved[moved != 0], expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)


class OwnStep(keras.Model):
    """A model whose step uses an optimizer of its own, and not the one that `compile` is given."""

    def train_step(self, data):
        weights = self.trainable_variables
        gradients = [keras.ops.ones_like(weight) for weight in weights]
        self(data[0], training=True)
        self.own.apply(gradients, weights)
        return {"loss": keras.ops.sum(weights[0])}


def own_step(rate):
    inputs = keras.Input((1,))
    model = OwnStep(inputs, unit_gradient.Trace(name="trace_0")(inputs))
    model.compile("rmsprop", unit_gradient.mean_output)
    model.own = keras.optimizers.SGD(rate)
    model.own.build(model.trainable_variables)
    return model


DRIVING = {
    "fit schedule": lambda **o: callbacks.FitSchedule(LINEAR, **o),
    "scheduler": lambda **o: callbacks.LearningRateScheduler(lambda epoch: 0.1 / 2**epoch, **o),
    "plateau": lambda **o: callbacks.ReduceLROnPlateau("m", 0.5, 1, mode="min", **o),
    "warmup": lambda **o: callbacks.Warmup(4, **o),
}
RATES = {
    "fit schedule": 0.8 * (1 - np.arange(6) / 6),
    "scheduler": [0.1, 0.1, 0.05, 0.05, 0.025, 0.025],
    "plateau": [0.4, 0.4, 0.4, 0.4, 0.2, 0.2],
    "warmup": [0.1, 0.2, 0.3, 0.4, 0.4, 0.4],
}


@trains_by_hand
@pytest.mark.parametrize("kind", DRIVING)
def test_one_that_makes_no_update_is_named_with_the_one_that_does(kind):
    model, feed = own_step(0.4), unit_gradient.Feed([1.0] * 3, "m")
    message = "rmsprop.* no update in this epoch.*model.own: give callbacks optimizer=model.own"
    with pytest.raises(ValueError, match=message.replace("rmsprop", "rm")):
        unit_gradient.fit(model, 2, 3, [feed, DRIVING[kind]()])
    assert len(unit_gradient.applied(model)) == 2


@trains_by_hand
@pytest.mark.parametrize("kind", DRIVING)
def test_a_named_optimizer_is_driven_and_recorded(kind):
    model, feed = own_step(0.4), unit_gradient.Feed([1.0] * 3, "m")
    recorder = callbacks.LearningRateRecorder(optimizer=model.own)
    unit_gradient.fit(model, 2, 3, [feed, DRIVING[kind](optimizer=model.own), recorder])
    np.testing.assert_allclose(unit_gradient.applied(model), RATES[kind], atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, RATES[kind], atol=1e-7)
    if kind == "plateau":
        # The reduction stays; nothing else does.
        assert get_rate(model.own) == pytest.approx(0.1)


@trains_by_hand
def test_a_record_of_what_makes_no_update_is_empty_and_says_so():
    model, recorder = own_step(0.4), callbacks.LearningRateRecorder()
    with pytest.warns(UserWarning, match="no update in this epoch.*optimizer=model.own"):
        unit_gradient.fit(model, 2, 2, [recorder])
    assert recorder.learning_rate.size == 0


def test_one_base_for_each_optimizer():
    model = own_step(0.4)
    other = callbacks.RandomLearningRate(0.1, 0.2, optimizer=model.own)
    with pytest.raises(ValueError, match="FitSchedule and RandomLearningRate"):
        mine = callbacks.FitSchedule(LINEAR, optimizer=model.own)
        unit_gradient.fit(model, 2, 1, [mine, other])
    with pytest.raises(ValueError, match="`optimizer` must be an optimizer, or None.*Received"):
        callbacks.Warmup(2, optimizer="sgd")


class OpenWrapper(Wrapper):
    """Counts the variables of the optimizer inside among its own, as JAX needs it."""

    @property
    def variables(self):
        return [*super().variables, *self.base.variables]


WRAPPERS = [OpenWrapper] if BACKEND == "jax" else [Wrapper, OpenWrapper]


@pytest.mark.parametrize(("kind", "wrapper"), matrix(DRIVING, WRAPPERS))
def test_the_optimizer_inside_a_wrapper_is_driven(kind, wrapper):
    model = unit_gradient.build(wrapper(keras.optimizers.SGD(0.4)))
    recorder = callbacks.LearningRateRecorder()
    feed = unit_gradient.Feed([1.0] * 3, "m")
    unit_gradient.fit(model, 2, 3, [feed, DRIVING[kind](), recorder])
    np.testing.assert_allclose(unit_gradient.applied(model), RATES[kind], atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, RATES[kind], atol=1e-7)


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt("stop")


OWN = {"number": lambda: 0.4, "schedule": lambda: schedules.Constant(0.4)}


@pytest.mark.parametrize("own", OWN)
def test_after_an_interrupt_everything_means_what_it_says(own):
    model, used = unit_gradient.build(keras.optimizers.SGD(OWN[own]())), []
    x, y = unit_gradient.batches(1)
    for action in ("nothing", "get", "set", "assign"):
        with pytest.raises(KeyboardInterrupt, match="stop"):
            unit_gradient.fit(model, 2, 1, [callbacks.FitSchedule(LINEAR), Interrupt()])
        count = len(unit_gradient.applied(model))
        if action == "get":
            assert get_rate(model) == pytest.approx(0.4) == get_rate(model.optimizer)
        if action == "set":
            set_rate(model, 0.3)
        if action == "assign":
            model.optimizer.learning_rate = 0.2 if own == "number" else schedules.Constant(0.2)
        model.train_on_batch(x, y)
        used.append(unit_gradient.applied(model)[count])
    np.testing.assert_allclose(used, [0.4, 0.4, 0.3, 0.2], atol=2e-6)


def pair():
    """Returns two models with one weight and one optimizer, at rate 0.1."""
    inputs, trace = keras.Input((1,)), unit_gradient.Trace(name="trace_0")
    models = [keras.Model(inputs, trace(inputs)) for _ in range(2)]
    optimizer = keras.optimizers.SGD(0.1)
    for model in models:
        model.compile(optimizer, unit_gradient.mean_output)
    return models


SHARED = {"fit schedule": lambda: callbacks.FitSchedule(LINEAR), "warmup": DRIVING["warmup"]}


@pytest.mark.filterwarnings("ignore:The schedules were planned for 2 updates per epoch")
@pytest.mark.parametrize(
    ("kind", "is_traced_before", "is_interrupted"), matrix(SHARED, [False, True], [False, True])
)
def test_another_model_with_the_same_optimizer_has_its_own_rate_afterwards(
    kind, is_traced_before, is_interrupted
):
    driven, other = pair()
    x, y = unit_gradient.batches(1)
    if is_traced_before:
        other.train_on_batch(x, y)
    inside = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: other.train_on_batch(x, y))
    used = [SHARED[kind](), inside, *([Interrupt()] if is_interrupted else [])]
    for _ in range(2):
        if is_interrupted:
            with pytest.raises(KeyboardInterrupt, match="stop"):
                unit_gradient.fit(driven, 2, 2, used)
            assert get_rate(other) == pytest.approx(0.1)
        else:
            unit_gradient.fit(driven, 2, 2, used)
        count = len(unit_gradient.applied(driven))
        other.train_on_batch(x, y)
        unit_gradient.fit(other, 2, 1)
        driven.train_on_batch(x, y)
        np.testing.assert_allclose(unit_gradient.applied(driven)[count:], [0.1] * 4, atol=2e-6)


def nested_fit(driven, other, hook, *used):
    """Fits `driven` in 2 epochs of 2 updates, with one of `other` at each of these hooks."""
    x, y = unit_gradient.batches(1)
    inside = keras.callbacks.LambdaCallback(
        **{hook: lambda *_, logs=None: other.train_on_batch(x, y)}
    )
    return unit_gradient.fit(driven, 2, 2, [*used, inside])


@pytest.mark.filterwarnings("ignore:The schedules were planned for 2 updates per epoch")
@pytest.mark.skipif(BACKEND == "jax", reason="Keras cannot train a second model there")
@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
def test_another_model_compiled_before_has_the_driven_rate_in_batch_hooks(hook):
    driven, other = pair()
    other.train_on_batch(*unit_gradient.batches(1))
    count = len(unit_gradient.applied(driven))
    recorder, schedule = callbacks.LearningRateRecorder(), schedules.LinearDecay(0.8, 8)
    for _ in range(2):
        nested_fit(driven, other, hook, callbacks.FitSchedule(schedule), recorder)
        moved = unit_gradient.applied(driven)[count:]
        np.testing.assert_allclose(moved, schedule.rates(8), atol=2e-6)
        np.testing.assert_allclose(recorder.learning_rate, schedule.rates(8), atol=1e-7)
        # Plain again, and compiled so before the next fit.
        other.train_on_batch(*unit_gradient.batches(1))
        count += 9
        assert unit_gradient.applied(driven)[-1] == pytest.approx(0.1, abs=2e-6)


@pytest.mark.filterwarnings("ignore:The schedules were planned for 2 updates per epoch")
@pytest.mark.skipif(BACKEND != "tensorflow", reason="the others keep no compiled step")
def test_of_another_model_compiled_between_two_fits_the_first_epoch_is_not_known():
    driven, other = pair()
    used = [callbacks.FitSchedule(schedules.LinearDecay(0.8, 8)), callbacks.LearningRateRecorder()]
    for _ in range(2):
        # The second one is the first to know the variables of the optimizer: it compiles anew.
        unit_gradient.fit(driven, 2, 2, used)
    other.train_on_batch(*unit_gradient.batches(1))
    count = len(unit_gradient.applied(driven))
    with pytest.warns(UserWarning, match="has trained with the optimizer of .* compiled before"):
        nested_fit(driven, other, "on_train_batch_end", *used)
    rates = 0.8 * (1 - np.arange(8) / 8)
    moved = unit_gradient.applied(driven)[count:]
    np.testing.assert_allclose(moved, [rates[0], 0.1, rates[2], 0.1, *rates[4:]], atol=2e-6)
    np.testing.assert_allclose(used[1].learning_rate, [np.nan] * 4 + [*rates[4:]], atol=1e-7)
    assert "compiled before" in used[1].events[0].reason


# What JAX does not hand to a training step cannot be driven there.


@pytest.mark.skipif(BACKEND != "jax", reason="the others read a variable where it is")
@pytest.mark.parametrize("kind", DRIVING)
def test_what_the_step_of_jax_does_not_know_is_refused_before_the_first_batch(kind):
    message = "given the variables of model.optimizer.*MultiOptimizer.*by optimizer=.*Received: {}"
    hidden = unit_gradient.build(Wrapper(keras.optimizers.SGD(0.4, name="inside")))
    with pytest.raises(ValueError, match=message.format("inside")):
        unit_gradient.fit(hidden, 2, 3, [unit_gradient.Feed([1.0] * 3, "m"), DRIVING[kind]()])
    other = keras.optimizers.SGD(0.4, name="another")
    named = unit_gradient.build(keras.optimizers.SGD(0.4))
    other.build(named.trainable_variables)
    used = [unit_gradient.Feed([1.0] * 3, "m"), DRIVING[kind](optimizer=other)]
    with pytest.raises(ValueError, match=message.format("another")):
        unit_gradient.fit(named, 2, 3, used)
    for model in (hidden, named):
        assert unit_gradient.applied(model).size == 0


class ByHand(keras.Model):
    """A model with a `train_step` of its own, on every back end, that uses `model.optimizer`."""

    def train_step(self, *arguments):
        if BACKEND != "jax":
            self(arguments[0][0], training=True)
            gradients = [keras.ops.ones_like(weight) for weight in self.trainable_variables]
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": keras.ops.sum(self.trainable_variables[0])}
        (weights, rest, slots, metrics), (x, *_) = arguments
        _, rest = self.stateless_call(weights, rest, x, training=True)
        gradients = [keras.ops.ones_like(weight) for weight in weights]
        weights, slots = self.optimizer.stateless_apply(slots, gradients, weights)
        return {"loss": weights[0]}, (weights, rest, slots, metrics)


def by_hand(**rates):
    """Returns a model with an optimizer of its name for each weight, in one MultiOptimizer."""
    inputs = keras.Input((1,))
    traces = [unit_gradient.Trace(name=f"trace_{i}")(inputs) for i in range(len(rates))]
    model = ByHand(inputs, keras.ops.sum(keras.ops.stack(traces), axis=0))
    parts = [keras.optimizers.SGD(rate, name=name) for name, rate in rates.items()]
    places = {f"trace_{i}/.*": part for i, part in enumerate(parts)}
    groups = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1, name="rest"), places)
    model.compile(keras.optimizers.MultiOptimizer(groups), unit_gradient.mean_output)
    return model, parts


@unit_gradient.needs_multi_optimizer
@pytest.mark.parametrize("kind", DRIVING)
def test_a_part_is_named_in_a_step_of_ones_own_on_every_back_end(kind):
    model, (_, part) = by_hand(g=0.3, d=0.4)
    recorder = callbacks.LearningRateRecorder(optimizer=part)
    feed = unit_gradient.Feed([1.0] * 3, "m")
    used = [feed, DRIVING[kind](optimizer=part), recorder, callbacks.LearningRateRecorder()]
    unit_gradient.fit(model, 2, 3, used)
    np.testing.assert_allclose(unit_gradient.applied(model, "trace_1"), RATES[kind], atol=2e-6)
    np.testing.assert_allclose(unit_gradient.applied(model, "trace_0"), [0.3] * 6, atol=2e-6)
    assert list(recorder.learning_rates) == ["d"]
    whole = used[-1].learning_rates
    np.testing.assert_allclose(recorder.learning_rate, RATES[kind], atol=1e-7)
    np.testing.assert_allclose(whole["d"], RATES[kind], atol=1e-7)
    np.testing.assert_allclose(whole["g"], [0.3] * 6, atol=1e-7)


@unit_gradient.needs_multi_optimizer
@pytest.mark.parametrize("named_first", [True, False])
def test_callbacks_of_a_part_and_of_the_whole_multiply(named_first):
    model, (_, part) = by_hand(g=0.3, d=0.4)
    used = [callbacks.FitSchedule(LINEAR, optimizer=part), callbacks.Warmup(4)]
    unit_gradient.fit(model, 2, 3, used if named_first else used[::-1])
    ramp = [0.25, 0.5, 0.75, 1, 1, 1]
    expected = np.multiply(RATES["fit schedule"], ramp)
    np.testing.assert_allclose(unit_gradient.applied(model, "trace_1"), expected, atol=2e-6)
    np.testing.assert_allclose(
        unit_gradient.applied(model, "trace_0"), np.multiply(0.3, ramp), atol=2e-6
    )
    two = [callbacks.FitSchedule(LINEAR), callbacks.FitSchedule(LINEAR, optimizer=part)]
    with pytest.raises(ValueError, match="At most one callback can name absolute.*Received"):
        unit_gradient.fit(model, 2, 1, two)
