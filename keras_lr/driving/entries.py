"""Entries: the state of one callback and the moment it belongs to, checked when they are read."""

from keras_lr import checks

# Counters of Keras are 32 or 64 bits wide: more than that is damage.
COUNT = checks.Number(minimum=0, below=2**63, integer=True)
_CLOCK = checks.Number(minimum=-(2**63), below=2**63, integer=True)


def check(entry):
    """Raises ValueError unless every field of an entry is what `SavedState` has put into it.

    What is in the state `state_values` checks, which knows the callback.

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


def state_values(state, first):
    """Returns the values of a state by field, with tuples in the place of lists.

    Raises ValueError for what no state can have, or not in the place of what is in the `first` one:
    numbers of all types are one kind, and None is of every kind.

    >>> state_values({"factor": 0.5, "recent": [1]}, {"factor": 1.0, "recent": ()})
    {'factor': 0.5, 'recent': (1,)}
    """
    values = {name: _state_value(name, value) for name, value in state.items()}
    for name, value in values.items():
        if None not in (value, first[name]) and _kind(value) != _kind(first[name]):
            checks.refuse(f"state[{name!r}]", f"of the kind of {first[name]!r}", value)
    checks.RATE("state['factor']", values["factor"])
    return values


def _state_value(name, value):
    if isinstance(value, list):
        return tuple(_state_value(name, item) for item in value)
    if value is not None and not isinstance(value, (bool, int, float, str)):
        checks.refuse(f"state[{name!r}]", "a number, a text, a list of these or None", value)
    return value


def _kind(value):
    return float if isinstance(value, (bool, int, float)) else type(value)


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
