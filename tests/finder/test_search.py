"""`total_steps`, `budget`, and validation data of any kind: the search beyond a single sweep."""

import json
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from support.range_tests import (
    BATCHES,
    SWEEP,
    Batches,
    X,
    Y,
    assert_same,
    generator,
    state,
    tensorflow_data,
)
from support.tiers import cells, once, rest

from keras_lr.finder import range_test
from keras_lr.finder.length import UNTOLD, peak_factor
from keras_lr.finder.rules import fallen
from keras_lr.finder.search import SHORTEST_SWEEP, Sweep, search, swept
from keras_lr.finder.verification import Runs, planned_schedule
from keras_lr.trials import Trials

FRESH, REPEATED, REACTING = (
    peak_factor.__globals__[name] for name in ("_FRESH", "_REPEATED", "_REACTING")
)


class Quadratic:
    """Trials of gradient descent on c/2 · w²; what each update does to the loss may be scripted."""

    updates_per_epoch = 8

    def __init__(self, curvature=1.0, loss=lambda loss, rate: loss, own=0.01):
        self.curvature, self.loss, self.updates = curvature, loss, 0
        self.optimizer = keras.optimizers.SGD(own)
        self.tried = []

    def reset(self, seed):
        pass

    def run(self, rates, rule, seed, show=None):
        weight, losses, noise = 1.4, [], np.random.default_rng(seed)
        while True:
            rate = rates[min(len(losses), len(rates) - 1)]
            # A run at too high a rate explodes.
            with np.errstate(over="ignore", invalid="ignore"):
                loss = 0.5 * self.curvature * weight**2 * (1 + 0.02 * noise.normal())
                losses.append(self.loss(loss, rate))
                weight -= rate * self.curvature * weight
            self.updates += 1
            if rule.add(losses[-1]):
                break
        self.tried.append(rates[: len(losses)])
        return np.arange(len(losses)), np.array(losses)


KINDS = {
    "a fall": lambda: Quadratic(),
    "steep": lambda: Quadratic(1e5),
    "flat": lambda: Quadratic(1e-3),
    "above all rates": lambda: Quadratic(1e-9),
    "falling to the last rate": lambda: Quadratic(3e-3),
    "below all rates": lambda: Quadratic(1e10),
    "flat for ever": lambda: Quadratic(loss=lambda loss, rate: 0.693),
    "no number above a rate": lambda: Quadratic(
        loss=lambda loss, rate: loss if rate < 1e-3 else math.nan
    ),
    "no number at all": lambda: Quadratic(loss=lambda loss, rate: math.nan),
}


@pytest.mark.parametrize("budget", [50, 51, 75, 99, 100, 101, 150, 199, 200, 333, 500, 2000])
@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_is_never_exceeded_and_where_a_rate_trains_there_is_a_suggestion(kind, budget):
    trials = KINDS[kind]()
    found = search(trials, budget, lambda length: planned_schedule(None, length))
    assert sum(map(len, trials.tried)) == trials.updates <= budget
    if kind == "no number at all":
        assert found.suggestion is None and found.status == "diverged at once"
        return
    assert found.suggestion > 0
    highest = max(rates.max() for rates in trials.tried)
    assert found.suggestion <= max(highest, 0.01)
    if kind in ("a fall", "steep", "flat") and budget >= (150 if kind == "flat" else 100):
        # Gradient descent is stable below 2/c.
        assert 0.01 / trials.curvature < found.suggestion < 2.0 / trials.curvature
    assert len(found.evidence) in ((0, 2, 3, 4, 5) if budget < 175 else (2, 3, 4, 5))


def slowing(loss, rate):
    """Most of the fall is behind at a rate of 0.1; then it goes on slowly, for ever."""
    return 2.0 - 1.6 / (1.0 + 0.03 / rate) - 0.01 * max(math.log10(rate) + 1.0, 0.0)


def test_where_the_loss_falls_to_the_last_rate_the_choice_is_in_the_fall():
    trials = Quadratic(loss=slowing)
    found = search(trials, 50, lambda length: planned_schedule(None, length))
    assert found.status == "still falling" and not found.evidence
    assert 0.03 < found.suggestion < 3.0


def test_where_all_of_the_fall_is_at_the_last_rates_the_optimizer_has_its_own():
    trials = Quadratic(3e-3, own=0.02)
    found = search(trials, 50, lambda length: planned_schedule(None, length))
    assert found.status == "still falling" and found.suggestion == pytest.approx(0.02)


def test_a_sweep_that_diverges_at_once_begins_again_lower():
    trials = Quadratic(1e9)
    found = swept(trials, Sweep())
    begins = [rates[0] for rates in trials.tried]
    assert len(begins) == 2 and begins[0] == 1e-7 and begins[1] < 1e-10
    assert len(trials.tried[0]) < 25
    assert found.status == "ok" and 1e-11 < found.suggestion < 2e-9


def test_what_diverges_at_every_rate_is_given_up():
    trials = Quadratic(loss=lambda loss, rate: math.nan)
    assert swept(trials, Sweep()).status == "diverged at once"
    assert 2 <= len(trials.tried) <= 4


@pytest.mark.parametrize(
    "total, length, passes, octaves",
    [
        # Within the first pass, beyond it, and across its end.
        (3200, 100, None, -5 * FRESH),
        (3200, 100, 10_000, -5 * FRESH),
        (3200, 100, 100, -5 * REPEATED),
        (3200, 100, 10, -5 * REPEATED),
        (3200, 100, 800, -3 * FRESH - 2 * REPEATED),
        (100, 100, 10, 0.0),
        # A shorter run.
        (50, 100, 10, FRESH),
        (50, 100, None, FRESH),
    ],
)
def test_the_peak_falls_with_the_length_of_the_run(total, length, passes, octaves):
    assert math.log2(peak_factor(total, length, passes)) == pytest.approx(octaves, abs=1e-12)


def test_a_run_that_reacts_bears_more_once_its_data_are_repeated():
    factors = [peak_factor(3200, 100, each, reacts=True) for each in (None, 400, 100)]
    plain = [peak_factor(3200, 100, each) for each in (None, 400, 100)]
    assert factors[0] == plain[0]
    assert plain[1] < factors[1] < 1 and plain[2] < factors[2] < 1
    # Three octaves are beyond the first pass, then five.
    assert factors[1] == pytest.approx(2.0 ** (-2 * FRESH - 3 * REACTING))
    assert factors[2] == pytest.approx(2.0 ** (-5 * REACTING))


BOUNDED = keras.optimizers.Adam, keras.optimizers.AdamW, keras.optimizers.Adamax
BOUNDED += keras.optimizers.Nadam, keras.optimizers.RMSprop, keras.optimizers.Lion


@pytest.mark.parametrize("kind", [*BOUNDED, keras.optimizers.SGD, keras.optimizers.Adagrad])
@pytest.mark.parametrize("curvature", [0.05, 1.0, 1e5])
def test_a_high_rate_for_steps_of_bounded_size_is_drawn_to_the_usual_one(kind, curvature):
    trials = Quadratic(curvature)
    trials.optimizer = kind()
    found = swept(trials, Sweep())
    curve = found.repeats[0]
    read = fallen(curve)
    assert found.suggestions["fallen"] == read
    if kind in BOUNDED and read > 0.01:
        expected = min((read * 0.01) ** 0.5, 0.1)
        assert found.suggestion == pytest.approx(expected) and 0.01 < expected < read
    else:
        assert found.suggestion == read


def test_a_part_without_a_usual_rate_leaves_the_others_none_either():
    trials = Quadratic()
    trials.optimizer = keras.optimizers.Adam()
    alone = swept(trials, Sweep())
    parts = [keras.optimizers.Adam(), keras.optimizers.SGD()]
    trials.optimizer = SimpleNamespace(optimizers=parts)
    together = swept(trials, Sweep())
    assert together.suggestion == alone.suggestions["fallen"] > alone.suggestion


# On models


def network(normalized=False, optimizer="sgd"):
    keras.utils.set_random_seed(2)
    layers = [keras.layers.BatchNormalization()] if normalized else []
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


@once
def test_told_the_length_of_the_run_the_suggestion_is_for_it():
    options = {"batch_size": 8, "num_steps": 40, "start": 1e-5, "verbose": 0}
    swept = range_test(network(), X, Y, total_steps=40, **options)
    told = range_test(network(), X, Y, total_steps=640, **options)
    assert swept.total_steps == 40 and told.total_steps == 640
    assert swept.suggestion in swept.suggestions.values()
    # An epoch has 3 updates: all is repeated.
    expected = 16.0**-REPEATED * swept.suggestion
    assert told.suggestion == pytest.approx(expected, rel=1e-9)
    assert json.loads(json.dumps(told.to_dict()))["total_steps"] == 640
    untold = range_test(network(), X, Y, **options)
    assert untold.total_steps == UNTOLD
    expected = (UNTOLD / 40) ** -REPEATED * swept.suggestion
    assert untold.suggestion == pytest.approx(expected, rel=1e-9)


@once
def test_a_sweep_longer_than_the_run_that_nobody_told_is_its_length():
    options = {"batch_size": 8, "num_steps": UNTOLD + 100, "start": 1e-5, "verbose": 0}
    found = range_test(network(), X, Y, **options)
    assert found.total_steps == UNTOLD + 100
    assert found.suggestion in found.suggestions.values()


@once
def test_a_budget_in_batches_that_were_really_trained(monkeypatch):
    made, train_step = [], keras.Model.train_step

    def counting(self, *args):
        made.append(1)
        return train_step(self, *args)

    monkeypatch.setattr(keras.Model, "train_step", counting)
    model = network()
    model.run_eagerly = True
    found = range_test(model, X, Y, batch_size=4, budget=130, verbose=0)
    # JAX asks once more for the shapes.
    assert 100 < len(made) <= 130 + 1
    assert len(found.evidence) >= 2 and found.suggestion > 0


VALIDATION = {
    "arrays": lambda: (X, Y),
    "tuple with weights": lambda: (X, Y, np.linspace(0.0, 2.0, len(X)).astype("float32")),
    "PyDataset": lambda: Batches(),
    "tf.data": lambda: tensorflow_data(),
    "function": lambda: generator,
}


@pytest.mark.parametrize("kind", cells(VALIDATION, ["tuple with weights"]))
@pytest.mark.parametrize("how", cells(["verify", "budget"], ["verify"]))
def test_validation_data_of_any_kind_judge_the_runs(kind, how):
    given = {"verify": 2, "num_steps": 20} if how == "verify" else {"budget": 110}
    sweep = {"start": 1e-3, "end": 0.5, "shuffle": False, "verbose": 0, "batch_size": 8}
    rows = slice(0, 16)
    found = range_test(
        network(), X[rows], Y[rows], validation_data=VALIDATION[kind](), **sweep, **given
    )
    assert len(found.evidence) == 2
    # Against plain NumPy: gradient descent over the two batches, then the loss of all 20 rows.
    weights = np.linspace(0.0, 2.0, len(X)) if kind == "tuple with weights" else np.ones(len(X))
    for rate, score in found.evidence:
        kernel, bias = (w.astype("float64") for w in network().get_weights())
        steps = 20 if how == "verify" else (110 - trained_in_sweep(found)) // 2
        for i in range(steps):
            x, y = BATCHES[i % 2]
            error, now = x @ kernel + bias - y, rate * (1 - i / steps)
            kernel = kernel - now * 2 * x.T @ error / len(x)
            bias = bias - now * 2 * error.mean(axis=0)
        loss = np.sum(weights * np.square(X @ kernel + bias - Y)[:, 0]) / len(X)
        assert score == pytest.approx(loss, rel=1e-3)


def test_what_runs_are_compared_with_is_the_loss_of_the_weights_before_them():
    model = network()
    told = {"x": X, "y": Y, "batch_size": 6}
    loss = model.evaluate(**told, verbose=0, return_dict=True)["loss"]
    with Trials(model, told, 5) as trials:
        runs = Runs(trials, planned_schedule(None, 5), 5, 0, told)
        # Not that of the weights of a run.
        assert runs.score(0.1) < 0.9 * loss
        assert runs.before([]) == pytest.approx(loss, rel=1e-5)
    alone = Runs(trials, planned_schedule(None, 5), 5, 0)
    assert alone.before([3.0, 2.0, 1.0, 99.0]) == 2.0


def trained_in_sweep(found):
    return len(found.losses)


@once
def test_without_validation_data_the_last_tenth_of_arrays_is_held_back():
    far = Y.copy()
    far[18:] = 1000.0
    found = range_test(network(), X, far, batch_size=6, verify=2, **SWEEP)
    # The sweep has not seen the last two rows, and all scores are of them.
    assert found.losses.max() < 100.0
    assert all(score > 1e5 for _, score in found.evidence)
    # Of other data the runs' own losses judge.
    scores = dict(range_test(network(), Batches(), budget=110, verbose=0).evidence)
    assert len(scores) == 2 and min(scores.values()) < 1.0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"budget": 100, "verify": 3}, "`verify` must be 0 with a budget"),
        ({"budget": 100, "repeats": 3}, "`repeats` must be 1 with a budget"),
        ({"budget": 100, "num_steps": 60}, "`num_steps` must be 100 with a budget"),
        ({"budget": SHORTEST_SWEEP - 1}, f"`budget` must be an integer >= {SHORTEST_SWEEP}"),
        ({"total_steps": 0}, "`total_steps` must be a number of updates.*> 0"),
        ({"total_steps": "50%"}, "`total_steps` must be a number of updates or of epochs"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        range_test(network(), X, Y, verbose=0, **options)


# BatchNormalization, whose statistics begin at 0 and 1


def far_from_standard():
    rng = np.random.default_rng(0)
    x = (5.0 + 3.0 * rng.normal(size=(600, 8))).astype("float32")
    y = (x - 5.0) @ rng.normal(size=(8, 1)) + 0.3 * rng.normal(size=(600, 1))
    return x, y.astype("float32")


def deep(optimizer):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((8,))]
    for _ in range(2):
        layers += [keras.layers.Dense(32), keras.layers.BatchNormalization(), keras.layers.ReLU()]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("how", ["sweep", pytest.param("budget", marks=rest)])
@pytest.mark.parametrize("optimizer", cells(["sgd", "adam"], ["adam"]))
def test_with_batch_normalization_validation_data_suggest_a_sane_rate(optimizer, how):
    x, y = far_from_standard()
    model = deep(optimizer)
    model.optimizer.build(model.trainable_variables)
    before = state(model)
    plain = range_test(deep(optimizer), x[:500], y[:500], batch_size=50, verbose=0)
    more = {} if how == "sweep" else {"budget": 300}
    found = range_test(
        model,
        *(x[:500], y[:500]),
        batch_size=50,
        verbose=0,
        validation_data=(x[500:], y[500:]),
        **more,
    )
    assert found.status == "ok" and plain.suggestion / 50 < found.suggestion < plain.suggestion * 10
    if how == "sweep":
        # The first updates, at rates of 1e-7, change nothing: the statistics have settled.
        np.testing.assert_allclose(found.losses[:20], found.losses[0], rtol=0.05)
    assert_same(before, state(model))
    normalizing = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert [layer.momentum for layer in normalizing] == [0.99, 0.99]
