"""Where the clocks of a fit begin: at 0, at a later epoch, or where the fits before it left off."""


def first_update(epoch, run):
    """Returns the number of the first update of a fit that begins at an epoch of a run.

    >>> from keras_lr.schedules.durations import Run
    >>> first_update(3, Run(steps_per_epoch=40)), first_update(0, Run())
    (120, 0)
    """
    if epoch == 0:
        return 0
    if run.steps_per_epoch is None:
        raise ValueError(
            "The clock of a fit that starts at a later epoch needs the number of batches per "
            f"epoch: give fit(steps_per_epoch=…). Received: initial_epoch={epoch}"
        )
    return int(epoch * run.steps_per_epoch)


def left_off(callbacks):
    """Returns where the fits before have left off, None where none of the callbacks goes on."""
    known = {c: c.left_off for c in callbacks if c.across_fits and c.left_off}
    for callback, position in known.items():
        first, other = next(iter(known.items()))
        if position != other:
            raise ValueError(
                "Callbacks with across_fits=True in a fit must have been in the same fits. "
                f"Received: {first.owner} after {_shown(other)}, {callback.owner} after "
                f"{_shown(position)}"
            )
    return next(iter(known.values()), None)


def _shown(position):
    return f"{position['epoch']} epochs and {position['clocks'][0]} updates"
