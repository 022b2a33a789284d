"""Short runs of the planned schedule at rates around a suggestion, and the best of them."""

import dataclasses
import math

import numpy as np

from keras_lr import checks
from keras_lr.schedules import LinearDecay, Stretch
from keras_lr.schedules.coerce import as_schedule
from keras_lr.trials.stopping import AfterUpdates

# The plateau of good rates is about two octaves wide: further apart, one might be missed.
_FACTOR = 3.0
# On the tasks for tuning of tests/benchmarks/regret_tasks.py 0.02 to 0.1 do about as well.
_AS_GOOD = 0.02
_NEARLY = 0.1
# Scores within this part of the best may be those of networks that answer with a constant.
_ALIKE = 0.01
# Where no run gains more than a hundredth of the loss before training, nothing has been learnt yet,
# and scores within a fiftieth are no worse.
_GAIN, _NO_WORSE = 0.01, 0.02


def planned_schedule(schedule, num_steps):
    """Returns the shape of a schedule, its peak 1, over `num_steps` updates; None is linear to 0.

    >>> planned_schedule(None, 4).rates(5).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> planned_schedule(LinearDecay(0.2, 1000), 4).rates(5).round(6).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if schedule is None:
        return LinearDecay(1.0, num_steps)
    schedule = as_schedule("schedule", schedule).resolve(total_steps=num_steps)
    if schedule.length:
        schedule = Stretch(schedule, num_steps / schedule.length)
    peak = float(np.max(schedule.rates(num_steps)))
    if peak <= 0:
        checks.refuse("schedule", "a schedule with rates above 0", schedule)
    return schedule * (1.0 / peak)


def next_rate(first, scores, before=math.inf):
    """Returns the rate to try next, from the scores of those that were tried, lower being better.

    The first, three times it, a third of it; then on in the direction of the best, or if that has
    neighbours on both sides, between it and the better of them. Where all rates do as well as one
    another, either they kill the network, and a tenth of the lowest follows; or none is better than
    the score `before` training, nothing has been learnt, and higher ones follow.

    >>> next_rate(0.1, {}), next_rate(0.1, {0.1: 2.0}), next_rate(0.3, {0.3: 2.0, 0.9: 3.0})
    (0.1, 0.30000000000000004, 0.09999999999999999)
    >>> round(next_rate(0.1, {0.1: 2.0, 0.3: 1.0}), 12), next_rate(0.1, {0.1: 2.3, 0.3: 2.31})
    (0.9, 0.01)
    >>> round(next_rate(0.1, {0.1: 2.3, 0.3: 2.31}, before=2.3), 12)
    0.9
    """
    if not scores:
        return first
    tried = sorted(scores)
    best = min(tried, key=scores.get)
    lowest = scores[best]
    if len(tried) > 1 and _has_learnt_nothing(lowest, before):
        best = _highest_no_worse(scores)
        above = [rate for rate in tried if rate > best]
        return math.sqrt(best * above[0]) if above else best * _FACTOR
    if len(tried) > 1 and max(scores.values()) - lowest <= _ALIKE * abs(lowest):
        return tried[0] / 10.0
    place = tried.index(best)
    if place == len(tried) - 1 and lowest < math.inf:
        return best * _FACTOR
    if place == 0:
        return best / (10.0 if lowest == math.inf and len(tried) > 1 else _FACTOR)
    beside = min(tried[place - 1], tried[place + 1], key=scores.get)
    return math.sqrt(best * beside)


def best_rate(scores, before=math.inf):
    """Returns the lowest rate whose score is as good as the best; None if all are infinite.

    As good are scores above the best by at most a fiftieth of what separates it from the worst that
    is a number, or from the loss `before` training, if that is lower: either may be enormous. A
    rate too low costs less than one too high; but where no rate has learnt anything, the highest
    that has spoilt nothing is the nearest to one that would.

    >>> best_rate({0.1: 1.5, 0.3: 1.009, 0.9: 1.0})
    0.3
    >>> best_rate({0.1: 1.9, 0.3: 1.0, 0.9: 5000.0}, before=2.0)
    0.3
    >>> best_rate({0.1: 2.3, 0.3: 2.299, 0.9: 2.4}, before=2.3)
    0.3
    >>> best_rate({0.1: float("inf")})
    """
    finite = [score for score in scores.values() if score < math.inf]
    if not finite:
        return None
    if _has_learnt_nothing(min(finite), before):
        return _highest_no_worse(scores)
    limit = _limit(finite, before, _AS_GOOD)
    return min(rate for rate, score in scores.items() if score <= limit)


def _has_learnt_nothing(lowest, before):
    return before - lowest < _GAIN * abs(before) and lowest < math.inf


def _highest_no_worse(scores):
    lowest = min(scores.values())
    return max(rate for rate, score in scores.items() if score <= lowest + _NO_WORSE * abs(lowest))


def _limit(finite, before, share):
    best, worst = min(finite), max(finite)
    # Where no run has done better than none, there is only the worst.
    return best + share * ((min(worst, before) if before > best else worst) - best)


def interval_of(scores, before=math.inf):
    """Returns the lowest and highest rate that did nearly as well as the best, or None.

    Nearly is a tenth of what `best_rate` takes a fiftieth of; where just one rate did,
    nothing is known of how far off another might be.

    >>> interval_of({0.03: 1.9, 0.1: 1.05, 0.3: 1.0, 0.9: 2.0})
    (0.1, 0.3)
    """
    finite = [score for score in scores.values() if score < math.inf]
    if not finite:
        return None
    limit = _limit(finite, before, _NEARLY)
    rates = [rate for rate, score in scores.items() if score <= limit]
    return (min(rates), max(rates)) if len(rates) > 1 else None


class Runs:
    """Short runs of one schedule in `trials`: `score(rate)` is how well the rate has done.

    Each is `length` updates of `shape`, whose peak is 1, times the rate. `evaluation` is what
    `Trials.evaluate` takes for the data that judge the weights at the end of a run; where there are
    none, the mean of the run's last fifth of losses does.
    """

    def __init__(self, trials, shape, length, seed, evaluation=None, show=None):
        self._trials, self._rates, self.length = trials, shape.rates(length), length
        self._seed, self._evaluation, self._show = seed, evaluation, show

    def before(self, losses):
        """Returns the score of no training; if nothing else judges, by the `losses` of a sweep.

        Raises ValueError for data whose loss is NaN already: all rates would seem to break.
        """
        if self._evaluation is None:
            return float(np.mean(losses[:3]))
        self._trials.reset(self._seed)
        loss = self._trials.evaluate(self._evaluation)
        if math.isnan(loss):
            raise ValueError(
                "Short runs are judged by the validation data, or by the last tenth of the arrays, "
                "and the loss on these must be a number. Look for NaN or infinity in them. "
                f"Received: loss = {loss} before training"
            )
        return loss

    def score(self, rate):
        """Trains at a peak rate and returns its score, lower being better; infinite if it broke."""
        rule = AfterUpdates(self.length)
        rates = self._rates * rate
        show = self._show and self._show(self.length, rates)
        _, losses = self._trials.run(rates, rule, self._seed, show)
        if self._evaluation is None:
            # All runs see the same batches in one order: what is chance in them is common to them.
            return _last(losses, rule.diverged)
        if rule.diverged:
            return math.inf
        loss = self._trials.evaluate(self._evaluation)
        return loss if math.isfinite(loss) else math.inf


def verified(result, runs, count, also=None):
    """Returns `result` with the best rate of some runs as its suggestion, and the evidence.

    `runs.score(rate)` makes one of `runs.length` updates. The second is at the rate `also`, if
    there is one and it is further off than those beside the first.
    """
    first, scores, before = result.suggestion, {}, runs.before(result.losses)
    for number in range(count):
        rate = next_rate(first, scores, before)
        if number == 1 and also and max(also / first, first / also) > _FACTOR:
            rate = also
        scores[rate] = runs.score(rate)
    found = {
        "suggestion": best_rate(scores, before),
        "interval": interval_of(scores, before) or result.interval,
    }
    evidence = tuple(sorted(scores.items()))
    return dataclasses.replace(result, total_steps=runs.length, evidence=evidence, **found)


def _last(losses, diverged):
    """Returns the mean of the last fifth of the losses."""
    last = losses[-max(len(losses) // 5, 2) :]
    return math.inf if diverged or not np.all(np.isfinite(last)) else float(np.mean(last))
