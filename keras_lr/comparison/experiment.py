"""`compare`: checks what it is given, and has the protocol's runs made, kept and shown."""

import contextlib
import warnings

import keras
import numpy as np

from keras_lr import checks
from keras_lr.comparison import engines, fingerprint, protocol
from keras_lr.comparison.bench import Bench, Plan
from keras_lr.comparison.protocol import CHOOSE
from keras_lr.comparison.result import Comparison, comparison
from keras_lr.comparison.results_file import NoFile, ResultsFile
from keras_lr.comparison.worker import pack
from keras_lr.driving.messages import verbosity
from keras_lr.keras_private.metrics import is_lower_better
from keras_lr.keras_private.optimizers import has_rate_variable, leaves, rate_as_written
from keras_lr.keras_private.random_state import Randomness
from keras_lr.keras_private.step_state import SEED, WEIGHT

_SEEDS = checks.Number(minimum=2, maximum=1000, integer=True)
_MODE = checks.Choice(("auto", "min", "max"))
# The grid to begin with: so many rates on either side of the optimizer's own.
_ON_EITHER_SIDE = 3


def compare(
    build_model,
    data,
    schedules,
    *,
    epochs,
    batch_size=32,
    steps_per_epoch=None,
    seeds=5,
    rates=None,
    metric="loss",
    mode="auto",
    directory=None,
    workers=None,
    executor=None,
    verbose=1,
) -> Comparison:
    """Returns which schedule does best on a task, each at its own best rate, with errors.

    For each contender the highest rate is chosen on a grid of factors of 2, by the mean of a
    validation metric over some seeds; the grid grows until rates on both sides of it do worse.
    At that rate it is trained again from as many fresh seeds, and measured on the test data. In the
    runs of a seed all have the same first weights and the same order of batches. A difference d of
    two contenders, over n seeds, is claimed if mean(d) · √n / std(d) exceeds what Student's t with
    n − 1 degrees of freedom does in 5 % of cases (2.78 for five seeds), after Holm's correction for
    the number of pairs.

    A run is what `fit` does with a model of `build_model(seed)` after
    `keras.utils.set_random_seed(seed)`, but one model, compiled once, serves all. Its metrics are
    built before: where they are not, the very first `fit` of a model reads its data once more on
    JAX and PyTorch, and so shuffles otherwise than later ones.

    Args:
        build_model: function of a seed that returns a compiled model, the same for the same seed:
            it begins with `keras.utils.set_random_seed(seed)`. Any rate will do.
        data: {"train": …, "validation": …, "test": …}, or a tuple in this order. Each part is
            arrays, (x, y) or (x, y, sample_weight), or a function that returns them, a data set or
            a generator; if it takes an argument, that is the seed of the run.
        schedules: a mapping of names to contenders: schedules, of which the shape counts; arrays of
            the rates of all updates; classes such as `LinearToZero`, built with the peak and the
            number of updates; callbacks or lists of them, which begin at the rate; and functions
            of the peak, `lambda peak: …`, that return one of these. "constant" is added.
        epochs, batch_size, steps_per_epoch: of each run, as in `fit`.
        seeds: how many to choose with, and how many to report with.
        rates: the grid to begin with; by default 1/8 to 8 times the rate of the optimizer.
        metric: "loss", or the name of another one of the compiled model.
        mode: "min" or "max", if the name of the metric does not tell which is better.
        directory: a folder for the results. A call that was ended goes on from there, and one with
            more contenders makes only the runs that are new.
        workers: number of processes on this machine. By default runs are made in this one, in
            which no other thread may draw from the global generators of Python and NumPy.
        executor: a `concurrent.futures.Executor`, which may have many machines. Each of its
            processes makes its runs in a child, in which nothing else draws random numbers.
        verbose: 0, or 1 for a progress bar with the time to go.

    A loss that is no number counts as worst. Raises `ValueError` at once for schedules that are
    longer or shorter than the run, models that are not the same for the same seed, a metric that
    does not exist, and a folder with the results of another model or other data.

    >>> import keras, numpy as np
    >>> from keras_lr import compare
    >>> from keras_lr.schedules import LinearDecay
    >>> def build_model(seed):
    ...     keras.utils.set_random_seed(seed)
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(0.25), "mse")
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> parts = [(rows, rows.sum(axis=1)) for rows in np.split(x, 3)]
    >>> found = compare(build_model, parts, {"linear": LinearDecay(1.0, "100%")},
    ...                 epochs=4, batch_size=5, seeds=2, verbose=0)
    >>> sorted(row.name for row in found.contestants), found.total_steps, len(found.differences)
    (['constant', 'linear'], 16, 1)

    Source: Holm, Scandinavian Journal of Statistics 6 (1979); the protocol is that of Schmidt et
    al., arXiv 2007.01547, with errors.
    """
    plan = Plan(
        build_model,
        data,
        schedules,
        checks.COUNT("epochs", epochs),
        checks.COUNT("batch_size", batch_size),
        None if steps_per_epoch is None else checks.COUNT("steps_per_epoch", steps_per_epoch),
        metric,
    )
    seeds, verbose = _SEEDS("seeds", seeds), verbosity("verbose", verbose)
    mode = _MODE("mode", mode)
    if not callable(build_model) or isinstance(build_model, keras.Model):
        checks.refuse("build_model", "a function of a seed that returns a model", build_model)
    workers = engines.check(workers, executor)
    before = Randomness()
    try:
        bench = Bench(plan)
        experiment = Experiment(bench, workers, executor, verbose)
        grid = _grid(rates, bench.station().model)
        experiment.refuse_unseeded()
        higher = _is_higher_better(bench, metric, mode)
        return experiment.run(grid, seeds, higher, directory)
    finally:
        before.restore()


class Experiment:
    """The runs of a comparison: made by an engine, kept in a file, and counted on a bar."""

    def __init__(self, bench, workers=None, executor=None, verbose=0):
        self._bench, self._workers, self._executor = bench, workers, executor
        self._verbose, self._bar, self._made = verbose, None, 0
        self._notes = list(bench.parts.shared_in_words())
        for note in self._notes:
            warnings.warn(note, stacklevel=3)

    def refuse_unseeded(self):
        """Raises unless two models of one seed are the same, and have what must be put back."""
        bench = self._bench
        first = bench.first_values(bench.station().model)
        second = bench.first_values(bench.new_model(0))
        differ = [a[0] for a, b in zip(first, second) if not _is_same(a[1], b[1])]
        if differ or len(first) != len(second):
            what = "first weights" if any(c.kind == WEIGHT for c in differ) else "random numbers"
            raise ValueError(
                "`build_model` must return the same model for the same seed: begin it with "
                f"keras.utils.set_random_seed(seed). Received: two models of seed 0 with other "
                f"{what}"
            )
        other = bench.first_values(bench.new_model(1))
        drawn = [a for a in first if a[0].kind in (WEIGHT, SEED) and len(np.unique(a[1])) > 1]
        if drawn and all(_is_same(a[1], b[1]) for a, b in zip(first, other)):
            self._notes.append(
                "build_model(0) and build_model(1) have the same first weights: the errors do not "
                "know of other ones."
            )
        self._identity = {
            "data": fingerprint.of_data(bench.parts),
            "model": fingerprint.of_model(bench.station().model, first),
        }

    def run(self, grid, seeds, higher_is_better, directory):
        """Makes all runs and returns the `Comparison`."""
        bench, choosing, fresh = self._bench, range(seeds), range(seeds, 2 * seeds)
        grids = {name: grid if c.is_tuned else None for name, c in bench.contenders.items()}
        with contextlib.ExitStack() as stack:
            kept = ResultsFile(directory, self._identity) if directory is not None else NoFile()
            self._results = stack.enter_context(kept)
            self._engine = stack.enter_context(self._new_engine())
            choices = protocol.choose(grids, choosing, self._measure, higher_is_better)
            reports = protocol.report(choices, fresh, self._measure)
        steps = int(bench.run.total_steps)
        return comparison(bench.plan, steps, choices, reports, higher_is_better, self._notes)

    def _measure(self, tasks):
        """Returns the outcome of each task: kept from an earlier call, or of a run made now."""
        keys = {task: self._key(task) for task in tasks}
        found = {task: self._results.get(key) for task, key in keys.items()}
        first = {key: task for task, key in reversed(keys.items()) if found[task] is None}
        todo = list(reversed(first.values()))
        self._show(todo)
        for task, outcome in self._engine.outcomes(todo):
            if not outcome.killed:
                self._results.add(keys[task], outcome, task._asdict())
            found[task] = outcome
            self._made += 1
            if self._bar is not None:
                self._bar.update(self._made, finalize=False)
        # Two names may stand for the same runs.
        return {task: found[task] or found[first[keys[task]]] for task in tasks}

    def _key(self, task):
        plan = self._bench.plan
        what = self._bench.contenders[task.name].described(task.rate)
        length = [plan.epochs, plan.batch_size, plan.steps_per_epoch]
        about = [task.rate, task.seed, task.purpose, length, plan.metric, fingerprint.versions()]
        return fingerprint.digest(what, about)

    def _show(self, todo):
        if not self._verbose or not todo:
            return
        count = len(self._bench.contenders) * len({task.seed for task in todo})
        to_report = count if todo[0].purpose == CHOOSE else 0
        if self._bar is None:
            self._bar = keras.utils.Progbar(1, verbose=self._verbose, unit_name="run")
        self._bar.target = self._made + len(todo) + to_report

    def _new_engine(self):
        if self._workers is None and self._executor is None:
            return engines.InProcess(self._bench)
        package = pack(self._bench.plan, fingerprint.digest(*self._identity.values()))
        if self._executor is not None:
            return engines.OnExecutor(self._executor, package)
        return engines.Workers(self._workers, package)


def _is_same(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def _grid(rates, model):
    if rates is not None:
        return sorted(set(checks.sequence("rates", rates, checks.POSITIVE)))
    optimizers = leaves(model.optimizer)
    own = max(
        (rate_as_written(o._learning_rate) for o in optimizers if has_rate_variable(o)), default=0
    )
    if not own > 0:
        required = "a list of rates to begin with, where the optimizer was not built with a number"
        checks.refuse("rates", required, rates)
    return [own * 2.0**k for k in range(-_ON_EITHER_SIDE, _ON_EITHER_SIDE + 1)]


def _is_higher_better(bench, metric, mode):
    model = bench.station().model
    known = bench.evaluate(model, "validation", 0)
    if metric not in known:
        checks.refuse(
            "metric", f"one of those that the model is compiled with, {sorted(known)}", metric
        )
    if mode == "auto":
        lower = is_lower_better(metric, model)
        if lower is None:
            required = f"'min' or 'max', as {metric!r} does not tell which is better"
            checks.refuse("mode", required, mode)
        return not lower
    return mode == "max"
