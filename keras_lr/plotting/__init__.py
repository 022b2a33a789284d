"""Pictures: each function takes data and, if you like, axes, and returns the axes it drew on.

No function shows a figure or changes a setting of matplotlib. With `ax=None` the picture is a new
pyplot figure, as in pandas: notebooks display it, and `ax.figure.savefig(...)` writes it.
"""

from keras_lr.checks import gone
from keras_lr.plotting.comparison import plot_comparison
from keras_lr.plotting.diagnosis import plot_diagnosis
from keras_lr.plotting.record import mark_events, plot_losses, plot_record
from keras_lr.plotting.schedules import plot_schedules
from keras_lr.plotting.sweep import plot_sweep
from keras_lr.plotting.what_if import plot_replays

__all__ = [
    "mark_events",
    "plot_comparison",
    "plot_diagnosis",
    "plot_losses",
    "plot_record",
    "plot_replays",
    "plot_schedules",
    "plot_sweep",
]

# Gone since version 0.2: it raises in this one.
__getattr__ = gone(__name__, {"plot_what_if": "Write `from keras_lr import plot_what_if`."})
