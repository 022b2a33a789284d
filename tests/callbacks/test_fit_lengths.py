"""Durations in epochs and percent, for every kind of data that `fit` takes, on the weights."""

import warnings

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.effective_rates import CASES
from support.unit_gradient import BATCH

from keras_lr import get_rate
from keras_lr.callbacks import AutoLearningRate, FitSchedule, RandomJitter, Warmup
from keras_lr.schedules import LinearDecay

PER_EPOCH, EPOCHS = 4, 3
PLAN = LinearDecay(1.2, "100%")
PLANNED = 1.2 * (1 - np.arange(12) / 12)


def arrays(count=PER_EPOCH):
    return unit_gradient.batches(count)


def batch():
    return np.zeros((BATCH, 1), "float32"), np.zeros((BATCH, 1), "float32")


def tf_data(count=PER_EPOCH, known=True, endless=False):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices(arrays(count)).batch(BATCH)
    data = data.repeat() if endless else data
    return data if known else data.filter(lambda x, y: True)


def generator():
    while True:
        yield batch()


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return PER_EPOCH

    def __getitem__(self, index):
        return batch()


def torch_stream(count=PER_EPOCH):
    """Batches of a PyTorch stream, whose number nobody knows."""
    torch = pytest.importorskip("torch")

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter([tuple(map(torch.from_numpy, batch())) for _ in range(count)])

    return torch.utils.data.DataLoader(Stream(), batch_size=None)


def train(callbacks, data, **options):
    """Trains on data and returns the rates that were applied."""
    model = unit_gradient.build(keras.optimizers.SGD(0.5))
    options = {"epochs": EPOCHS, "verbose": 0, **options}
    with warnings.catch_warnings():
        # A stream's end is a surprise to Keras, and a warning.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        model.fit(data, callbacks=list(callbacks), **options)
    applied = unit_gradient.applied(model)
    # TensorFlow begins a step at the end of a stream, in which no weight moves.
    return applied[applied != 0]


KNOWN = {
    "tf.data": (tf_data, {}),
    "tf.data without an end": (lambda: tf_data(endless=True), {"steps_per_epoch": PER_EPOCH}),
    "generator": (generator, {"steps_per_epoch": PER_EPOCH}),
    "PyDataset": (lambda: Sequence(), {}),
}


@pytest.mark.filterwarnings("error:The schedules were planned")
@pytest.mark.parametrize("build, options", KNOWN.values(), ids=KNOWN.keys())
def test_length_is_that_of_the_fit(build, options):
    applied = train([FitSchedule(PLAN)], build(), **options)
    np.testing.assert_allclose(applied, PLANNED, atol=1e-6)


def test_arrays_and_a_short_last_batch():
    x, y = arrays()
    model = unit_gradient.build(keras.optimizers.SGD(0.5))
    plan = FitSchedule(PLAN)
    model.fit(x[:-1], y[:-1], batch_size=BATCH, epochs=EPOCHS, callbacks=[plan], verbose=0)
    np.testing.assert_allclose(unit_gradient.applied(model), PLANNED, atol=1e-6)


STREAMS = {"tf.data": lambda: tf_data(known=False), "DataLoader": torch_stream}


@pytest.mark.parametrize("build", STREAMS.values(), ids=STREAMS.keys())
def test_unknown_length_is_refused_before_training(build):
    with pytest.raises(ValueError, match="needs the length of the run") as error:
        train([FitSchedule(PLAN)], build())
    assert "steps_per_epoch=…): the number, or 'count'" in error.value.__notes__[0]


@pytest.mark.filterwarnings("error:The schedules were planned")
@pytest.mark.parametrize("length", [PER_EPOCH, "count"])
@pytest.mark.parametrize("build", STREAMS.values(), ids=STREAMS.keys())
def test_unknown_length_is_asked_for_or_counted(build, length):
    applied = train([FitSchedule(PLAN, steps_per_epoch=length)], build())
    np.testing.assert_allclose(applied, PLANNED, atol=1e-6)


@pytest.mark.parametrize("build", STREAMS.values(), ids=STREAMS.keys())
def test_the_end_of_a_stream_is_no_update(build):
    model = unit_gradient.build(keras.optimizers.SGD(0.5, momentum=0.9))
    model.fit(build(), epochs=2, callbacks=[Warmup(3)], verbose=0)
    assert int(model.optimizer.iterations) == 2 * PER_EPOCH


def test_unknown_length_does_not_matter_to_a_plan_in_updates():
    applied = train([FitSchedule(LinearDecay(1.2, 12))], tf_data(known=False))
    np.testing.assert_allclose(applied, PLANNED, atol=1e-6)


@pytest.mark.parametrize("first", [True, False])
def test_what_one_callback_is_told_all_know(first):
    callbacks = [Warmup("1 epoch"), FitSchedule(PLAN, steps_per_epoch=PER_EPOCH)]
    applied = train(callbacks[:: 1 if first else -1], tf_data(known=False))
    climb = np.minimum(np.arange(1, 13) / PER_EPOCH, 1)
    np.testing.assert_allclose(applied, PLANNED * climb, atol=1e-6)


@pytest.mark.parametrize("planned, word", [(6, "late"), (2, "early")])
def test_another_length_is_warned_about_once_with_both_numbers(planned, word):
    message = f"planned for {planned} updates per epoch, but epoch 1 made 4.*comes too {word}"
    callbacks = [FitSchedule(PLAN, steps_per_epoch=planned), RandomJitter(0.1)]
    with pytest.warns(UserWarning, match=message) as warned:
        train(callbacks, tf_data(known=False))
    assert sum("planned for" in str(w.message) for w in warned) == 1


@pytest.mark.skipif(
    keras.config.backend() == "tensorflow",
    reason="TensorFlow counts the end of the data as an update; Keras' own warning is all",
)
def test_data_that_ends_early_is_warned_about():
    data = [batch() for _ in range(3)]
    message = "planned for 4 updates per epoch, but epoch 1 made 3"
    with pytest.warns(UserWarning, match=message):
        train([FitSchedule(PLAN)], (pair for pair in data), steps_per_epoch=4, epochs=1)


@pytest.mark.filterwarnings("error:The schedules were planned")
def test_no_warning_where_the_length_does_not_matter():
    train([FitSchedule(LinearDecay(1.2, 12), steps_per_epoch=6)], tf_data(known=False))


@pytest.mark.filterwarnings("error:The schedules were planned")
@pytest.mark.skipif(keras.config.backend() == "torch", reason="PyTorch has no such option")
def test_several_batches_per_execution_are_no_surprise():
    x, y = arrays(5)
    model = unit_gradient.build(keras.optimizers.SGD(0.5), steps_per_execution=2)
    model.fit(x, y, batch_size=BATCH, epochs=2, callbacks=[FitSchedule(PLAN)], verbose=0)
    expected = 1.2 * (1 - np.arange(10) / 10)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=1e-6)


ONCE = "must be a number for data that can be read only once, or that never ends"


@pytest.mark.parametrize(
    "build", [generator, lambda: tf_data(known=True, endless=True)], ids=["generator", "endless"]
)
def test_what_cannot_be_counted(build):
    with pytest.raises(ValueError, match=ONCE + ".*Received: steps_per_epoch='count' with x of"):
        train([FitSchedule(PLAN, steps_per_epoch="count")], build())


def test_numbers_that_contradict_each_other():
    message = "`steps_per_epoch` must be the same.*Received: 4 and 5"
    with pytest.raises(ValueError, match=message):
        train([FitSchedule(PLAN, steps_per_epoch=5)], tf_data())
    both = [FitSchedule(PLAN, steps_per_epoch=5), Warmup("5%", steps_per_epoch=4)]
    with pytest.raises(ValueError, match=message):
        train(both, tf_data(known=False))


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, "all"])
def test_bad_steps_per_epoch(bad):
    with pytest.raises(ValueError, match="`steps_per_epoch` must be .*Received: steps_per_epoch="):
        FitSchedule(PLAN, steps_per_epoch=bad)


def test_a_function_of_the_name_fit_in_a_module_without_a_name():
    names = {"model": unit_gradient.build(keras.optimizers.SGD(0.5)), "data": arrays()}
    # As what runs under `exec` and the like.
    exec("def fit(**options):\n    model.fit(*data, **options)", names)
    options = {"batch_size": BATCH, "epochs": EPOCHS, "verbose": 0}
    names["fit"](callbacks=[FitSchedule(PLAN)], **options)
    np.testing.assert_allclose(unit_gradient.applied(names["model"]), PLANNED, atol=1e-6)


NO_EPOCHS = {name: make for name, (make, _) in CASES.items() if name != "stages"}
NO_EPOCHS["auto"] = lambda: [AutoLearningRate(verbose=0)]


@pytest.mark.parametrize("name", NO_EPOCHS)
def test_a_fit_of_no_epochs_does_nothing(name):
    model = unit_gradient.build(keras.optimizers.SGD(0.5))
    x, y = arrays()
    model.fit(x, y, epochs=0, verbose=0, callbacks=NO_EPOCHS[name]())
    assert len(unit_gradient.applied(model)) == 0
    assert get_rate(model) == 0.5
