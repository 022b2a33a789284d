"""The catalogue's picture shows every example, as it is now."""

import numpy as np
import pytest
from support import gallery
from support.examples import SCHEDULES


def panels(figure):
    return {ax.get_title(): ax.get_lines() for ax in figure.axes}


def test_the_committed_picture_is_not_stale():
    shown, now = gallery.shown(), gallery.fingerprint()
    command = "PYTHONPATH=tests python -m support.gallery"
    hint = f"The examples have changed: run `{command}` and commit the picture."
    assert list(shown) == list(now), hint
    # A percent of difference is rounding; what anybody could see is more.
    np.testing.assert_allclose(list(shown.values()), list(now.values()), atol=1, err_msg=hint)


def test_every_class_has_a_panel_of_its_own():
    drawn, examples = panels(gallery.draw()), gallery.ordered()
    assert len(drawn) == len(examples) == len(gallery.fingerprint())
    assert {type(example.schedule) for example in examples} == {type(e.schedule) for e in SCHEDULES}
    for example in examples:
        (line,) = drawn[gallery.wrapped(example.title)]
        steps, rates = line.get_data()
        # Where the rate jumps at an update there are two points; the second is its rate.
        np.testing.assert_allclose(rates[steps == 50][-1], example.oracle(50), rtol=1e-9)


def test_every_title_fits_its_panel():
    figure = gallery.draw()
    figure.draw_without_rendering()
    boxes = [ax.title.get_window_extent() for ax in figure.axes]
    widest = max(boxes, key=lambda box: box.width)
    assert widest.width < figure.bbox.width / 6
    assert max(box.x1 for box in boxes) < figure.bbox.width
    (key,) = figure.legends
    assert key.get_window_extent().width < figure.bbox.width
    overlapping = [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if a.overlaps(b)]
    assert not overlapping


@pytest.mark.parametrize(
    "title, lines",
    [
        ("LinearDecay", "LinearDecay"),
        ("CosineDecay, warmup", "CosineDecay, warmup"),
        ("NaturalExponentialDecay, staircase", "NaturalExponentialDecay\nstaircase"),
        ("Warmup, hold, anneal, clip, jitter", "Warmup, hold, anneal\nclip, jitter"),
    ],
)
def test_long_titles_are_broken_at_a_comma(title, lines):
    assert gallery.wrapped(title) == lines


def test_a_picture_of_other_schedules_is_stale(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "SCHEDULES", [SCHEDULES[0], SCHEDULES[-1]])
    gallery.write(tmp_path / "images" / "two.png")
    assert gallery.shown(tmp_path / "images" / "two.png") == gallery.fingerprint()
    assert len(gallery.fingerprint()) == 2
    assert list(gallery.shown()) != list(gallery.fingerprint())
