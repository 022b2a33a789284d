"""`ValidationDecay`: the documents' rule against itself, written once more in plain Python."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.unit_gradient import build, fit

from keras_lr import callbacks


def factors(rule, values):
    state, found = rule.start(), []
    for value in values:
        state = rule.update(state, value, 0.4)
        found.append(state.factor)
    return found


def by_the_document(values):
    """alpha * min(1, 1 / min(t_p, t_d)), epochs from 1, by looking back over all values."""
    found = []
    for now in range(1, len(values) + 1):
        seen = values[:now]
        worse = [i for i in range(1, now + 1) if seen[i - 1] > min(seen[:i])]
        t_d = 0
        while now - t_d in worse:
            t_d += 1
        t_p = now - t_d + 1
        found.append(1.0 if t_d == 0 else min(1.0, 1.0 / min(t_p, t_d)))
    return found


@given(st.lists(st.integers(0, 5).map(float), min_size=1, max_size=20))
def test_it_is_the_documents_rule(values):
    assert factors(callbacks.ValidationDecay(mode="min"), values) == by_the_document(values)
    mirrored = [-value for value in values]
    assert factors(callbacks.ValidationDecay(mode="max"), mirrored) == by_the_document(values)


def test_values_that_are_not_finite_are_worse_and_never_the_best():
    nan, inf = float("nan"), float("inf")
    rule = callbacks.ValidationDecay(mode="min")
    assert factors(rule, [nan, 1.0, nan, nan, -inf, 0.5]) == [1, 1, 1, 1 / 2, 1 / 3, 1]


def test_direction_is_read_from_metric_and_name_and_asked_for_otherwise():
    model = build(keras.optimizers.SGD(0.4), metrics=[keras.metrics.BinaryAccuracy("hits")])
    options = {"validation_data": None}
    for monitor, lower in (("hits", False), ("loss", True)):
        rule = callbacks.ValidationDecay(monitor)
        fit(model, 1, 1, [rule], **options)
        assert rule.lower_is_better is lower
    with pytest.raises(ValueError, match="`mode` must be 'min' or 'max'.*monitor='quality'"):
        fit(model, 1, 1, [callbacks.ValidationDecay("quality")])
