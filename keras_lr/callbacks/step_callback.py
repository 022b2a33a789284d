"""The base of callbacks that are pure functions of the update."""

from keras_lr.callbacks.base import RateCallback
from keras_lr.driving import run_length
from keras_lr.driving.contribution import Contribution
from keras_lr.schedules.fields import resolved


class StepCallback(RateCallback):
    """The base of callbacks that are pure functions of the update: no host work per batch.

    t at the first update of a fit is `initial_epoch` × updates per epoch, so that a second fit
    begins at 0 and a resumed one goes on. `steps_per_epoch`, in batches, is needed only where
    `fit` does not know it, as with a data set of unknown cardinality; "count" reads the data once
    before training. Given to one callback of a fit, all of them know it.

    `epochs` or `total_steps`, in updates, is the length of the whole run, of which durations in
    percent are shares; by default it is that of the fit. With `across_fits=True` there is none by
    default. All functions of the update in a fit then have `across_fits=True`: they share a clock.
    """

    def __init__(
        self,
        steps_per_epoch=None,
        optimizer=None,
        across_fits=False,
        epochs=None,
        total_steps=None,
    ):
        super().__init__(optimizer, across_fits)
        self.given_steps_per_epoch = run_length.steps_per_epoch("steps_per_epoch", steps_per_epoch)
        self.horizon = run_length.Horizon.checked(epochs, total_steps, self.across_fits)

    def build(self, run):
        """Returns the schedule over the fit's clock, for a run of this length: of `planned`."""
        return resolved(self.planned, self.horizon.of(run))

    @property
    def contribution(self):
        if self.schedule is None:
            return Contribution()
        return (
            Contribution(base=self.schedule)
            if self.sets_base
            else Contribution(None, self.schedule)
        )

    def contribution_to(self, optimizer, run):
        if run == self.driver.run or self.schedule is None:
            return self.contribution
        # Of an optimizer that accumulates over other numbers of batches.
        schedule = self.build(run)
        return Contribution(schedule) if self.sets_base else Contribution(factor=schedule)

    def planned_contribution(self, run):
        schedule = self._built(run)
        return Contribution(schedule) if self.sets_base else Contribution(factor=schedule)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.schedule = self._built(self.driver.run)
        self._refuse_another_clock()

    def _built(self, run):
        """Returns what `build` does, and says what to do where it cannot."""
        try:
            return self.build(run)
        except ValueError as error:
            if self.across_fits and self.horizon.is_open:
                error.add_note(
                    "With across_fits=True the length of the run is that of all fits: give "
                    f"{type(self).__name__}(…, epochs=…), in all, or total_steps=…, in updates."
                )
            if run.steps_per_epoch is not None:
                raise
            error.add_note(
                "`fit` does not know the number of batches per epoch of this data. Give the "
                f"callback {type(self).__name__}(…, steps_per_epoch=…): the number, or 'count' to "
                "have the data read once before training; or give the duration in updates."
            )
            raise

    def _refuse_another_clock(self):
        for other in self.driver.callbacks if self.schedule is not None else ():
            if other.schedule is not None and other.across_fits != self.across_fits:
                raise ValueError(
                    "`across_fits` must be the same for all functions of the update in a fit, "
                    "which share a clock. Received: "
                    f"{self.owner} with across_fits={self.across_fits}, {other.owner} with "
                    f"across_fits={other.across_fits}"
                )
