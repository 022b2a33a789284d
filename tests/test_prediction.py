"""`bound` and `rank`: against the published formula, known values, and risks that are exact."""

import json
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from support.exact_risk import LeastSquares, spearman

import keras_lr
from keras_lr import bound, prediction, rank
from keras_lr.schedules import (
    Constant,
    CosineDecay,
    CosineDecayRestarts,
    CyclicalLearningRate,
    ExponentialDecay,
    InverseSquareRootDecay,
    InverseTimeDecay,
    LambdaDecay,
    LinearDecay,
    LinearToZero,
    PolynomialDecay,
    SqrtDecay,
    StepDecay,
    WarmupStableDecay,
)

T = 2000


def published(rates, norms, distance, scale):
    """Omega of arXiv 2501.18965 for `scale` times the rates, each sum by itself: O(T²)."""
    rates = [scale * rate for rate in rates]
    squares = [(rate * norm) ** 2 for rate, norm in zip(rates, norms)]
    total = (distance**2 + math.fsum(squares)) / (2 * math.fsum(rates))
    for k in range(len(rates) - 1):
        share = rates[k] / math.fsum(rates[k + 1 :])
        total += 0.5 * share * math.fsum(squares[k:]) / math.fsum(rates[k:])
    return total


def scaled(rates):
    return bound(rates, len(rates)).value * len(rates) ** 0.5


several = st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=30)


@given(several, st.data(), st.floats(0.01, 100), st.floats(0.01, 100))
def test_it_is_the_published_formula(rates, data, distance, peak):
    sizes = {"min_size": len(rates), "max_size": len(rates)}
    norms = data.draw(st.lists(st.floats(0.1, 10.0), **sizes))
    found = bound(rates, len(rates), norms, distance)
    scale = 1.0 / max(rates)
    assert found.at(peak) == pytest.approx(published(rates, norms, distance, peak * scale))
    assert found.value == pytest.approx(published(rates, norms, distance, found.best_peak * scale))
    assert found.value <= found.at(peak) * (1 + 1e-12)


@given(several, st.floats(1e-20, 1e20))
def test_only_the_shape_counts(rates, scale):
    found, same = bound(rates, len(rates)), bound([scale * r for r in rates], len(rates))
    np.testing.assert_allclose(list(vars(found).values()), list(vars(same).values()), rtol=1e-9)


@given(several, st.floats(0.01, 100), st.floats(1.001, 10))
def test_farther_is_worse_and_needs_higher_rates(rates, distance, factor):
    near, far = (bound(rates, len(rates), distance=d) for d in (distance, factor * distance))
    assert far.value == pytest.approx(factor * near.value)
    assert far.best_peak == pytest.approx(factor * near.best_peak)
    steep = bound(rates, len(rates), factor, distance)
    assert steep.value == pytest.approx(factor * near.value)
    assert steep.best_peak == pytest.approx(near.best_peak / factor)


@given(several, st.integers(0, 30), st.integers(0, 5))
def test_updates_at_rate_0_change_nothing(rates, where, count):
    where = min(where, len(rates))
    idle = [*rates[:where], *[0.0] * count, *rates[where:]]
    found, same = bound(rates, len(rates)), bound(idle, len(idle))
    np.testing.assert_allclose(list(vars(found).values()), list(vars(same).values()), rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 17, T, 100_000])
def test_a_constant_rate_has_a_closed_form(steps):
    harmonic = math.fsum(1.0 / t for t in range(1, steps))
    expected = math.sqrt((1.0 + harmonic) / steps)
    assert bound(Constant(0.3), steps).value == pytest.approx(expected, rel=1e-12)


def test_linear_to_zero_tends_to_two():
    values = [scaled(LinearDecay(0.1, n).rates(n)) for n in (10, 100, T, 100_000)]
    assert values == sorted(values, reverse=True)
    assert values[2] == pytest.approx(2.003, abs=5e-4) and values[3] == pytest.approx(2, abs=2e-4)


@pytest.mark.parametrize("warmup, expected", [(0, 2.003), (100, 2.020), (200, 2.038), (400, 2.077)])
def test_a_warmup_costs_what_the_authors_package_says(warmup, expected):
    rising = 0.01 + 0.99 * np.arange(warmup) / max(warmup, 1)
    falling = 1.0 - np.arange(T - warmup) / (T - warmup)
    assert scaled(np.concatenate([rising, falling])) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(
    "share, expected", [(0.1, 2.292), (0.2, 2.167), (0.4, 2.062), (0.6, 2.021), (0.8, 2.006)]
)
def test_a_cooldown_costs_what_the_authors_package_says(share, expected):
    falling = round(share * T)
    cooldown = 1.0 - np.arange(1, falling + 1) / (falling + 1)
    rates = np.concatenate([np.ones(T - falling), cooldown])
    assert scaled(rates) == pytest.approx(expected, abs=6e-4)


def test_falling_gradients_favour_a_short_cooldown():
    norms = np.arange(1.0, T + 1) ** -0.25
    table = rank([LinearDecay(1.0, T), WarmupStableDecay(1.0, T, 1)], T, norms)
    assert table.rows[0].name.startswith("WarmupStableDecay")


def test_whatever_is_a_schedule_is_taken():
    table = LinearDecay(0.1, T).rates(T)
    same = [
        LinearDecay(0.1, T),
        LinearDecay(7.0, "100%"),
        keras.optimizers.schedules.PolynomialDecay(0.1, T, 0.0),
        lambda step: 0.1 * (1 - step / T),
        table,
        table.tolist(),
        tuple(table.tolist()),
        keras.ops.convert_to_tensor(table),
    ]
    expected = bound(same[0], T).value
    for schedule in same:
        # Tensors and Keras have float32.
        assert bound(schedule, T).value == pytest.approx(expected, rel=1e-6)
    assert bound(0.1, T) == bound(Constant(0.1), T) == bound(np.float32(3.0), T)
    assert prediction.bound(same[0], T) == bound(same[0], T)
    assert bound(Constant(0.1), T, np.ones(T)) == bound(Constant(0.1), T, 1)


def test_a_table_is_sorted_and_relative_to_its_best():
    schedules = {"constant": 0.1, "linear": LinearDecay(0.1, T), "cosine": CosineDecay(3.0, T)}
    table = rank(schedules, T, distance=2.0)
    assert [row.name for row in table.rows] == ["linear", "cosine", "constant"]
    best = bound(schedules["linear"], T, distance=2.0)
    for row in table.rows:
        found = bound(schedules[row.name], T, distance=2.0)
        assert row.bound == found.value and row.relative == found.value / best.value
        assert row.relative_peak == found.best_peak / best.best_peak
    lines = str(table).splitlines()
    assert lines[0].split() == ["schedule", "bound", "relative", "relative", "peak"]
    assert [line.split()[0] for line in lines[1:4]] == ["linear", "cosine", "constant"]
    assert len({len(line) for line in lines[:4]}) == 1 and max(map(len, lines)) <= 100
    words = " ".join(table.notes)
    for limit in ("several epochs over small data", "overfits", "Random rates"):
        assert limit in words
    told = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert told["total_steps"] == T and told["rows"][2]["name"] == "constant"
    assert told["rows"][2]["relative"] == table.rows[2].relative


def test_entries_of_a_list_are_named_after_what_they_are():
    def halved(step):
        return 0.5

    long = LinearDecay(0.1, T) + LinearDecay(0.2, T) + LinearDecay(0.3, T) + 0.1
    schedules = [halved, [0.1] * T, LinearToZero(0.1, "100%"), long, keras_schedule()]
    names = {row.name for row in rank(schedules, T).rows}
    assert {"halved", "schedules[1]", "LinearToZero(0.1, fraction(1))"} < names
    assert "CosineDecay(0.1, 2000)" in names and max(map(len, names)) == 60
    # Twice the same is two rows.
    assert len(rank([0.1, 0.1], 5).rows) == 2


def keras_schedule():
    return keras.optimizers.schedules.CosineDecay(0.1, T)


def test_the_picture_has_a_bar_for_each_schedule():
    table = rank({"linear": LinearDecay(0.1, T), "constant": 0.1}, T)
    ax = Figure().subplots()
    assert table.plot(ax) is ax
    assert [bar.get_width() for bar in ax.patches] == [row.relative for row in table.rows]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["linear", "constant"]
    assert "peak × 1.00" in {text.get_text() for text in ax.texts}


CONTENDERS = [
    Constant(1.0),
    LinearDecay(1.0, 500),
    LinearDecay(1.0, 500, 0.3),
    CosineDecay(1.0, 500),
    CosineDecay(1.0, 1000),
    SqrtDecay(1.0, 500),
    PolynomialDecay(1.0, 500, 0.0, 2.0),
    ExponentialDecay(1.0, 500, 0.01),
    WarmupStableDecay(1.0, 500),
    WarmupStableDecay(1.0, 500, decay="60%", shape="linear"),
    InverseSquareRootDecay(1.0, 25),
    InverseTimeDecay(1.0, 25, 1.0),
    StepDecay(1.0, 125, 0.5),
    CosineDecayRestarts(1.0, 125, 1.0),
    CyclicalLearningRate(0.1, 1.0, 62),
]


def agreement(exponent, noise):
    """How the ranks of bounds and best peaks agree with those of exact, tuned risks."""
    risks, peaks = LeastSquares.power_law(exponent, noise=noise).tuned(
        [schedule.rates(500) for schedule in CONTENDERS]
    )
    found = [bound(schedule, 500) for schedule in CONTENDERS]
    by_risk = spearman([f.value for f in found], risks)
    return by_risk, spearman([f.best_peak for f in found], peaks)


@pytest.mark.parametrize(
    "exponent, noise, least", [(1.5, 1, 0.9), (2, 1, 0.9), (1.5, 10, 0.7), (2, 10, 0.65)]
)
def test_where_noise_rules_the_exact_risks_of_least_squares_agree(exponent, noise, least):
    by_risk, by_peak = agreement(exponent, noise)
    assert by_risk > least and by_peak > 0.9


@pytest.mark.parametrize("exponent", [0, 0.5, 1])
def test_without_noise_they_do_not_and_a_constant_rate_is_best_or_nearly(exponent):
    by_risk, _ = agreement(exponent, noise=0)
    assert by_risk < 0


def test_the_exact_risk_is_the_mean_of_many_runs():
    problem = LeastSquares(np.array([1.0, 0.25]), noise=0.5, batch=2)
    rates, rng = np.linspace(0.3, 0.05, 12), np.random.default_rng(0)
    off = np.ones((200_000, 2))
    for rate in rates:
        x = rng.normal(size=(len(off), 2, 2)) * np.sqrt(problem.variances)
        residual = np.einsum("nbi,ni->nb", x, off) + rng.normal(size=(len(off), 2)) * 0.5**0.5
        off -= rate * np.einsum("nb,nbi->ni", residual, x) / 2
    risks = 0.5 * (off**2) @ problem.variances
    error = risks.std() / len(risks) ** 0.5
    assert abs(risks.mean() - problem.risks(rates)) < 4 * error < 0.01


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bound(0.1, 0), "`total_steps` must be an integer >= 1 and <= 10000000"),
        (lambda: bound(0.1, 10**8), "`total_steps` must be an integer >= 1 and <= 10000000"),
        (lambda: bound(0.1, 2.5), "`total_steps` must be an integer"),
        (lambda: bound("linear", 9), "`schedule` must be a schedule, a function .*'linear'"),
        (lambda: bound(None, 9), "`schedule` must be a schedule, a function .*None"),
        (lambda: bound(-0.1, 9), "`schedule` must be a finite number >= 0"),
        (lambda: bound([0.1] * 8, 9), r"the rates of the 9 updates. .*of shape \(8,\)"),
        (lambda: bound([[0.1]] * 9, 9), r"the rates of the 9 updates. .*of shape \(9, 1\)"),
        (lambda: bound([0.1, [0.2]], 2), "the rates of the 2 updates. Received: schedule"),
        (lambda: bound(["a", "b"], 2), "the rates of the 2 updates. Received: schedule"),
        (lambda: bound({"a": 0.1}, 1), "the rates of the 1 updates. Received: schedule"),
        (lambda: bound([], 1), r"the rates of the 1 updates. Received: schedule=\[\]"),
        (lambda: bound([1j, 1j], 2), "the rates of the 2 updates. Received: schedule"),
        (lambda: bound([0.1, math.nan], 2), "`schedule` must be .* finite rates, none .* negative"),
        (lambda: bound([0.1, -0.1], 2), "`schedule` must be .* finite rates, none .* negative"),
        (lambda: bound(LinearDecay(0.1, 9) - 1, 9), "`schedule` must be .* none .* negative"),
        (lambda: bound([0.0, 0.0], 2), "`schedule` must be a schedule with a rate above 0"),
        (lambda: bound(LinearDecay(0.1, "2 epochs"), 9), "2 epochs needs the length of the run"),
        (lambda: bound(0.1, 2, [1.0]), r"`gradient_norms` must be .*the norms of the 2 updates"),
        (lambda: bound(0.1, 2, [1.0, -1.0]), "`gradient_norms` must be finite and not negative"),
        (lambda: bound(0.1, 2, [1.0, 1e300]), "`gradient_norms` must be finite and not negative"),
        (lambda: bound(0.1, 2, -1.0), "`gradient_norms` must be a finite number >= 0"),
        (lambda: bound(0.1, 2, 0.0), "`gradient_norms` must be above 0 for an update"),
        (lambda: bound(0.1, 2, distance=0), "`distance` must be a finite number > 0"),
        (lambda: bound(0.1, 2).at(0), "`peak` must be a finite number > 0"),
        (lambda: rank([], 9), "`schedules` must be a list of 1 or more"),
        (lambda: rank({}, 9), "`schedules` must be a mapping of one or more names, or a list"),
        (lambda: rank({1: 0.1}, 9), "`schedules` must be a mapping of one or more names"),
        (lambda: rank("linear", 9), "`schedules` must be a list"),
        (lambda: rank(Constant(0.1), 9), "`schedules` must be a list"),
        (lambda: rank([0.1, "x"], 9), r"`schedules\[1\]` must be a schedule, .*'x'"),
        (lambda: rank({"a": [0.1]}, 9), r"`schedules\['a'\]` must be .* of the 9 updates"),
        (lambda: rank({"a": 0.1, "b": 0.0}, 9), r"`schedules\['b'\]` must be .* above 0"),
        (lambda: prediction.bound(len, 9), r"one of keras_lr, or an array \(`keras_lr.bound`"),
    ],
)
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_functions_own_error_comes_through():
    def broken(step):
        raise KeyError("no such step")

    with pytest.raises(KeyError, match="no such step"):
        bound(broken, 9)
    with pytest.raises(ValueError, match="must return a finite number for each step"):
        bound(LambdaDecay(0.1, lambda t: math.nan), 9)


def test_the_arithmetic_needs_numpy_only():
    # The package as a whole needs Keras; a copy of this module and of what it imports does not.
    script = "import importlib.util as u, sys, types\n"
    script += "sys.modules['keras_lr'] = types.ModuleType('keras_lr')\n"
    for name in ("checks", "prediction"):
        path = f"{keras_lr.__path__[0]}/{name}.py"
        script += (
            f"spec = u.spec_from_file_location('keras_lr.{name}', {path!r})\n"
            f"m = u.module_from_spec(spec); sys.modules['keras_lr.{name}'] = m\n"
            f"spec.loader.exec_module(m); sys.modules['keras_lr'].{name} = m\n"
        )
    script += "print(m.bound([0.3, 0.3], 2).value, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["1.0", "False"], done.stderr
