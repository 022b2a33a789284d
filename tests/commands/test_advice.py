"""What `find` prints about a result: its lines to paste train at the rates that they name."""

import re

import keras
import numpy as np
from support import unit_gradient

import keras_lr
from keras_lr import discriminative
from keras_lr.commands import advice
from keras_lr.finder import RangeTest
from keras_lr.schedules import Constant, LambdaDecay


def result(suggestion=0.1, **more):
    """A result as `range_test` returns it, of two points."""
    ones, entry = np.ones(2), {"interval": None, "status": "ok", **more}
    return RangeTest(ones, ones, ones, {}, suggestion, **entry)


def said(optimizer, found=None, **arguments):
    model = unit_gradient.build(optimizer)
    return "\n".join(advice.lines_about(found or result(), {"model": model, **arguments}))


def test_the_lines_to_paste_move_weights_by_the_rates_that_they_name():
    text = said(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(LambdaDecay(9.0, np.exp))))
    assert "  linear to zero: 0.1 " in text and "  constant:       0.0345 " in text
    names = {"keras": keras, "keras_lr": keras_lr, "updates": 4}
    linear, constant = re.findall(r"keras\.optimizers\..*", text)
    (callback,) = re.findall(r"callbacks=\[(.*)\]", text)
    falling = [0.1, 0.075, 0.05, 0.025]
    for line, callbacks, rates in [
        (linear, "", falling),
        (constant, "", [0.0345] * 4),
        ("'sgd'", callback, falling),
    ]:
        model = unit_gradient.build(eval(line, names))
        unit_gradient.fit(model, 2, epochs=2, callbacks=eval(f"[{callbacks}]", names))
        np.testing.assert_allclose(unit_gradient.applied(model), rates, rtol=1e-5)


def test_the_line_to_paste_keeps_the_optimizers_settings():
    text = said(keras.optimizers.AdamW(0.1, weight_decay=0.1, beta_1=0.8, clipnorm=2.0))
    line = "keras.optimizers.AdamW(0.0345, weight_decay=0.1, beta_1=0.8, clipnorm=2.0)"
    assert text.splitlines()[4].endswith(f"  {line}")


def test_an_optimizer_of_the_users_own_goes_by_its_name():
    class Mine(keras.optimizers.SGD):
        pass

    assert "  Mine(0.0345, momentum=0.5)" in said(Mine(0.1, momentum=0.5))


@unit_gradient.needs_multi_optimizer
def test_several_rates_are_told_from_one():
    model = unit_gradient.build("sgd", layers=2)
    model.optimizer = discriminative(keras.optimizers.SGD(0.1), model, {"trace_0": 0.5})
    text = "\n".join(advice.lines_about(result(), {"model": model}))
    assert (
        "at multiplier 1: linear to zero: 0.1, constant: 0.0345" in text and "FitSchedule" in text
    )
    first, second = keras.optimizers.SGD(0.1), keras.optimizers.Adam(0.01)
    model.optimizer = keras.optimizers.MultiOptimizer(
        lambda v: first if "trace_0" in v.path else second
    )
    model.optimizer.build(model.trainable_variables)
    text = "\n".join(advice.lines_about(result(), {"model": model}))
    assert "the others keep their proportion" in text and "FitSchedule" not in text


def test_a_planned_schedule_has_its_own_peak():
    plan = Constant(3.0)
    assert said("sgd", schedule=plan).endswith("peak of the planned schedule: 0.0345")
    verified = result(evidence=((0.1, 2.0), (0.3, np.inf)))
    text = said("sgd", verified, schedule=plan)
    assert "run at 0.1: loss 2\n" in text and "run at 0.3: diverged\n" in text
    assert text.endswith("peak of the planned schedule: 0.1")


def test_runs_that_all_diverged_are_the_reason():
    text = said("sgd", result(None, evidence=((0.1, np.inf),)))
    assert text.endswith("No suggestion: all of these diverged. More verify=… try lower rates.")
