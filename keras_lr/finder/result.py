"""What a range test found."""

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np

from keras_lr import checks
from keras_lr.finder import rules
from keras_lr.finder.length import peak_factor
from keras_lr.prediction import bound
from keras_lr.schedules.coerce import as_schedule

_ADVICE = {
    "ok": "The loss fell, and rose again or levelled off.",
    "still falling": "The loss was still falling at the last rate: give a higher end=….",
    "never fell": "The loss neither fell nor rose clearly: the rates may be too low, give a higher "
    "end=…; or noise hides the fall, give more repeats=… or num_steps=…, or a larger "
    "batch_size=…; or the model learns nothing.",
    "diverged at once": "The loss diverged, or was no number, from the beginning: give a lower "
    "start=…; if that is low already, look for NaN or infinity in the data.",
    "too few points": "There are too few finite losses to judge: give more num_steps=….",
}

_GUESS = (
    "The loss never fell clearly, but it diverged: the suggestion lies below the rate at which it "
    "did. For a better one give more repeats=… or num_steps=…, or a larger batch_size=…."
)

# Of a run of unknown length, and the most updates whose rates are looked at.
_LENGTH, _MOST_POINTS = 1000, 100_000
# A rate below so much of the peak moves nothing; the bound would be carried away by many of these.
_IDLE = 1e-3


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What `range_test` found; nothing in it can be assigned.

    `learning_rates`, `losses` and `smoothed` are float64 arrays of one length, one entry per update
    with a finite loss; of several repeats, their mean. `suggestions` has a rate (or None) per rule:
    `minimum` (a tenth of the rate at the lowest loss), `valley`, `steepest`, `slide`, `risen` (a
    fifth of the rate at which the loss began to diverge) and `fallen` (the rate at which 95 %
    of the fall are behind, corrected for the length of the sweep and the optimizer's
    momentum). `suggestion` is the peak rate to train with, that of `fallen` or `risen`, or the best
    run's after `verify`; **it is meant for a schedule that goes to zero, linearly or as a cosine**,
    see `suggestion_for`. What a sweep suggests for Adam, RMSprop, Lion and their like is drawn
    halfway to 0.01 where it is above, and to 0.1 at most. `interval` is the lowest and highest
    suggestion of the repeats, or rate of the short runs that did nearly as well as the best, and
    None where there is nothing to compare.
    `status` says where the suggestion is from, or why there is none, and `advice` what to do then:

    * `"ok"`: the loss fell, and rose again or levelled off: `fallen`;
    * `"never fell"`, as far as noise lets one see: `risen`, a conservative guess, if the loss
      diverged, and otherwise none;
    * `"still falling"` (to the last rate, which was too low), `"diverged at once"` (the first rate
      was too high), `"too few points"`: none.

    `repeats` are the single curves, and `evidence` pairs of rate and score from short runs. The
    suggestion is for a run of `total_steps` updates: those that `range_test` was told, else 500.
    For a much longer run it is too high, for a much shorter one too low, and `for_length` has the
    correction. The `suggestions` of the rules are for a run as long as the sweep.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestions: dict
    suggestion: float | None
    interval: tuple[float, float] | None
    status: str
    repeats: tuple = field(default=(), repr=False)
    evidence: tuple = ()
    total_steps: int | None = None

    @classmethod
    def of(cls, curve, repeats, total_steps=None):
        """Reads suggestions off the mean curve, and the interval off the single ones."""
        seen = _seen(curve, repeats)
        suggestions = dict.fromkeys(rules.NAMES)
        suggestion, interval = None, None
        if seen in rules.DEFAULTS:
            rule = rules.DEFAULTS[seen]
            suggestions = rules.suggestions(curve)
            if rule is not rules.fallen or curve.seen() != seen:
                # What others read off a fall that is none, they read off noise.
                suggestions = dict.fromkeys(rules.NAMES) | {rule.__name__: rule(curve)}
            singles = [c for c in repeats if c.seen() == seen]
            rates = sorted(filter(None, map(rule, singles)))
            # Of an even number the lower middle one: a rate too low costs less. Repeats may fall
            # clearly only together.
            middle = rates[(len(rates) - 1) // 2] if rates else None
            suggestion = middle or suggestions[rule.__name__]
            # Repeats that are all alike, from data in one order, say nothing of chance.
            alike = all(np.array_equal(c.losses, singles[0].losses) for c in singles)
            if rates and not alike:
                interval = rates[0], rates[-1]
        arrays = [_frozen(a) for a in (curve.rates, curve.losses, curve.smoothed)]
        status = "never fell" if seen == "only rose" else seen
        told = {"repeats": tuple(repeats), "total_steps": total_steps}
        return cls(*arrays, suggestions, suggestion, interval, status, **told)

    def for_length(self, total_steps, updates_per_epoch=None, reacts=False):
        """Returns the same, its suggestion for a run of so many updates; None leaves it as it is.

        `updates_per_epoch` are those of one pass over the data; `reacts` says that the run goes
        back, and on at a lower rate, where validation stalls. See `finder.length`.

        >>> arrays = np.ones(2), np.ones(2), np.ones(2)
        >>> found = RangeTest(*arrays, {}, 0.1, None, "ok", total_steps=100)
        >>> round(found.for_length(3200, 100).suggestion, 5)
        0.00743
        """
        if total_steps is None or self.suggestion is None or self.total_steps is None:
            return self
        factor = peak_factor(total_steps, self.total_steps, updates_per_epoch, reacts)
        interval = self.interval and tuple(factor * rate for rate in self.interval)
        changed = {"suggestion": factor * self.suggestion, "interval": interval}
        return dataclasses.replace(self, total_steps=total_steps, **changed)

    @property
    def advice(self):
        """What the status means and what to do, in a sentence."""
        guessed = self.status == "never fell" and self.suggestion is not None
        return _GUESS if guessed else _ADVICE[self.status]

    def suggestion_for(self, schedule, total_steps=None):
        """Returns the peak rate for the schedule that will be used, or None without a suggestion.

        The more a schedule anneals, the higher its best peak. `suggestion` is meant for a linear
        decay to zero; it is multiplied by the quotient of the best peaks that the `bound` has for
        this schedule and for that one: 1 for a cosine, about ½ for warmup-stable-decay, a third for
        a constant rate. It is never raised, for how high a rate may be before training breaks the
        bound does not know.

        Only the shape of `schedule` counts; a Keras schedule, a number or a function of the step
        will do. `total_steps`, the length of the run, is by default the schedule's own, and of one
        that has none that of this test, or 1000.

        >>> from keras_lr.finder.curve import Curve
        >>> from keras_lr.schedules import Constant, LinearToZero, WarmupStableDecay
        >>> arrays = np.ones(2), np.ones(2), np.ones(2)
        >>> found = RangeTest(*arrays, {}, 0.1, None, "ok")
        >>> [round(found.suggestion_for(s), 2) for s in (LinearToZero(1.0, 1000), Constant(1.0))]
        [0.1, 0.03]
        >>> round(found.suggestion_for(WarmupStableDecay(1.0, 1000)), 3)
        0.055

        Source: arXiv 2501.18965.
        """
        factor = _peak_factor(schedule, total_steps, self.total_steps)
        return None if self.suggestion is None else self.suggestion * factor

    def to_dict(self):
        """Returns everything as JSON can hold it.

        >>> import json
        >>> arrays = np.ones(2), np.ones(2), np.ones(2)
        >>> found = RangeTest(*arrays, {"minimum": None}, None, None, "never fell")
        >>> json.loads(json.dumps(found.to_dict()))["status"]
        'never fell'
        """
        return {
            "learning_rates": self.learning_rates.tolist(),
            "losses": self.losses.tolist(),
            "smoothed": self.smoothed.tolist(),
            "suggestions": dict(self.suggestions),
            "suggestion": self.suggestion,
            "interval": None if self.interval is None else list(self.interval),
            "status": self.status,
            "repeats": [
                {"learning_rates": c.rates.tolist(), "losses": c.losses.tolist()}
                for c in self.repeats
            ],
            "total_steps": self.total_steps,
            # JSON has no infinity: a run that diverged has no loss.
            "evidence": [[rate, s if math.isfinite(s) else None] for rate, s in self.evidence],
        }

    def plot(self, ax=None):
        """Draws the losses over the rates, with the suggestions marked; returns the axes."""
        from keras_lr.plotting.sweep import plot_sweep

        return plot_sweep(self, ax)

    def __repr__(self):
        rate = "None" if self.suggestion is None else f"{self.suggestion:.3g}"
        interval = ""
        if self.interval is not None:
            interval = f", interval=({self.interval[0]:.3g}, {self.interval[1]:.3g})"
        points = len(self.losses)
        return f"RangeTest(suggestion={rate}{interval}, status={self.status!r}, {points} points)"


def _seen(curve, repeats):
    """Returns what the mean curve says, or where it says nothing, most of the single ones.

    They diverge at different rates, and the mean ends at the first; and where losses are skewed it
    is that of a few batches.
    """
    seen, single = curve.seen(), [repeat.seen() for repeat in repeats]
    if seen in ("never fell", "only rose"):
        return next((w for w in ("ok", "only rose") if 2 * single.count(w) > len(single)), seen)
    return seen


def _frozen(array):
    array = np.array(array, dtype="float64")
    array.flags.writeable = False
    return array


def _peak_factor(schedule, total_steps, length):
    """Returns by what a peak that is right for a linear decay to zero is to be multiplied.

    `length` is that of the run, in case that neither `total_steps` nor the schedule says it.

    >>> from keras_lr.schedules import CosineDecay, LinearDecay
    >>> [round(_peak_factor(s(0.3, 1000), None, None), 2) for s in (LinearDecay, CosineDecay)]
    [1.0, 0.97]
    >>> round(_peak_factor(0.1, None, None), 2), round(_peak_factor(0.1, 10**9, None), 2)
    (0.34, 0.28)
    """
    if total_steps is not None:
        total_steps = checks.Number(minimum=1, integer=True)("total_steps", total_steps)
    length = length or _LENGTH
    schedule = as_schedule("schedule", schedule).resolve(total_steps=total_steps or length)
    end = math.ceil(total_steps or schedule.length or length)
    points = min(end, _MOST_POINTS)
    rates = schedule.rates(np.floor(np.arange(points) * (end / points)))
    rates = np.where(rates >= _IDLE * np.max(rates), rates, np.minimum(rates, 0.0))
    linear = 1.0 - np.arange(points) / points
    # On 34 tasks for tuning of tests/benchmarks/regret_tasks.py, in 300 updates, the best constant
    # rate is 0.39 of the best peak of a linear decay, and that of warmup-stable-decay 0.64, in the
    # geometric mean, a factor of 2 up or down being usual. The bound has 0.37 and 0.55.
    peak = bound(rates, points).best_peak / bound(linear, points).best_peak
    return min(peak, 1.0)
