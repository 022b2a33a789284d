"""What a picture tells beside the rates: where something begins, and which curve is which."""

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from keras_lr.plotting import plot_schedules
from keras_lr.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    LinearDecay,
    RexDecay,
    WarmRestarts,
    WarmupStableDecay,
)

LINEAR = LinearDecay(0.1, 90).with_warmup(10)
COSINE = CosineDecay(0.1, 100)


@pytest.fixture
def ax():
    return Figure().subplots()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def marks(ax):
    """The places of the markers on curves, by colour and kind; legend entries have no place."""
    named = {c.get_paths()[0].vertices.tobytes(): c.get_label() for c in legend_marks(ax)}
    return {
        (to_hex(c.get_facecolor()[0]), named[c.get_paths()[0].vertices.tobytes()]): [
            (round(t), round(rate, 9)) for t, rate in c.get_offsets().tolist()
        ]
        for c in ax.collections
        if c not in legend_marks(ax)
    }


def legend_marks(ax):
    return [c for c in ax.collections if not c.get_label().startswith("_")]


def color(ax, index=0):
    return to_hex(ax.get_lines()[index].get_color())


def test_marks_lie_on_the_curve_where_something_begins(ax):
    wsd = WarmupStableDecay(0.1, 100, warmup=10, decay=20)
    restarts = WarmRestarts(0.2, [30, 40], warmup=5)
    plot_schedules([wsd, restarts], 100, ax=ax)
    first, second = color(ax, 0), color(ax, 1)
    assert marks(ax) == {
        (first, "warmup end"): [(10, 0.1)],
        (first, "boundary"): [(80, 0.1)],
        (second, "warmup end"): [(5, 0.2)],
        (second, "restart"): [(30, 0.2)],
    }


def test_the_legend_has_one_entry_per_kind_however_often_it_is_drawn(ax):
    wsd = WarmupStableDecay(0.1, 100)
    plot_schedules([wsd], ax=ax)
    assert legend(ax) == ["warmup end", "boundary"], "a single curve is named by a title"
    plot_schedules([wsd, LINEAR], ax=ax, labels=["wsd", "linear"])
    assert legend(ax) == [repr(wsd), "warmup end", "boundary", "wsd", "linear"]


def test_each_kind_has_a_shape_of_its_own(ax):
    plot_schedules([WarmupStableDecay(0.1, 100), WarmRestarts(0.2, [30, 40])], ax=ax)
    assert len({c.get_paths()[0].vertices.tobytes() for c in legend_marks(ax)}) == 3


def test_without_marks_there_are_only_lines(ax):
    plot_schedules([WarmupStableDecay(0.1, 100)], ax=ax, marks=False)
    assert not ax.collections and ax.get_legend() is None and len(ax.get_lines()) == 1


@pytest.mark.parametrize("restarts, drawn", [(20, 20), (21, 0)])
def test_many_of_a_kind_are_left_out_and_the_others_stay(restarts, drawn, ax):
    schedule = CosineDecayRestarts(0.1, 10, t_mul=1.0).with_warmup(5)
    plot_schedules(schedule, 5 + 10 * restarts + 1, ax=ax)
    counts = {kind: len(places) for (_, kind), places in marks(ax).items()}
    assert counts.get("restart", 0) == drawn and counts["warmup end"] == 1


def test_what_begins_at_the_end_of_the_run_is_not_marked(ax):
    plot_schedules(LINEAR, 10, ax=ax)
    assert not ax.collections
    plot_schedules(LINEAR, 11, ax=ax)
    assert list(marks(ax).values()) == [[(10, 0.1)]]


def test_a_run_too_long_to_list_its_restarts_has_no_marks(ax):
    plot_schedules(CosineDecayRestarts(0.1, 10).with_warmup(9), 1_000_001, ax=ax)
    assert not ax.collections


def test_on_a_log_axis_a_mark_at_rate_zero_is_left_out(ax):
    schedule = LinearDecay(0.1, 50).then(LinearDecay(0.1, 50), at=60)
    low = schedule.then(0.0, at=80)
    plot_schedules(low, 100, ax=ax, log=True)
    assert marks(ax)[color(ax), "boundary"] == [(60, 0.1)]
    ax.figure.draw_without_rendering()
    assert ax.get_ylim()[0] > 1e-4


@pytest.mark.parametrize("count, outside", [(2, False), (6, True)])
def test_a_long_legend_stands_below_the_axes_and_covers_no_curve(count, outside):
    ax = Figure(figsize=(9, 5), layout="constrained").subplots()
    plot_schedules([RexDecay(0.1, 10 * n) for n in range(1, count + 1)], ax=ax, epochs=3)
    ax.figure.draw_without_rendering()
    box, labels = ax.get_legend().get_window_extent(), ax.xaxis.label.get_window_extent()
    assert (box.y1 < labels.y0) == outside
    assert box.x0 >= 0 and box.x1 <= ax.figure.bbox.width and box.y0 >= 0


def test_a_long_legend_of_long_labels_is_no_wider_than_the_figure():
    ax = Figure(layout="constrained").subplots()
    plot_schedules([COSINE] * 6, ax=ax, labels=["a schedule by any name " * 2] * 6)
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().width <= ax.figure.bbox.width


def test_without_a_layout_that_makes_room_the_legend_stays_inside(ax):
    plot_schedules([COSINE] * 6, ax=ax)
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y0 > ax.bbox.y0


def test_marks_without_number_cost_no_memory(ax):
    bomb = LinearDecay(0.1, 1).repeat(1).stretch(1e-9)
    plot_schedules([bomb], 1000, ax=ax)
    assert not marks(ax)
    with pytest.raises(ValueError, match="`last` must be so low .* at most 100000 marks. Received"):
        bomb.marks(1000)
