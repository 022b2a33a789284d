"""Pictures of anything that can be a schedule."""

import functools

from keras_lr import checks, plotting
from keras_lr.schedules.coerce import as_schedule


@functools.wraps(plotting.plot_schedules)
def plot_schedules(schedules, *arguments, **options):
    """Draws whatever `as_schedule` takes; plotting, which lies below, knows only our schedules."""
    schedules = [schedules] if callable(schedules) else schedules
    schedules = checks.sequence("schedules", schedules, as_schedule)
    return plotting.plot_schedules(schedules, *arguments, **options)
