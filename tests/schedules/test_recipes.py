import keras
import numpy as np
import pytest
from support import unit_gradient

from keras_lr import schedules as s
from keras_lr.callbacks import FitSchedule

T = 1000
RECIPES = [
    s.LinearToZero(0.1, T),
    s.WarmupCosine(0.1, T),
    s.WarmupStableDecay(0.1, T),
    s.FlatCosine(0.1, T),
    s.WarmRestarts(0.1, [400, 600], warmup="5%"),
    s.OneCycle(0.1, T),
    s.SlantedTriangular(0.1, T),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_a_recipe_is_its_composition_and_says_less(recipe):
    composition = recipe.expand()
    np.testing.assert_array_equal(recipe.rates(T + 10), composition.rates(T + 10))
    assert recipe.length == composition.length == T
    assert len(repr(recipe)) < len(repr(composition))
    assert recipe != composition


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_the_peak_is_the_peak_and_the_end_is_reached_at_the_length(recipe):
    rates = recipe.rates(T + 1)
    assert rates.max() == 0.1
    assert rates[T] == rates[-1] == rates.min() < rates[T - 1]


def test_defaults_are_shown_as_they_are_written():
    assert repr(s.LinearToZero(0.1, 1000)) == "LinearToZero(0.1, 1000)"
    assert repr(s.LinearToZero(0.1, 1000, "10%")) == "LinearToZero(0.1, 1000, warmup='10%')"
    assert s.LinearToZero(0.1, 1000, "5%") == s.LinearToZero(0.1, 1000)
    assert s.LinearToZero(0.1, 1000, s.fraction(0.05)) == s.LinearToZero(0.1, 1000)
    assert s.LinearToZero(0.1, 1000).get_config()["warmup"] == "5%"


@pytest.mark.parametrize(
    "total, share, updates",
    [(1000, "5%", 50), (30, "5%", 2), (9, "5%", 0), (10, "5%", 1), (100, "0%", 0), (100, 0, 0)],
)
def test_percentages_are_of_the_recipes_own_length_and_rounded(total, share, updates):
    recipe = s.LinearToZero(0.1, total, share)
    assert recipe.expand() == s.LinearDecay(0.1, total - updates).with_warmup(updates)


def test_own_percentages_are_not_those_of_the_run():
    half = s.WarmupCosine(0.1, "50%", warmup="10%")
    assert half.resolve(total_steps=1000) == s.WarmupCosine(0.1, 500, warmup="10%")
    within = half.resolve(total_steps=1000).expand()
    assert within.warmup_steps == 50
    in_epochs = s.WarmupCosine(0.1, "50%", warmup="2 epochs").resolve(10, steps_per_epoch=20)
    assert in_epochs == s.WarmupCosine(0.1, 100, warmup=40)


def test_a_length_that_is_open_is_that_of_the_fit():
    model = unit_gradient.build(keras.optimizers.SGD(0.5))
    unit_gradient.fit(model, 5, 4, [FitSchedule(s.LinearToZero(0.8, "100%", warmup="20%"))])
    expected = 0.8 * np.append([0.25, 0.5, 0.75, 1], 1 - np.arange(16) / 16)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=1e-6)


def test_an_open_length_says_how_to_resolve_it():
    with pytest.raises(ValueError, match="not in updates yet: 100%. Resolve them with"):
        s.LinearToZero(0.1, "100%").rates(3)


def test_stable_part_of_two_lengths_is_the_same():
    short, long = (s.WarmupStableDecay(0.1, n, warmup=50, decay=100) for n in (500, 900))
    np.testing.assert_array_equal(short.rates(400), long.rates(400))
    np.testing.assert_array_equal(short.rates(500)[400:], long.rates(900)[800:])
    assert s.WarmupStableDecay(0.1, 100, decay=0).rates(200)[10:].tolist() == [0.1] * 190


@pytest.mark.parametrize("shape", ["sqrt", "linear", "cosine", "exponential"])
def test_shapes_of_the_annealing(shape):
    recipe = s.WarmupStableDecay(0.1, 100, 0, 40, shape, end_learning_rate=0.001)
    rates = recipe.rates(120)
    assert (rates[:61] == 0.1).all() and (np.diff(rates[60:101]) < 0).all()
    np.testing.assert_allclose(rates[100:], 0.001, rtol=1e-12)


def test_marks():
    assert s.WarmupStableDecay(0.1, 1000).marks(1000) == ((50, "warmup end"), (800, "boundary"))
    restarts = s.WarmRestarts(0.1, [100, 200, 400], warmup=10)
    assert restarts.marks(1000) == ((10, "warmup end"), (100, "restart"), (300, "restart"))
    assert s.OneCycle(0.1, 1000).marks(1000) == ((300, "boundary"),)


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: s.LinearToZero(0.1, 0), "`total_steps` must be .*> 0.*Received: total_steps=0"),
        (lambda: s.LinearToZero(-0.1, 9), "`peak` must be .*>= 0. Received: peak=-0.1"),
        (lambda: s.LinearToZero(0.1, 9, 9), "`warmup` must leave at least 1 of the 9.*warmup=9"),
        (lambda: s.LinearToZero(0.1, 9, "100%"), "`warmup` must leave at least 1.*warmup='100%'"),
        (lambda: s.LinearToZero(0.1, 9, -1), "`warmup` must be .*>= 0.*Received: warmup=-1"),
        (lambda: s.LinearToZero(0.1, 9, "x"), "`warmup` must be .*Received: warmup='x'"),
        (
            lambda: s.WarmupStableDecay(0.1, 100, "50%", "60%"),
            "`warmup` and `decay` must leave at least 0 of the 100 updates. "
            "Received: warmup='50%', decay='60%'",
        ),
        (lambda: s.WarmupStableDecay(0.1, 100, shape="bent"), "`shape` must be one of 'sqrt'"),
        (
            lambda: s.WarmupStableDecay(0.1, 100, shape="exponential"),
            "`end_learning_rate` must be > 0, and `peak` too, for an exponential.*Received",
        ),
        (lambda: s.FlatCosine(0.1, 100, 100), "`flat` must leave at least 1 of the 100.*flat=100"),
        (lambda: s.WarmRestarts(0.1, []), "`periods` must be a list of 1 or more. Received"),
        (lambda: s.WarmRestarts(0.1, [10, 0]), r"`periods\[1\]` must be .*> 0.*Received"),
        (lambda: s.WarmRestarts(0.1, 10), "`periods` must be a list.*Received: periods=10"),
        (
            lambda: s.WarmRestarts(0.1, [10, 50], warmup=10),
            "`warmup` must leave at least 51 of the 60 updates. Received: warmup=10",
        ),
    ],
)
def test_bad_arguments(build, says):
    with pytest.raises(ValueError, match=says):
        build()


def test_parts_that_do_not_fit_are_refused_when_the_length_is_known():
    recipe = s.LinearToZero(0.1, "100%", warmup="2 epochs")
    with pytest.raises(ValueError, match="`warmup` must leave at least 1 of the 20 updates"):
        recipe.resolve(2, steps_per_epoch=10)
