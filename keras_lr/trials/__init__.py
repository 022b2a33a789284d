"""Training of which nothing stays: one compiled step serves any number of rates and runs.

`Trials` (runs.py) calls `fit` on one model again and again from the same state. It copies what
training changes (transaction.py), puts the rates where the step reads them (rate_table.py), has the
step report what it did (step.py), and follows the losses until a rule says stop (watch.py,
stopping.py).
"""

from keras_lr.trials.runs import Trials
from keras_lr.trials.stopping import AfterUpdates

__all__ = ["AfterUpdates", "Trials"]
