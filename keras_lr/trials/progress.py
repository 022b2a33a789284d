"""The progress bar of a run."""

import keras


def progress(planned, rates, verbose):
    """Returns what a run calls after each update with its number, its loss and whether it ends.

    Keras' own bar for `planned` updates, with rate and loss of the last one; None for verbose=0.
    """
    if not verbose:
        return None
    bar = keras.utils.Progbar(planned, stateful_metrics=["learning_rate", "loss"], verbose=verbose)

    def show(update, loss, over):
        bar.target = max(planned, update + 1)
        values = [("learning_rate", float(rates[min(update, len(rates) - 1)])), ("loss", loss)]
        bar.update(update + 1, values=values, finalize=over)

    return show


def progress_of_all(budget, verbose):
    """Returns what gives each run of a search its `show`: one bar for all, of `budget` updates."""
    if not verbose:
        return None
    bar = keras.utils.Progbar(budget, stateful_metrics=["learning_rate", "loss"], verbose=verbose)
    made = 0

    def of_a_run(planned, rates):
        def show(update, loss, over):
            nonlocal made
            made += 1
            bar.target = max(budget, made)
            values = [("learning_rate", float(rates[min(update, len(rates) - 1)])), ("loss", loss)]
            bar.update(made, values=values, finalize=False)

        return show

    return of_a_run
