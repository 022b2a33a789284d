"""Models and optimizers built before their first batch, as Keras would build them with it."""

from keras_lr.keras_private.fit_call import FitCall


def is_built(model):
    """Tells whether every layer of a model has its weights."""
    return all(layer.built for layer in model._flatten_layers())


def build_from(model, data):
    """Builds what is not built yet of a model and its optimizer, by the shapes of a batch."""
    if not is_built(model):
        model._symbolic_build(data_batch=data)
    build_optimizer(model)


def build_optimizer(model):
    """Builds a model's optimizer, if its weights are there."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def build_before_training(model):
    """Builds a model and its optimizer, which TensorFlow would do with the first batch."""
    data = None
    if not is_built(model):
        call = FitCall.of(model)
        data = call and call.distributed_data
        if data is None:
            raise ValueError(
                "The model must be built before training, to have a state to go back to: begin it "
                "with keras.Input(shape), or call model.build(input_shape)."
            )
        # As the other two back ends do in `fit`, but by the shapes alone: no batch is read.
        data = data.element_spec
    build_from(model, data)


def build_all(model, data):
    """Builds a model, its optimizer, its metrics and its loss, by the shapes of a batch.

    What is not built when `fit` begins has it read its data once more, and shuffle otherwise.
    """
    model._symbolic_build(data_batch=data)
    build_optimizer(model)
