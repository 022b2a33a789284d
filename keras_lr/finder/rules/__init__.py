"""Rules that read a rate off a range test.

Those of others are pure functions of rates and smoothed losses; the default takes the whole curve,
which knows its noise and its end. Rates rise, losses are finite; what finds nothing returns None.
"""

from keras_lr.finder.rules.falling import fallen
from keras_lr.finder.rules.lowest import minimum
from keras_lr.finder.rules.plateau_end import slide
from keras_lr.finder.rules.slope import steepest
from keras_lr.finder.rules.subsequence import valley

KNOWN = (minimum, valley, steepest, slide)
DEFAULT = fallen
NAMES = tuple(rule.__name__ for rule in (*KNOWN, DEFAULT))


def suggestions(curve):
    """Returns the rate that each rule suggests, or None, by its name."""
    found = {rule.__name__: rule(curve.rates, curve.smoothed) for rule in KNOWN}
    return found | {DEFAULT.__name__: DEFAULT(curve)}
