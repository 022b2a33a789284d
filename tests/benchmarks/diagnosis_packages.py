"""What published packages say of a run: rules that the verdict is compared with.

They are read as their own documents say, with their defaults, and are given the curves in memory,
beginning with the loss before training where it is known. None has our four answers, so that their
findings are translated:

- Finding nothing is good, as they say so themselves ("clean", "no issues found"), and so is
  finding only what is not about the rate, as overfitting.
- A loss that is no number is diverged.
- Where the text of a finding leaves a choice, and where two findings of a run contradict each
  other, each reading was tried, and the one kept whose strict share and macro-F1, summed over the
  views of `diagnosis.py`, were highest on such runs as are judged. This favours the packages.

Nothing depends on them, and what is not installed is left out: `pip install --no-deps --target
FOLDER losslint==0.4.1 trainspotter==0.2.6 training-doctor==0.1.0 sk-autod==0.1.1` and FOLDER in
`PYTHONPATH` are enough.
"""

import importlib.metadata
import pathlib

import numpy as np

from keras_lr.diagnosis.verdict import VERDICTS

_SMALL, _GOOD, _LARGE, _DIVERGED = range(len(VERDICTS))


def by_losslint(curves):
    """Returns what the worst finding of losslint's checks means.

    `stagnation` advises "raising the LR"; `loss_spike` suspects an "LR bug". `divergence` is that
    of the training loss. `overfit_onset` says nothing of the rate.
    """
    from losslint.checks import run_all_checks
    from losslint.parsing import RunLog

    meanings = {
        "nan_inf": _DIVERGED, "divergence": _DIVERGED, "loss_spike": _LARGE, "stagnation": _SMALL,
    }  # fmt: skip
    series = {
        name: values if name == "loss" else [None if np.isnan(v) else v for v in values]
        for name, values in _series(curves, "loss", "eval_loss", "lr").items()
    }
    log = RunLog(list(range(len(series["loss"]))), series, pathlib.Path("log"))
    return _worst(meanings.get(finding.check) for finding in run_all_checks(log))


def by_trainspotter(curves):
    """Returns what the worst finding of trainspotter's detectors means.

    For spikes and growth it advises a lower rate, for a plateau a higher one. Only spikes upwards
    count. Where the validation loss alone grows, and with `eval_noise`, the rate is too large: to
    diverge is of the training loss. Overfitting, the schedule and the floor say nothing of it.
    """
    from trainspotter import Run, run_all

    run = Run()
    for name, values in _series(curves, "train/loss", "eval/loss", "lr").items():
        for step, value in enumerate(values):
            if name == "train/loss" or not np.isnan(value):
                run.add_point(name, step, value)
    return _worst(_meaning_in_trainspotter(finding) for finding in run_all(run))


def _meaning_in_trainspotter(finding):
    if finding.detector == "divergence":
        is_growth = "first_bad_step" not in finding.evidence
        return _LARGE if is_growth and finding.metric == "eval/loss" else _DIVERGED
    if finding.detector == "spikes":
        return _LARGE if finding.evidence["robust_z"] > 0 else None
    return {"plateau": _SMALL, "eval_noise": _LARGE}.get(finding.detector)


def by_training_doctor(curves):
    """Returns what training-doctor's first diagnosis of the rate means; diverged if any is of NaN.

    A plateau is too large, as a lower rate is advised. `analyze` goes through the log point by
    point, as if during the run: what it finds at the end alone is right less often.
    """
    from training_doctor import Doctor

    doctor = Doctor()
    for name, values in _series(curves, "loss", "eval_loss", "lr").items():
        for step, value in enumerate(values):
            if name == "loss" or not np.isnan(value):
                doctor.store.log(step, **{name: value})
    said = _about_the_rate(map(_meaning_in_training_doctor, doctor.analyze()))
    return _DIVERGED if _DIVERGED in said else next(iter(said), _GOOD)


def _meaning_in_training_doctor(diagnosis):
    if any(e.observation.startswith("NaN") for e in diagnosis.evidence):
        return _DIVERGED
    meanings = {"lr_too_high": _LARGE, "lr_too_low": _SMALL, "plateau": _LARGE}
    return meanings.get(diagnosis.detector_name)


def by_sk_autod(curves):
    """Returns what sk-autod finds: too small where anything says so, else too large, else good.

    It refuses curves that are not finite: these are diverged. "Dying ReLU" is a loss that is flat
    and high early. Underfitting and a floor of the loss, for which it advises another model or
    labels, say nothing of the rate. The validation loss before training is taken to be the other.
    As it is meant for epochs, its reading is the best in the views by epoch.
    """
    from sk_autod import diagnose

    meanings = {
        "LR too low": _SMALL, "Dying ReLU proxy": _SMALL, "LR too high": _LARGE,
        "Exploding gradient": _LARGE, "Noisy training": _LARGE,
    }  # fmt: skip
    series = _series(curves, "loss", "val_loss", "lr")
    loss = series["loss"]
    val = _filled(series["val_loss"], loss[0]) if "val_loss" in series else loss
    if not np.isfinite([loss, val]).all():
        return _DIVERGED
    found = diagnose(loss, val).findings
    return min(_about_the_rate(meanings.get(f.detector_name) for f in found), default=_GOOD)


def _series(curves, loss, val_loss, rate):
    """Returns what is logged by these names, as lists: NaN where it was not measured."""
    known = {loss: curves.loss, val_loss: curves.val_loss, rate: curves.rate}
    known = {name: values.tolist() for name, values in known.items() if values is not None}
    if curves.initial is None:
        return known
    first = {loss: curves.initial}
    return {name: [first.get(name, np.nan), *values] for name, values in known.items()}


def _filled(values, before):
    """Returns the last value measured at each point, `before` where there is none yet."""
    filled = [before]
    for value in values:
        filled.append(filled[-1] if np.isnan(value) else value)
    return filled[1:]


def _worst(meanings):
    return max(_about_the_rate(meanings), default=_GOOD)


def _about_the_rate(meanings):
    return [meaning for meaning in meanings if meaning is not None]


_RULES = {
    "losslint": by_losslint,
    "trainspotter": by_trainspotter,
    "training-doctor": by_training_doctor,
    "sk-autod": by_sk_autod,
}


def installed():
    """Returns the functions above whose package is installed, by its name and version."""
    found = {}
    for name, rule in _RULES.items():
        try:
            found[f"{name} {importlib.metadata.version(name)}"] = rule
        except importlib.metadata.PackageNotFoundError:
            print(f"{name} is not installed, so that it is left out.")
    return found
