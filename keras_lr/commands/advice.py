"""What `find` prints about a range test: what was found, and how to use it."""

import inspect
import math

from keras_lr.keras_private.optimizers import has_multiplier, leaves
from keras_lr.schedules import Constant, LinearDecay


def lines_about(found, arguments):
    """Returns lines about a `RangeTest` that was called with these arguments."""
    lines = [f"{found!r}", f"Status: {found.status}. {found.advice}", *_evidence(found)]
    if found.suggestion is None:
        if found.evidence:
            return [*lines, "No suggestion: all of these diverged. More verify=… try lower rates."]
        return [*lines, "No suggestion."]
    between = ""
    if found.interval is not None:
        low, high = found.interval
        between = f", between {low:.3g} and {high:.3g}"
    lines.append(f"Suggestion: {found.suggestion:.3g}{between}")
    schedule = arguments.get("schedule")
    if schedule is not None:
        # If there were runs, they were runs of this schedule: the suggestion is its peak.
        peak = found.suggestion if found.evidence else found.suggestion_for(schedule)
        return [*lines, f"  peak of the planned schedule: {peak:.3g}"]
    return [*lines, *_uses(found, arguments["model"].optimizer)]


def _evidence(found):
    for rate, loss in found.evidence:
        ended = f"loss {loss:.4g}" if math.isfinite(loss) else "diverged"
        yield f"  run at {rate:.3g}: {ended}"


def _uses(found, optimizer):
    linear = f"{found.suggestion_for(LinearDecay(1.0, 1000)):.3g}"
    constant = f"{found.suggestion_for(Constant(1.0)):.3g}"
    decay = f"keras_lr.schedules.LinearDecay({linear}, {{}})"
    driven = [
        "Or, for any optimizer and any length of fit:",
        f"  model.fit(…, callbacks=[keras_lr.callbacks.FitSchedule({decay.format(repr('100%'))})])",
    ]
    parts = leaves(optimizer)
    if any(has_multiplier(part) for part in parts):
        # `FitSchedule` gives each group its share.
        return [f"  at multiplier 1: linear to zero: {linear}, constant: {constant}", *driven]
    if len(parts) > 1:
        return [
            f"  linear to zero: {linear}, constant: {constant}",
            "These are for the optimizer with the largest rate; the others keep their proportion.",
        ]
    return [
        f"  linear to zero: {linear:8}  {written(parts[0], decay.format('updates'))}",
        f"  constant:       {constant:8}  {written(parts[0], constant)}",
        *driven,
    ]


def written(optimizer, rate):
    """Returns the Python that builds an optimizer with another rate and the same settings.

    >>> import keras
    >>> written(keras.optimizers.SGD(0.01, momentum=0.9), "0.2")
    'keras.optimizers.SGD(0.2, momentum=0.9)'
    """
    kind, settings = type(optimizer), []
    for name, parameter in inspect.signature(kind).parameters.items():
        # Not from the config: not every schedule can be serialised.
        value = getattr(optimizer, name, None)
        if isinstance(value, (bool, int, float)) and value != parameter.default:
            settings.append(f", {name}={value!r}")
    # On PyTorch, Keras returns an object of another class of the same name.
    package = "keras.optimizers." if kind.__module__.partition(".")[0] == "keras" else ""
    return f"{package}{kind.__name__}({rate}{''.join(settings)})"
