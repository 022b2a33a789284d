"""The modules by their names in version 0.1.0, which schedules pickled then refer to."""

import sys

from keras_lr.schedules import algebra, durations, keras_schedules

for name, module in {
    "arithmetic": algebra,
    "builtin": keras_schedules,
    "units": durations,
}.items():
    sys.modules.setdefault(f"keras_lr.schedules.{name}", module)
