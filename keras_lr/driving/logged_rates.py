"""The applied rates as the logs of an epoch have them."""

import math


class LoggedRates:
    """The rates of the epoch that has ended last, by their names in the logs.

    Names may come and go where a model is given another number of optimizers. Their columns in a
    History are as long as the others: those that come later begin with NaN, those that go end so.

    >>> rates = LoggedRates()
    >>> rates.note({"learning_rate": 0.1})
    >>> rates.note({"learning_rate_a": 0.2})
    >>> logs = {}
    >>> rates.put_into(logs, 1, None)
    >>> logs
    {'learning_rate': nan, 'learning_rate_a': 0.2}
    """

    def __init__(self):
        self._rates = {}

    def note(self, rates):
        """Notes the rates of an epoch that has ended."""
        self._rates = dict.fromkeys(self._rates, math.nan) | rates

    def put_into(self, logs, epoch, history):
        """Puts them into the logs of their epoch, which a History, if there is one, will take."""
        before = [] if history is None or epoch in history.epoch[-1:] else history.epoch
        for name in self._rates if before else ():
            history.history.setdefault(name, [math.nan] * len(before))
        logs.update(self._rates)
