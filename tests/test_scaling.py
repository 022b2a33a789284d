"""Initial-rate rules against the documents' formulas, and their refusals."""

import keras
import pytest

import keras_lr


def test_rules():
    assert keras_lr.scale_learning_rate(0.1, 512, 128) == pytest.approx(0.4)
    assert keras_lr.scale_learning_rate(0.1, 512, 128, rule="sqrt") == pytest.approx(0.2)
    assert keras_lr.scale_learning_rate(0.1, 64, 128) == pytest.approx(0.05)
    assert keras_lr.learning_rate_for_data_size(3.0, 1500) == pytest.approx(0.002)


def test_model_complexity_counts_trainable_parameters():
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.BatchNormalization()])
    with pytest.raises(ValueError, match=r"`model` must be built.*model.build\(input_shape\)"):
        keras_lr.learning_rate_for_model(1.0, model)
    model.build((None, 4))
    # 4·3 + 3 of the dense layer, 2·3 of the trainable half of the normalisation.
    assert keras_lr.learning_rate_for_model(21.0, model) == pytest.approx(1.0)
    model.trainable = False
    with pytest.raises(ValueError, match="`model` must be a finite number > 0. Received: model=0"):
        keras_lr.learning_rate_for_model(21.0, model)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: keras_lr.scale_learning_rate(0.1, 0, 128), "`batch_size` must be .* > 0"),
        (lambda: keras_lr.scale_learning_rate(0.1, 64, -1), "`base_batch_size` must be .* > 0"),
        (lambda: keras_lr.scale_learning_rate(-0.1, 64, 64), "`base` must be .* >= 0"),
        (lambda: keras_lr.scale_learning_rate(0.1, 64, 64, "cubic"), "`rule` must be one of"),
        (lambda: keras_lr.learning_rate_for_data_size(1.0, float("inf")), "`n` must be .* finite"),
        (lambda: keras_lr.learning_rate_for_data_size("1", 10), "`c` must be .* Received: c='1'"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
