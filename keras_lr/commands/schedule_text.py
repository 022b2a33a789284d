"""Schedules from text, as typed into a command line: parsed, never executed."""

import ast
import inspect
import math
import operator
import reprlib
import warnings

from keras_lr import checks, schedules
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.importers.shared import close_to

_LONGEST, _DEEPEST = 2_000, 100
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80
_LARGEST = 2**63

_METHODS = ("clip", "hold", "jitter", "repeat", "shift", "stretch", "then", "with_warmup")
_FUNCTIONS = ("epochs", "fraction", "maximum", "minimum", "steps")
_ON_SCHEDULES = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.USub: operator.neg,
}
_ON_NUMBERS = {
    **_ON_SCHEDULES,
    ast.Div: operator.truediv,
    # Floats overflow where integers would fill the memory.
    ast.Pow: lambda base, power: float(base) ** float(power),
}
_CALCULATION = "schedules and numbers joined by + - *, or numbers alone by / and ** too"
_NO_FUNCTION = (
    "free of functions, which only Python can give to `LambdaDecay`; `Tabulated` takes their values"
)
_NAMES = "made of names from `keras_lr.schedules.names()`, " + ", ".join(_FUNCTIONS)
_ALLOWED = (
    "made of schedules, such as cosine(0.1, 1000) + 0.01, their methods "
    f"{', '.join(_METHODS)}, and numbers, strings, True, False, None and lists"
)


def parse_schedule(text):
    """Returns the schedule that `text` describes in Python's syntax; nothing in it is executed.

    It may call the classes of `keras_lr.schedules` by any of their `names()`, `epochs`, `fraction`,
    `steps`, `maximum`, `minimum` and `LinearDecay.from_rate`; combine schedules with `+ - *` and
    the methods clip, hold, jitter, repeat, shift, stretch, then and with_warmup; and calculate
    with numbers. A number alone is a constant rate.

    >>> from keras_lr.commands.schedule_text import parse_schedule
    >>> parse_schedule("linear(0.1, 9 * 100).with_warmup(100) * 0.5")
    Product((Warmup(LinearDecay(0.1, 900), 100), 0.5))
    >>> parse_schedule("open('secrets')")
    Traceback (most recent call last):
    ValueError: `text` must be ... Received: 'open' in text="open('secrets')"

    Raises ValueError for anything else, and for more than 2,000 characters or 100 levels.
    """
    if not isinstance(text, str):
        checks.refuse("text", "a string", text)
    if len(text) > _LONGEST:
        required = f"at most {_LONGEST} characters long"
        raise ValueError(f"`text` must be {required}. Received: text={_SHORT.repr(text)}")
    return _Reader(text.strip()).schedule()


class _Reader:
    """Turns one text into a schedule, node by node; an error shows the node it is about."""

    def __init__(self, text):
        self.text = text

    def refuse(self, node, required):
        """Raises ValueError about a part of the text, and shows it."""
        raise ValueError(f"`text` must be {required}. Received: {self._piece(node)}")

    def _piece(self, node):
        whole = _SHORT.repr(self.text)
        piece = ast.get_source_segment(self.text, node) if node else self.text
        return f"text={whole}" if piece == self.text else f"{_SHORT.repr(piece)} in text={whole}"

    def schedule(self):
        """Returns the schedule of the whole text."""
        tree = self._tree()
        value = self.value(tree)
        if not isinstance(value, Schedule) and checks.as_number(value) is None:
            self.refuse(tree, "a schedule or a number")
        return as_schedule("text", value)

    def _tree(self):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            reason = getattr(error, "msg", None) or "it cannot be read"
            self.refuse(None, f"an expression in Python's syntax ({reason})")
        levels, depth = [tree], 0
        while levels:
            levels, depth = [child for n in levels for child in ast.iter_child_nodes(n)], depth + 1
        if depth > _DEEPEST:
            self.refuse(tree, f"nested at most {_DEEPEST} levels deep")
        return tree

    def value(self, node):
        """Returns what a node stands for: a schedule, number, word, duration or tuple."""
        match node:
            case ast.Constant(value=str() | bool() | None):
                return node.value
            case ast.Constant(value=int() | float()):
                return self._number(node, node.value)
            case ast.List() | ast.Tuple():
                return tuple(self.value(entry) for entry in node.elts)
            case ast.UnaryOp():
                return self._calculation(node, node.operand)
            case ast.BinOp():
                return self._calculation(node, node.left, node.right)
            case ast.Call():
                return self._call(node)
            case ast.Name():
                self.refuse(node, f"a call: {node.id}{_signature(self._named(node))}")
            case ast.Lambda():
                self.refuse(node, _NO_FUNCTION)
        self.refuse(node, _ALLOWED)

    def _number(self, node, value):
        number = checks.as_number(value)
        whole = isinstance(number, int)
        if number is None or not (abs(number) < _LARGEST if whole else math.isfinite(number)):
            self.refuse(node, "calculated from finite numbers, whole ones below 2**63")
        return number

    def _calculation(self, node, *operands):
        values = [self.value(operand) for operand in operands]
        numbers = [checks.as_number(value) is not None for value in values]
        function = (_ON_NUMBERS if all(numbers) else _ON_SCHEDULES).get(type(node.op))
        known = [number or isinstance(value, Schedule) for number, value in zip(numbers, values)]
        if function is None or not all(known):
            self.refuse(node, _CALCULATION)
        try:
            result = function(*values)
        except ArithmeticError:
            result = math.nan
        return self._number(node, result) if all(numbers) else result

    def _call(self, node):
        function = self._function(node.func)
        arguments = [self.value(argument) for argument in node.args]
        named = {keyword.arg: self.value(keyword.value) for keyword in node.keywords}
        if None in named or len(named) < len(node.keywords):
            self.refuse(node, "a call that names each argument at most once")
        try:
            inspect.signature(function).bind(*arguments, **named)
            return function(*arguments, **named)
        except (TypeError, OverflowError) as error:
            name = getattr(node.func, "attr", None) or node.func.id
            self.refuse(node, f"a call of {name}{_signature(function)}, but {error}")
        except ValueError as error:
            raise ValueError(f"{error}, from {self._piece(node)}") from error

    def _function(self, node):
        match node:
            case ast.Name():
                return self._named(node)
            case ast.Attribute(value=ast.Name(), attr="from_rate"):
                if self._named(node.value) is schedules.LinearDecay:
                    return schedules.LinearDecay.from_rate
            case ast.Attribute(attr=name) if name in _METHODS:
                schedule = self.value(node.value)
                if isinstance(schedule, Schedule):
                    return getattr(schedule, name)
        self.refuse(node, _ALLOWED)

    def _named(self, node):
        if node.id in _FUNCTIONS:
            return getattr(schedules, node.id)
        known = schedules.names()
        if node.id not in known:
            close = " or ".join(close_to(node.id, [*known, *_FUNCTIONS]))
            self.refuse(node, f"{_NAMES} (did you mean {close}?)" if close else _NAMES)
        if known[node.id] == "LambdaDecay":
            self.refuse(node, _NO_FUNCTION)
        return getattr(schedules, known[node.id])


def _signature(function):
    """Returns what a function takes, in parentheses."""
    signature = inspect.signature(function)
    # Only Keras reads the name.
    parameters = [p for name, p in signature.parameters.items() if name != "name"]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))
