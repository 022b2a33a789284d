"""Before the first update: what the plan rules find is raised, or warned about, once."""

import warnings
import weakref

from keras_lr.diagnosis import plan_rules
from keras_lr.driving.plan import plan_of
from keras_lr.keras_private.fit_call import listed


class Preflight:
    """The checks of one fit."""

    def __init__(self, model):
        self._model = weakref.ref(model)
        self._told = set()

    @property
    def has_named_a_writer(self):
        """Tells whether another writer of the rate was warned about already."""
        return "two writers" in self._told

    def check(self, callbacks, run, driven=(), epoch=None, made=None):
        """Raises the first error of the plan as it is known by now; warns of what is new.

        `callbacks` are ours, to which those of Keras in `fit` are added; else as in `plan_of`.
        """
        model = self._model()
        together = listed(model)
        together += [c for c in callbacks if all(c is not other for other in together)]
        findings = plan_rules.find(plan_of(model, together, run, driven, epoch, made))
        for finding in findings:
            if finding.severity == "error":
                raise ValueError(str(finding))
        for finding in findings:
            if finding.severity == "warning" and finding.name not in self._told:
                warnings.warn(str(finding), stacklevel=2)
        self._told.update(finding.name for finding in findings)
