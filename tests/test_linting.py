"""`lint`: what it finds in real set-ups, and in clean ones not, and that nothing is touched."""

import keras
import numpy as np
import pytest
from support import setups
from support.setups import network
from support.small_network import train
from support.tiers import once

from keras_lr import callbacks, lint, schedules

RUN = {"epochs": 10, "steps_per_epoch": 50}
keras_schedules, keras_callbacks = keras.optimizers.schedules, keras.callbacks


@pytest.mark.parametrize("name", setups.CLEAN)
def test_clean_set_ups_lint_clean(name):
    model, used, told = setups.CLEAN[name]()
    assert lint(model, used, **told) == []


def plateau(*arguments, **options):
    return callbacks.ReduceLROnPlateau(*arguments, **options)


def lr_assigned():
    model = network(0.1)
    model.optimizer.lr = 5.0
    return model


def early(rate, patience):
    return [plateau("loss", min_lr=rate), keras_callbacks.EarlyStopping("loss", patience=patience)]


# What is wrong: the model, the callbacks, and what lint is told.
WRONG = {
    "schedule ends early": lambda: (network(schedules.LinearDecay(0.1, 300)), [], RUN),
    "schedule outlives the fit": lambda: (
        network(0.1),
        [callbacks.FitSchedule(keras_schedules.CosineDecay(0.1, 1000))],
        RUN,
    ),
    "warmup longer than the fit": lambda: (network(0.1), [callbacks.Warmup("20 epochs")], RUN),
    "schedule counts batches": lambda: (
        network(schedules.LinearDecay(0.1, 125), gradient_accumulation_steps=4),
        [],
        RUN,
    ),
    "schedule begins anew": lambda: (
        network(schedules.LinearDecay(0.1, 500)),
        [],
        {**RUN, "initial_epoch": 5},
    ),
    "flat schedule": lambda: (network(schedules.LinearDecay(0.1, 500, 0.1)), [], RUN),
    "min_lr above the rate": lambda: (network(1e-3), [plateau("loss", min_lr=1e-3)], RUN),
    "integer rate": lambda: (network(keras_schedules.ExponentialDecay(1, 500, 0.9)), [], RUN),
    "lr assigned": lambda: (lr_assigned(), [], RUN),
    "two bases": lambda: (
        network(0.1),
        [callbacks.FitSchedule(0.1), callbacks.LossThreshold(0.5, [0.001, 0.1])],
        RUN,
    ),
    "two writers": lambda: (
        network(0.1),
        [
            keras_callbacks.ReduceLROnPlateau("loss"),
            keras_callbacks.LearningRateScheduler(lambda epoch: 0.1),
        ],
        RUN,
    ),
    "writer on a schedule": lambda: (
        network(schedules.Constant(0.1)),
        [keras_callbacks.ReduceLROnPlateau("loss")],
        RUN,
    ),
    "stopped before a cut": lambda: (network(0.1), early(0.0, 5), RUN),
    "no such metric": lambda: (
        network(0.1, metrics=["mae"]),
        [plateau("val_accuracy")],
        {**RUN, "validation": True},
    ),
    "saved too early": lambda: (
        network(0.1),
        [keras_callbacks.BackupAndRestore("saved"), plateau("loss")],
        RUN,
    ),
    "restored into averages": lambda: (
        network(0.1, use_ema=True),
        [
            keras_callbacks.SwapEMAWeights(swap_on_epoch=True),
            plateau("loss", restore_best="weights"),
        ],
        RUN,
    ),
    "search longer than the fit": lambda: (
        network(0.1),
        [callbacks.AutoLearningRate()],
        {"x": np.zeros((64, 8)), "epochs": 3},
    ),
    "refused": lambda: (
        network(0.1),
        [callbacks.FitSchedule(schedules.LinearDecay(0.1, "100%"), across_fits=True)],
        RUN,
    ),
    "reads too early": lambda: (
        network(0.1),
        [keras_callbacks.CSVLogger("log.csv"), callbacks.LearningRateRecorder()],
        RUN,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_and_nothing_else(name):
    model, used, told = WRONG[name]()
    (finding,) = lint(model, used, **told)
    assert finding.name == name and finding.meaning


def numbers(model):
    return [np.array(keras.ops.convert_to_numpy(v)) for v in model.weights], [
        (v.path, np.array(keras.ops.convert_to_numpy(v))) for v in model.optimizer.variables
    ]


@pytest.mark.parametrize("name", ["05, all together", "05, backup", "stages", "06, one-cycle"])
@pytest.mark.parametrize("is_trained", [False, pytest.param(True, marks=once)])
def test_nothing_is_touched(name, is_trained):
    model, used, told = setups.CLEAN[name]()
    if is_trained:
        model.fit(np.ones((4, 8)), np.ones((4, 1)), verbose=0)
    weights, variables = numbers(model)
    before = [dict(vars(callback)) for callback in used]
    of_model, of_optimizer = set(vars(model)), set(vars(model.optimizer))
    own, is_built = model.optimizer._learning_rate, model.optimizer.built
    lint(model, used, **told)
    assert [dict(vars(callback)) for callback in used] == before
    assert set(vars(model)) == of_model and set(vars(model.optimizer)) == of_optimizer
    assert model.optimizer._learning_rate is own and model.optimizer.built is is_built
    after = numbers(model)
    for kept, now in zip(weights, after[0], strict=True):
        np.testing.assert_array_equal(now, kept)
    for (path, kept), (now_path, now) in zip(variables, after[1], strict=True):
        assert now_path == path
        np.testing.assert_array_equal(now, kept)


@once
def test_an_unbuilt_model_stays_unbuilt_and_one_that_is_not_compiled_is_refused():
    model = keras.Sequential([keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="`model` must be a compiled model"):
        lint(model)
    model.compile(keras.optimizers.SGD(schedules.LinearDecay(0.1, 10)), "mse")
    (finding,) = lint(model, epochs=1, steps_per_epoch=30)
    assert finding.name == "schedule ends early"
    assert not model.built and not model.optimizer.built


def test_a_second_fit_and_restored_iterations():
    model = network(schedules.LinearDecay(0.1, 4))
    model.fit(np.ones((16, 8)), np.ones((16, 1)), batch_size=4, verbose=0)
    (finding,) = lint(model, epochs=1, steps_per_epoch=4)
    assert finding.name == "schedule exhausted" and finding.evidence["counted"] == 4
    again = network(schedules.LinearDecay(0.1, 6))
    again.optimizer.build(again.trainable_variables)
    again.optimizer.iterations.assign(4)
    (finding,) = lint(again, epochs=1, steps_per_epoch=4)
    assert finding.name == "schedule ends early" and finding.evidence["begin"] == 4
    # A fit with FitSchedule begins at 0 whatever was counted.
    plan = callbacks.FitSchedule(schedules.LinearDecay(0.1, "100%"))
    assert lint(again, plan, epochs=1, steps_per_epoch=4) == []


def test_what_lint_says_is_what_fit_does():
    """The applied rates: where a schedule ends early nothing is trained, and lint counts that."""
    model = network(schedules.LinearDecay(0.1, 6))
    (finding,) = lint(model, x=np.ones((40, 8)), batch_size=4, epochs=1)
    recorder = callbacks.LearningRateRecorder()
    options = {"batch_size": 4, "verbose": 0, "callbacks": [recorder]}
    model.fit(np.ones((40, 8)), np.ones((40, 1)), **options)
    still = int((np.array(recorder.learning_rate) == 0).sum())
    assert finding.evidence["end"] - finding.evidence["length"] == still == 4


@once
def test_what_was_restored_into_averages_is_swapped_away():
    """The trap behind that rule: the weights of the next epoch are not the restored ones."""

    class Look(keras_callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.ends, self.begins = [], []

        def on_epoch_end(self, epoch, logs=None):
            self.ends.append(self.model.get_weights()[0].copy())

        def on_epoch_begin(self, epoch, logs=None):
            self.begins.append(self.model.get_weights()[0].copy())

    def trained(order):
        model, look = network(0.05, use_ema=True, ema_momentum=0.9), Look()
        swap = keras_callbacks.SwapEMAWeights(swap_on_epoch=True)
        never = {"mode": "max", "patience": 1, "restore_best": "weights"}
        used = [swap, plateau("loss", **never)][::order]
        model.fit(np.ones((16, 8)), np.ones((16, 1)), epochs=4, verbose=0, callbacks=[*used, look])
        return lint(model, used), look

    found, look = trained(1)
    assert [finding.name for finding in found] == ["restored into averages"]
    np.testing.assert_array_equal(look.ends[1], look.ends[0])
    assert np.abs(look.begins[2] - look.ends[1]).max() > 1e-3
    assert trained(-1)[0] == []


class Mine(keras.Sequential):
    def train_step(self, *arguments):
        return {"anything": 0.0}


def test_what_nobody_can_know_is_not_judged():
    model = Mine([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert lint(model, [plateau("anything")], validation=True) == []
    # No length, no metric of validation that is told, a schedule of somebody else.
    assert lint(network(schedules.LinearDecay(0.1, 10)), [plateau()]) == []
    assert lint(network(0.1), [callbacks.FitSchedule(lambda step: 0.1)], **RUN) == []
    assert lint(network(0.1), [callbacks.FitSchedule(schedules.Constant(0.1, name="a"))]) == []
    unknown = (row for row in [(np.ones((4, 8)), np.ones((4, 1)))])
    assert lint(network(schedules.LinearDecay(0.1, 10)), x=unknown, epochs=9) == []


@once
@pytest.mark.parametrize(
    "x, told, batches",
    [
        (np.zeros((100, 8)), {}, 4),
        (np.zeros((100, 8)), {"validation_split": 0.2}, 3),
        ({"a": np.zeros((100, 8)), "b": np.zeros((100, 2))}, {"batch_size": 10}, 10),
        (None, {"steps_per_epoch": 7}, 7),
    ],
)
def test_batches_are_counted(x, told, batches):
    model = network(schedules.LinearDecay(0.1, 1))
    (finding,) = lint(model, x=x, epochs=10, **told)
    assert finding.evidence["end"] == 10 * batches


@once
def test_batches_of_other_data():
    class Data(keras.utils.PyDataset):
        num_batches = 9

        def __getitem__(self, index):
            raise AssertionError("it was read")

    model = network(schedules.LinearDecay(0.1, 1))
    assert lint(model, x=Data(), epochs=2)[0].evidence["end"] == 18
    given = callbacks.Warmup(1, steps_per_epoch=6)
    assert lint(model, [given], epochs=2)[0].evidence["end"] == 12


@once
@pytest.mark.parametrize(
    "told, says",
    [
        ({"epochs": 0}, "`epochs` must be"),
        ({"epochs": 2, "initial_epoch": 2}, "`initial_epoch` must be less than epochs=2"),
        ({"steps_per_epoch": 0.5}, "`steps_per_epoch` must be"),
        ({"validation_split": 1.0}, "`validation_split` must be"),
        ({"callbacks": ["plateau"]}, "`callbacks` must be callbacks"),
    ],
)
def test_bad_arguments(told, says):
    with pytest.raises(ValueError, match=says):
        lint(network(0.1), **told)


def test_wrapped_and_several_optimizers():
    inner = keras.optimizers.SGD(schedules.LinearDecay(0.1, 300))
    model = network(0.1)
    model.compile(keras.optimizers.LossScaleOptimizer(inner), "mse")
    (finding,) = lint(model, **RUN)
    assert finding.name == "schedule ends early"
    model.compile(keras.optimizers.SGD(lambda: 0.1), "mse")
    assert lint(model, **RUN) == []
    (finding,) = lint(model, [callbacks.Warmup(5)], **RUN)
    assert finding.name == "refused" and "must be built with a float" in finding.meaning


def test_a_running_fit_warns_of_what_is_certain_only(recwarn):
    """An integer rate is told in fit, too; a schedule that outlives it is not."""
    train(network_of_three(schedules.LinearDecay(0.1, 1000)), 1, [callbacks.Warmup(2)])
    assert not [w for w in recwarn if "outlives" in str(w.message) or "ends at" in str(w.message)]
    if keras.backend.backend() == "tensorflow":
        return
    model = network_of_three(keras_schedules.InverseTimeDecay(1, 10, 0.5))
    with pytest.warns(UserWarning, match="was given an integer as a rate"):
        train(model, 1, [callbacks.Warmup(2)])


def network_of_three(rate):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model
