"""What the running call of `fit` knows and Keras does not tell its callbacks."""

import sys

from keras_lr import checks


def fits_under_way(model):
    """Returns the frames of the calls of `fit` that this model is in, the innermost first."""
    # Keras tells callbacks nothing of the call they serve; the stack is all there is to look at.
    frames, frame = [], sys._getframe()
    while frame is not None:
        # Not one that a subclass has put around Keras' own.
        module = frame.f_globals.get("__name__") or ""
        is_fit = frame.f_code.co_name == "fit" and module.startswith("keras.")
        if is_fit and frame.f_locals.get("self") is model:
            frames.append(frame)
        frame = frame.f_back
    return frames


def listed(model):
    """Returns all callbacks of the running `fit`, in its order, those of Keras too."""
    for frame in fits_under_way(model)[:1]:
        return list(getattr(frame.f_locals.get("callbacks"), "callbacks", []))
    return []


def steps_per_epoch(name, value):
    """The kind of an argument: batches per epoch, "count" to read the data once, or None."""
    if value is None or (isinstance(value, str) and value == "count"):
        return value
    if isinstance(value, str):
        checks.refuse(name, "a number of batches, or 'count'", value)
    return checks.Number(minimum=1, integer=True)(name, value)


def batches_per_epoch(callback, model):
    """Returns the batches per epoch that Keras knows or the callbacks of this `fit` were told."""
    fit = next(iter(fits_under_way(model)), None)
    given = fit.f_locals if fit else {}
    together = [callback, *listed(model)]
    told = {getattr(c, "given_steps_per_epoch", None) for c in together} - {None}
    known = (callback.params or {}).get("steps")
    numbers = sorted(told - {"count"} | ({known} if known else set()))
    if len(numbers) > 1:
        raise ValueError(
            "`steps_per_epoch` must be the same for all callbacks, and for `fit` where it knows "
            f"the number of batches. Received: {' and '.join(map(str, numbers))}"
        )
    if numbers:
        return numbers[0]
    return _counted(given.get("x")) if "count" in told else None


def _counted(data):
    """Returns the number of batches in one pass over data that can be read again."""
    once = not hasattr(data, "__iter__") or iter(data) is data
    # As TensorFlow's data sets tell that they never end.
    if once or (hasattr(data, "cardinality") and int(data.cardinality()) == -1):
        raise ValueError(
            "`steps_per_epoch` must be a number for data that can be read only once, or that "
            f"never ends. Received: steps_per_epoch='count' with x of type {type(data).__name__}"
        )
    return sum(1 for _ in data)


def build_before_training(model):
    """Builds a model and its optimizer, which TensorFlow would do with the first batch."""
    if not all(layer.built for layer in model._flatten_layers()):
        iterator = next((f.f_locals.get("epoch_iterator") for f in fits_under_way(model)), None)
        data = getattr(iterator, "_distributed_dataset", None)
        if data is None:
            raise ValueError(
                "The model must be built before training, to have a state to go back to: begin it "
                "with keras.Input(shape), or call model.build(input_shape)."
            )
        # As the other two back ends do in `fit`, but by the shapes alone: no batch is read.
        model._symbolic_build(data_batch=data.element_spec)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
