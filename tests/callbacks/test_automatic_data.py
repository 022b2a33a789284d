"""`AutoLearningRate` and the data of a `fit`: the fit is the same as one with the rate by hand."""

import keras
import numpy as np
import pytest
from support.range_tests import (
    BATCHES,
    Batches,
    X,
    Y,
    assert_same,
    generator,
    state,
    tensorflow_data,
    torch_loader,
)
from support.tiers import cells, once, rest

from keras_lr import callbacks
from keras_lr.callbacks import AutoLearningRate
from keras_lr.schedules import LinearToZero

LABELS = (Y > 0).astype("int32")
WEIGHTS = np.linspace(0.5, 1.5, len(X)).astype("float32")
EPOCHS = 3


def network(inputs=True, loss="mse", **options):
    keras.utils.set_random_seed(2)
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.3)]
    last = keras.layers.Dense(1, "sigmoid" if loss == "binary_crossentropy" else None)
    model = keras.Sequential([keras.Input((3,))] * inputs + [*layers, last])
    model.compile("adam", loss, **options)
    return model


def auto(*args, **options):
    return AutoLearningRate(*args, **{"verbose": 0, **options})


def fit(model, used, **options):
    keras.utils.set_random_seed(5)
    options = {"x": X, "y": Y, "batch_size": 4, "epochs": EPOCHS, "verbose": 0, **options}
    if not isinstance(options["x"], np.ndarray):
        options.pop("y"), options.pop("batch_size")
    return model.fit(callbacks=used, **options)


CLASSES = {"y": LABELS, "class_weight": {0: 1.0, 1: 3.0}}
SAME = {
    "arrays": lambda: {},
    "validation split": lambda: {"validation_split": 0.2},
    "validation data": lambda: {"validation_data": (X, Y, WEIGHTS)},
    "class weights": lambda: CLASSES,
    "sample weights": lambda: {"sample_weight": WEIGHTS},
    "steps per epoch": lambda: {"steps_per_epoch": 2},
    "PyDataset": lambda: {"x": Batches()},
    "tf.data": lambda: {"x": tensorflow_data(), "validation_data": tensorflow_data()},
    "DataLoader": lambda: {"x": torch_loader()},
}


QUICK = ["validation split", "class weights", "sample weights"]


@pytest.mark.parametrize(
    "kind",
    [*cells(QUICK, QUICK[:1]), *(pytest.param(k, marks=rest) for k in SAME if k not in QUICK)],
)
def test_the_fit_is_the_same_to_the_bit_as_one_with_the_rate_by_hand(kind):
    loss = "binary_crossentropy" if kind == "class weights" else "mse"
    rule, model = auto(react=False), network(loss=loss)
    found = fit(model, [rule], **SAME[kind]())
    assert rule.found is not None and len(rule.found.losses) > 10
    other = network(loss=loss)
    plan = callbacks.FitSchedule(LinearToZero(rule.peak, "100%"))
    expected = fit(other, [plan], **SAME[kind]())
    assert found.history == expected.history
    assert_same(state(other), state(model))


@rest
def test_the_search_judges_by_the_validation_data_of_fit_and_by_nothing_held_back():
    seen = {}
    for kind, given in (("own", (X, Y)), ("other", (X, 1.0 - Y)), ("none", None)):
        rule = auto(react=False, budget=1.0)
        fit(network(), [rule], epochs=40, validation_data=given)
        seen[kind] = dict(rule.found.evidence)
    assert all(len(scores) >= 2 for scores in seen.values())
    # The same sweep, judged by other data; and another one without the last tenth.
    first = [min(seen[kind]) for kind in seen]
    assert seen["own"][first[0]] != seen["other"].get(first[0])
    assert rule.found.losses[0] != pytest.approx(seen["own"][first[0]], rel=1e-6)


@rest
def test_budget_is_a_share_of_the_updates(monkeypatch):
    made = []
    train_step = keras.Model.train_step

    def counting(self, *args):
        made.append(1)
        return train_step(self, *args)

    monkeypatch.setattr(keras.Model, "train_step", counting)
    rule = auto(budget=0.5, react=False)
    fit(network(run_eagerly=True), [rule], epochs=100)
    planned = 500
    # JAX asks once more for the shapes.
    assert planned < len(made) <= planned + 0.5 * planned + 2
    assert len(rule.found.evidence) >= 2


@once
def test_a_generator_is_refused_and_a_function_that_makes_it_is_searched_with():
    options = {"x": generator(), "steps_per_epoch": 3, "epochs": 1}
    with pytest.raises(ValueError, match=r"`x of fit` must be.*AutoLearningRate\(data=…\)"):
        fit(network(), [auto()], **options)
    rule = auto(data=generator)
    found = fit(network(), [rule], **{**options, "x": generator()})
    assert rule.peak > 0
    plan = callbacks.FitSchedule(LinearToZero(rule.peak, "100%"))
    by_hand = fit(network(), [plan], **{**options, "x": generator()})
    assert found.history == by_hand.history


@rest
def test_a_generator_for_validation_is_refused_and_a_function_that_makes_it_judges():
    def endless():
        while True:
            yield from BATCHES

    options = {"validation_steps": 2}
    message = r"`validation_data of fit`.*AutoLearningRate\(validation_data=…\)"
    with pytest.raises(ValueError, match=message):
        fit(network(), [auto()], validation_data=endless(), **options)
    rule = auto(validation_data=generator, budget=1.0)
    fit(network(), [rule], validation_data=endless(), epochs=40, **options)
    assert len(rule.found.evidence) >= 2


@once
def test_a_length_that_nobody_knows_must_be_given():
    data = tensorflow_data(lambda data: data.filter(lambda x, y: True))
    with pytest.raises(ValueError, match="must know how long the run is.*steps_per_epoch=…"):
        fit(network(), [auto()], x=data)
    rule = auto(steps_per_epoch="count")
    model = network()
    fit(model, [rule], x=data)
    assert rule.schedule == LinearToZero(rule.peak, 3 * EPOCHS)
    assert int(model.optimizer.iterations) == 3 * EPOCHS


@once
def test_a_model_that_was_not_built_begins_with_the_weights_it_would_have_had():
    rule, model = auto(react=False), network(inputs=False)
    found = fit(model, [rule])
    other = network(inputs=False)
    plan = callbacks.FitSchedule(LinearToZero(rule.peak, "100%"))
    expected = fit(other, [plan])
    assert found.history == expected.history
    assert_same(state(other), state(model))


@once
def test_an_interrupted_search_leaves_nothing(monkeypatch):
    from keras_lr.trials.watch import Watch

    model, end = network(), Watch.on_train_batch_end
    fit(model, [], epochs=1)
    before, held = state(model), set(vars(model))

    def interrupting(self, batch, logs=None):
        end(self, batch, logs)
        if self._made == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "on_train_batch_end", interrupting)
    rule = auto()
    with pytest.raises(KeyboardInterrupt):
        fit(model, [rule])
    monkeypatch.undo()
    # The fit itself has begun: it resets metrics, and draws how to shuffle.
    after = state(model)
    assert_same(*({name: s[name] for name in ("weights", "optimizer")} for s in (before, after)))
    found = fit(model, [rule])
    assert rule.peak > 0 and np.all(np.isfinite(found.history["loss"]))
    # What our callbacks keep for a later fit.
    assert set(vars(model)) - held <= {"_keras_lr_driven_steps"}
    assert model.layers[1].momentum == 0.99


@once
@pytest.mark.parametrize("is_first", [False, True])
def test_beside_savers_recorders_and_early_stopping_in_any_order(tmp_path, is_first):
    rule, recorder = auto(), callbacks.LearningRateRecorder()
    others = [
        recorder,
        keras.callbacks.EarlyStopping("val_loss", patience=50),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    used = [rule, *others] if is_first else [*others, rule]
    model = network()
    found = fit(model, used, validation_split=0.3)
    assert len(found.history["learning_rate"]) == EPOCHS
    np.testing.assert_allclose(recorder.learning_rate[0], rule.schedule.rates(1)[0], rtol=1e-5)
    loaded = keras.models.load_model(tmp_path / "best.keras")
    best = int(np.argmin(found.history["val_loss"]))
    expected = found.history["val_loss"][best]
    split = int(len(X) * 0.7)
    assert loaded.evaluate(X[split:], Y[split:], verbose=0) == pytest.approx(expected, rel=1e-4)


@once
def test_data_that_is_no_number_is_named_before_training():
    model = network()
    before = model.get_weights()
    with pytest.raises(
        ValueError, match="needs a loss that is a number.*NaN or infinity in the data"
    ):
        fit(model, [auto()], y=Y * np.nan)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
