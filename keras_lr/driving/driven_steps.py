"""The training steps with rates of ours in them, kept on a model from one fit to the next.

A plain `fit` has the step that Keras built for it, and never sees one of these: they are put in for
the length of a driven fit, with the rates that they read. The next driven fit with the same rates
and the same optimizer finds its step compiled.
"""

import weakref
from typing import Any, NamedTuple

import keras

from keras_lr.driving.rate_in_step import Dial
from keras_lr.keras_private import training_step
from keras_lr.keras_private.live_variables import LiveVariables
from keras_lr.keras_private.optimizers import batches_counted, leaves, parts

_PLACE = "_keras_lr_driven_steps"
# Each holds what was compiled for it.
_MOST = 2


class _DrivenStep(NamedTuple):
    rates: list
    beside: list
    settings: training_step.Settings
    function: Any

    def is_of(self, rates, beside, settings):
        return (self.rates, self.beside, self.settings) == (rates, beside, settings)


class DrivenSteps:
    """The driven steps of a model, and the dials of its optimizers, which all of them read."""

    def __init__(self, model):
        self._optimizers = list(parts(model.optimizer))
        self._live, self._dials, self._kept = LiveVariables(model), {}, []
        self._current = self._replaced = None
        # Other models that train with one of the optimizers, as far as they are known.
        self._sharing = weakref.WeakSet()
        # Those that the plain step was compiled with.
        self._schedules = training_step.schedules_in(model)
        if training_step.held(model) is None or any(s is not None for s in self._schedules):
            # Of one that is there already nobody knows with which.
            training_step.rebuild(model)
        # Not held: a step that Keras has dropped must go, or JAX would take the next one for it.
        self._plain = weakref.ref(training_step.held(model))

    @classmethod
    def begin(cls, model):
        """Returns those of a model whose fit begins: none, if Keras has dropped its own step."""
        steps = vars(model).get(_PLACE)
        if steps is None or not steps._belong_to(model):
            steps = vars(model)[_PLACE] = cls(model)
        return steps

    def _belong_to(self, model):
        now = [id(part) for part in parts(model.optimizer)]
        return (
            training_step.held(model) is self._plain()
            and self._current is None
            and [id(part) for part in self._optimizers] == now
        )

    def dial_of(self, optimizer):
        """Returns the dial of one optimizer, live until the end of the fit."""
        self._live.put_on()
        if id(optimizer) not in self._dials:
            self._dials[id(optimizer)] = Dial(self._live, optimizer)
        return self._dials[id(optimizer)]

    def use(self, model, rates, beside):
        """Puts the step with these rates into a model, built anew unless it is kept.

        `beside` tells what else is compiled in, each with the number of its optimizer: a value, or
        True where nobody can tell.
        Returns the rates that the step was compiled with. Where there is nothing to compile in,
        and nothing was, the step is Keras' own.
        """
        if not any([*rates, *beside, self._current]):
            return rates
        beside = [(index, object() if value is True else value) for index, value in beside]
        if self._current is None:
            self._replaced = training_step.held(model)
        settings = training_step.Settings(model)
        step = next((s for s in self._kept if s.is_of(rates, beside, settings)), None)
        if step is None:
            self._find_sharing(model)
        for other in self._sharing:
            _rebuild(other)
        if step is None:
            training_step.rebuild(model)
            step = _DrivenStep(rates, beside, settings, training_step.held(model))
        self._kept = [step, *[other for other in self._kept if other is not step]][:_MOST]
        self._current = step.function
        training_step.hold(model, step.function)
        return step.rates

    def _find_sharing(self, model):
        """Finds other models that have trained with one of the optimizers.

        TensorFlow has compiled their steps with the rate as it was: JAX cannot train two models
        with one optimizer at a time, and eager steps ask for the rate when they need it.
        """
        if keras.config.backend() != "tensorflow":
            return
        ours = [*self._optimizers, *(dial.optimizer for dial in self._dials.values())]
        if any(batches_counted(leaf) for each in ours for leaf in leaves(each)):
            self._sharing.update(training_step.others_compiled_with(ours, model))

    def free_those_compiled_before(self, model):
        """Drops the steps of other models that were compiled without the rates of this fit.

        Returns these models.
        """
        self._find_sharing(model)
        compiled = {other for dial in self._dials.values() for other in dial.models}
        found = [other for other in self._sharing if other not in compiled]
        for other in found:
            _rebuild(other)
        return found

    def _free_others(self, model):
        """Drops the steps of other models with the same optimizer that were compiled meanwhile."""
        for dial in self._dials.values():
            for other in set(dial.models) - {model}:
                _rebuild(other)
                self._sharing.add(other)
                dial.models.discard(other)

    def give_back(self, model):
        """Gives a model the step back that Keras had built, and takes the dials off."""
        self._live.take_off()
        self._free_others(model)
        used, replaced = self._current, self._replaced
        self._current = self._replaced = None
        if used is not None and training_step.held(model) is not used:
            # Somebody has built one in the midst of the fit, with our functions in it.
            vars(model).pop(_PLACE, None)
            training_step.forget(model)
            return
        if used is not None:
            training_step.hold(model, replaced)
        now = training_step.schedules_in(model)
        if any(one is not other for one, other in zip(now, self._schedules)):
            # A reduction stays, or somebody has assigned one.
            training_step.rebuild(model)
            self._schedules = now
            self._plain = weakref.ref(training_step.held(model))


def _rebuild(model):
    """Builds the plain step of a model anew; what is kept for its driven fits stays."""
    steps = vars(model).get(_PLACE)
    steps = steps if steps is not None and steps._belong_to(model) else None
    training_step.rebuild(model)
    if steps is not None:
        steps._plain = weakref.ref(training_step.held(model))
