"""`LearningRateRecorder`: what it says is what the weights did, in every place it says it."""

import csv
import importlib.util
import json
import sys
import warnings

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import cells, once

from keras_lr import callbacks, schedules


def recorded(*others, optimizer=None, epochs=3, **options):
    model = unit_gradient.build(optimizer or keras.optimizers.SGD(0.4), **options)
    recorder = callbacks.LearningRateRecorder()
    history = unit_gradient.fit(model, 2, epochs, [recorder, *others])
    return model, recorder, history


def test_rates_per_update_and_per_epoch():
    schedule = schedules.LinearDecay(0.6, 6)
    model, recorder, history = recorded(optimizer=keras.optimizers.SGD(schedule))
    np.testing.assert_allclose(recorder.learning_rate, unit_gradient.applied(model), atol=1e-6)
    assert recorder.updates.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(history.history["learning_rate"], [0.5, 0.3, 0.1])
    assert [row["update"] for row in recorder.epoch_logs] == [1, 3, 5]


def test_a_float_rate_is_recorded_as_it_was_written():
    _, recorder, _ = recorded()
    assert recorder.learning_rate.tolist() == [0.4] * 6


def test_events_tell_who_when_what_and_why_whatever_the_order():
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    _, recorder, _ = recorded(unit_gradient.Feed([1.0, 1.0, 1.0]), plateau)
    assert [str(event) for event in recorder.events] == [
        "epoch 2, update 4: ReduceLROnPlateau 0.4 -> 0.2 (loss no better than 1 for 1 evaluations)",
        "epoch 3, update 6: ReduceLROnPlateau 0.2 -> 0.1 (loss no better than 1 for 1 evaluations)",
    ]
    assert recorder.learning_rate.tolist() == [0.4, 0.4, 0.4, 0.4, 0.2, 0.2]


@unit_gradient.needs_multi_optimizer
def test_one_column_per_optimizer():
    first = keras.optimizers.SGD(0.4, name="body")
    second = keras.optimizers.SGD(schedules.LinearDecay(0.6, 6), name="head")
    groups = keras.optimizers.OptimizerMap(first, {"trace_1/.*": second})
    model, recorder, history = recorded(
        callbacks.Warmup(2), optimizer=keras.optimizers.MultiOptimizer(groups), layers=2
    )
    for name, layer in (("body", "trace_0"), ("head", "trace_1")):
        applied = unit_gradient.applied(model, layer)
        np.testing.assert_allclose(recorder.learning_rates[name], applied, atol=1e-6)
        assert len(history.history[f"learning_rate_{name}"]) == 3
    with pytest.raises(ValueError, match="several optimizers.*Received: .*body"):
        recorder.learning_rate  # noqa: B018


# How many batches make an update of the one optimizer, and of the other.
TOGETHER = [(1, 4), (4, 1), (2, 3), (2, 2), (2, 4)]


def several(*every):
    one, other = (
        keras.optimizers.SGD(0.4, name=name, gradient_accumulation_steps=k if k > 1 else None)
        for name, k in zip("ab", every)
    )
    groups = keras.optimizers.OptimizerMap(one, {"trace_1/.*": other})
    return keras.optimizers.MultiOptimizer(groups)


@once
@unit_gradient.needs_multi_optimizer
@pytest.mark.parametrize(("one", "other"), cells(TOGETHER, TOGETHER[:1] + TOGETHER[2:3]))
def test_every_update_of_parts_that_accumulate_differently(one, other, tmp_path):
    # Twelve batches in three epochs, of which some end in the midst of an update.
    model, recorder = (
        unit_gradient.build(several(one, other), layers=2),
        callbacks.LearningRateRecorder(),
    )
    plateau = callbacks.ReduceLROnPlateau("m", 0.5, patience=1, mode="min")
    used = [unit_gradient.Feed([1.0, 1.0, 0.5], "m"), plateau, callbacks.Warmup(6)]
    history = unit_gradient.fit(model, 4, 3, [recorder, *used]).history
    moved = {n: unit_gradient.applied(model, f"trace_{i}") for i, n in enumerate("ab")}
    made = (moved["a"] != 0) | (moved["b"] != 0)
    for name in "ab":
        expected = np.where(moved[name] != 0, moved[name], np.nan)
        np.testing.assert_allclose(recorder.learning_rates[name], expected[made], atol=2e-6)
        last = [moved[name][:n][moved[name][:n] != 0][-1:] for n in (4, 8, 12)]
        last = [part.item() if part.size else np.nan for part in last]
        np.testing.assert_allclose(history[f"learning_rate_{name}"], last, atol=2e-6)
    unit = np.gcd(one, other)
    assert recorder.updates.tolist() == (np.flatnonzero(made) // unit).tolist()
    assert recorder.epoch_ends == np.cumsum(made.reshape(3, 4).sum(axis=1)).tolist()
    # The cut comes after eight batches.
    assert set(recorder.event_positions) == {recorder.epoch_ends[1]}
    recorder.to_csv(tmp_path / "rates.csv")
    assert len((tmp_path / "rates.csv").read_text().splitlines()) == 1 + made.sum()


WRITERS = {
    "recorder": callbacks.LearningRateRecorder,
    "scheduler": lambda: callbacks.LearningRateScheduler(lambda epoch: 0.4),
}


def logged(path, used):
    """Trains with a CSVLogger in the place of None; returns the rates that it has logged."""
    logger = keras.callbacks.CSVLogger(path / "log.csv")
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    unit_gradient.fit(model, 2, 3, [c or logger for c in used])
    rows = csv.DictReader((path / "log.csv").read_text().splitlines())
    return [row.get("learning_rate") for row in rows]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_csv_logger_listed_before_it_is_warned_about(writer, tmp_path):
    name = type(WRITERS[writer]()).__name__
    with pytest.warns(UserWarning, match=f"CSVLogger will not see.* that {name} writes.*first"):
        assert logged(tmp_path, [None, WRITERS[writer]()]) == [None] * 3


@pytest.mark.parametrize("used", [["recorder", None], ["scheduler", None, "recorder"]], ids=str)
def test_a_csv_logger_listed_after_a_rate_is_written_has_the_column(used, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*will not see")
        rates = logged(tmp_path, [name and WRITERS[name]() for name in used])
    assert [float(rate) for rate in rates] == [0.4] * 3


def test_of_two_that_write_the_rate_only_the_first_warns(tmp_path):
    with pytest.warns(UserWarning) as caught:
        logged(tmp_path, [None, WRITERS["scheduler"](), WRITERS["recorder"]()])
    ours = [str(w.message) for w in caught if "will not see" in str(w.message)]
    assert len(ours) == 1 and "list LearningRateScheduler first" in ours[0]


def test_to_dict_is_json_and_to_csv_is_whole(tmp_path):
    _, recorder, _ = recorded(callbacks.Warmup(4))
    (rates,) = json.loads(json.dumps(recorder.to_dict()))["learning_rates"].values()
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    recorder.to_csv(tmp_path / "rates.csv")
    lines = (tmp_path / "rates.csv").read_text().splitlines()
    assert lines[0].startswith("update,") and len(lines) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["rates.csv"]


def test_a_second_fit_is_a_new_record_on_the_optimizers_clock():
    model, recorder, _ = recorded()
    unit_gradient.fit(model, 2, 1, [recorder])
    assert recorder.updates.tolist() == [6, 7]


def test_before_any_fit_it_is_empty():
    recorder = callbacks.LearningRateRecorder()
    assert recorder.updates.tolist() == recorder.learning_rate.tolist() == recorder.events == []
    assert recorder.undone.tolist() == recorder.event_positions == recorder.epoch_ends == []


# Epochs 3 and 4 are no better than epoch 2, to whose end the clock goes back.
LOSSES = [2.0, 1.0, 3.0, 3.0, 0.5, 0.4]


def rewound(before, losses=LOSSES):
    """Trains with epochs that are undone, the recorder before or after the one who undoes them."""
    rule = callbacks.ReduceLROnPlateau("loss", 0.5, 2, restore_best="all")
    recorder = callbacks.LearningRateRecorder()
    order = [recorder, rule] if before else [rule, recorder]
    model = unit_gradient.build(keras.optimizers.SGD(schedules.LinearDecay(1.0, 20)))
    unit_gradient.fit(model, 2, len(losses), [unit_gradient.Feed(losses), *order])
    return recorder


@pytest.mark.parametrize("before", [True, False])
def test_what_was_undone_is_recorded_wherever_it_is_listed(before):
    recorder = rewound(before)
    updates = [0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7]
    factors = np.repeat([1.0, 0.5], [8, 4])
    assert recorder.updates.tolist() == updates
    expected = (1 - np.array(updates) / 20) * factors
    np.testing.assert_allclose(recorder.learning_rate, expected, rtol=1e-12)
    assert np.flatnonzero(recorder.undone).tolist() == [4, 5, 6, 7]
    assert [row["update"] for row in recorder.epoch_logs] == [1, 3, 5, 7, 5, 7]
    ends = [row["learning_rate"] for row in recorder.epoch_logs]
    np.testing.assert_allclose(ends, expected[1::2], rtol=1e-12)
    assert recorder.epoch_ends == [2, 4, 6, 8, 10, 12]
    # The cut counts from update 4 on, when 8 had been made.
    assert [event.update for event in recorder.events] == [4]
    assert recorder.event_positions == [8]


@pytest.mark.parametrize("before", [True, False])
def test_an_end_that_undoes_is_seen(before):
    recorder = rewound(before, LOSSES[:4])
    assert np.flatnonzero(recorder.undone).tolist() == [4, 5, 6, 7]
    assert recorder.event_positions == [8]


def test_events_are_placed_at_the_begin_of_an_epoch_too():
    scheduler = callbacks.LearningRateScheduler(lambda epoch: 0.4 / (epoch + 1))
    _, recorder, _ = recorded(scheduler)
    assert [event.epoch for event in recorder.events] == [1, 2]
    assert recorder.event_positions == [2, 4]


@pytest.mark.parametrize("others", [[], [callbacks.Warmup(2)]], ids=["alone", "beside a warmup"])
@pytest.mark.parametrize("first", [True, False])
def test_the_end_of_a_stream_is_no_update(others, first):
    data = pytest.importorskip("tensorflow").data.Dataset
    stream = data.from_tensor_slices(unit_gradient.batches(3)).batch(unit_gradient.BATCH)
    model = unit_gradient.build(keras.optimizers.SGD(schedules.LinearDecay(1.0, 20)))
    recorder = callbacks.LearningRateRecorder()
    order = [recorder, *others] if first else [*others, recorder]
    model.fit(stream.filter(lambda x, y: True), epochs=2, callbacks=order, verbose=0)
    applied = unit_gradient.applied(model)
    # TensorFlow begins a step at the end of a stream, in which no weight moves.
    np.testing.assert_allclose(recorder.learning_rate, applied[applied > 0], rtol=1e-5)
    assert recorder.epoch_ends == [3, 6] and not recorder.undone.any()


needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="needs the extra tensorboard"
)


def scalars(path):
    """Returns (tag, step, value) of every scalar of an event file, as TensorBoard reads it."""
    from tensorboard.backend.event_processing import event_accumulator as accumulators
    from tensorboard.util import tensor_util

    everything = {"tensors": 0}
    found = accumulators.EventAccumulator(str(path), size_guidance=everything).Reload()
    return [
        (tag, event.step, tensor_util.make_ndarray(event.tensor_proto).item())
        for tag in found.Tags()["tensors"]
        for event in found.Tensors(tag)
    ]


@needs_tensorboard
def test_tensorboard_gets_every_update_as_soon_as_the_epoch_ends(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    model = unit_gradient.build(keras.optimizers.SGD(schedules.LinearDecay(1.0, 8)))
    recorder = callbacks.LearningRateRecorder(tensorboard=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        unit_gradient.fit(model, 2, 3, [recorder, Interrupt()])
    (path,) = (tmp_path / "run").iterdir()
    assert scalars(path) == [("learning_rate", t, 1 - t / 8) for t in range(4)]
    unit_gradient.fit(model, 2, 1, [recorder])
    assert len(list((tmp_path / "run").iterdir())) == 2


@needs_tensorboard
@unit_gradient.needs_multi_optimizer
def test_tensorboard_gets_one_curve_per_optimizer(tmp_path):
    body, head = (keras.optimizers.SGD(rate, name=n) for rate, n in ((0.5, "body"), (0.25, "head")))
    groups = keras.optimizers.OptimizerMap(body, {"trace_1/.*": head})
    model = unit_gradient.build(keras.optimizers.MultiOptimizer(groups), layers=2)
    unit_gradient.fit(model, 2, 1, [callbacks.LearningRateRecorder(str(tmp_path))])
    (path,) = tmp_path.iterdir()
    expected = [
        (f"learning_rate_{n}", t, r) for n, r in (("body", 0.5), ("head", 0.25)) for t in (0, 1)
    ]
    assert sorted(scalars(path)) == expected


def test_without_tensorboard_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match=r"pip install 'keras_lr\[tensorboard\]'"):
        callbacks.LearningRateRecorder(tensorboard="run")


def test_tensorboard_must_be_a_folder():
    with pytest.raises(ValueError, match="`tensorboard` must be the path of a folder.*Received"):
        callbacks.LearningRateRecorder(tensorboard=True)


def test_plot_draws_what_was_applied_planned_and_changed():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    _, recorder, _ = recorded(unit_gradient.Feed([1.0, 1.0, 1.0]), plateau)
    ax = recorder.plot(figure.subplots())
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert sorted(set(lines["applied"].get_ydata())) == [0.2, 0.4]
    assert lines["change by ReduceLROnPlateau"].get_xdata()[0] == 4
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("update", "learning rate")
    assert [axes.get_ylabel() for axes in figure.axes] == ["learning rate", "loss"]


def test_an_empty_record_is_not_drawn():
    with pytest.raises(ValueError, match="`recorder` must have recorded a fit. Received"):
        callbacks.LearningRateRecorder().plot()
