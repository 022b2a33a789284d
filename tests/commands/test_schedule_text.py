"""Schedules from text: what Python would build is built, anything else is refused, nothing runs."""

import inspect
import keyword
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import SCHEDULES

from keras_lr import schedules
from keras_lr.commands import schedule_text
from keras_lr.commands.schedule_text import parse_schedule
from keras_lr.schedules import (
    Constant,
    CosineDecay,
    LambdaDecay,
    LinearDecay,
    MultiStepDecay,
    OneCycle,
    Schedule,
    WarmupStableDecay,
    epochs,
    maximum,
)

LINEAR = LinearDecay(0.1, 900)
GOOD = {
    "OneCycle(0.1, 1000)": OneCycle(0.1, 1000),
    " wsd(0.1, 1000,\n warmup='10%') ": WarmupStableDecay(0.1, 1000, warmup="10%"),
    "cosine(decay_steps=90, initial_learning_rate=0.1)": CosineDecay(0.1, 90),
    "linear(0.1, 900).with_warmup(100)": LINEAR.with_warmup(100),
    "Warmup(linear(0.1, 900), 9, 0.01, 'cosine', overlay=True)": schedules.Warmup(
        LINEAR, 9, 0.01, "cosine", overlay=True
    ),
    "LinearDecay.from_rate(0.1, rate=0.001)": LinearDecay.from_rate(0.1, 0.001),
    "linear.from_rate(0.1, 0.001)": LinearDecay.from_rate(0.1, 0.001),
    "multi_step(0.1, [30, 60], 0.1)": MultiStepDecay(0.1, [30, 60], 0.1),
    "Sequential((linear(0.1, 9), 0.05), (9,))": LinearDecay(0.1, 9).then(0.05, at=9),
    "linear(0.1, epochs(3)).clip(None, 0.05)": LinearDecay(0.1, epochs(3)).clip(maximum=0.05),
    "linear(0.1, '50%')": LinearDecay(0.1, "50%"),
    "maximum(0.01, linear(0.1, steps(900)))": maximum(0.01, LINEAR),
    "2 * linear(0.1, 900) - 0.1 + -linear(0.1, 900)": 2 * LINEAR - 0.1 + -LINEAR,
    "linear(0.8 / 2**3, 9 * 100)": LINEAR,
    "linear(0.1, 900).hold(9).shift(1).stretch(2).repeat(99)": (
        LINEAR.hold(9).shift(1).stretch(2).repeat(99)
    ),
    "linear(0.1, 900).then(0.2, at=9).jitter(0.1, seed=3)": LINEAR.then(0.2, 9).jitter(0.1, seed=3),
    "0.1": Constant(0.1),
    "1 - 0.5": Constant(0.5),
}


@pytest.mark.parametrize("text", GOOD, ids=str.strip)
def test_text_is_what_python_would_build(text):
    assert parse_schedule(text) == GOOD[text]


@pytest.mark.parametrize(
    "schedule", [e.schedule for e in SCHEDULES if "function" not in repr(e.schedule)], ids=repr
)
def test_every_repr_is_read_back(schedule):
    assert parse_schedule(repr(schedule)) == schedule


def test_the_examples_without_a_function_are_nearly_all():
    assert sum("function" in repr(example.schedule) for example in SCHEDULES) <= 6


@pytest.mark.parametrize(
    "text, message",
    [
        ("cosine", r"must be a call: cosine\(initial_learning_rate, decay_steps.*Received: text="),
        ("cosine(0.1)", r"call of cosine\(initial_.*missing.*'decay_steps'. Received: text='cos"),
        ("cosine(0.1, 9, stop=3)", r"call of cosine\(.*unexpected keyword argument 'stop'"),
        ("linear(0.1, 9).hold()", r"call of hold\(every\), but missing.*'every'"),
        ("linear(0.1, 9).with_warmup(3, to=1)", r"with_warmup\(warmup_steps, \*\*options\).*'to'"),
        ("linear(0.1, 9, decay_steps=9)", r"call of linear\(.*multiple values.*'decay_steps'"),
        ("linear(0.1, 9, end_learning_rate=1, end_learning_rate=2)", "each argument at most once"),
        ("linear(**{'decay_steps': 9})", r"must be made of.*Received: \"\{'decay_steps': 9\}\" in"),
        ("linear(*[0.1, 9])", r"must be made of.*Received: '\*\[0.1, 9\]' in text="),
        ("2 * linear(0.1, -9)", r"`decay_steps` must be.*=-9, from 'linear\(0.1, -9\)' in text='2"),
        ("cosin(0.1, 9)", r"names\(\)`.*did you mean cosine.*Received: 'cosin' in text='cosin\("),
        ("qqqqqq(0.1)", r"made of names from `keras_lr.schedules.names\(\)`.*steps. Received: 'qq"),
        ("Schedule()", r"made of names.*Received: 'Schedule' in"),
        ("Recipe()", r"made of names.*Received: 'Recipe' in"),
        ("from_torch('StepLR')", r"made of names.*Received: 'from_torch' in"),
        ("LambdaDecay(0.1, abs)", r"free of functions.*`Tabulated`.*Received: 'LambdaDecay' in"),
        ("LambdaDecay", r"free of functions.*Received: text='LambdaDecay'"),
        ("linear(0.1, lambda: 9)", r"free of functions.*Received: 'lambda: 9' in"),
        ("linear(0.1, 9).__class__", r"must be made of.*Received: text='linear"),
        ("linear(0.1, 9).resolve(3)", r"their methods clip, hold.*Received: 'linear.*resolve' in"),
        ("linear.__init__(0.1)", r"must be made of.*Received: 'linear.__init__' in"),
        ("cosine.from_rate(0.1, 9)", r"must be made of.*Received: 'cosine.from_rate' in"),
        ("(0.1).hold(3)", r"must be made of.*Received: '\(0.1\).hold' in"),
        ("linear(0.1, 9).clip(0)()", r"must be made of.*Received: 'linear\(0.1, 9\).clip\(0\)' in"),
        ("[linear(0.1, x) for x in [9]][0]", r"must be made of.*Received: text="),
        ("linear(0.1, 9) if 1 else 2", r"must be made of.*Received: text="),
        ("linear(0.1, f'{9}')", r"must be made of.*Received: \"f'\{9\}'\" in"),
        ("linear(0.1, 9j)", r"must be made of.*Received: '9j' in"),
        ("linear(b'a', 9)", r"must be made of.*Received: \"b'a'\" in"),
        ("linear(0.1, ...)", r"must be made of.*Received: '...' in"),
        ("'ab' * 9", r"schedules and numbers joined.*Received: text=\"'ab' \* 9\""),
        ("[1] * 9", r"schedules and numbers joined.*Received: text="),
        ("linear(0.1, 9) / 2", r"numbers alone by / and \*\* too. Received: text="),
        ("linear(0.1, True + 9)", r"schedules and numbers joined.*Received: 'True \+ 9' in"),
        ("linear(0.1, 7 // 2)", r"schedules and numbers joined.*Received: '7 // 2' in"),
        ("linear(0.1, ~2)", r"schedules and numbers joined.*Received: '~2' in"),
        ("9 ** 9 ** 9 ** 9", r"finite numbers.*Received: '9 \*\* 9 \*\* 9' in"),
        ("(-8) ** 0.5", "finite numbers"),
        ("1 / 0", "finite numbers, whole ones below 2"),
        ("1e999", "finite numbers, whole ones below 2"),
        ("9" * 400, r"finite numbers.*Received: text='99+\.\.\.9+'"),
        ("'5%'", r"must be a schedule or a number. Received: text=\"'5%'\""),
        ("None", "must be a schedule or a number. Received: text='None'"),
        ("True", "must be a schedule or a number"),
        ("epochs(3)", "must be a schedule or a number"),
        ("linear(0.1, 9", r"Python's syntax \(.*never closed\). Received: text='linear\(0.1, 9'"),
        ("linear(0.1, 9); 3", r"Python's syntax"),
        ("x = linear(0.1, 9)", r"Python's syntax"),
        ("", r"Python's syntax.*Received: text=''"),
        ("a\0b", r"Python's syntax"),
        ("\ud800", r"Python's syntax.*cannot be read"),
        ("(" * 500 + "1" + ")" * 500, r"Python's syntax \(too many nested parentheses\)"),
        ("-" * 1500 + "1", "at most 100 levels deep"),
        ("linear(0.1, 9)" + ".clip(0)" * 60, "at most 100 levels deep"),
        ("1" + "+1" * 900, "at most 100 levels deep"),
        ("1" + " " * 2000, r"at most 2000 characters long. Received: text='1 +\.\.\. +'"),
        (b"1", r"`text` must be a string. Received: text=b'1'"),
        (None, r"`text` must be a string. Received: text=None"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_anything_else_is_refused_with_the_piece_and_what_is_allowed(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_schedule(text)
    assert "\n" not in str(caught.value)


def test_the_deepest_that_is_allowed_can_be_evaluated():
    deep = parse_schedule("linear(0.1, 9)" + ".clip(0)" * 48)
    assert deep.rates(2).tolist() == LinearDecay(0.1, 9).rates(2).tolist()
    assert deep.describe() == LinearDecay(0.1, 9).describe()


def test_every_public_method_is_either_composition_or_known_not_to_be():
    public = {
        name
        for name, value in vars(Schedule).items()
        if not name.startswith("_") and inspect.isfunction(value)
    }
    others = {"check", "prepare", "rate", "rate_at", "rates", "describe", "plot", "marks"}
    others |= {"resolve"}
    assert public - others - {"get_config"} == set(schedule_text._METHODS)


# "1cycle" and "lambda" cannot be written as names in Python.
NAMES = [n for n in schedules.names() if n.isidentifier() and not keyword.iskeyword(n)]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_known(name):
    known = "free of functions" if schedules.names()[name] == LambdaDecay.__name__ else "call"
    with pytest.raises(ValueError, match=known) as caught:
        parse_schedule(name)
    assert (f"{name}(" in str(caught.value)) == (known == "call")


# Nothing is executed, whatever the text


class Watch:
    """Notes what the interpreter was asked to do while a text was read."""

    def __init__(self):
        self.watching, self.seen = False, []
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.watching and event.partition(".")[0] in {"exec", "os", "open", "subprocess"}:
            self.seen.append(event)

    def read(self, text):
        self.watching = True
        try:
            return parse_schedule(text)
        except ValueError:
            return None
        finally:
            self.watching = False


@pytest.fixture(scope="module")
def watch():
    for text in GOOD:  # What is imported late is imported now.
        parse_schedule(text)
    return Watch()


TOKENS = [
    *("linear(0.1, 900)", "cosine", "Sum", "Repeat(", "Tabulated(", "maximum(", "epochs(", "0.1"),
    *("9", "1e308", "-", "+", "*", "**", "/", "//", "(", ")", "[", "]", ",", ".", " ", "=", ":"),
    *(".clip(", ".then(", ".repeat(", ".jitter(", ".__class__", ".rate", "lambda x:", "x", "None"),
    *("'5%'", "'a'", "f'{x}'", "name=", "at=", "seed=", "if", "for", "in", "__import__('os')"),
    *("eval('1')", "open('x')", "exec", "yield", "await", ":=", "\n", "\\", "\0", "é", "\ud800"),
]
PIECES = st.lists(st.sampled_from(TOKENS), max_size=14).map("".join)


@settings(max_examples=1000, derandomize=True, database=None)
@given(PIECES | st.text(max_size=80))
def test_random_text_is_a_schedule_or_a_value_error(watch, text):
    schedule = watch.read(text)
    assert schedule is None or isinstance(schedule, Schedule)
    assert not watch.seen, text


@settings(max_examples=1000, derandomize=True, database=None)
@given(st.data(), st.sampled_from(sorted(GOOD)), PIECES)
def test_a_good_text_with_a_piece_replaced_is_a_schedule_or_a_value_error(watch, data, text, piece):
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    schedule = watch.read(text[:begin] + piece + text[end:])
    assert schedule is None or isinstance(schedule, Schedule)
    assert not watch.seen, text


def test_the_watch_sees_what_is_executed(watch):
    watch.watching = True
    eval("1")
    watch.watching = False
    assert watch.seen.pop() == "exec" and not watch.seen
