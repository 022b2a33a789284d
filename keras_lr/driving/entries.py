"""Entries: the state of one callback and the moment it belongs to, checked when they are read."""

from keras_lr import checks

# Counters of Keras are 32 or 64 bits wide: more than that is damage.
COUNT = checks.Number(minimum=0, below=2**63, integer=True)
_CLOCK = checks.Number(minimum=-(2**63), below=2**63, integer=True)


def check(entry):
    """Raises ValueError unless every field of an entry is what `SavedState` has put into it.

    The state itself is the callback's to check.

    >>> check({"callback": "Rule()", "state": {}, "epoch": -1})
    Traceback (most recent call last):
    ValueError: `epoch` must be an integer >= 0 and < 9223372036854775808. Received: epoch=-1
    """
    of_type("callback", entry["callback"], str)
    of_type("state", entry["state"], dict)
    count("epoch", entry["epoch"])
    counts = numbers("iterations", entry["iterations"], COUNT)
    parts = {name: of_type(name, entry[name], list) for name in ("schedules", "rates")}
    for config in parts["schedules"]:
        if config is not None:
            of_type("schedules", config, dict)
    for rates in parts["rates"]:
        _check_rates(rates)
    if "clocks" in entry:
        parts["clocks"] = numbers("clocks", entry["clocks"], _CLOCK)
    for name, part in parts.items():
        if len(part) != len(counts):
            checks.refuse(name, f"{len(counts)} long, as `iterations`", part)


def _check_rates(rates):
    of_type("rates", rates, dict)
    # A run in which somebody has set a rate of infinity has this in its file, too.
    if rates["base"] is not None and not isinstance(rates["base"], float):
        checks.refuse("base", "a float or None", rates["base"])
    for name in ("scale", "level"):
        _json_number(name, rates[name], checks.REAL)
    pairs = of_type("dialled", rates["dialled"], list)
    if not pairs or any(len(numbers("dialled", pair, checks.REAL)) != 2 for pair in pairs):
        checks.refuse("dialled", "a list of pairs of numbers", pairs)


def count(name, value):
    """Returns a number of epochs or batches; raises ValueError for anything else."""
    return _json_number(name, value, COUNT)


def clocks(name, value):
    """Returns a list of clocks, one by optimizer; raises ValueError for anything else."""
    return numbers(name, value, _CLOCK)


def numbers(name, values, kind):
    """Returns a list of numbers of a kind; raises ValueError for anything else."""
    return [_json_number(name, value, kind) for value in of_type(name, values, list)]


def _json_number(name, value, kind):
    try:
        return kind(name, value)
    except OverflowError:
        checks.refuse(name, kind, value)


def of_type(name, value, kind):
    """Returns a value of a type; raises ValueError for any other."""
    if not isinstance(value, kind):
        checks.refuse(name, f"of type {kind.__name__}", value)
    return value
