"""How a name and its arguments become a call: what does not fit says what would."""

import difflib
import inspect

from keras_lr import checks

WHOLE = checks.Number(minimum=0, integer=True)


def call(origin, name, function, arguments):
    """Returns `function(**arguments)`; arguments that do not fit raise with those it takes."""
    signature = inspect.signature(function)
    try:
        signature.bind(**arguments)
        return function(**arguments)
    except TypeError as error:
        raise ValueError(
            f"The arguments of `{origin}({name!r}, …)` must be ({_listed(signature)}): {error}. "
            f"Received: {arguments!r}"
        ) from error
    except ValueError as error:
        error.add_note(f"Raised while `{origin}({name!r}, …)` was built from {arguments!r}.")
        raise


def _listed(signature):
    # Without annotations, which say more than a message has room for.
    parameters = signature.parameters.values()
    return ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters
    )


def find(argument, name, translations, refusals):
    """Returns the translation of a framework's name; raises where there is none."""
    if isinstance(name, str) and name in refusals:
        raise ValueError(f"{refusals[name]} Received: {argument}={name!r}")
    if not isinstance(name, str) or name not in translations:
        checks.refuse(argument, f"one of {', '.join(sorted(translations))}", name)
    return translations[name]


def close_to(name, known):
    """Returns the known names that look like `name`, best first."""
    lowered = {entry.lower(): entry for entry in known}
    return [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered)]
