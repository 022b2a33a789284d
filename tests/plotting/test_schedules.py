"""Pictures of schedules: what is drawn is what is trained with, and nothing else is touched."""

import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_lr import plot_schedules, plotting
from keras_lr.schedules import (
    Constant,
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    LinearDecay,
    MultiStepDecay,
    PiecewiseConstantDecay,
    RexDecay,
    StepDecay,
)

LINEAR = LinearDecay(0.1, 90).with_warmup(10)
COSINE = CosineDecay(0.1, 100)


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def pyplot():
    """A backend without windows, and no pyplot figures before and after."""
    plt.close("all")
    plt.switch_backend("agg")
    yield
    plt.close("all")


def curve(ax, index=0):
    return ax.get_lines()[index].get_data()


@pytest.mark.parametrize("schedule", [LINEAR, COSINE, RexDecay(0.1, 100), Constant(0.1)], ids=repr)
def test_draws_the_rate_of_every_update(schedule, ax):
    steps, rates = curve(plot_schedules([schedule], 120, ax=ax))
    np.testing.assert_array_equal(steps, np.arange(121))
    np.testing.assert_array_equal(rates, schedule.rates(121))


@pytest.mark.parametrize(
    "schedule",
    [
        StepDecay(0.8, 2, 0.5),
        MultiStepDecay(0.1, [20, 60], 0.1),
        PiecewiseConstantDecay([20, 60], [0.05, 0.01, 0.03]),
        CosineDecay(0.1, 100).hold(10),
        ExponentialDecay(0.1, 7, 0.5, staircase=True),
    ],
    ids=repr,
)
def test_a_staircase_has_only_level_and_vertical_lines(schedule, ax):
    steps, rates = curve(schedule.plot(99, ax=ax))
    assert np.all((np.diff(steps) == 0) | (np.diff(rates) == 0))
    treads = np.append(np.diff(steps) > 0, False)
    np.testing.assert_array_equal(rates[treads], schedule.rates(steps[treads]))


def test_a_restart_is_vertical_and_the_decay_between_restarts_is_not(ax):
    schedule = CosineDecayRestarts(1.0, 10, t_mul=1.0)
    steps, rates = curve(schedule.plot(40, ax=ax))
    risers = np.flatnonzero(np.diff(steps) == 0)
    assert steps[risers].tolist() == [10, 20, 30]
    np.testing.assert_array_equal(rates[risers], schedule.rates([9, 19, 29]))
    assert rates[-1] == schedule.rates([39]), "the restart at 40 comes after the run"


def test_a_long_run_is_sampled_evenly_at_whole_updates(ax):
    schedule = CosineDecay(0.1, 3_000_000)
    steps, rates = curve(schedule.plot(3_000_000, ax=ax))
    assert len(steps) == 10_001 and (steps[0], steps[-1]) == (0, 3_000_000)
    np.testing.assert_array_equal(steps, np.round(steps))
    np.testing.assert_array_equal(rates, schedule.rates(steps))


@pytest.mark.parametrize(
    "options, last",
    [({}, 110), ({"epochs": 5}, 100), ({"total_steps": 40}, 40), ({"log": True}, 110)],
)
def test_length_of_the_run(options, last, ax):
    assert curve(plot_schedules([COSINE, LinearDecay(0.1, 50)], ax=ax, **options))[0][-1] == last


def test_axes_are_labelled_and_start_at_zero(ax):
    plot_schedules([Constant(0.1)], 10, ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("update", "learning rate")
    assert ax.get_ylim()[0] <= 0.0 < 0.1 < ax.get_ylim()[1]
    assert ax.get_yscale() == "linear" and not ax.child_axes


def test_negative_differences_are_in_the_picture(ax):
    plot_schedules([LINEAR - 0.2], ax=ax)
    assert ax.get_ylim()[0] < -0.2


def test_log_axis_with_a_rate_that_ends_at_zero(ax):
    plot_schedules([LINEAR], ax=ax, log=True)
    ax.figure.draw_without_rendering()
    assert ax.get_yscale() == "log"
    assert 0.0 < ax.get_ylim()[0] < 0.002 and ax.get_ylim()[1] > 0.1


def test_epochs_axis(ax):
    plot_schedules([COSINE], 200, ax=ax, epochs=8)
    ax.figure.draw_without_rendering()
    (top,) = ax.child_axes
    assert top.get_xlabel() == "epoch"
    np.testing.assert_allclose(top.get_xlim(), np.array(ax.get_xlim()) * 8 / 200)
    assert set(top.get_xticks()) <= set(range(-1, 10))


def test_durations_are_those_of_the_run_drawn(ax):
    plot_schedules([LinearDecay(0.1, "50%"), LinearDecay(0.1, "2 epochs")], 80, ax=ax, epochs=4)
    assert curve(ax, 0)[1].tolist() == curve(ax, 1)[1].tolist()
    assert curve(ax)[1].tolist() == LinearDecay(0.1, 40).rates(81).tolist()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_one_legend_where_there_are_several(ax):
    plot_schedules([COSINE], ax=ax)
    assert ax.get_legend() is None
    plot_schedules([LINEAR], ax=ax)
    assert legend(ax) == [repr(COSINE), repr(LINEAR), "warmup end"]


def test_labels_replace_reprs_and_long_reprs_are_shortened(ax):
    boundaries = range(1, 100)
    long = MultiStepDecay(0.1, boundaries, 0.9)
    plot_schedules([long, COSINE], ax=ax)
    assert legend(ax)[0].endswith("…") and len(legend(ax)[0]) == 60
    ax.clear()
    plot_schedules([long, COSINE], ax=ax, labels=["stairs", "cosine"])
    assert legend(ax) == ["stairs", "cosine"]


def test_what_is_a_schedule_elsewhere_is_one_here(ax):
    import keras

    foreign = keras.optimizers.schedules.CosineDecay(0.1, 100)
    plot_schedules(
        [foreign, lambda step: 0.1 / (1 + step), 0.05], 100, ax=ax, labels=["a", "b", "c"]
    )
    np.testing.assert_array_equal(curve(ax, 0)[1], COSINE.rates(101))
    np.testing.assert_allclose(curve(ax, 1)[1], 0.1 / (1 + np.arange(101)), rtol=1e-6)
    np.testing.assert_array_equal(curve(ax, 2)[1], np.full(101, 0.05))


def test_plotting_itself_takes_schedules_of_ours_only(ax):
    assert plotting.plot_schedules([COSINE], 9, ax=ax) is ax
    with pytest.raises(ValueError, match=r"\[0\]` must be one of keras_lr \(`keras_lr.plot_"):
        plotting.plot_schedules(lambda step: 0.1, 9)


def test_a_schedule_alone_needs_no_list(ax):
    assert plot_schedules(COSINE, ax=ax) is ax
    assert len(ax.get_lines()) == 1


@pytest.mark.parametrize(
    "schedules, options, message",
    [
        ([Constant(0.1)], {}, r"`total_steps` must be given.*Received: total_steps=None"),
        ([StepDecay(0.1, 5, 0.5)], {}, r"Received: total_steps=None.*StepDecay\(0.1, 5, 0.5\)"),
        ([LinearDecay(0.1, "5%")], {}, r"A duration of 5% needs the length of the run"),
        (
            [COSINE],
            {"total_steps": 0},
            r"`total_steps` must be an integer >= 1 and .*Received: .*=0",
        ),
        ([COSINE], {"total_steps": 1.5}, r"`total_steps` must be an integer.*Received: .*=1.5"),
        ([COSINE], {"epochs": -3}, r"`epochs` must be a finite number > 0. Received: epochs=-3"),
        ([COSINE], {"labels": ["a", "b"]}, r"`labels` must be one for each of the 1.*Received:"),
        ([COSINE], {"labels": [1]}, r"`labels\[0\]` must be a string. Received: .*=1"),
        ([COSINE - 1.0], {"log": True}, r"`log` must be False where.*negative.*Received: log=True"),
        ([Constant(0.0)], {"total_steps": 9, "log": True}, r"`log` must be False.*Received:"),
        ([COSINE], {"marks": "all"}, r"`marks` must be True or False. Received: marks='all'"),
        ([LinearDecay(0.1, 1e30)], {}, r"`total_steps` must be .* <= 9007199254740992"),
        ([], {}, r"`schedules` must be a list of 1 or more. Received: schedules=\[\]"),
        (["cosine"], {}, r"`schedules\[0\]` must be a schedule.*Received: .*'cosine'"),
    ],
)
def test_bad_input_is_refused_and_leaves_no_figure(schedules, options, message, pyplot):
    with pytest.raises(ValueError, match=message):
        plot_schedules(schedules, **options)
    assert not plt.get_fignums()


def test_without_axes_one_pyplot_figure_is_made(pyplot):
    ax = COSINE.plot()
    assert [plt.figure(number) for number in plt.get_fignums()] == [ax.figure]
    assert ax.get_title() == repr(COSINE)


def test_given_axes_no_pyplot_figure_is_made_and_the_title_is_the_users(ax, pyplot):
    ax.set_title("mine")
    assert COSINE.plot(ax=ax) is ax
    assert ax.get_title() == "mine" and not plt.get_fignums()


def test_nothing_is_shown_and_no_setting_changes(pyplot, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: pytest.fail("plt.show() was called"))
    settings, interactive = dict(matplotlib.rcParams), plt.isinteractive()
    plot_schedules([LINEAR, COSINE], epochs=10, log=True).figure.draw_without_rendering()
    assert dict(matplotlib.rcParams) == settings
    assert plt.isinteractive() == interactive


def test_a_short_run_has_whole_updates_on_its_axis(ax):
    plot_schedules([LinearDecay(0.1, 3)], 3, ax=ax)
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'keras_lr\[plot\]'"):
        COSINE.plot()
