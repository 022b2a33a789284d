"""The verdict on the learning rate of a run, read from its curves.

What reads them is a sum of small decision trees, in `verdict.json`, that were fitted to runs of
which the same run at other rates is known: `tests/benchmarks/diagnosis.py` makes it.
"""

import functools
import json
import pathlib

import numpy as np

from keras_lr.diagnosis.features import features
from keras_lr.diagnosis.trees import Trees

VERDICTS = ("too small", "good", "too large", "diverged")
UNDETERMINED = "undetermined"
# Trees know six classes: of rates that are too small or too large, those beside a good one apart.
FINE = ("far too small", "too small", "good", "too large", "far too large", "diverged")
_OF_FINE = np.array([0, 0, 1, 2, 2, 3])
# With fewer points nothing is said of a run that stayed finite.
FEWEST = 5
# Of a loss that ended as no number: 1 % may be for another reason than the rate.
_NOT_FINITE = (0.0, 0.0, 0.005, 0.0, 0.005, 0.99)
# Answers, one a row, that are right or nearly so: what is beside a good rate is nearly good.
_NEARLY = np.array(
    [[1, 1, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 1]], float
)
_EXACT = np.array([answer == _OF_FINE for answer in range(len(VERDICTS))], float)
_ALARM_ON_GOOD = np.outer([1, 0, 1, 1], [0, 0, 1, 0, 0, 0])
_OPPOSITE = np.array([[0, 0, 0, 1, 1, 1], [0] * 6, *[[1, 1, 0, 0, 0, 0]] * 2], float)


class Model:
    """Trees, and what is made of their sums, from the content of the data file."""

    def __init__(self, data):
        self.features = data["features"]
        self._start = np.array(data["start"])
        self._trees = Trees(data["rounds"])
        self._temperature = data["temperature"]
        self._care = data["care"]

    def fine(self, found):
        """Returns the probabilities of the classes in `FINE` for features by name."""
        sums = self._start + self._trees([found[name] for name in self.features])
        return softmax(sums / self._temperature)

    def answer(self, fine):
        """Returns the index of the answer, −1 for none.

        The answer is the one with the highest expected worth, if that is enough: 1 where it is
        right or nearly so, more where it is right, less what an alarm on a good run costs, or
        one that points the wrong way.
        """
        care = self._care
        worth = _NEARLY + care["worth of the very label"] * _EXACT
        worth -= (
            care["cost of an alarm"] * _ALARM_ON_GOOD + care["cost of the opposite"] * _OPPOSITE
        )
        expected = worth @ fine
        best = int(np.argmax(expected))
        return best if expected[best] >= care["least worth"] else -1


def softmax(sums):
    """Returns the probabilities that sums stand for, over the last axis."""
    powers = np.exp(sums - np.max(sums, -1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def grouped(fine):
    """Returns the probabilities of `VERDICTS` from those of `FINE`.

    >>> grouped(np.array([0.1, 0.2, 0.3, 0.2, 0.1, 0.1])).round(3).tolist()
    [0.3, 0.3, 0.3, 0.1]
    """
    return np.bincount(_OF_FINE, fine, minlength=len(VERDICTS))


@functools.lru_cache(1)
def model():
    """Returns the model that the package comes with."""
    path = pathlib.Path(__file__).with_name("verdict.json")
    return Model(json.loads(path.read_text(encoding="utf-8")))


def judged(curves, by):
    """Returns the index of the answer and the probabilities of `FINE`, by a `Model`."""
    loss = np.asarray(curves.loss, "float64")
    if len(loss) and not np.isfinite(loss[-1]):
        return len(VERDICTS) - 1, np.array(_NOT_FINITE)
    if np.isfinite(loss).sum() < FEWEST:
        return -1, by.fine(features(curves))
    fine = by.fine(features(curves))
    return by.answer(fine), fine


def probabilities(curves):
    """Returns the probability of each of `VERDICTS`; they sum to 1.

    A loss that ends as no number is taken as diverged; the rest is calibrated on tasks that the
    model was not fitted to.

    >>> from keras_lr.diagnosis.run_curves import RunCurves
    >>> probabilities(RunCurves(np.array([1.0, 2.0, np.nan])))["diverged"]
    0.99
    """
    return dict(zip(VERDICTS, map(float, grouped(judged(curves, model())[1])), strict=True))


def verdict(curves):
    """Returns the verdict on the rate of a run and the probabilities of `VERDICTS`.

    The verdict is "undetermined" for fewer than 5 finite points, unless the last one is no number,
    and where no answer is likely enough to be right, or nearly so: in 15 % of runs with a
    validation loss, and in 70 % of those without. Of the answers on 173 sets of data that nothing
    was tuned on, 81 % were right (84 % where the loss before training was known), 90 % were so of
    the rate or of one within a factor 2.15, and 0.7 % pointed the wrong way. But 15 % of the good
    runs that were answered were called something else. The border of good moves with the seed: the
    labels of the same sweep with another seed are right for 91 % of rates, and call 29 % of the
    good ones something else, or 7 % where all rates beside good ones are called good too.

    "good" is a rate at which the validation loss ends within 3 % of the lowest that any rate
    reaches in a run of this length, as a share of what training can gain.

    >>> from keras_lr.diagnosis.run_curves import RunCurves
    >>> verdict(RunCurves(np.array([2.0, 1.0])))[0]
    'undetermined'
    """
    answer, fine = judged(curves, model())
    found = dict(zip(VERDICTS, map(float, grouped(fine)), strict=True))
    return (VERDICTS[answer] if answer >= 0 else UNDETERMINED), found
