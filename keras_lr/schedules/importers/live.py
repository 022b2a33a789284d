"""Reads PyTorch's scheduler objects, without importing PyTorch: the objects say it all."""

from keras_lr import checks


def is_scheduler(value):
    """Returns whether `value` is an object of one of PyTorch's classes, or of one's subclass."""
    return any(base.__module__.startswith("torch.optim.") for base in type(value).__mro__)


def initial_rate(scheduler):
    """Returns the rate that the scheduler's optimizer was built with."""
    groups = scheduler.optimizer.param_groups
    return _single("initial_lr", [group["initial_lr"] for group in groups])


def arguments_of(scheduler, parameters):
    """Returns what a scheduler was built from, among the named parameters of its class."""
    special = _ARGUMENTS.get(type(scheduler).__name__, lambda scheduler: {})(scheduler)
    return {
        name: getattr(scheduler, name) for name in parameters if hasattr(scheduler, name)
    } | special


def _single(name, values):
    """Returns the value that all parameter groups share, a number where it was a tensor."""
    first, *others = [getattr(value, "item", lambda value=value: value)() for value in values]
    if any(other != first for other in others):
        checks.refuse(name, "the same in all parameter groups; translate each by name", values)
    return first


def _milestones(scheduler):
    return {"milestones": list(scheduler.milestones.elements())}


def _function(scheduler):
    return {"lr_lambda": _single("lr_lambda", scheduler.lr_lambdas)}


def _cyclic(scheduler):
    up = round(scheduler.total_size * scheduler.step_ratio)
    return {
        "base_lr": _single("base_lr", scheduler.base_lrs),
        "max_lr": _single("max_lr", scheduler.max_lrs),
        "step_size_up": up,
        "step_size_down": scheduler.total_size - up,
        "scale_fn": scheduler._scale_fn_custom,
    }


def _one_cycle(scheduler):
    groups = scheduler.optimizer.param_groups
    names = ("max_lr", "initial_lr", "min_lr")
    top, initial, end = (_single(name, [group[name] for group in groups]) for name in names)
    phases = scheduler._schedule_phases
    return {
        "max_lr": top,
        "pct_start": (phases[0]["end_step"] + 1) / scheduler.total_steps,
        "anneal_strategy": scheduler._anneal_func_type,
        "div_factor": top / initial,
        "final_div_factor": initial / end,
        "three_phase": len(phases) == 3,
    }


def _nested(scheduler):
    return {"schedulers": scheduler._schedulers}


def _sequential(scheduler):
    return {"milestones": scheduler._milestones, **_nested(scheduler)}


# Where attributes are not called what the arguments are called.
_ARGUMENTS = {
    "LambdaLR": _function,
    "MultiplicativeLR": _function,
    "MultiStepLR": _milestones,
    "CyclicLR": _cyclic,
    "OneCycleLR": _one_cycle,
    "SequentialLR": _sequential,
    "ChainedScheduler": _nested,
}
