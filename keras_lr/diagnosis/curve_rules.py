"""What the curves of a run say: every rule asked, in the order of how much it matters."""

from keras_lr.diagnosis import loss_rules, point_rules, rate_rules
from keras_lr.diagnosis.findings import SEVERITIES
from keras_lr.diagnosis.run import Run

# What is to be asked first, and alone where it is so; and the others.
OF_NUMBERS = (point_rules.nan, point_rules.not_a_loss)
OF_CURVES = (
    loss_rules.rising,
    loss_rules.oscillating,
    rate_rules.warmup_missing,
    loss_rules.noise_hides_it,
    loss_rules.never_moved,
    loss_rules.plateau,
    loss_rules.overfitting,
    rate_rules.cut_too_late,
    rate_rules.cut_too_often,
    rate_rules.at_its_floor,
    rate_rules.schedule_exhausted,
    point_rules.spike,
    loss_rules.still_falling,
    rate_rules.improved_after_a_cut,
    loss_rules.converged,
)


def find(curves):
    """Returns the findings about a run from its `RunCurves`, errors first and notes last.

    Losses multiplied by a number above 0, or all higher or lower, have the same findings.

    >>> import numpy as np
    >>> from keras_lr.diagnosis.run_curves import RunCurves
    >>> [finding.name for finding in find(RunCurves(0.5 ** np.arange(20.0)))]
    ['converged']
    """
    run = Run(curves)
    found = [finding for rule in OF_NUMBERS for finding in rule(run)]
    if len(run.loss) and all(finding.name != "not a loss" for finding in found):
        found += [finding for rule in OF_CURVES for finding in rule(run)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
