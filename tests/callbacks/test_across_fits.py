"""One run made of many fits: `across_fits=True`, on the weights."""

import copy
import json
import pickle

import keras
import numpy as np
import pytest
from support import counting, unit_gradient
from support.tiers import cells, once

from keras_lr import callbacks, schedules
from keras_lr.schedules import LinearToZero

EPOCHS, PER_EPOCH = 4, 3
TOTAL = EPOCHS * PER_EPOCH
LOSSES = [1.0, 1.0, 1.2, 0.3]
DRAWS = np.array(
    [0.2879204750061035, 0.16698020696640015, 0.028228819370269775, 0.9647769927978516]
)
STEPS, EPOCH = np.arange(TOTAL), np.arange(TOTAL) // PER_EPOCH
LENGTH = {"epochs": EPOCHS}
# Each: the callback, and the rates of the run on an optimizer of 0.4.
FUNCTIONS = {
    "fit schedule": (
        lambda **o: callbacks.FitSchedule(schedules.LinearDecay(0.8, "100%"), **LENGTH, **o),
        0.8 * (1 - STEPS / TOTAL),
    ),
    "recipe": (
        lambda **o: callbacks.FitSchedule(LinearToZero(0.8, "100%", 0), total_steps=TOTAL, **o),
        0.8 * (1 - STEPS / TOTAL),
    ),
    "warmup": (
        lambda **o: callbacks.Warmup("50%", epochs=EPOCHS, **o),
        0.4 * np.minimum((STEPS + 1) / 6, 1),
    ),
    "warmup in epochs": (
        lambda **o: callbacks.Warmup("2 epochs", **o),
        0.4 * np.minimum((STEPS + 1) / 6, 1),
    ),
    "random rate": (
        lambda **o: callbacks.RandomLearningRate(0.1, 0.3, seed=42, **o),
        0.1 + 0.2 * DRAWS[EPOCH],
    ),
    "jitter": (
        lambda **o: callbacks.RandomJitter(0.5, seed=42, **o),
        0.4 * (0.5 + DRAWS[EPOCH]),
    ),
    "scheduler by updates": (
        lambda **o: callbacks.LearningRateScheduler(lambda k: 0.1 * k, every=2, **LENGTH, **o),
        0.1 * (STEPS // 2),
    ),
}
STATES = {
    "plateau": (
        lambda **o: callbacks.ReduceLROnPlateau("loss", 0.5, 1, start_from_epoch=1, **o),
        0.4 * np.array([1, 1, 1, 0.5])[EPOCH],
    ),
    "bold driver": (
        lambda **o: callbacks.BoldDriver("loss", **o),
        0.4 * np.array([1, 1, 1, 0.5])[EPOCH],
    ),
    "greedy": (
        lambda **o: callbacks.GreedyLR("loss", factor=0.5, patience=1, **o),
        0.4 * np.array([1, 1, 0.5, 0.25])[EPOCH],
    ),
    "threshold": (
        lambda **o: callbacks.LossThreshold([0.5, 1.1], [0.1, 0.2, 0.3], **o),
        np.array([0.4, 0.2, 0.2, 0.3])[EPOCH],
    ),
    "validation decay": (
        lambda **o: callbacks.ValidationDecay("loss", **o),
        # Equal to the best is not worse: it is, from evaluation 3 on, for one.
        0.4 * np.array([1, 1, 1, 1])[EPOCH],
    ),
    "recovery": (
        lambda **o: callbacks.RecoverFromDivergence("loss", verbose=0, **o),
        np.full(TOTAL, 0.4),
    ),
    "scheduler": (
        lambda **o: callbacks.LearningRateScheduler(lambda epoch, lr: 0.5 * lr + epoch / 10, **o),
        np.array([0.2, 0.2, 0.3, 0.45])[EPOCH],
    ),
}
ALL = FUNCTIONS | STATES
OWN = {"number": lambda: 0.4, "schedule": lambda: schedules.Constant(0.4)}


def model_of(own="number"):
    return unit_gradient.build(keras.optimizers.SGD(OWN[own]()))


def fits(model, callback, first=0, last=EPOCHS, others=list, between=lambda c: c):
    """Trains for an epoch per fit, each with the loss of its epoch in the run."""
    for epoch in range(first, last):
        callback = between(callback) if epoch > first else callback
        feed = unit_gradient.Feed([LOSSES[epoch]])
        unit_gradient.fit(model, PER_EPOCH, 1, [feed, callback, *others()])
    return callback


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("kind", cells(ALL, ["fit schedule", "warmup", "plateau", "threshold"]))
def test_fits_of_one_epoch_are_one_fit(kind, own):
    make, expected = ALL[kind]
    model = model_of(own)
    fits(model, make(across_fits=True))
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


@pytest.mark.skipif(keras.config.backend() == "torch", reason="nothing is compiled there")
def test_no_fit_but_the_first_compiles_anything():
    model, counts = counting.build(keras.optimizers.SGD(0.4)), []
    used = [FUNCTIONS["fit schedule"][0](across_fits=True), callbacks.Warmup(6, across_fits=True)]
    plateau = callbacks.ReduceLROnPlateau("loss", 0.5, 1, across_fits=True)
    for loss in LOSSES:
        unit_gradient.fit(model, PER_EPOCH, 1, [unit_gradient.Feed([loss]), *used, plateau])
        counts.append(counting.take_count(model)[0])
    assert counts[0] > 0 and counts[1:] == [0, 0, 0]
    expected = FUNCTIONS["fit schedule"][1] * np.minimum((STEPS + 1) / 6, 1)
    np.testing.assert_allclose(
        counting.moved(model)[0], expected * np.array([1, 1, 0.5, 0.25])[EPOCH], atol=2e-6
    )


@once
@pytest.mark.parametrize("kind", ALL)
def test_one_fit_of_all_epochs_is_the_same(kind):
    make, expected = ALL[kind]
    model = model_of()
    used = [unit_gradient.Feed(LOSSES), make(across_fits=True)]
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, used)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda callback: pickle.loads(pickle.dumps(callback)),
}
PICKLED = [k for k in ALL if not k.startswith("scheduler")]


@once
@pytest.mark.parametrize("how", [*COPIES, "state"])
@pytest.mark.parametrize("kind", cells(PICKLED, ["fit schedule", "plateau"]))
def test_a_copy_goes_on(kind, how):
    make, expected = ALL[kind]

    def by_state(callback):
        state, other = json.loads(json.dumps(callback.get_state())), make(across_fits=True)
        other.set_state(state)
        return other

    def without_model(callback):
        # Keras would copy the model with it.
        callback.set_model(None)
        return COPIES.get(how, by_state)(callback)

    model = model_of()
    fits(model, make(across_fits=True), between=without_model)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


@once
@pytest.mark.parametrize("kind", cells(STATES, ["plateau", "scheduler"]))
def test_another_process_goes_on_from_the_state_file(kind, tmp_path):
    make, expected = STATES[kind]
    warm = expected * np.minimum((STEPS + 1) / 8, 1)

    def train(model, first, last):
        others = [callbacks.Warmup(8, across_fits=True)]
        callback = make(across_fits=True, state_path=tmp_path / "state")
        fits(model, callback, first, last, others=lambda: others)

    model = model_of()
    train(model, 0, 2)
    model.save_weights(tmp_path / "run.weights.h5")
    first, model = unit_gradient.applied(model), model_of()
    model.load_weights(tmp_path / "run.weights.h5")
    train(model, 2, EPOCHS)
    np.testing.assert_allclose(unit_gradient.applied(model)[: 2 * PER_EPOCH], first, atol=1e-6)
    np.testing.assert_allclose(unit_gradient.applied(model), warm, atol=2e-6)


@once
def test_together_and_beside_one_that_is_new_in_every_fit():
    make, plateau = FUNCTIONS["fit schedule"], STATES["plateau"]
    together = [make[0](across_fits=True), callbacks.Warmup(9, across_fits=True)]
    new = lambda: [*together, callbacks.GreedyLR("loss")]  # noqa: E731
    model = model_of()
    fits(model, plateau[0](across_fits=True), others=new)
    expected = make[1] * plateau[1] / 0.4 * np.minimum((STEPS + 1) / 9, 1)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


@once
def test_by_default_a_callback_is_new_in_every_fit():
    model = model_of()
    fits(model, callbacks.Warmup(6))
    np.testing.assert_allclose(unit_gradient.applied(model), np.tile([1, 2, 3], 4) / 15, atol=1e-6)


@once
def test_epochs_may_be_counted_on_by_fit_itself():
    make, expected = FUNCTIONS["fit schedule"]
    model, callback = model_of(), make(across_fits=True)
    for epoch in range(EPOCHS):
        unit_gradient.fit(model, PER_EPOCH, epoch + 1, [callback], initial_epoch=epoch)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)
    assert callback.left_off == {"epoch": EPOCHS, "clocks": [TOTAL]}


def test_a_fit_that_was_interrupted_is_gone_on_with_at_its_last_update():
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt("stop")

    make, expected = FUNCTIONS["fit schedule"]
    model, callback = model_of(), make(across_fits=True)
    with pytest.raises(KeyboardInterrupt, match="stop"):
        unit_gradient.fit(model, PER_EPOCH, 1, [callback, Interrupt()])
    unit_gradient.fit(model, PER_EPOCH, 1, [callback])
    made = unit_gradient.applied(model)
    np.testing.assert_allclose(made, expected[: len(made)], atol=2e-6)
    assert len(made) == 4


@once
@pytest.mark.parametrize("own", OWN)
def test_the_best_weights_are_kept_from_fit_to_fit(own):
    losses, best = [0.5, 1.0, 1.0], {"restore_best": "weights", "patience": 2, "factor": 0.5}
    model, plateau = model_of(own), callbacks.ReduceLROnPlateau("loss", across_fits=True, **best)
    for loss in losses:
        unit_gradient.fit(model, 1, 1, [unit_gradient.Feed([loss]), plateau])
    assert float(model.get_layer("trace_0").w) == pytest.approx(-0.4)
    with pytest.raises(ValueError, match="must be left out with restore_best.*no JSON"):
        unit_gradient.fit(model_of(own), 1, 1, [unit_gradient.Feed([1.0]), plateau])


def test_a_rate_that_is_set_between_two_fits_counts():
    from keras_lr import set_rate

    model, plateau = model_of(), callbacks.ReduceLROnPlateau("loss", 0.5, 1, across_fits=True)
    for loss in [1.0, 1.0]:
        unit_gradient.fit(model, 1, 1, [unit_gradient.Feed([loss]), plateau])
    set_rate(model, 0.3)
    for loss in [1.0, 1.0]:
        unit_gradient.fit(model, 1, 1, [unit_gradient.Feed([loss]), plateau])
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.3, 0.15], atol=1e-6)


@once
def test_what_cannot_be_is_said():
    model = model_of()
    with pytest.raises(ValueError, match="length of the run") as caught:
        unit_gradient.fit(model, 2, 1, [callbacks.Warmup("5%", across_fits=True)])
    assert "Warmup(…, epochs=…), in all, or total_steps=…" in " ".join(caught.value.__notes__)
    mixed = [callbacks.Warmup(4, across_fits=True), callbacks.FitSchedule(0.1)]
    with pytest.raises(ValueError, match="`across_fits` must be the same.*FitSchedule"):
        unit_gradient.fit(model, 2, 1, mixed)
    one, two = (callbacks.Warmup(n, across_fits=True) for n in (4, 5))
    unit_gradient.fit(model, 2, 1, [one])
    unit_gradient.fit(model, 2, 2, [two])
    with pytest.raises(ValueError, match="same fits. Received: Warmup.. after 1 epochs and 2 upd"):
        unit_gradient.fit(model, 2, 1, [one, two])
    with pytest.raises(ValueError, match="`across_fits` must be True or False. Received"):
        callbacks.BoldDriver(across_fits="yes")
    with pytest.raises(ValueError, match="`total_steps` must be None where `epochs` is given"):
        callbacks.FitSchedule(0.1, epochs=3, total_steps=9)
    with pytest.raises(ValueError, match="`epochs` must be an integer >= 1"):
        callbacks.FitSchedule(0.1, epochs=0)
    with pytest.raises(ValueError, match="what `get_state` of another Warmup"):
        callbacks.Warmup(4, across_fits=True).set_state({"callback": "FitSchedule()"})


def test_a_horizon_may_be_given_for_a_single_fit():
    model = model_of()
    used = callbacks.FitSchedule(schedules.LinearDecay(0.8, "100%"), total_steps=10)
    unit_gradient.fit(model, 2, 2, [used])
    np.testing.assert_allclose(unit_gradient.applied(model), [0.8, 0.72, 0.64, 0.56], atol=1e-6)
