"""Rules that read a rate off a range test: each a pure function of rates and smoothed losses.

Rates rise, losses are finite; a rule that finds nothing returns None.
"""

from keras_lr.finder.rules.balance import balanced
from keras_lr.finder.rules.lowest import minimum
from keras_lr.finder.rules.plateau_end import slide
from keras_lr.finder.rules.slope import steepest
from keras_lr.finder.rules.subsequence import valley

RULES = {rule.__name__: rule for rule in (minimum, valley, steepest, slide, balanced)}
DEFAULT = balanced
