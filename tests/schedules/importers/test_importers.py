"""Translated schedules against the values that Optax and Transformers give themselves."""

import functools
import json
import re

import keras
import numpy as np
import pytest
from support import peer_tables
from support.arrays import to_numpy
from support.backends import compiled
from support.tiers import rest

from keras_lr import schedules
from keras_lr.schedules import LinearDecay, from_optax, from_transformers
from keras_lr.schedules.importers import optax, transformers

# Made by `peer_tables.py`; the first row are versions and updates.
(_, _, STEPS), *ROWS = json.loads(peer_tables.TABLE.read_text())
CALLS = [row[:2] for row in ROWS]
ULP = np.finfo("float32").eps
PEERS = {"optax": optax, "transformers": transformers}
# Transformers' cosines go up again after the end of the run, where ours are held.
RISES = ("cosine(", "cosine_with_min_lr(", "cosine_warmup_with_min_lr(")
FOR_TORCH = ("join", "linear_onecycle", "exponential_decay", "cosine(", "cosine_with_restarts")


@functools.cache
def translated(peer, call):
    def translate(name, **arguments):
        if peer == "optax":
            return from_optax(name, **arguments)
        return from_transformers(name, 0.1, **arguments)

    names = PEERS[peer].TRANSLATIONS
    return eval(call, {name: functools.partial(translate, name) for name in names})


@pytest.mark.parametrize("peer, call, rates", ROWS, ids=[call for _, call in CALLS])
def test_rates_are_the_peers(peer, call, rates):
    schedule, shared = translated(peer, call), len(STEPS)
    if call.startswith(RISES):
        end = int(re.search(r"num_training_steps=(\d+)", call)[1]) - call.startswith("cosine_warm")
        shared = sum(step <= end for step in STEPS)
        assert (schedule.rates(STEPS[shared:]) == schedule.rates([end])).all()
    ours, theirs = schedule.rates(STEPS)[:shared], rates[:shared]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("peer, call", CALLS, ids=[call for _, call in CALLS])
def test_laws(peer, call, accelerator):
    schedule = translated(peer, call)
    text = json.dumps(keras.saving.serialize_keras_object(schedule))
    assert keras.saving.deserialize_keras_object(json.loads(text)) == schedule
    assert eval(repr(schedule), vars(schedules)) == schedule
    host = schedule.rates(STEPS)
    on_device = schedule(keras.ops.convert_to_tensor(STEPS, dtype="int32"))
    np.testing.assert_allclose(to_numpy(on_device), host, rtol=0, atol=2 * ULP * host.max())


@rest
@pytest.mark.parametrize("how", compiled)
def test_compiled(how):
    calls = [c for c in CALLS if keras.config.backend() != "torch" or c[1].startswith(FOR_TORCH)]
    built = [translated(*call) for call in calls]
    function = compiled[how](lambda step: [schedule(step) for schedule in built])
    rates = function(keras.ops.convert_to_tensor(STEPS, dtype="int32"))
    for schedule, compiled_rates in zip(built, rates):
        host = schedule.rates(STEPS)
        np.testing.assert_allclose(
            to_numpy(compiled_rates), host, rtol=0, atol=2 * ULP * host.max()
        )


@pytest.mark.parametrize("peer", PEERS)
def test_every_name_is_in_the_table(peer):
    names = {call.partition("(")[0] for framework, call in CALLS if framework == peer}
    assert names == set(PEERS[peer].TRANSLATIONS)


def test_joined_schedules_may_be_ours_or_functions():
    joined = from_optax("join_schedules", schedules=[LinearDecay(1.0, 4), abs], boundaries=[2])
    assert joined.rates(5).tolist() == [1.0, 0.75, 0.0, 1.0, 2.0]
    alone = from_optax("join_schedules", schedules=[LinearDecay(1.0, 4)], boundaries=[])
    assert alone == LinearDecay(1.0, 4)


def test_the_fixed_end_of_transformers_cosine():
    schedule = from_transformers("cosine", 0.1, 10, 100)
    assert schedule.describe() == "first 0 at update 0, peak 0.1 at update 10, last 0 at update 100"


def optax_error(match, name, **arguments):
    with pytest.raises(ValueError, match=match):
        from_optax(name, **arguments)


def test_optax_refusals():
    optax_error("`name` must be one of constant_schedule, cosine_decay.*name='cosine'", "cosine")
    optax_error("`name` must be one of constant_schedule.*name=None", None)
    line = {"init_value": 0.1, "end_value": 0.0}
    takes = r"must be \(init_value, end_value, transition_steps, transition_begin=0\)"
    optax_error(f"{takes}: missing .* 'transition_steps'", "linear_schedule", **line)
    # Optax logs, and falls back to a constant or to 0.
    optax_error("`decay_steps` must be", "linear_schedule", **line, transition_steps=0)
    line["transition_steps"] = 9
    optax_error(f"{takes}: got an unexpected .* 'steps'", "linear_schedule", **line, steps=9)
    optax_error("`steps` must be .* >= 0", "linear_schedule", **line, transition_begin=-1)
    optax_error("`init.*` must be a finite", "linear_schedule", **{**line, "init_value": "0.1"})
    decay = {"init_value": 0.1, "transition_steps": 9}
    optax_error("`decay_rate` must be .* > 0", "exponential_decay", **decay, decay_rate=0)
    scales = {"init_value": 0.1, "boundaries_and_scales": {10: -1.0}}
    optax_error("must be a finite number >= 0", "piecewise_constant_schedule", **scales)
    scales["interpolate_type"] = "cubic"
    optax_error("must be one of 'linear', 'cosine'", "piecewise_interpolate_schedule", **scales)


def transformers_error(match, name, learning_rate=0.1, *counts, **arguments):
    with pytest.raises(ValueError, match=match):
        from_transformers(name, learning_rate, *counts, **arguments)


def test_transformers_refusals():
    plateau = "follows a metric, .* `keras_lr.callbacks.ReduceLROnPlateau`"
    transformers_error(plateau, "reduce_lr_on_plateau")
    transformers_error("follows the loss, .* name='greedy'", "greedy")
    transformers_error("`name` must be one of constant, .* name='cosinus'", "cosinus")
    transformers_error("`learning_rate` must be .* > 0", "constant", 0.0)
    transformers_error("`num_warmup_steps` must be an integer >= 0", "linear", 0.1, -1, 100)
    transformers_error("`num_training_steps` must be .* >= 1", "linear")
    transformers_error("`num_training_steps` must be .* >= 11.*=10", "linear", 0.1, 10, 10)
    transformers_error(r"must be \(num_cycles=0.5\): got", "cosine", 0.1, 0, 9, num_cycle=1)
    transformers_error("`num_cycles` must be .* > 0", "cosine", 0.1, 0, 9, num_cycles=0)
    transformers_error("must be an integer", "cosine_with_restarts", 0.1, 0, 9, num_cycles=1.5)
    transformers_error("`lr_end` must be .* < 0.1", "polynomial", 0.1, 0, 9, lr_end=0.1)
    both = {"min_lr": 0.0, "min_lr_rate": 0.0}
    transformers_error("`min_lr` must be given, or", "cosine_with_min_lr", 0.1, 0, 9)
    transformers_error("but not both", "cosine_with_min_lr", 0.1, 0, 9, **both)
    ahead = "`num_warmup_steps` must be an integer >= "
    transformers_error(f"{ahead}1", "cosine_warmup_with_min_lr", 0.1, 0, 9, min_lr=0.0)
    low = {"min_lr": 0.0, "warmup_lr_rate": 0.1}
    transformers_error(f"{ahead}2", "cosine_warmup_with_min_lr", 0.1, 1, 9, **low)
    stable = functools.partial(transformers_error, name="warmup_stable_decay")
    stable("missing .* 'num_decay_steps'", num_training_steps=9)
    stable("`num_training_steps` must be .* >= 9.*=8", num_training_steps=8, num_decay_steps=9)
    stable("must be one of 'linear'", num_decay_steps=9, num_stable_steps=0, decay_type="sqrt")
    stable("must be one of 'linear'", num_decay_steps=9, num_stable_steps=0, warmup_type="sqrt")
    stable("`decay_steps` must be", num_decay_steps=0, num_stable_steps=1, decay_type="linear")
