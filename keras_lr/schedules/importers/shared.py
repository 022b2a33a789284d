"""What the translations share: calls by name and arguments, warmups, sequences and cosines."""

import difflib
import inspect

from keras_lr import checks
from keras_lr.schedules.annealing import LinearDecay
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.compose import Sequential
from keras_lr.schedules.keras_schedules import CosineDecay

WHOLE = checks.Number(minimum=0, integer=True)


def call(origin, name, function, arguments):
    """Returns `function(**arguments)`; a ValueError about arguments names those it takes."""
    signature = inspect.signature(function)
    try:
        signature.bind(**arguments)
        return function(**arguments)
    except TypeError as error:
        raise ValueError(
            f"The arguments of `{origin}({name!r}, …)` must be {signature}: {error}. "
            f"Received: {arguments!r}"
        ) from error
    except ValueError as error:
        error.add_note(f"Raised while `{origin}({name!r}, …)` was built from {arguments!r}.")
        raise


def find(argument, name, translations, refusals):
    """Returns the translation of a framework's name; raises ValueError if there is none."""
    if isinstance(name, str) and name in refusals:
        raise ValueError(f"{refusals[name]} Received: {argument}={name!r}")
    if not isinstance(name, str) or name not in translations:
        checks.refuse(argument, f"one of {', '.join(sorted(translations))}", name)
    return translations[name]


def close_to(name, known):
    """Returns the known names that look like `name`, the closest first."""
    lowered = {entry.lower(): entry for entry in known}
    return [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered)]


def warmed_up(schedule, start, peak, steps, curve=LinearDecay):
    """Returns `schedule` after a climb by t / steps, whose first update has the rate `start`."""
    return schedule if steps == 0 else curve(start, steps, peak).then(schedule, steps)


def in_turn(schedules, boundaries):
    """Returns schedules in sequence, each from its own 0, or the only one if there is one."""
    schedules, boundaries = list(schedules), list(boundaries)
    single = len(schedules) == 1 and not boundaries
    return as_schedule("schedules", schedules[0]) if single else Sequential(schedules, boundaries)


def cosine(peak, steps, end):
    """Returns half a cosine from `peak` to `end`; the end is held."""
    return CosineDecay(peak, steps, alpha=end / peak if peak else 0.0)
