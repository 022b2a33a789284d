"""Two devices, two workers: every copy of the weights moves alike, by base times factors.

Devices and workers have to be there before a back end starts. So each scenario trains in processes
of its own, and what they write down is judged here.
"""

import json
import os
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from support.distribution.cases import BACKEND, CASES
from support.effective_rates import DRAWS, OPTIMIZERS
from support.tiers import rest

pytestmark = rest
SECONDS = 300
TWO_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}

distributes = pytest.mark.skipif(BACKEND == "torch", reason="Keras does not distribute PyTorch")
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="is about tf.distribute")


def run(program, environments, directory):
    """Runs a program in one process per environment, at a time; returns what each wrote down."""
    paths = [os.environ["PYTHONPATH"]]
    common = {**os.environ, "KERAS_BACKEND": BACKEND, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", f"support.distribution.{program}"]
    logs = [directory / f"{index}.log" for index in range(len(environments))]
    written = [log.with_suffix(".json") for log in logs]
    processes = []
    try:
        for log, path, environment in zip(logs, written, environments):
            options = {"env": {**common, **environment}, "stderr": subprocess.STDOUT}
            with log.open("w") as output:
                processes.append(subprocess.Popen([*command, path], stdout=output, **options))
        end = time.monotonic() + SECONDS
        # Of two workers, one that fails leaves the other waiting.
        while time.monotonic() < end and {process.poll() for process in processes} <= {None, 0}:
            if all(process.returncode == 0 for process in processes):
                break
            time.sleep(0.1)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    endings = [process.returncode for process in processes]
    assert not any(endings), f"{program} ended with {endings}:\n" + "\n".join(
        log.read_text(errors="replace") for log in logs
    )
    return [json.loads(path.read_text()) for path in written]


def without_error(outcome):
    assert "error" not in outcome, outcome["error"]
    return outcome


def assert_applied(copies, expected):
    """Every copy was moved alike, and by these rates."""
    assert len(copies) == 2
    assert copies[0] == copies[1]
    np.testing.assert_allclose(copies[0], expected, atol=2e-6)


# Two devices of one process


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory):
    return run("two_devices", [TWO_DEVICES], tmp_path_factory.mktemp("two_devices"))[0]


@distributes
@pytest.mark.parametrize("name", CASES)
def test_both_devices_apply_base_times_factors(on_two_devices, name):
    outcome = without_error(on_two_devices[name])
    assert_applied(outcome["applied"], CASES[name].applied)
    np.testing.assert_allclose(outcome["recorded"], CASES[name].recorded, atol=1e-7)


@distributes
@pytest.mark.parametrize("kind", ["float", "schedule"])
def test_a_second_fit_and_a_saved_model_go_on(on_two_devices, kind):
    outcome, base = without_error(on_two_devices[f"resumed, {kind}"]), OPTIMIZERS[kind][1]
    first = [base(t) * min((t + 1) / 4, 1.0) for t in range(8)]
    assert_applied(outcome["applied"], [*first, 0.8, 0.6, 0.4, 0.2])
    # What was cut at the end of the first fit stays cut.
    assert_applied(outcome["loaded"], [*first, *[0.5 * base(t) for t in range(8, 12)]])


@distributes
def test_a_decision_follows_the_metric_of_all_devices(on_two_devices):
    outcome = without_error(on_two_devices["validation"])
    # One device has -1.6 and the other 8.4: neither is in the band from 2 to 6.
    np.testing.assert_allclose(outcome["val_loss"], [3.4, 2.6], atol=1e-5)
    assert_applied(outcome["applied"], [0.4] * 4 + [0.2] * 4)


@distributes
def test_the_range_test_leaves_nothing_behind_or_says_what_it_needs(on_two_devices):
    outcome = on_two_devices["range test"]
    if BACKEND == "tensorflow":
        assert "`range_test` needs a model on one device" in outcome["error"]
    else:
        assert_applied(without_error(outcome)["applied"], [0.4] * 4)


@on_tensorflow
def test_an_optimizer_from_outside_of_the_scope_is_refused(on_two_devices):
    error = on_two_devices["outside"]["error"]
    assert "must be built inside `strategy.scope()`" in error
    assert "2 times as fast" in error


# What Keras cannot do yet, without anything of ours. Where one of these tests fails, Keras has
# mended it: move the case to those that must work, and strike it from docs/resuming.md.


@on_tensorflow
def test_keras_cannot_accumulate_gradients_on_two_devices(on_two_devices):
    assert "merge_call" in on_two_devices["accumulation"]["error"]


@on_tensorflow
def test_keras_cannot_take_several_steps_at_once_on_two_devices(on_two_devices):
    assert "InvalidArgumentError" in on_two_devices["steps per execution"]["error"]


@on_tensorflow
def test_keras_cannot_fit_on_two_workers(on_two_workers):
    for worker in on_two_workers:
        assert "ValueError: Attempt to convert a value (PerReplica" in worker["fit"]["error"]


@pytest.mark.skipif(BACKEND != "torch", reason="is about PyTorch")
def test_keras_has_no_devices_to_distribute_over_on_torch():
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'list_devices'"):
        keras.distribution.list_devices()


# Two workers, in a training loop of one's own


@pytest.fixture(scope="module")
def on_two_workers(tmp_path_factory):
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    workers = [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        for index in range(2)
    ]
    environments = [{"TF_CONFIG": json.dumps(worker)} for worker in workers]
    return run("two_workers", environments, tmp_path_factory.mktemp("two_workers"))


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def assert_both_applied(workers, name, expected):
    assert_applied([copy for worker in workers for copy in worker[name]["applied"]], expected)


@on_tensorflow
def test_what_the_readme_says_keeps_both_workers_alike(on_two_workers):
    first, second = [worker["readme"] for worker in on_two_workers]
    # Each drew its own data.
    assert first == second


@on_tensorflow
def test_both_workers_follow_a_schedule(on_two_workers):
    expected = [0.1, 0.2, 0.3, 0.4, 0.4, 0.38, 0.36, 0.34]
    assert_both_applied(on_two_workers, "schedule", expected)


@on_tensorflow
def test_both_workers_draw_the_same_random_rates(on_two_workers):
    expected = [0.1 + 0.2 * DRAWS[t // 2] for t in range(8)]
    assert_both_applied(on_two_workers, "random", expected)


@on_tensorflow
def test_both_workers_decide_alike_on_the_mean_of_their_losses(on_two_workers):
    assert_both_applied(on_two_workers, "decisions", [0.4] * 4 + [0.2] * 2 + [0.1] * 2)
    # Each by its own loss, one would never have cut.
    assert [worker["decisions"]["alone"] for worker in on_two_workers] == [1.0, 0.25]
