"""`diagnose`: what was wrong with the rate of a run, on what evidence, and what to do."""

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np

from keras_lr import checks
from keras_lr.diagnosis import curve_rules
from keras_lr.diagnosis.experiment import Experiment, by_runs, settled, together
from keras_lr.diagnosis.findings import Findings
from keras_lr.diagnosis.reading import curves_of
from keras_lr.diagnosis.run_curves import RunCurves
from keras_lr.diagnosis.verdict import UNDETERMINED, verdict
from keras_lr.driving.messages import tell, verbosity
from keras_lr.finder.around import Comparison
from keras_lr.finder.search import HELD_BACK
from keras_lr.keras_private.fresh_models import fresh_copy
from keras_lr.keras_private.optimizers import has_rate_variable, leaves
from keras_lr.keras_private.trial_fit import held_back
from keras_lr.trials import data
from keras_lr.trials.progress import progress_of_all

# An experiment that makes fewer updates shows little, and below this probability none is named.
_LEAST_BUDGET, _LEAST_CERTAIN = 300, 0.55

# With these the curves say nothing of the rate.
_SAY_NOTHING = ("not a loss", "never moved")
# For each verdict: what it means, what to do, and what to multiply the rate by for the next run.
_SAYS = {
    "too small": (
        "A higher rate would have come to a lower loss in this time.",
        "Try about two or three times the rate.",
        2.5,
    ),
    "good": (
        "No rate is seen to be much better for a run of this length.",
        "Leave the rate as it is.",
        1.0,
    ),
    "too large": (
        "A lower rate would have come to a lower loss in this time.",
        "Try about a third to half of the rate.",
        0.4,
    ),
    "diverged": (
        "The steps were so large that the training broke.",
        "Try a tenth of the rate.",
        0.1,
    ),
    "undetermined": (
        "The curves do not say whether the rate was right.",
        "Give model=, x= and y=, for an experiment; validation data, or a longer run.",
        None,
    ),
}


def diagnose(
    history,
    *,
    model=None,
    x=None,
    y=None,
    validation_data=None,
    batch_size=32,
    learning_rate=None,
    budget=2000,
    initial=None,
    unit="epoch",
    seed=0,
    verbose=1,
):
    """Returns what was wrong with the learning rate of a run, as a `Diagnosis`.

    Only how losses change counts: multiplied by a number above 0, or all higher or lower, they
    have the same diagnosis.

    What a curve does not show is the loss that was within reach. With `model` and data there is an
    experiment too: on a fresh copy of the model a sweep; and, unless it and the curves agree that
    the rate is far off, runs at the rate, at a third of it and at three times it (and at what the
    sweep suggests, if that is further off), with the run's own shape of rates, judged by the
    validation loss. It costs at most `budget` updates, says so beforehand, and leaves the model,
    its optimizer and all random generators as they are.

    Args:
        history: a `History` or its dictionary, the path of a `CSVLogger`'s file, a
            `LearningRateRecorder` or `DiagnoseLearningRate`, or a list of losses. Read are `loss`,
            and where they are there `val_loss`, `learning_rate` (or `lr`) and `initial_loss`.
        model: the compiled model, trained or not, or a function that returns one like it; of a
            model that Keras cannot clone it has to be the function.
        x, y, validation_data, batch_size: as they were in `fit`. Without `validation_data` the last
            tenth of the arrays is held back.
        learning_rate: that of the run, a number, where the history does not have it; by default the
            one that the optimizer has now.
        budget: the most updates of the experiment, 300 or more. Runs as long as the one in question
            are best; shorter ones are made at rates that are corrected for their length.
        seed: of the new weights and of the order of the data.
        verbose: 0 for no message and no progress bar.
        initial: the loss before training, which a History lacks and which says much: that of the
            first batch, or of `model.evaluate` before `fit`. `DiagnoseLearningRate` logs it.
        unit: "epoch" or "update", what there is one entry for.

    The longer the run and the more is logged, the surer the verdict; below 5 points it is
    "undetermined". Time is linear in the number of points, of which a list may have a million and
    NumPy arrays any number.

    >>> from keras_lr import diagnose
    >>> found = diagnose({"loss": [2.3, 1.1, 3.0, 9.5, 80.0, float("nan"), float("nan")]})
    >>> found.verdict, found.findings[0].name, found.findings[0].evidence["epoch"]
    ('diverged', 'nan', 6)

    Raises ValueError for a history without a `loss`, for columns of unequal length, for epochs that
    are not those of one fit, and for files that are damaged.
    """
    budget = checks.Number(minimum=_LEAST_BUDGET, integer=True)("budget", budget)
    seed = checks.Number(minimum=0, integer=True)("seed", seed)
    verbose = verbosity("verbose", verbose)
    curves = curves_of(history, initial, unit)
    findings = Findings(curve_rules.find(curves))
    word, chances = verdict(curves)
    if any(finding.name in _SAY_NOTHING for finding in findings):
        word = UNDETERMINED
    found = Diagnosis(word, chances, findings, _evidence(curves), curves, word)
    if model is None:
        given = {"x": x, "y": y, "validation_data": validation_data}
        for name in (name for name, value in given.items() if value is not None):
            checks.refuse(name, "left out without a `model` for an experiment", given[name])
        return found
    if x is None:
        checks.refuse("x", "given with a `model`, to train its copy on", x)
    training = {
        "x": data.batches(data.readable_again("x", x)),
        "y": y,
        "batch_size": checks.COUNT("batch_size", batch_size),
        "sample_weight": None,
        "shuffle": data.may_shuffle(x),
    }
    if validation_data is None:
        training, evaluation = held_back(training, HELD_BACK)
    else:
        evaluation = data.evaluation(validation_data, training["batch_size"])
    rates = _rates_of(curves, learning_rate, model)
    if verbose:
        tell(f"diagnose: an experiment of at most {budget:,} updates on a fresh copy of the model.")
    show = progress_of_all(budget, verbose)
    is_by_update = unit == "update"
    compared = Comparison(rates, chances, is_by_update, training, evaluation, budget, seed, show)
    return found.with_experiment(compared.made_on(fresh_copy(model, rates[0], seed)))


def _rates_of(curves, learning_rate, model):
    """Returns the rate at every point of the run."""
    if learning_rate is not None:
        return np.full(len(curves.loss), checks.POSITIVE("learning_rate", learning_rate))
    if curves.rate is not None and np.max(curves.rate) > 0:
        return curves.rate
    optimizers = leaves(model.optimizer) if hasattr(model, "optimizer") else []
    if not optimizers or not all(map(has_rate_variable, optimizers)):
        required = "given, where the history has no rate and the optimizer has a schedule or none"
        checks.refuse("learning_rate", required, learning_rate)
    own = max(float(optimizer.learning_rate) for optimizer in optimizers)
    return np.full(len(curves.loss), checks.POSITIVE("learning_rate", own))


def _evidence(curves):
    """Returns the numbers that a reader looks at first."""
    loss = curves.loss[np.isfinite(curves.loss)]
    evidence = {f"{curves.unit}s": len(curves.loss), "initial loss": curves.initial}
    if len(loss):
        evidence |= {"first loss": float(loss[0]), "best loss": float(np.min(loss))}
    evidence["last loss"] = float(curves.loss[-1])
    if curves.val_loss is not None:
        val = curves.val_loss[np.isfinite(curves.val_loss)]
        if len(val):
            evidence |= {"best val_loss": float(np.min(val)), "last val_loss": float(val[-1])}
    if curves.rate is not None:
        evidence |= {
            "peak rate": float(np.max(curves.rate)),
            "last rate": float(curves.rate[-1]),
        }
    return evidence


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found; `print(diagnosis)` is the report.

    `verdict` is "too small", "good", "too large", "diverged" or "undetermined", and
    `probabilities` has how likely each of the first four is. `findings` are what else was seen,
    each with a name, its evidence in numbers, a meaning and what to do; `evidence` are the numbers
    of the run itself, None where one is not known, and `curves` the curves that were read.

    With an experiment, `experiment` has what was tried, and `by_curves` the verdict of the curves
    alone; without one that is the verdict.
    """

    verdict: str
    probabilities: dict
    findings: Findings
    evidence: dict
    curves: RunCurves = field(repr=False)
    by_curves: str = UNDETERMINED
    experiment: Experiment | None = None

    def with_experiment(self, tried):
        """Returns the diagnosis of the curves and an `Experiment` together."""
        chances = settled(tried.rate, tried.suggestion, self.probabilities)
        if tried.scores:
            chances = together(by_runs(tried.scores, tried.start), self.probabilities)
        word = max(chances, key=chances.get)
        if chances[word] < _LEAST_CERTAIN or tried.broke and word in ("too small", "good"):
            # Where the copy breaks at a rate at which the run did not, one is not like the other.
            word = UNDETERMINED
        changed = {"verdict": word, "probabilities": chances, "experiment": tried}
        return dataclasses.replace(self, **changed)

    @property
    def meaning(self):
        """What the verdict means, in a sentence."""
        return _SAYS[self.verdict][0]

    @property
    def advice(self):
        """What to do about the rate."""
        return _SAYS[self.verdict][1]

    @property
    def factor(self):
        """What to multiply the rate by in the next run, roughly; None where that is not known."""
        return _SAYS[self.verdict][2]

    @property
    def perhaps(self):
        """A verdict more probable than the one given, as an error there costs more; or None.

        >>> diagnose({"loss": [3.0, 2.0, float("nan")]}).perhaps
        """
        likely = max(self.probabilities, key=self.probabilities.get, default=None)
        return None if self.verdict in (likely, UNDETERMINED) else likely

    def report(self):
        """Returns the diagnosis as text, for a terminal."""
        chances = ", ".join(f"{word} {p:.0%}" for word, p in self.probabilities.items())
        numbers = ", ".join(f"{k} {v:.4g}" for k, v in self.evidence.items() if v is not None)
        word, advice = self.verdict, self.advice
        if self.perhaps is not None:
            word = f"{word}, perhaps {self.perhaps}"
            advice += f" If one more run costs little: {_SAYS[self.perhaps][1].lower()}"
        lines = [f"The learning rate: {word}. {self.meaning}", f"  → {advice}"]
        lines += [f"  Probabilities: {chances}", f"  The run: {numbers}"]
        if self.experiment is not None:
            lines += [f"  By the curves alone: {self.by_curves}. The experiment:"]
            lines += [f"    {line}" for line in self.experiment.lines()]
        return "\n".join([*lines, repr(self.findings)] if self.findings else lines)

    __str__ = report

    def to_dict(self):
        """Returns everything but the curves, ready for JSON: what is no number is null there.

        >>> import json
        >>> found = diagnose({"loss": [3.0, 2.0, float("nan")]})
        >>> json.loads(json.dumps(found.to_dict(), allow_nan=False))["evidence"]["last loss"]
        """
        return _as_json(
            {
                "verdict": self.verdict,
                "meaning": self.meaning,
                "advice": self.advice,
                "factor": self.factor,
                "probabilities": self.probabilities,
                "evidence": self.evidence,
                "by_curves": self.by_curves,
                "experiment": self.experiment and self.experiment._asdict(),
                "findings": [finding.to_dict() for finding in self.findings],
            }
        )

    def plot(self, ax=None):
        """Draws the curves with the evidence on them; returns the axes (needs the extra `plot`)."""
        from keras_lr import plotting

        return plotting.plot_diagnosis(self, ax)


def _as_json(value):
    if isinstance(value, dict):
        return {name: _as_json(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
