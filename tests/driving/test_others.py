"""What somebody else does to rates and counters: recorded as the weights moved, or as not known."""

import itertools
import math

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import cells, once

from keras_lr import callbacks, schedules

BACKEND = keras.backend.backend()
LINEAR = schedules.LinearDecay(0.8, "100%")
pytestmark = pytest.mark.filterwarnings("ignore:Somebody else writes the learning rate")


def rows(columns, beside=(), quick=4):
    """Returns all combinations, each with values of other columns in turn; a few are quick."""
    together = list(itertools.product(*columns))
    turns = [[row[i % len(row)] for i in range(len(together))] for row in map(list, beside)]
    full = [(*row, *(turn[i] for turn in turns)) for i, row in enumerate(together)]
    return cells(full, full[:: -(-len(full) // quick)])


class Act(keras.callbacks.Callback):
    """Calls `action(optimizer, n)` in one hook: n counts the calls, and the optimizer is fresh."""

    def __init__(self, hook, action, at=None):
        super().__init__()
        self.n = 0

        def act(number, logs=None):
            if at is None or self.n in at:
                action(self.model.optimizer, self.n)
            self.n += 1

        setattr(self, hook, act)


class Cached(keras.callbacks.Callback):
    """Writes at the begin of every batch by an optimizer that it has kept."""

    def on_train_begin(self, logs=None):
        self.kept, self.n = self.model.optimizer, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.kept.learning_rate = 0.01 * (self.n + 1)
        self.n += 1


def assign(optimizer, n):
    optimizer.learning_rate = 0.01 * (n + 1)


def assign_variable(optimizer, n):
    optimizer._learning_rate.assign(0.01 * (n + 1))


def assign_add(optimizer, n):
    optimizer._learning_rate.assign_add(0.01)


def multiply(optimizer, n):
    optimizer.learning_rate = optimizer.learning_rate * 0.9


WRITERS = {
    "batch begin": lambda: Act("on_train_batch_begin", assign),
    "batch end": lambda: Act("on_train_batch_end", assign),
    "variable": lambda: Act("on_train_batch_begin", assign_variable),
    "adds": lambda: Act("on_train_batch_end", assign_add),
    "multiplies": lambda: Act("on_train_batch_begin", multiply),
    "now and then": lambda: Act("on_train_batch_begin", assign, at=(1, 4, 5)),
    "epoch begin": lambda: Act("on_epoch_begin", assign),
    "epoch end": lambda: Act("on_epoch_end", assign),
    "a kept optimizer": Cached,
    "two of them": lambda: keras.callbacks.CallbackList(
        [Act("on_train_batch_begin", assign), Act("on_train_batch_end", assign_variable)]
    ),
}
BESIDE = {
    "nothing": lambda: [],
    "warmup": lambda: [callbacks.Warmup(5)],
    "plateau": lambda: [
        unit_gradient.Feed([1.0] * 4, "m"),
        callbacks.ReduceLROnPlateau("m", 0.5, patience=1, mode="min"),
    ],
    "fit schedule": lambda: [callbacks.FitSchedule(LINEAR)],
    "scheduler": lambda: [callbacks.LearningRateScheduler(lambda epoch: 0.3)],
}


def record(used, optimizer=None, per_epoch=3, epochs=4, first=True, **options):
    """Trains with a recorder before or after what is used; returns both records and the History."""
    model = unit_gradient.build(optimizer or keras.optimizers.SGD(0.4), **options)
    recorder = callbacks.LearningRateRecorder()
    order = [recorder, *used] if first else [*used, recorder]
    history = unit_gradient.fit(model, per_epoch, epochs, order).history
    return recorder, unit_gradient.applied(model), history


@pytest.mark.parametrize(
    ("writer", "beside", "first"), rows([WRITERS, BESIDE], [[True, False, True]], 7)
)
def test_a_number_written_at_any_time_is_recorded_as_it_is_applied(writer, beside, first):
    theirs = WRITERS[writer]()
    theirs = getattr(theirs, "callbacks", [theirs])
    theirs = [c for c in theirs if isinstance(c, (Act, Cached))]
    recorder, moved, history = record([*theirs, *BESIDE[beside]()], first=first)
    np.testing.assert_allclose(recorder.learning_rate, moved, atol=2e-6)
    np.testing.assert_allclose(history["learning_rate"], moved[2::3], atol=2e-6)


@pytest.mark.parametrize("writer", ["batch begin", "batch end"])
def test_with_accumulation_and_several_steps_per_execution(writer):
    optimizer = keras.optimizers.SGD(0.4, gradient_accumulation_steps=2)
    recorder, moved, _ = record([WRITERS[writer]()], optimizer)
    np.testing.assert_allclose(recorder.learning_rate, moved[1::2], atol=2e-6)
    assert not moved[::2].any()
    if BACKEND != "torch":
        options = {"steps_per_execution": 2, "per_epoch": 4}
        recorder, moved, _ = record([WRITERS[writer]()], **options)
        np.testing.assert_allclose(recorder.learning_rate, moved, atol=2e-6)


def test_a_cut_multiplies_what_was_written_last():
    # A warmup by hand, over the batches of the first epoch.
    warmup = Act("on_train_batch_begin", assign, at=range(3))
    cut = callbacks.ReduceLROnPlateau("m", 0.5, patience=1, mode="min")
    feed = unit_gradient.Feed([1.0, 1.0, 0.5], "m")
    recorder, moved, _ = record([warmup, feed, cut], epochs=3)
    expected = [0.01, 0.02, 0.03, 0.03, 0.03, 0.03, 0.015, 0.015, 0.015]
    np.testing.assert_allclose(moved, expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)


class WritesItself(keras.Model):
    """A model whose training step sets the rate, and sets it back."""

    def train_step(self, *arguments):
        if BACKEND == "jax":
            state, data = arguments
            place = [v.path for v in self.optimizer.variables].index(
                self.optimizer._learning_rate.path
            )
            trained, rest, slots, metrics = state
            before = slots[place]
            slots = [keras.ops.add(v, 0.1) if i == place else v for i, v in enumerate(slots)]
            logs, (trained, rest, slots, metrics) = super().train_step(
                (trained, rest, slots, metrics), data
            )
            slots = [before + 0.01 if i == place else v for i, v in enumerate(slots)]
            return logs, (trained, rest, slots, metrics)
        rate = self.optimizer._learning_rate
        before = keras.ops.copy(rate.value)
        rate.assign(rate + 0.1)
        logs = super().train_step(*arguments)
        rate.assign(before + 0.01)
        return logs


def test_what_a_training_step_writes_is_recorded_or_not_known():
    inputs = keras.Input((1,))
    model = WritesItself(inputs, unit_gradient.Trace(name="trace_0")(inputs))
    model.compile(keras.optimizers.SGD(0.4), unit_gradient.mean_output)
    recorder = callbacks.LearningRateRecorder()
    history = unit_gradient.fit(model, 2, 2, [recorder]).history["learning_rate"]
    if BACKEND == "torch":
        # There the step is Python, and every write is seen.
        np.testing.assert_allclose(recorder.learning_rate, unit_gradient.applied(model), atol=2e-6)
        assert recorder.events == []
    else:
        assert np.isnan(recorder.learning_rate).tolist() == [True] * 4
        assert [math.isnan(rate) for rate in history] == [True, True]
        assert [(e.epoch, e.callback, e.update) for e in recorder.events] == [
            (0, "somebody else", 0),
            (1, "somebody else", 2),
        ]
        assert "training step" in recorder.events[0].reason


def test_a_number_written_past_the_variable_is_not_known_at_that_epoch():
    def past(optimizer, n):
        optimizer._learning_rate._direct_assign(keras.ops.convert_to_tensor(0.2, dtype="float32"))

    recorder, moved, history = record([Act("on_train_batch_begin", past, at=[4])])
    np.testing.assert_allclose(moved, [0.4] * 4 + [0.2] * 8, atol=2e-6)
    unknown = slice(3, 6)
    assert np.isnan(recorder.learning_rate[unknown]).all()
    np.testing.assert_allclose(
        np.delete(recorder.learning_rate, unknown), np.delete(moved, unknown), atol=2e-6
    )
    assert [math.isnan(rate) for rate in history["learning_rate"]] == [False, True, False, False]
    (event,) = recorder.events
    assert (event.epoch, event.update, event.callback) == (1, 3, "somebody else")


OWN = {"number": lambda: 0.4, "schedule": lambda: schedules.LinearDecay(0.4, 24)}
HOOKS = ["on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end"]
NEW = schedules.LinearDecay(0.2, 24)


def give_schedule(optimizer, n):
    optimizer.learning_rate = NEW


def expected_after(own, beside, begin):
    """Returns the rates of 12 updates, the new schedule's from `begin` on."""
    t = np.arange(12)
    rates = np.where(t < begin, 0.4 if own == "number" else 0.4 * (1 - t / 24), 0.2 * (1 - t / 24))
    factors = {
        "nothing": 1.0,
        "warmup": np.minimum((t + 1) / 5, 1),
        "plateau": np.repeat([1, 1, 0.5, 0.25], 3),
    }
    if beside == "scheduler":
        return np.full(12, 0.3)
    return 0.8 * (1 - t / 12) if beside == "fit schedule" else rates * factors[beside]


@pytest.mark.parametrize(("own", "beside", "hook"), rows([OWN, BESIDE, HOOKS[:2]]))
def test_a_schedule_assigned_between_epochs_is_the_base_from_there_on(own, beside, hook):
    stranger = Act(hook, give_schedule, at=[1])
    recorder, moved, _ = record([stranger, *BESIDE[beside]()], keras.optimizers.SGD(OWN[own]()))
    expected = expected_after(own, beside, {"on_epoch_begin": 3, "on_epoch_end": 6}[hook])
    np.testing.assert_allclose(moved, expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)
    reasons = [e.reason for e in recorder.events if e.callback == "somebody else"]
    assert reasons == ["another learning_rate was assigned"]


@pytest.mark.parametrize(
    ("beside", "hook", "first", "own"), rows([BESIDE, HOOKS[2:], [True, False]], [[*OWN, "number"]])
)
def test_a_schedule_assigned_in_an_epoch_is_recorded_truly_or_refused(beside, hook, first, own):
    stranger = Act(hook, give_schedule, at=[4])
    used, optimizer = [stranger, *BESIDE[beside]()], keras.optimizers.SGD(OWN[own]())
    if BACKEND == "jax":
        with pytest.raises(ValueError, match="between epochs only: in on_epoch_begin or on_epoch_"):
            record(used, optimizer, first=first)
        return
    recorder, moved, history = record(used, optimizer, first=first)
    known = ~np.isnan(recorder.learning_rate)
    np.testing.assert_allclose(recorder.learning_rate[known], moved[known], atol=2e-6)
    # The one batch in which it was assigned may have had the one or the other; and the end of the
    # one before may not have been told yet, as Keras' threads do that.
    assert len(moved) == len(known) and set(np.flatnonzero(~known)) <= {3, 4}
    assert np.count_nonzero(~known) <= 1
    assert len(history["learning_rate"]) == 4
    np.testing.assert_allclose(moved[5:], expected_after(own, beside, 5)[5:], atol=2e-6)


def set_counter(count):
    return lambda optimizer, n: optimizer._iterations.assign(count)


def run(hook, count, beside, own, at, first=True):
    stranger = Act(hook, set_counter(count), at=[at])
    optimizer = keras.optimizers.SGD(OWN[own]())
    return record([stranger, *BESIDE[beside]()], optimizer, first=first)


@pytest.mark.parametrize(
    ("hook", "beside", "count", "own", "first"),
    rows([HOOKS, BESIDE], [[0, 3, 40], [*OWN, "number"], [True, False, False, True, False]], 5),
)
def test_a_counter_set_by_somebody_else_gives_a_true_record(hook, beside, count, own, first):
    at = 2 if "epoch" in hook else 7
    recorder, moved, _ = run(hook, count, beside, own, at, first)
    assert len(moved) == 12 == len(recorder.updates)
    np.testing.assert_allclose(recorder.learning_rate, moved, atol=2e-6)
    begin = {"on_epoch_begin": 6, "on_epoch_end": 9, "on_train_batch_begin": 7}.get(hook, 8)
    numbers = [*range(begin), *range(count, count + 12 - begin)]
    assert recorder.updates.tolist() == numbers
    if count < begin:
        reasons = [e.reason for e in recorder.events if e.callback == "somebody else"]
        assert reasons == [f"the counter of updates was set from {begin} to {count}"]


def test_a_checkpoint_loaded_by_another_callback_gives_a_true_record(tmp_path):
    path = str(tmp_path / "w.weights.h5")

    class Saves(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.model.save_weights(path)

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.load_weights(path)

    moves = []

    class Moves(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.before = float(self.model.trainable_variables[0])

        def on_epoch_end(self, epoch, logs=None):
            moves.append(self.before - float(self.model.trainable_variables[0]))

    for own in OWN:
        moves.clear()
        used = [Saves(), Moves(), *BESIDE["plateau"](), callbacks.Warmup(8)]
        recorder, _, _ = record(used, keras.optimizers.SGD(OWN[own]()))
        assert recorder.updates.tolist() == [*range(6), *range(3, 9)]
        sums = recorder.learning_rate.reshape(4, 3).sum(axis=1)
        np.testing.assert_allclose(sums, moves, atol=5e-6)


@once
@unit_gradient.needs_multi_optimizer
@pytest.mark.parametrize("several_first", [True, False])
def test_a_column_that_comes_or_goes_is_as_long_as_the_others(several_first):
    def several():
        groups = {"trace_1/.*": keras.optimizers.SGD(0.2, name="b")}
        multi = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1, name="a"), groups)
        return keras.optimizers.MultiOptimizer(multi)

    class Exchange(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                new = keras.optimizers.SGD(0.3) if several_first else several()
                self.model.compile(new, unit_gradient.mean_output)

    recorder = callbacks.LearningRateRecorder()
    first = several() if several_first else keras.optimizers.SGD(0.3)
    model = unit_gradient.build(first, layers=2)
    history = unit_gradient.fit(model, 2, 3, [Exchange(), recorder]).history
    single, named = [0.3, 0.2, 0.2], [math.nan, 0.2, 0.2]
    if several_first:
        single, named = [math.nan, 0.3, 0.3], [0.2, math.nan, math.nan]
    np.testing.assert_allclose(history["learning_rate"], single)
    np.testing.assert_allclose(history["learning_rate_b"], named)
    assert {len(column) for column in history.values()} == {3}
    assert {len(rates) for rates in recorder.learning_rates.values()} == {6}


def test_an_epoch_without_an_update_has_its_place_in_the_column():
    optimizer = keras.optimizers.SGD(0.4, gradient_accumulation_steps=4)
    recorder, moved, history = record([], optimizer, per_epoch=2)
    np.testing.assert_allclose(history["learning_rate"], [math.nan, 0.4, 0.4, 0.4])
    np.testing.assert_allclose(recorder.learning_rate, moved[moved > 0], atol=2e-6)
