"""`TrainingBackup`: a run that was killed goes on from its last epoch, callbacks included."""

import math
import pathlib
import warnings

import keras

from keras_lr import checks
from keras_lr.callbacks.base import RateCallback
from keras_lr.driving.backup_folder import FRESH, BackupFolder
from keras_lr.driving.built_rates import NewRates, config_of, rates_of, revived
from keras_lr.driving.messages import tell, verbosity
from keras_lr.keras_private.building import build_before_training
from keras_lr.keras_private.copies import extra_arrays, non_finite, restore_extra
from keras_lr.keras_private.fit_call import listed, set_first_epoch
from keras_lr.keras_private.random_state import get_generators, set_generators
from keras_lr.keras_private.step_state import refuse_unbuilt_optimizers
from keras_lr.schedules.durations import Run

_EXTRA = "model."


class TrainingBackup(RateCallback):
    """Backs up a run every few epochs; the same script, started again, goes on from there.

    Weights, buffers, all optimizers, epoch, the states of our callbacks and of the random
    generators (dropout's, NumPy's, Python's, PyTorch's) belong to one moment and are replaced in
    one piece: a run killed at any time, also during the backup, finds a whole one. (Keras'
    `BackupAndRestore` writes two files in place, and knows no callback's state.) An optimizer that
    a `train_step` may use must be built before. The place in the list of callbacks does not
    matter, but that `SwapEMAWeights` comes before it: the backup of an epoch is made when the next
    one begins, after all have had their say.

    `directory` is made if need be and belongs to this run alone: a second process that wants it is
    refused. `every` counts epochs between backups. When training has ended the backup is deleted,
    unless `keep=True` or the last loss, a weight or a slot was not finite. A damaged backup, or one
    of another model, raises ValueError in `on_train_begin`, which says what to do; `verbose=0`
    keeps silent of a whole one. An epoch that ends in a loss, a weight or a slot that is not finite
    is not backed up: the backup before it stays. Nor are the history of earlier epochs, what Keras'
    callbacks remember (`EarlyStopping`, `ModelCheckpoint`), and the order in which a
    `tf.data.Dataset` shuffles. With `use_ema` Keras puts the averages into the model when a fit
    ends: a run that goes on from `keep=True` begins with these.

    `on_new_rate` tells which rate counts if the script, started again, builds the optimizer with
    another number or schedule: that of the backup ("keep") or that of the script ("take"), on which
    the callbacks' reductions stay. A message says which one did. Of a callback's own schedule, as
    that of `FitSchedule`, the script's counts, with a message, too.

    >>> import keras, numpy as np, tempfile
    >>> from keras_lr.callbacks import TrainingBackup
    >>> directory = tempfile.mkdtemp()
    >>> def train(epochs):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(0.1), "mse")
    ...     backup = TrainingBackup(directory, keep=True, verbose=0)
    ...     x, y = np.ones((8, 2)), np.ones((8, 1))
    ...     model.fit(x, y, batch_size=4, epochs=epochs, callbacks=[backup], verbose=0)
    ...     return int(model.optimizer.iterations)
    >>> train(3)
    6
    >>> train(5)  # another model: its first three epochs are those of the first
    10
    """

    def __init__(self, directory, *, every=1, keep=False, verbose=1, on_new_rate="keep"):
        super().__init__()
        try:
            self.directory = pathlib.Path(directory)
        except TypeError:
            checks.refuse("directory", "the path of a folder", directory)
        try:
            is_other = self.directory.exists() and not self.directory.is_dir()
        except (OSError, ValueError):
            # A name that the file system cannot have.
            is_other = True
        if is_other:
            checks.refuse("directory", "the path of a folder", directory)
        self.every = checks.Number(minimum=1, integer=True)("every", every)
        self.keep = checks.flag("keep", keep)
        self.verbose = verbosity("verbose", verbose)
        self.on_new_rate = checks.Choice(("keep", "take"))("on_new_rate", on_new_rate)

    # Hooks

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._refuse_swaps()
        refuse_unbuilt_optimizers(self.model)
        self._first, self._done, self._is_finite = None, None, True
        self._epochs_then, self._plans_then, self._never_finite = None, [], frozenset()
        self._built = rates_of(self.model.optimizer)
        self._folder = BackupFolder(self.directory)
        try:
            if self._folder.open():
                self._restore()
        except BaseException:
            self._folder.close()
            raise

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if self._first is None:
            self._first = epoch
            # `fit` has read it; Keras would begin every later fit of the model there.
            set_first_epoch(self.model, None)
            self._compare_plans()
            build_before_training(self.model)
            # A mask may hold infinity from the start.
            self._never_finite = non_finite(self.model)
        elif (epoch - self._first) % self.every == 0 and self._is_finite:
            self._save(epoch)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self._done = epoch + 1
        self._is_finite = math.isfinite(float((logs or {}).get("loss", 0.0)))

    def on_train_end(self, logs=None):
        set_first_epoch(self.model, None)
        # A fit of no epochs, as after a change of `epochs`, is no reason to lose the backup.
        if self._done is not None and self._is_finite:
            if self.keep:
                self._save(self._done)
            elif not self._has_lost_a_weight(self._done):
                self._folder.delete()
        self._folder.close()
        super().on_train_end(logs)

    def attach(self, model, **options):
        """Refused: a loop by hand has to go on by itself where it was stopped."""
        raise ValueError(
            "TrainingBackup must be given to `fit`. In a loop of your own save the model, and "
            "give callbacks a `state_path` and `attach(model, initial_epoch=…)`."
        )

    def _compare_plans(self):
        """Tells of schedules of callbacks that are not what they were in the run so far."""
        run, then = self.driver.run, self._epochs_then
        planned = [c for c in self.driver.callbacks if c.schedule is not None]
        self._plans = [[c.owner, config_of(c.schedule)] for c in planned]
        if self._epochs_then is None:
            return
        before = run if then == run.epochs else Run(then, run.steps_per_epoch)
        schedules = {c: c.build(before) for c in planned}
        others = [c.owner for c in planned if schedules[c] != c.schedule]
        if others and self.verbose:
            tell(
                f"TrainingBackup: the run had {then} epochs and has {run.epochs} now. From here on "
                f"{', '.join(others)} is what it would be in a run of {run.epochs} epochs."
            )
        owners = [owner for owner, _ in self._plans_then]
        for callback, (_, config) in zip(planned, self._plans_then):
            known = revived(config)
            is_same = known is None or known == schedules[callback]
            if owners == [c.owner for c in planned] and not is_same:
                tell(
                    f"TrainingBackup: {callback.owner} had {known!r} in the run that was backed "
                    f"up, and has {callback.schedule!r} now, which counts from here on. Give it "
                    "the other one to go on as before."
                )

    def _refuse_swaps(self):
        together = listed(self.model)
        later = together[together.index(self) :] if self in together else []
        if any(isinstance(callback, keras.callbacks.SwapEMAWeights) for callback in later):
            raise ValueError(
                "SwapEMAWeights must be listed before TrainingBackup, which would else save the "
                "averages in the place of the weights. Received: SwapEMAWeights after it"
            )

    # To the disk and back

    def _save(self, epoch):
        if self._has_lost_a_weight(epoch):
            return
        content = {
            "epochs": self.driver.run.epochs,
            "clocks": self.driver.clocks(),
            "built": self._built,
            "standing": rates_of(self.model.optimizer),
            "plans": self._plans,
            "callbacks": self.driver.saved.latest,
            "generators": get_generators(self.model),
        }
        self._folder.write(
            epoch,
            content,
            lambda path: self.model.save_weights(path, overwrite=True),
            {**self.driver.saved.arrays(), **_named(extra_arrays(self.model))},
        )

    def _has_lost_a_weight(self, epoch):
        """Tells whether a weight or a slot is not finite, which the loss may not show yet."""
        lost = non_finite(self.model) - self._never_finite
        if lost:
            warnings.warn(
                f"TrainingBackup: after {epoch} epochs there is NaN or infinity in {min(lost)}. "
                f"This is not backed up; what {self.directory} has stays.",
                stacklevel=2,
            )
        return bool(lost)

    def _restore(self):
        content, weights, arrays = self._folder.read()
        build_before_training(self.model)
        try:
            # Version 0.1.0 has not kept what a run was built with.
            built = content.get("built", self._built)
            standing = content.get("standing", self._built)
            place = f"The backup in {self.directory}"
            new = NewRates(self.model.optimizer, built, standing, place)
            self.model.load_weights(weights)
            restore_extra(self.model, _extra(arrays))
            set_generators(self.model, content["generators"])
        except (LookupError, OSError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(
                f"The backup in {self.directory} does not fit this model or its optimizer: run the "
                f"script that made it, {FRESH}. ({type(error).__name__}: {error})"
            ) from error
        other = "take" if self.on_new_rate == "keep" else "keep"
        tell_how = f"TrainingBackup(…, on_new_rate={other!r}) chooses the other."
        if self.on_new_rate == "keep":
            new.keep(tell_how)
        else:
            new.take(content["callbacks"], tell_how)
        self._built = new.built
        set_first_epoch(self.model, content["epoch"])
        self._epochs_then, self._plans_then = content["epochs"], content.get("plans", [])
        offered = content["epoch"], content["clocks"], content["callbacks"]
        self.driver.saved.offer_backup(*offered, place)
        if self.verbose:
            epochs = content["epoch"]
            tell(f"TrainingBackup: going on after {epochs} epochs, from {self.directory}.")


def _named(extra):
    return {_EXTRA + name: array for name, array in extra.items()}


def _extra(arrays):
    """Returns what Keras' file of weights does not have, by name."""
    return {n.removeprefix(_EXTRA): a for n, a in arrays.items() if n.startswith(_EXTRA)}
