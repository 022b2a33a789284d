"""`range_test`: the sweep."""

import functools

import keras

from keras_lr import checks
from keras_lr.driving.running import end_interrupted_fit
from keras_lr.finder.length import UNTOLD
from keras_lr.finder.search import HELD_BACK, SHORTEST_SWEEP, Sweep, search, swept
from keras_lr.finder.verification import Runs, planned_schedule, verified
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.optimizers import check_optimizer, replicas
from keras_lr.keras_private.trial_fit import held_back
from keras_lr.schedules import durations
from keras_lr.trials import data
from keras_lr.trials.progress import progress
from keras_lr.trials.runs import Trials

_COUNT = checks.Number(minimum=0, integer=True)
_AT_LEAST_ONE = checks.Number(minimum=1, integer=True)


def range_test(
    model,
    x,
    y=None,
    *,
    start=1e-7,
    end=100.0,
    num_steps=100,
    batch_size=32,
    repeats=1,
    verify=0,
    total_steps=None,
    budget=None,
    schedule=None,
    sample_weight=None,
    class_weight=None,
    shuffle=True,
    validation_data=None,
    after_update=False,
    smoothing=0.85,
    seed=0,
    verbose=1,
    optimizer=None,
):
    """Trains for a moment at rising rates and reads off which rate to train with.

    The rate of update i is `start · (end/start)^(i/(num_steps − 1))`, read by the optimizer's
    counter inside one compiled step. The loss is the batch's own, before its update, as
    `train_on_batch` returns it; with `after_update=True` that of the same batch after the update,
    as `evaluate` computes it; with `validation_data` that of these, as one batch, after every
    update. The sweep ends where the loss has diverged; past `end` it goes on at the same pace, at
    most as long again, while the loss still falls or noise hides whether it fell. Where it diverges
    at once, it begins again lower.

    A sweep sees the beginning of training, and only its training loss. Short runs around what it
    suggests (`verify`, `budget`), judged on `validation_data`, and `total_steps`, as the best peak
    falls with the length of the run, make the suggestion one for the run that will be made.

    **Nothing stays**: weights, statistics, optimizer, metrics, seeds, rate or schedule,
    `stop_training`, `history` and compiled functions are put back bit for bit, also after an
    error or Ctrl-C, and no file is written. What was not built yet is built afterwards, with the
    weights it would have had. It takes the memory of a second copy of model and optimizer.
    BatchNormalization has a `momentum` of at most 0.8 meanwhile, to be the data's in time.

    Args:
        model: a compiled Keras model, trained or not; any `train_step` that returns a "loss".
        x, y, sample_weight, class_weight, batch_size, shuffle: as in `fit`; small data is gone
            through again and again. A generator can be read only once: give the function that
            makes it. What a `tf.data.Dataset` or `PyDataset` remembers by itself (its own shuffling
            order, its `on_epoch_end`) is not put back.
        start, end: the first rate and the last one planned, > 0.
        num_steps: updates in the sweep. With `gradient_accumulation_steps`, an update is one, and
            its loss the mean of its batches.
        repeats: sweeps, each with another order of the data, at num_steps updates each. The curve
            is their mean; their suggestions give `interval`.
        verify: short runs of `schedule` at rates around the suggestion, of which the best becomes
            the suggestion, the lowest of those that are as good. Costs `verify` · num_steps
            updates; 3 or 4 will do; figures are in docs/finding.md.
        total_steps: the length of the planned run, in updates or as "20 epochs". Without it the
            suggestion is for 500 updates, or for as many as the sweep has, if these are more.
        budget: in the place of `num_steps`, `repeats` and `verify`: at most so many updates for
            everything together, at least 50: a sweep of 50, and from 100 on two to five short
            runs of `schedule`; 500 are worth their while. Where a rate trains, there is a
            suggestion.
        validation_data: as in `fit`. Runs are judged by the loss on them, and where there are none,
            on the last tenth of the arrays, held back (of other data, on the run's own losses).
            Without runs they are one batch: x and y, or x, y and weights; with BatchNormalization
            20 updates at no rate come first, which settle its moving statistics.
        schedule: the planned schedule, for the runs; only its shape counts, stretched to their
            length. By default linear to zero.
        smoothing: β in [0, 1) of the bias-corrected exponential mean.
        seed: what shuffling begins with; the same seed gives the same curve.
        verbose: 0 for no progress bar.
        optimizer: the one whose rates are tried, where a `train_step` of the model's own uses
            others than `model.optimizer`, as a GAN's: `gan.g_optimizer`, built. The rest go on at
            their own rates. Not on JAX, but for a part of `model.optimizer`.

    The points of the curve are batches that made an update; if a `train_step` makes several per
    batch, all of them have its rate.

    Several rates (`MultiOptimizer`) keep their proportions; the largest is the one reported, under
    `discriminative` that at multiplier 1. The cost is that of num_steps ordinary steps and one
    compilation.

    >>> import keras, numpy as np
    >>> from keras_lr import range_test
    >>> x = np.linspace(-1.0, 1.0, 64)[:, None]
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> found = range_test(model, x, 3.0 * x + 1.0, verbose=0)
    >>> found.status, 0.01 < found.suggestion < 1.0
    ('ok', True)

    Raises `ValueError` before any training where the model or the data cannot be used. Source:
    Smith, arXiv 1506.01186, §3.3.
    """
    start, end = checks.POSITIVE("start", start), checks.POSITIVE("end", end)
    if end <= start:
        checks.refuse("end", f"> start = {start}", end)
    if total_steps is not None:
        total_steps = durations.Length(integer=True)("total_steps", total_steps)
        if getattr(total_steps, "unit", "epochs") != "epochs":
            checks.refuse("total_steps", "a number of updates or of epochs", str(total_steps))
    if budget is not None:
        budget = checks.Number(minimum=SHORTEST_SWEEP, integer=True)("budget", budget)
        given = ("num_steps", num_steps, 100), ("repeats", repeats, 1), ("verify", verify, 0)
        for name, value, default in given:
            if value != default:
                checks.refuse(name, f"{default} with a budget, which chooses by itself", value)
    num_steps = checks.Number(minimum=2, integer=True)("num_steps", num_steps)
    repeats, verify = _AT_LEAST_ONE("repeats", repeats), _COUNT("verify", verify)
    beta = checks.Number(minimum=0, below=1)("smoothing", smoothing)
    seed, verbose = _COUNT("seed", seed), _COUNT("verbose", verbose)
    after_update = checks.flag("after_update", after_update)
    shape_of = functools.partial(planned_schedule, schedule)
    shape_of(num_steps)
    _check_model(model, optimizer)
    has_runs = bool(verify or budget)
    if not has_runs:
        data.check_batch("validation_data", validation_data)
    training = {
        "x": data.batches(data.readable_again("x", x)),
        "y": y,
        "batch_size": _AT_LEAST_ONE("batch_size", batch_size),
        "sample_weight": sample_weight,
        "class_weight": class_weight,
        "shuffle": shuffle if data.may_shuffle(x) else False,
    }

    evaluation = validation_batch = None
    if not has_runs:
        validation_batch = validation_data
    elif validation_data is not None:
        evaluation = data.evaluation(validation_data, training["batch_size"])
    else:
        training, evaluation = held_back(training, HELD_BACK)
    sweep = Sweep(start, end, num_steps, beta)
    measure = {"after": after_update, "validation_batch": validation_batch, "optimizer": optimizer}

    def show(planned, rates):
        return progress(planned, rates, verbose)

    with Trials(model, training, max(2 * num_steps, budget or 0), **measure) as trials:
        if budget is not None:
            result = search(trials, budget, shape_of, evaluation, seed, show, sweep)
        else:
            result = swept(trials, sweep, repeats, seed, show)
            if verify and result.suggestion is not None:
                shape = shape_of(num_steps)
                runs = Runs(trials, shape, num_steps, seed + repeats, evaluation, show)
                result = verified(result, runs, verify)
        return _for_length(result, total_steps, trials.updates_per_epoch)


def _for_length(result, total_steps, updates_per_epoch):
    if total_steps is None and result.total_steps is not None:
        total_steps = max(UNTOLD, result.total_steps)
    if isinstance(total_steps, durations.Duration):
        if updates_per_epoch is None:
            checks.refuse("total_steps", "in updates for data of unknown length", str(total_steps))
        total_steps = total_steps.in_updates(durations.Run(steps_per_epoch=updates_per_epoch))
    return result.for_length(total_steps, updates_per_epoch)


def _check_model(model, optimizer):
    if FitCall.of(model):
        raise ValueError(
            "A range test needs the model to itself and cannot run inside its `fit`. Call "
            "range_test(…) before or after it."
        )
    check_optimizer(model)
    if optimizer is not None:
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            checks.refuse("optimizer", "None or an optimizer that the model trains with", optimizer)
        check_optimizer(model, optimizer)
    if replicas(model) > 1:
        raise ValueError(
            "`range_test` needs a model on one device: under `tf.distribute` a step reports the "
            "loss of the first replica alone. Build it outside of `strategy.scope()`; the rate "
            f"holds inside for the same batch. Received: a model on {replicas(model)} replicas"
        )
    end_interrupted_fit(model)
