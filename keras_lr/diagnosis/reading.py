"""`curves_of`: what a run has logged, whatever recorded it, as `RunCurves`."""

import math
from collections.abc import Mapping

import numpy as np

from keras_lr import checks
from keras_lr.diagnosis.run_curves import RunCurves
from keras_lr.traces import Trace

# The name under which the loss before training is logged.
INITIAL = "initial_loss"
_RATES = ("learning_rate", "lr")
_UNITS = checks.Choice(("epoch", "update"))


def curves_of(history, initial=None, unit="epoch"):
    """Returns the `RunCurves` of a History, a dict, a CSVLogger's file, a recorder or a list.

    Raises ValueError for what has no `loss`, or is damaged; see `keras_lr.diagnose`.

    >>> curves = curves_of({"loss": [2.0, 1.0], "val_loss": [None, 1.5], "lr": [0.1, 0.1]})
    >>> curves.loss.tolist(), curves.val_loss.tolist(), curves.rate.tolist()
    ([2.0, 1.0], [nan, 1.5], [0.1, 0.1])
    """
    unit = _UNITS("unit", unit)
    if initial is not None:
        initial = checks.REAL("initial", initial)
    if isinstance(history, RunCurves):
        return history
    if _is_arrays(history):
        return _of_arrays(history, initial, unit)
    trace = _without_empty(Trace.of(history, "history"))
    rates = [_measured(trace.column(n), math.nan) for n in _names_of_rates(trace.columns)]
    if initial is None and INITIAL in trace.columns:
        initial = next((float(v) for v in trace.column(INITIAL) if v is not None), None)
    losses = trace.column("loss")
    if None in losses:
        at = trace.epochs[losses.index(None)]
        checks.refuse("history", f"of epochs that all have a loss, epoch {at} too", None)
    loss = _measured(losses, lost=math.nan)
    val = _measured(trace.column("val_loss"), math.inf) if "val_loss" in trace.columns else None
    return RunCurves(loss, val, _highest(rates), initial, unit)


def _without_empty(trace):
    """Returns a trace without the columns that have no value, as CSVLogger's of no validation."""
    kept = {n: v for n, v in trace.columns.items() if n in ("loss", None) or v.count(None) < len(v)}
    return trace._replace(columns=kept)


def _names_of_rates(columns):
    """Returns the names of the columns with rates: of one optimizer, or of several."""
    for name in _RATES:
        if name in columns:
            return [name]
    return [name for name in columns if name and str(name).startswith("learning_rate_")]


def _highest(rates):
    """Returns the rates of the optimizer with the highest one; None without any."""
    rates = [rate for rate in rates if np.all(np.isfinite(rate))]
    return max(rates, key=np.max, default=None)


def _measured(values, lost):
    """Returns values as an array: NaN for None, and `lost` for what was measured and no number."""
    numbers = np.array([math.nan if value is None else value for value in values], float)
    if not math.isnan(lost):
        was_measured = np.array([value is not None for value in values])
        numbers[was_measured & ~np.isfinite(numbers)] = lost
    return numbers


# Arrays, which may be long: checked whole, without a look at each entry.


def _is_arrays(history):
    if isinstance(history, Mapping):
        return len(history) > 0 and all(isinstance(v, np.ndarray) for v in history.values())
    return isinstance(history, np.ndarray)


def _of_arrays(history, initial, unit):
    columns = history if isinstance(history, Mapping) else {"loss": history}
    if "loss" not in columns:
        names = ", ".join(sorted(map(str, columns)))
        raise ValueError(f"`history` must have the metric 'loss'. Received: {names}")
    wanted = ["loss", "val_loss", *_names_of_rates(columns)]
    arrays = {n: _numbers(n, columns[n], len(columns["loss"])) for n in wanted if n in columns}
    val = arrays.get("val_loss")
    if initial is None and INITIAL in columns and np.size(columns[INITIAL]):
        initial = float(np.ravel(columns[INITIAL])[0])
    rate = _highest([arrays[name] for name in _names_of_rates(columns)])
    return RunCurves(arrays["loss"], val, rate, initial, unit)


def _numbers(name, values, length):
    if values.ndim != 1 or values.dtype.kind not in "fiu" or not 0 < len(values) == length:
        required = f"an array of {length} numbers in {name!r}, as many as losses, one or more"
        checks.refuse("history", required, values)
    return values.astype("float64")
