"""The progress bar of a range test."""

import keras


class Progress:
    """Keras' own bar, one for each run, with the rate and the loss of the last update."""

    def __init__(self, verbose, rates):
        self._verbose, self._rates = verbose, rates

    def of(self, planned, rates=None):
        """Returns what a run calls after each update with its number, its loss and if it ends."""
        if not self._verbose:
            return None
        rates = self._rates if rates is None else rates
        stateful = ["learning_rate", "loss"]
        bar = keras.utils.Progbar(planned, stateful_metrics=stateful, verbose=self._verbose)

        def show(update, loss, over):
            bar.target = max(planned, update + 1)
            values = [("learning_rate", float(rates.rates([update])[0])), ("loss", loss)]
            bar.update(update + 1, values=values, finalize=over)

        return show
