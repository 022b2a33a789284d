"""`lint`: what is wrong with a set-up, before it is trained."""

import math

import keras

from keras_lr import checks
from keras_lr.diagnosis import plan_rules, setup_rules
from keras_lr.diagnosis.findings import Findings
from keras_lr.driving.plan import plan_before
from keras_lr.driving.planned import Length


def lint(
    model,
    callbacks=(),
    *,
    epochs=None,
    steps_per_epoch=None,
    x=None,
    batch_size=None,
    validation=None,
    validation_split=0.0,
    initial_epoch=0,
):
    """Returns what will not work as it is meant in a `fit` of a model with these callbacks.

    Nothing is trained, built or changed. It makes the plan that every fit with a callback of ours
    makes before its first update, and asks the same rules, which raise or warn there; and others,
    about what may be on purpose. What is not told is not judged: give as much as you give `fit`.

    Args:
        model: compiled.
        callbacks: those of the fit, of keras_lr, of Keras and your own, in their order.
        epochs, initial_epoch: as in `fit`.
        steps_per_epoch: in batches, as in `fit`; or else
        x, batch_size: what `fit` will be given, of which the batches are counted, and nothing read.
        validation: whether there will be one: True, False, or the `validation_data` themselves.
        validation_split: as in `fit`.

    Returns a list of `Finding`, errors first, that prints as a report and is empty for a clean
    set-up. Each has a `name`, a `severity` ("error": it cannot work; "warning": it will not do what
    is meant; "note"), its `evidence` in numbers, a `meaning` and an `advice`. For a script:
    `assert not lint(…)`.

    >>> import keras
    >>> from keras_lr import lint, schedules
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(schedules.LinearDecay(0.1, 300)), "mse")
    >>> lint(model, epochs=3, steps_per_epoch=100)
    Nothing found.
    >>> found = lint(model, epochs=10, steps_per_epoch=100)
    >>> [finding.name for finding in found], found[0].evidence["length"]
    (['schedule ends early'], 300)

    `print(found)` is a report. Raises ValueError for a model that is not compiled, and for
    arguments that `fit` would not take.
    """
    if getattr(model, "optimizer", None) is None:
        checks.refuse("model", "a compiled model: model.compile(optimizer=…, loss=…)", model)
    together = _listed(callbacks)
    epochs = None if epochs is None else checks.COUNT("epochs", epochs)
    first = checks.Number(minimum=0, integer=True)("initial_epoch", initial_epoch)
    if epochs is not None and first >= epochs:
        checks.refuse("initial_epoch", f"less than epochs={epochs}", initial_epoch)
    share = checks.Number(minimum=0, below=1)("validation_split", validation_split)
    batches = _batches(together, steps_per_epoch, x, batch_size, share)
    validates = True if share else None if validation is None else validation is not False
    plan = plan_before(model, together, Length(epochs, batches, first), validates)
    return Findings(plan_rules.find(plan, plan_rules.RULES + setup_rules.RULES))


def _listed(callbacks):
    """Returns the callbacks as `fit` would: one, a list, lists in a list, or a `CallbackList`."""
    callbacks = getattr(callbacks, "callbacks", callbacks)
    found = keras.tree.flatten([] if callbacks is None else callbacks)
    for callback in found:
        if not isinstance(callback, keras.callbacks.Callback):
            checks.refuse("callbacks", "callbacks of Keras or keras_lr, in a list", callback)
    return found


def _batches(callbacks, steps_per_epoch, x, batch_size, share):
    """Returns the batches per epoch, as far as they are known."""
    size = 32 if batch_size is None else checks.COUNT("batch_size", batch_size)
    if steps_per_epoch is not None:
        return checks.COUNT("steps_per_epoch", steps_per_epoch)
    given = [getattr(callback, "given_steps_per_epoch", None) for callback in callbacks]
    known = next((steps for steps in given if isinstance(steps, int)), None)
    return known if x is None else batches_of(x, size, share) or known


def batches_of(x, size, share=0.0):
    """Returns the number of batches in data, without reading them; None where it is not known.

    Arrays are cut into batches of `size`, the last `share` of their rows left out.
    """
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches
    if hasattr(x, "cardinality"):
        # TensorFlow says -1 of data without an end, and -2 of what it does not know.
        return max(int(x.cardinality()), 0) or None
    leaves = keras.tree.flatten(x)
    if all(hasattr(leaf, "shape") and len(leaf.shape) for leaf in leaves):
        return math.ceil(math.floor(leaves[0].shape[0] * (1 - share)) / size) or None
    # A DataLoader of PyTorch; a generator has no length.
    is_loader = not isinstance(x, (list, tuple, dict)) and hasattr(x, "__len__")
    return len(x) or None if is_loader else None
