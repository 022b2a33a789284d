"""The honest experiment: which schedule does best, each at its own best rate, with errors.

`compare` (experiment.py) checks what it is given. Which runs are made says protocol.py, how one is
made bench.py, where engines.py; results_file.py keeps them, result.py says what they show.
"""

from keras_lr.comparison.experiment import compare
from keras_lr.comparison.result import Comparison, Contestant, Difference, Measured, Point

__all__ = ["Comparison", "Contestant", "Difference", "Measured", "Point", "compare"]
