"""Pictures: each function takes data and, if you like, axes, and returns the axes it drew on.

None shows a figure or changes a setting of matplotlib; with `ax=None` a new pyplot figure holds
the picture, as in pandas, so that notebooks display it and `ax.figure.savefig(...)` writes it.
"""

from keras_lr.plotting.record import mark_events, plot_losses, plot_record
from keras_lr.plotting.schedules import plot_schedules
from keras_lr.plotting.sweep import plot_sweep
from keras_lr.plotting.what_if import plot_replays, plot_what_if
