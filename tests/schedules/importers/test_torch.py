"""Translated schedules against PyTorch's own, stepped update by update."""

import functools
import inspect
import json
import warnings

import keras
import numpy as np
import pytest
from support.arrays import to_numpy

from keras_lr import schedules
from keras_lr.schedules import Constant, MultiStepDecay, StepDecay, from_torch
from keras_lr.schedules.importers.torch import REFUSALS, TRANSLATIONS

torch = pytest.importorskip("torch")
lr_scheduler = torch.optim.lr_scheduler
RATE, COUNT = 0.1, 400
ULP = np.finfo("float32").eps

CASES = (
    """
LambdaLR(lr_lambda=halves)
LambdaLR(lr_lambda=halves) with total_steps=400
MultiplicativeLR(lr_lambda=lowers) with total_steps=400
StepLR(step_size=30)
StepLR(step_size=7, gamma=0.9)
MultiStepLR(milestones=[30, 100, 300], gamma=0.3)
MultiStepLR(milestones=[100, 30, 30, 0, 100, 30], gamma=0.5)
MultiStepLR(milestones=[])
ConstantLR()
ConstantLR(factor=0.5, total_iters=77)
LinearLR()
LinearLR(start_factor=0.01, total_iters=100)
LinearLR(start_factor=1.0, end_factor=0.0, total_iters=300)
ExponentialLR(gamma=0.99)
PolynomialLR()
PolynomialLR(total_iters=300, power=2.5)
CosineAnnealingLR(T_max=100)
CosineAnnealingLR(T_max=37, eta_min=0.02)
CosineAnnealingLR(T_max=500, eta_min=0.2)
CosineAnnealingLR(T_max=1)
CosineAnnealingWarmRestarts(T_0=30)
CosineAnnealingWarmRestarts(T_0=10, T_mult=2, eta_min=0.01)
CosineAnnealingWarmRestarts(T_0=7, T_mult=3, eta_min=0.2)
CyclicLR(base_lr=0.01, max_lr=0.1)
CyclicLR(base_lr=0.01, max_lr=0.1, step_size_up=20, step_size_down=33)
CyclicLR(base_lr=0.01, max_lr=0.1, step_size_up=20, mode="triangular2")
CyclicLR(base_lr=0.01, max_lr=0.1, step_size_up=13, step_size_down=7, mode="exp_range", gamma=0.99)
OneCycleLR(max_lr=0.1, total_steps=400)
OneCycleLR(max_lr=0.1, epochs=7, steps_per_epoch=43, anneal_strategy="linear")
OneCycleLR(max_lr=0.1, total_steps=301, pct_start=0.25, div_factor=10.0, final_div_factor=50.0)
OneCycleLR(max_lr=0.1, total_steps=301, pct_start=1 / 3, anneal_strategy="linear")
OneCycleLR(max_lr=0.1, total_steps=300, pct_start=0.4, three_phase=True)
OneCycleLR(max_lr=0.1, total_steps=333, pct_start=0.123, anneal_strategy="linear", three_phase=True)
SequentialLR(schedulers=[LinearLR(total_iters=20), CosineAnnealingLR(T_max=300)], milestones=[20])
SequentialLR(milestones=[30, 100], schedulers=[ConstantLR(total_iters=50), \
    ExponentialLR(gamma=0.9), StepLR(step_size=9)])
SequentialLR(schedulers=[MultiplicativeLR(lr_lambda=lowers, total_steps=400), \
    CosineAnnealingWarmRestarts(T_0=20), PolynomialLR(total_iters=99)], milestones=[9, 100])
SequentialLR(schedulers=[LinearLR(), LambdaLR(lr_lambda=halves)], milestones=[0])
SequentialLR(schedulers=[StepLR(step_size=9), CyclicLR(base_lr=0, max_lr=1)], milestones=[30])
SequentialLR(schedulers=[StepLR(step_size=5)], milestones=[])
ChainedScheduler(schedulers=[LinearLR(total_iters=20), ExponentialLR(gamma=0.98)])
ChainedScheduler(schedulers=[ConstantLR(factor=0.1, total_iters=20), StepLR(step_size=40), \
    MultiStepLR(milestones=[50, 50]), PolynomialLR(total_iters=300, power=0.5)])
ChainedScheduler(schedulers=[LinearLR(total_iters=20), CosineAnnealingLR(T_max=400)])
ChainedScheduler(schedulers=[MultiplicativeLR(lr_lambda=lowers, total_steps=400)])
""".replace(" \\\n    ", " ")
    .strip()
    .splitlines()
)


def halves(step):
    return 0.5 ** (step / 30)


def lowers(step):
    return 0.99 if step % 2 else 1.005


FUNCTIONS = {"halves": halves, "lowers": lowers}


def optimizer(*rates, **options):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(()))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=RATE, momentum=0.9, **options)


def build(sgd, name, total_steps=None, **arguments):
    """Builds PyTorch's scheduler; MultiplicativeLR has no end there."""
    arguments |= {"total_steps": total_steps} if name == "OneCycleLR" else {}
    return getattr(lr_scheduler, name)(sgd, **arguments)


def theirs(call):
    sgd = optimizer(RATE)
    names = {name: functools.partial(build, sgd, name) for name in TRANSLATIONS}
    names["ChainedScheduler"] = lr_scheduler.ChainedScheduler
    return eval(call.partition(" with ")[0], names | FUNCTIONS)


def ours(call):
    pairs = {
        name: functools.partial(lambda name, **given: (name, given), name) for name in TRANSLATIONS
    }
    name, arguments = eval(call.partition(" with ")[0], pairs | FUNCTIONS)
    return from_torch(name, RATE, **arguments, **beside(call))


def beside(call):
    """Returns the arguments that we need and PyTorch does not have."""
    return eval(f"dict({call.partition(' with ')[2]})")


def stepped(scheduler):
    """Yields the rate of every update until the scheduler refuses to go on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants to see the optimizer's own steps
        for _ in range(COUNT):
            yield scheduler.optimizer.param_groups[0]["lr"]
            try:
                scheduler.step()
            except ValueError:
                return


def assert_same(schedule, scheduler):
    rates = list(stepped(scheduler))
    if type(scheduler).__name__ == "OneCycleLR":
        # One more step than it has updates is allowed there, beyond its end.
        rates = rates[: scheduler.total_steps]
        end = scheduler.total_steps - 1
        assert (schedule.rates([end + 1, 10 * end]) == schedule.rates([end])).all()
    np.testing.assert_allclose(schedule.rates(len(rates)), rates, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("call", CASES)
def test_by_name(call):
    assert_same(ours(call), theirs(call))


@pytest.mark.parametrize("call", [case for case in CASES if "LambdaLR" not in case])
def test_laws(call, accelerator):
    schedule = ours(call)
    text = json.dumps(keras.saving.serialize_keras_object(schedule))
    assert keras.saving.deserialize_keras_object(json.loads(text)) == schedule
    assert eval(repr(schedule), vars(schedules)) == schedule
    on_device = schedule(keras.ops.convert_to_tensor(np.arange(COUNT), dtype="int32"))
    host = schedule.rates(COUNT)
    np.testing.assert_allclose(to_numpy(on_device), host, rtol=0, atol=2 * ULP * host.max())


def test_every_scheduler_of_pytorch_is_known():
    public = {
        name
        for name, value in vars(lr_scheduler).items()
        if inspect.isclass(value) and issubclass(value, lr_scheduler.LRScheduler)
    }
    bases = {"LRScheduler", "_LRScheduler"}
    assert public - bases == {*TRANSLATIONS, "ReduceLROnPlateau"}
    assert {call.partition("(")[0] for call in CASES} == set(TRANSLATIONS)


def test_what_it_becomes():
    assert from_torch("StepLR", 0.1, step_size=30) == StepDecay(0.1, 30, 0.1)
    assert from_torch("MultiStepLR", 0.1, milestones=[9, 3]) == MultiStepDecay(0.1, [3, 9], 0.1)
    assert from_torch("MultiStepLR", 0.1, milestones=[]) == Constant(0.1)


def test_one_scheduler_step_per_epoch():
    per_epoch = from_torch("StepLR", 0.1, step_size=2, gamma=0.5).stretch(3).hold(3)
    assert per_epoch.rates(13).tolist() == [0.1] * 6 + [0.05] * 6 + [0.025]


def test_a_chained_cosine_is_held_at_its_end():
    # PyTorch goes up again from 0, and has forgotten the other factors by then.
    factors = [("CosineAnnealingLR", {"T_max": 50}), ("ExponentialLR", {"gamma": 0.9})]
    schedule = from_torch("ChainedScheduler", 0.1, schedulers=factors)
    assert not schedule.rates(np.arange(50, 200)).any()
    sgd = optimizer(RATE)
    cosine, exponential = (getattr(lr_scheduler, name)(sgd, **given) for name, given in factors)
    rates = list(stepped(lr_scheduler.ChainedScheduler([cosine, exponential])))
    np.testing.assert_allclose(schedule.rates(51), rates[:51], rtol=1e-10, atol=1e-16)
    assert rates[60] > 0


def test_by_class():
    assert from_torch(lr_scheduler.StepLR, 0.1, step_size=30) == StepDecay(0.1, 30, 0.1)
    pieces = [(lr_scheduler.LinearLR, {}), ("StepLR", {"step_size": 30})]
    by_name = [("LinearLR", {}), ("StepLR", {"step_size": 30})]
    sequence = functools.partial(from_torch, lr_scheduler.SequentialLR, 0.1, milestones=[5])
    assert sequence(schedulers=pieces) == sequence(schedulers=by_name)
    error("must be one of ChainedScheduler, .*='SGD'", torch.optim.SGD)


def test_an_object_says_what_to_write():
    step = lr_scheduler.StepLR(optimizer(RATE), 30)
    error(r"name or a class: write from_torch\('StepLR', learning_rate, …\) with.*Received", step)
    pieces = [("LinearLR", {}), step]
    pair = r"`schedulers\[1\]` must be a pair such as \('StepLR', .*Received"
    error(pair, "SequentialLR", schedulers=pieces, milestones=[5])
    error(r"`schedulers\[0\]` must be a name", "ChainedScheduler", schedulers=[(step, {})])


def error(match, name, learning_rate=0.1, **arguments):
    with pytest.raises(ValueError, match=match):
        from_torch(name, learning_rate, **arguments)


def test_refusals():
    swa = torch.optim.swa_utils.SWALR(optimizer(RATE), 0.05)
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer(RATE))
    error("use the callback `keras_lr.callbacks.Red.*scheduler='ReduceLROnPlateau'", plateau)
    error(r"starts from the rate that it finds. Write `schedule.then\(", swa)
    assert set(REFUSALS) == {"ReduceLROnPlateau", "SWALR"}
    error("`scheduler` must be one of ChainedScheduler, .*scheduler='StepLr'", "StepLr")
    error("`scheduler` must be one of ChainedScheduler, .*=0.1", 0.1)
    error("`learning_rate` must be .* >= 0. Received: learning_rate=None", "StepLR", None)
    error(r"must be \(step_size, gamma=0.1\): missing .* 'step_size'", "StepLR")
    error("got an unexpected .* 'last_epoch'", "StepLR", step_size=3, last_epoch=1)
    error("got an unexpected .* 'cycle_momentum'", "OneCycleLR", max_lr=1, cycle_momentum=True)
    error("`decay_steps` must be .*\nRaised while `from_torch", "PolynomialLR", total_iters=0)
    error("`total_iters` must be an integer >= 1", "ConstantLR", total_iters=0)
    error("multiply a CyclicalLearningRate", "CyclicLR", base_lr=0, max_lr=1, scale_fn=abs)
    error("missing .* 'total_steps'", "MultiplicativeLR", lr_lambda=lowers)
    error("arguments of .* must be .*multiply", "LinearLR", start_factor="half")


def test_refusals_of_one_cycle():
    one_cycle = functools.partial(error, name="OneCycleLR", max_lr=0.1)
    one_cycle("`epochs` must be an integer >= 1. Received: epochs=None")
    one_cycle("must be one of 'cos', 'linear'", total_steps=9, anneal_strategy="cosine")
    # PyTorch divides by zero in the first, and leaves out a phase in the others.
    ends = "`pct_start` must be such that each phase of the 10 updates ends after the one before"
    one_cycle(f"{ends}. Received: pct_start=0.1", total_steps=10, pct_start=0.1)
    one_cycle(ends, total_steps=10, pct_start=0.0)
    one_cycle(ends, total_steps=10, pct_start=1.0)
    one_cycle(ends, total_steps=10, pct_start=0.6, three_phase=True)


def test_refusals_of_compositions():
    multiplicative = ("MultiplicativeLR", {"lr_lambda": lowers, "total_steps": 9})
    sequence = functools.partial(error, name="SequentialLR")
    line, cycle = ("LinearLR", {}), ("OneCycleLR", {"max_lr": 0.1, "total_steps": 9})
    nested = ("SequentialLR", {"schedulers": [line], "milestones": []})
    for later in (multiplicative, nested, cycle):
        changed = rf"`schedulers\[1\]` must be one that neither needs .*='{later[0]}'"
        sequence(changed, schedulers=[line, later], milestones=[5])
    for first in (("CyclicLR", {"base_lr": 0, "max_lr": 1}), nested, cycle):
        sequence(r"\[0\]` must be one that", schedulers=[first, line], milestones=[5])
    sequence("strictly increasing", schedulers=[line] * 3, milestones=[5, 5])
    sequence("one fewer than the 2", schedulers=[line] * 2, milestones=[5, 6])
    sequence(r"\[0\]` must be a pair", schedulers=["LinearLR"], milestones=[])
    sequence("a list of 1 or more", schedulers=[], milestones=[])
    chain = functools.partial(error, name="ChainedScheduler")
    chain("must be one of ConstantLR, .*='LambdaLR'", schedulers=[("LambdaLR", {})])
    raised = [("CosineAnnealingLR", {"T_max": 9, "eta_min": 0.01})]
    chain("`eta_min` must be 0 in a ChainedScheduler", schedulers=raised)
