"""`Stages`: several stages of training in one run, each with its layers, rate and warmup."""

import contextlib
import itertools

import keras

from keras_lr import checks, schedules
from keras_lr.callbacks.step_callback import StepCallback
from keras_lr.keras_private import training_step
from keras_lr.keras_private.building import build_optimizer
from keras_lr.keras_private.fit_call import listed
from keras_lr.keras_private.multi_optimizer import copy_of
from keras_lr.keras_private.optimizers import has_rate_variable, leaves, own_rate, strategy_of
from keras_lr.layerwise import discriminative
from keras_lr.layerwise.freezing import Freezing
from keras_lr.schedules import durations
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.fields import resolved


class Stage:
    """A part of a run of `Stages`.

    Args:
        learning_rate: a number or a schedule, on a clock that begins with the stage; durations in
            epochs and percent are those of the stage.
        epochs: how many the stage has; None, of the last one only, is the rest of the fit.
        train: a pattern or several: the layers that they match are trained, all others are frozen.
            Patterns are those of `discriminative` that name layers: "head*", "backbone/block4*",
            "*". None leaves everything as it is.
        warmup: the rate climbs to that of the schedule in so many updates, or "1 epoch", "5%".
        multipliers, decay: rates by layer, as in `discriminative`.
        optimizer: a new optimizer from here on. By default it is one with the settings of the
            stage before, without its moments if other layers are trained.

    >>> Stage(1e-3, 5, train="head*")
    Stage(0.001, 5, train='head*')
    """

    def __init__(
        self,
        learning_rate,
        epochs=None,
        *,
        train=None,
        warmup: float | str = 0,
        multipliers=None,
        decay=None,
        optimizer=None,
    ):
        self.planned = as_schedule("learning_rate", learning_rate)
        self.epochs = None if epochs is None else checks.COUNT("epochs", epochs)
        self.train = None if train is None else _patterns(train)
        self.warmup = durations.Length(minimum=0)("warmup", warmup)
        if multipliers is not None and decay is not None:
            checks.refuse("decay", "None where `multipliers` are given", decay)
        if multipliers is not None and not (isinstance(multipliers, dict) and multipliers):
            required = "a dictionary of multipliers by the names of layers or weights"
            checks.refuse("multipliers", required, multipliers)
        if decay is not None:
            checks.Number(above=0, maximum=1)("decay", decay)
        self.by_layer = {"multipliers": multipliers, "decay": decay}
        if optimizer is not None and not isinstance(optimizer, keras.optimizers.Optimizer):
            checks.refuse("optimizer", "an optimizer, or None", optimizer)
        self.optimizer = optimizer
        given = {"train": train, "warmup": warmup or None, **self.by_layer, "optimizer": optimizer}
        words = [repr(learning_rate), *([] if epochs is None else [repr(epochs)])]
        self._words = words + [f"{k}={v!r}" for k, v in given.items() if v is not None]

    def __repr__(self):
        return f"Stage({', '.join(self._words)})"

    @property
    def is_by_layer(self):
        """Tells whether it has rates by layer."""
        return any(value is not None for value in self.by_layer.values())

    @property
    def needs_an_optimizer(self):
        """Tells whether it cannot go on with the optimizer of the stage before."""
        return self.train is not None or self.is_by_layer or self.optimizer is not None

    def build(self, run):
        """Returns the schedule on the clock of the stage, for a stage of this length."""
        schedule = resolved(self.planned, run)
        warmup = resolved(self.warmup, run)
        return schedules.Warmup(schedule, warmup) if warmup else schedule


class Stages(StepCallback):
    """Trains in stages, one after the other in one fit: as a head first, then everything.

    At the epoch at which a stage begins its layers are unfrozen and all others frozen, and the
    model is given an optimizer for them; the rate follows the stage's schedule after its warmup.
    All other callbacks go on: their factors multiply, their memory and their clocks stay. The
    stages' epochs must be those of the fit. `initial_epoch` begins in the stage of that epoch.

    A rate in the logs is the one at multiplier 1 where a stage has rates by layer; the recorder has
    them all. After the fit the model has the layers and the optimizer of the last stage, whose own
    rate is that which the model had been compiled with. What puts an optimizer back that a stage
    before has used is refused: `TrainingBackup`, `BackupAndRestore`, `RecoverFromDivergence` and
    `restore_best="all"`.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import Stage, Stages
    >>> from keras_lr.schedules import LinearToZero
    >>> layers = [keras.layers.Dense(2, name=name) for name in ("body", "head")]
    >>> model = keras.Sequential([keras.Input((2,)), *layers])
    >>> model.compile(keras.optimizers.Adam(), "mse")
    >>> stages = Stages([
    ...     Stage(1e-2, epochs=2, train="head*"),
    ...     Stage(LinearToZero(1e-3, "100%", warmup=0), epochs=2, train="*"),
    ... ])
    >>> x = y = np.ones((8, 2))
    >>> history = model.fit(x, y, batch_size=4, epochs=4, callbacks=[stages], verbose=0)
    >>> [round(rate, 6) for rate in history.history["learning_rate"]]
    [0.01, 0.01, 0.00075, 0.00025]

    Source: gradual unfreezing, Howard and Ruder, arXiv 1801.06146, §3.3.
    """

    sets_base = True
    _template = _made = None

    def __init__(self, stages, *, steps_per_epoch=None):
        super().__init__(steps_per_epoch)
        if not isinstance(stages, (list, tuple)) or not stages:
            checks.refuse("stages", "a list of `Stage`", stages)
        for i, stage in enumerate(stages):
            if not isinstance(stage, Stage):
                checks.refuse(f"stages[{i}]", "a `Stage`", stage)
            if stage.epochs is None and i < len(stages) - 1:
                required = f"a number for stages[{i}], as only the last stage may be open"
                checks.refuse("epochs", required, stage.epochs)
        self.stages = tuple(stages)

    def __getstate__(self):
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k not in ("_template", "_made", "_freezing")}

    def _begins(self):
        """Returns the first epoch of each stage."""
        return [0, *itertools.accumulate(stage.epochs for stage in self.stages[:-1])]

    def build(self, run):
        if run.steps_per_epoch is None:
            raise ValueError(f"Stages need the number of batches per epoch. Received: {run}")
        begins, pieces = self._begins(), []
        for begin, stage in zip(begins, self.stages):
            rest = None if run.epochs is None else run.epochs - begin
            length = stage.epochs or rest
            pieces.append(stage.build(durations.Run(length, run.steps_per_epoch)))
        boundaries = [round(begin * run.steps_per_epoch) for begin in begins[1:]]
        return schedules.Sequential(pieces, boundaries) if boundaries else pieces[0]

    # Hooks

    def attach(self, model, **options):
        """Refused: in a loop of your own, compile the model anew where a stage begins."""
        raise ValueError(
            "Stages must be given to `fit`. In a loop of your own freeze, compile and attach other "
            "callbacks anew where a stage begins."
        )

    def on_train_begin(self, logs=None):
        self._check_epochs()
        self._check_others()
        if self.model.optimizer is not self._made:
            self._template = self.model.optimizer
        self._check_stages()
        super().on_train_begin(logs)
        self._begun = None

    def _check_epochs(self):
        planned = (self.params or {}).get("epochs")
        last = self.stages[-1].epochs
        total = self._begins()[-1] + (last or 0)
        if planned is None or (total == planned if last else total < planned):
            return
        required = f"{planned} epochs in all, as `fit`" if last else f"less than {planned} epochs"
        checks.refuse("stages", f"{required}; the last one may leave its own out", self.stages)

    def _check_others(self):
        for other in listed(self.model):
            kind = type(other).__name__
            keeps = kind in ("TrainingBackup", "RecoverFromDivergence")
            keeps = keeps or isinstance(other, keras.callbacks.BackupAndRestore)
            if keeps or getattr(other, "restore_best", None) == "all":
                kind += "(restore_best='all')" if not keeps else ""
                raise ValueError(
                    "Stages cannot be in a fit with what puts back the optimizer of another stage. "
                    f"Received: {kind}. Give each stage a fit of its own."
                )

    def _check_stages(self):
        """Makes the optimizer of every stage once, so that none fails when it is to begin."""
        if not self.model.built:
            raise ValueError(
                "The model must be built for Stages, so that its layers are known: begin it with "
                f"keras.Input(shape). Received: {self.model.name!r}, not built"
            )
        self._freezing = Freezing(self.model)
        try:
            for i in range(len(self.stages)):
                if any(stage.needs_an_optimizer for stage in self.stages[: i + 1]):
                    self._optimizer_of(i)
        finally:
            if any(stage.train is not None for stage in self.stages):
                self._freezing.put_back()

    def change_model(self, epoch):
        index = sum(begin <= epoch for begin in self._begins()) - 1
        needing = [i for i in range(index + 1) if self.stages[i].needs_an_optimizer]
        if needing and needing[-1] != self._begun:
            self._begun = needing[-1]
            self.model.optimizer = self._made = self._optimizer_of(index)
            build_optimizer(self.model)
            training_step.forget(self.model)

    def _optimizer_of(self, index):
        """Freezes what is frozen in a stage, and returns an optimizer for the rest."""
        until = self.stages[: index + 1]
        trained = [stage.train for stage in until if stage.train is not None]
        if trained:
            self._freezing.train_only(trained[-1])
        given = [stage.optimizer for stage in until if stage.optimizer is not None]
        by_layer = next(stage for stage in reversed(until) if stage.needs_an_optimizer)
        strategy = strategy_of(self.model)
        with strategy.scope() if strategy else contextlib.nullcontext():
            return _like(given[-1] if given else self._template, self.model, by_layer)


def _like(optimizer, model, stage):
    """Returns a new optimizer with the settings of another one, for a stage."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        scale = {"initial_scale": optimizer.initial_scale}
        scale["dynamic_growth_steps"] = optimizer.dynamic_growth_steps
        new = _like(inner, model, stage)
        return keras.optimizers.LossScaleOptimizer(new, name=optimizer.name, **scale)
    if leaves(optimizer) != [optimizer]:
        raise ValueError(
            "The model must be compiled with a single optimizer for Stages, which take rates by "
            "layer as Stage(…, multipliers=…) or (…, decay=…). Received: "
            f"{type(optimizer).__name__}"
        )
    rate = own_rate(optimizer)
    rate = float(rate.numpy()) if has_rate_variable(optimizer) else rate
    new = copy_of(optimizer, optimizer.name, rate)
    return discriminative(new, model, **stage.by_layer) if stage.is_by_layer else new


def _patterns(train):
    patterns = [train] if isinstance(train, str) else train
    is_list = isinstance(patterns, (list, tuple)) and len(patterns)
    if not is_list or not all(isinstance(pattern, str) and pattern for pattern in patterns):
        checks.refuse("train", "a pattern of the names of layers, a list of these, or None", train)
    return tuple(patterns)
