"""The applied rates as the logs of an epoch have them."""

import math

# The name where there is one optimizer.
RATE = "learning_rate"


class LoggedRates:
    """The rates of the epoch that has ended last, by their names in the logs.

    Names may come and go where a model is given another number of optimizers. Their columns in a
    History are as long as the others: those that come later begin with NaN, and those that go end
    so, but for `learning_rate`, which stands for all.

    >>> rates = LoggedRates()
    >>> rates.note({"learning_rate": 0.1})
    >>> rates.note({"learning_rate_a": 0.2, "learning_rate_b": 0.02}, whole=0.2)
    >>> logs = {}
    >>> rates.put_into(logs, 1, None)
    >>> logs
    {'learning_rate': 0.2, 'learning_rate_a': 0.2, 'learning_rate_b': 0.02}
    """

    def __init__(self):
        self._rates = {}

    def note(self, rates, whole=math.nan):
        """Notes the rates of an epoch that has ended; `whole` is that of all together."""
        gone = {name: whole if name == RATE else math.nan for name in self._rates}
        self._rates = gone | rates

    def put_into(self, logs, epoch, history):
        """Puts them into the logs of their epoch, which a History, if there is one, will take."""
        before = [] if history is None or epoch in history.epoch[-1:] else history.epoch
        for name in self._rates if before else ():
            history.history.setdefault(name, [math.nan] * len(before))
        logs.update(self._rates)
