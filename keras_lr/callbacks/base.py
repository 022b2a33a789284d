"""What our callbacks share: joining the driver, and a contribution to the rate."""

import keras

from keras_lr import checks
from keras_lr.driving import custom_loop, entries
from keras_lr.driving.contribution import Contribution
from keras_lr.driving.running import driver_for


class RateCallback(keras.callbacks.Callback):
    """The base of all callbacks that have to do with the rate.

    What a callback has a say in is its `contribution`: a base, a factor, or both. `schedule` is a
    pure function of the fit's clock, or None; `follows_metrics` tells that numbers in the
    contribution may change between updates, and that there is a state; `sets_base` that rates are
    absolute, so that the optimizer's own no longer count; `records` that it is there for the record
    of the rate; `lower_limit` is the rate below which nothing is cut, or None; `monitored` is the
    metric that the epochs have to bring, or None. `optimizer` is the one to drive, where a training
    step of your own uses another one than the model's.

    By default a callback is new in every fit. With `across_fits=True` all fits that it is in are
    one run, as where each is given a file, a round or a season of the data: it goes on with what it
    remembers and on its clock, and epochs are counted on. Its copies, and `set_state` with what
    `get_state` returned, go on from there, too.

    Whoever drives the rate puts the one applied at an epoch's last update into its logs, as
    `learning_rate`, of several optimizers as `learning_rate_<name>`; NaN before the first update.
    A logger that reads `optimizer.learning_rate` itself finds, after a batch or an epoch, the rate
    that was applied. Only of a number in its variable it finds a cut at once, as on Keras' own:
    list it before the callback that cuts, or take the logs.

    Without `fit`, in a loop of one's own:

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import ReduceLROnPlateau
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), "mse")
    >>> plateau = ReduceLROnPlateau(factor=0.5, patience=1, mode="min")
    >>> plateau.attach(model)
    >>> x, y = np.ones((4, 2)), np.ones((4, 1))
    >>> for validation_loss in [1.0, 0.9, 0.95]:
    ...     _ = model.train_on_batch(x, y)
    ...     plateau.step(validation_loss)
    0.1
    0.1
    0.05
    >>> plateau.detach()
    """

    driver = None
    # The one that was named; None is the model's.
    optimizer = None
    schedule = None
    state_file = None
    lower_limit = monitored = None
    sets_base = records = follows_metrics = restores_initial = across_fits = False
    # Where the fits so far have left off, if the next one goes on from there.
    _left_off = None
    # Arguments of earlier versions, each with what to write instead.
    gone: dict[str, str] = {}

    def __init__(self, optimizer=None, across_fits=False):
        super().__init__()
        self.across_fits = checks.flag("across_fits", across_fits)
        if optimizer is not None and not isinstance(optimizer, keras.optimizers.Optimizer):
            checks.refuse("optimizer", "an optimizer, or None for the model's own", optimizer)
        self.optimizer = optimizer

    def __new__(cls, *args, **options):
        for name in cls.gone.keys() & options.keys():
            raise ValueError(f"{cls.__name__} has no `{name}` any more: {cls.gone[name]}")
        callback = super().__new__(cls)
        callback._arguments = args, options
        return callback

    def __repr__(self):
        args, options = self._arguments
        shown = [*map(repr, args), *(f"{name}={value!r}" for name, value in options.items())]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __getstate__(self):
        # A driver belongs to one fit, and cannot be pickled.
        kept = {name: value for name, value in vars(self).items() if name != "driver"}
        return {**kept, "_left_off": self.left_off}

    @property
    def left_off(self):
        """Where the next fit goes on, as epochs done and the clocks by optimizer; None if anew."""
        if self.across_fits and self.driver is not None and self.driver.started:
            return self.driver.position()
        return self._left_off

    def epoch_in_run(self, epoch):
        """Returns the number of an epoch of the running fit in all fits of the run."""
        return epoch + (self.driver.epochs_before if self.across_fits else 0)

    @property
    def owner(self):
        """The callback as messages and files call it."""
        monitor = getattr(self, "monitor", None)
        return f"{type(self).__name__}({'' if monitor is None else f'monitor={monitor!r}'})"

    @property
    def async_safe(self):
        """Tells Keras that its threads may call the end of a batch, so that none is waited for."""
        return type(self).on_train_batch_end is RateCallback.on_train_batch_end

    # What it drives

    @property
    def contribution(self):
        """What this callback has a say in, as things stand."""
        return Contribution()

    def contribution_to(self, optimizer, run):
        """What it has a say in for one optimizer, whose run is this long, in updates."""
        return self.contribution

    def planned_contribution(self, run):
        """Returns what it would have a say in at the beginning of a run of this length.

        Changes nothing. None where only the fit can tell.
        """
        return Contribution()

    def extra_updates(self, total_steps):
        """Returns how many updates it makes beside those of a fit of so many."""
        return 0

    @property
    def drives_or_records(self):
        """Tells whether an optimizer is needed for it."""
        return self.follows_metrics or self.records or self.schedule is not None

    @property
    def logs_rate(self):
        """Tells whether the applied rate of each epoch is put into its logs."""
        return self.drives_or_records

    def before_first_update(self, epoch):
        """Called when states were put back and nothing is driven yet."""

    def after_last_update(self):
        """Called when the training has ended, while everything is still driven and recorded."""

    def install(self, driven):
        """Puts what is driven beside the rate into an optimizer; returns what is compiled in.

        A value that equals another one only if the same would be compiled; True if a step with it
        can be used in no other fit; False if nothing was put in.
        """
        return False

    def remove(self, driven):
        """Takes it out again."""

    def change_model(self, epoch):
        """Called when an epoch begins, before any callback of ours is told."""

    def record_updates(self, without_last=0):
        """Called before the clock is set back: for those who keep a record.

        The last few batches are not counted.
        """

    def begin_record(self):
        """Called before an epoch's first batch, and when the clock was set: the record goes on."""

    # Hooks

    def on_train_begin(self, logs=None):
        self._left_off = self.left_off
        self.driver = driver_for(self, self.model)
        self.driver.join(self)

    def on_epoch_begin(self, epoch, logs=None):
        if self.driver is None:
            self._refuse_hook("on_epoch_begin", "on_train_begin")
        self.driver.begin_epoch(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        self.driver.begin_batch(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.driver.end_batch(batch)

    def on_epoch_end(self, epoch, logs=None):
        if self.driver is None or not self.driver.driven:
            self._refuse_hook("on_epoch_end", "on_train_begin and on_epoch_begin")
        self.driver.end_epoch(epoch)
        if self.logs_rate and logs is not None:
            self.driver.log_rates(logs)

    def _refuse_hook(self, hook, before):
        name = type(self).__name__
        raise ValueError(
            f"{name}.{hook} must be called in a fit whose {before} came before; a subclass that "
            "defines these calls those of its base. In a loop of your own write "
            "callback.attach(model), callback.step(value) at the end of each epoch, and "
            "callback.detach(). In a fit within a fit, each model needs callback objects of its "
            f"own. Received: {name} outside of a fit"
        )

    def on_train_end(self, logs=None):
        self.driver.end()

    # Without `fit`

    def attach(self, model, *, epochs=None, steps_per_epoch=None, initial_epoch=0):
        """Drives the rate of a compiled model from its next update on, without `fit`.

        Any number of callbacks can be attached to a model, all before its next update; they
        multiply, as in `fit`. `epochs` and `steps_per_epoch` (in batches) are for durations in
        epochs or percent; `initial_epoch` is where a loop that was stopped goes on. Works with
        `train_on_batch`, with `fit` without callbacks of ours, and with every loop that calls
        `optimizer.apply`; in a step that the user has compiled with it (`tf.function`, `jax.jit`),
        if it is traced after this. Until `detach`.
        """
        begin = custom_loop.attach(self, model, epochs, steps_per_epoch, initial_epoch)
        self.attached_epoch = begin

    def step(self, value=None):
        """Ends an epoch: takes the value of the metric, or logs, and applies what follows.

        Returns the rate of the next update, of several optimizers the smallest.
        """
        return custom_loop.step(self, value)

    def detach(self):
        """Takes this callback, and those attached with it, off the model; reductions stay."""
        custom_loop.detach(self)

    # State: none, unless a metric is followed

    def get_state(self):
        """Returns what this callback remembers, ready for JSON; {} for a function of the update.

        During a fit and after it, with the moment and the rates that it belongs to. Of a function
        of the update with `across_fits=True` it is the moment alone.
        """
        left_off = self.left_off
        return {} if left_off is None else {"callback": self.owner, **left_off}

    def set_state(self, state):
        """Takes what `get_state` returned, for the next fit to go on from.

        The rate of the optimizer may be what it was then, or what it had been built with: it is
        put back to what the state says, unless it is neither.
        """
        if state == {}:
            return
        if not self.across_fits:
            checks.refuse("state", f"{{}}, for {self.owner} remembers nothing", state)
        if not isinstance(state, dict) or state.get("callback") != self.owner:
            checks.refuse("state", f"what `get_state` of another {self.owner} returned", state)
        self.driver = None
        self.go_on_from(state)

    def go_on_from(self, entry):
        """Takes the moment of an entry for that where the run so far has left off."""
        if self.across_fits and "clocks" in entry:
            epoch = entries.count("epoch", entry["epoch"])
            self._left_off = {"epoch": epoch, "clocks": entries.clocks("clocks", entry["clocks"])}

    def get_arrays(self):
        """Returns what else has to be kept, arrays that are no JSON; only a backup keeps them."""
        return []

    def checkpoint(self):
        """Returns what `go_back` needs to forget the decisions that are taken from here on."""

    def go_back(self, checkpoint):
        """Forgets what was decided since `checkpoint` was taken."""
