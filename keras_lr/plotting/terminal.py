"""Charts made of characters, for a terminal or a log: no library, any width, any encoding."""

import numpy as np

from keras_lr.plotting import curves

# An odd number, so that one row is the middle of the axis.
_ROWS = 9
_NARROWEST, _WIDEST = 40, 120
# A braille character has dots in four rows and two columns; these are their bits.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800
# Axis with and without a tick, corner, floor with and without a mark.
_LINES, _PLAIN_LINES = "┤│└─┴", "+|+-+"
# What lies in a cell: nothing, something above, something below, both.
_PLAIN_CELLS = np.array([" ", "'", ".", ":"])


def chart(schedule, total_steps, *, width=80, log=False, top=None, encoding="utf-8"):
    """Returns the rates of a schedule over the updates of a run as lines of text.

    `width` is in characters, taken as 40 to 120. `top` is the rate that the axis reaches at least.
    `log` makes the axis of rates logarithmic. What begins when, as in `plot_schedules`, is marked
    on the axis of updates and told below. Without braille in `encoding` the chart is plain ASCII.

    >>> from keras_lr.schedules import LinearDecay
    >>> print(chart(LinearDecay(0.1, 70), 70, width=41, encoding="ascii"))
    rate
     0.1 +':..
         |   '':..
         |       '':..
         |           '':..
    0.05 +               '':..
         |                   '':..
         |                       '':..
         |                           '':..
       0 +                               '':.
         +-----------------------------------
          update 0         35              70
    """
    steps = curves.updates(total_steps)
    rates = schedule.rates(steps)
    if log:
        curves.refuse_on_log_axis([rates])
    steps, rates = curves.outline(steps, rates)
    low, high = _limits(rates, log, top)
    labels = [
        f"{rate:.3g}" for rate in (high, (low * high) ** 0.5 if log else (low + high) / 2, low)
    ]
    margin = max(map(len, ("rate", *labels)))
    columns = min(max(width, _NARROWEST), _WIDEST) - margin - 2
    plain = not _shows_braille(encoding)
    tick, axis, corner, floor, mark = _PLAIN_LINES if plain else _LINES

    dots = _dots(steps / total_steps, _heights(rates, low, high, log), columns)
    ticks = {0: labels[0], _ROWS // 2: labels[1], _ROWS - 1: labels[2]}
    lines = ["rate".rjust(margin)]
    for row, cells in enumerate(_cells(dots, plain)):
        side = tick if row in ticks else axis
        lines.append(f"{ticks.get(row, ''):>{margin}} {side}{''.join(cells)}")
    marks = curves.marks_of(schedule, total_steps)
    line = np.full(columns, floor)
    line[[round(t / total_steps * (columns - 1)) for begun in marks.values() for t in begun]] = mark
    lines.append(f"{'':{margin}} {corner}{''.join(line)}")
    lines.append(f"{'':{margin}}  {_updates(total_steps, columns)}")
    told = (f"{kind} at {', '.join(map(str, begun))}" for kind, begun in marks.items())
    return "\n".join(line.rstrip() for line in (*lines, "; ".join(told)) if line)


def _shows_braille(encoding):
    try:
        (chr(_BRAILLE) + _LINES).encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _limits(rates, log, top):
    """Returns the ends of the axis of rates: 0 is on it, unless it is logarithmic."""
    shown = rates[rates > 0] if log else np.append(rates, 0.0)
    low, high = shown.min(), max(shown.max(), top or 0.0)
    if low == high:
        return (high / 10, high) if log else (low, low + 1.0)
    return low, high


def _heights(rates, low, high, log):
    """Returns how far up the axis each rate is, from 0 to 1."""
    if log:
        rates, low, high = np.log(np.maximum(rates, low)), np.log(low), np.log(high)
    return (rates - low) / (high - low)


def _dots(places, heights, columns):
    """Returns which dots a line through the points touches; the first row is the highest."""
    width, height = 2 * columns, 4 * _ROWS
    centers = np.linspace(0.0, 1.0, width)
    heights = np.append(heights, np.interp(centers, places, heights))
    across = np.round(np.append(places, centers) * (width - 1)).astype(int)
    up = np.round(heights * (height - 1)).astype(int)
    low, high = np.full(width, height), np.full(width, -1)
    np.minimum.at(low, across, up)
    np.maximum.at(high, across, up)
    # From one column to the next the line goes up or down in the second.
    below = np.minimum(low[1:], high[:-1] + 1)
    above = np.maximum(high[1:], low[:-1] - 1)
    low[1:], high[1:] = below, above
    row = np.arange(height)[::-1, None]
    return (row >= low) & (row <= high)


def _cells(dots, plain):
    """Returns the characters of each row."""
    cells = dots.reshape(_ROWS, 4, -1, 2).swapaxes(1, 2)
    if plain:
        above, below = cells[:, :, :2].any((2, 3)), cells[:, :, 2:].any((2, 3))
        return _PLAIN_CELLS[above + 2 * below]
    bits = (cells * _DOTS).sum((2, 3))
    return [[chr(_BRAILLE + byte) if byte else " " for byte in row] for row in bits.tolist()]


def _updates(total_steps, columns):
    """Returns the numbers under the axis of updates: its begin, middle and end."""
    begin, end = "update 0", f"{total_steps}"
    middle = f"{total_steps // 2}" if total_steps % 2 == 0 else ""
    return begin + middle.center(columns)[len(begin) : columns - len(end)] + end
