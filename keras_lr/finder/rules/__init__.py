"""Rules that read a rate off a range test.

Those of others are pure functions of rates and smoothed losses; ours take the whole curve, which
knows its end and its optimizer's momentum. Rates rise, losses are finite; what finds nothing
returns None.
"""

from keras_lr.finder.rules.falling import fallen
from keras_lr.finder.rules.lowest import minimum
from keras_lr.finder.rules.plateau_end import slide
from keras_lr.finder.rules.rising import risen
from keras_lr.finder.rules.slope import steepest
from keras_lr.finder.rules.subsequence import valley

KNOWN = (minimum, valley, steepest, slide)
OURS = (risen, fallen)
NAMES = tuple(rule.__name__ for rule in (*KNOWN, *OURS))
# What a curve was seen to do leaves this to read a rate off.
DEFAULTS = {"ok": fallen, "only rose": risen}


def suggestions(curve):
    """Returns the rate that each rule suggests, or None, by its name."""
    found = {rule.__name__: rule(curve.rates, curve.smoothed) for rule in KNOWN}
    return found | {rule.__name__: rule(curve) for rule in OURS}
