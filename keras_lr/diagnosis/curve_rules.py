"""What the curves of a run say: every rule asked, in the order of how much it matters."""

from keras_lr.diagnosis import loss_rules, rate_rules
from keras_lr.diagnosis.findings import SEVERITIES
from keras_lr.diagnosis.run import Run

RULES = (
    loss_rules.nan,
    loss_rules.not_a_loss,
    loss_rules.rising,
    loss_rules.oscillating,
    rate_rules.warmup_missing,
    loss_rules.noise_hides_it,
    loss_rules.plateau,
    loss_rules.overfitting,
    rate_rules.cut_too_late,
    rate_rules.cut_too_often,
    rate_rules.at_its_floor,
    rate_rules.schedule_exhausted,
    loss_rules.spike,
    loss_rules.still_falling,
    rate_rules.improved_after_a_cut,
    loss_rules.converged,
)


def find(curves, rules=RULES):
    """Returns the findings about a run from its `RunCurves`, errors first and notes last.

    Losses multiplied by a number above 0, or all higher or lower, have the same findings.

    >>> import numpy as np
    >>> from keras_lr.diagnosis.run_curves import RunCurves
    >>> [finding.name for finding in find(RunCurves(0.5 ** np.arange(20.0)))]
    ['converged']
    """
    run = Run(curves)
    # Where nothing is a number, or nothing is there, only the first rule has something to say.
    found = [f for rule in (rules if len(run.loss) else RULES[:1]) for f in rule(run)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
