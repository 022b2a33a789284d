"""Runs in other processes: the same results as in this one, whoever is killed meanwhile."""

import concurrent.futures
import json
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import threading
import time

import keras
import pytest
from support.comparisons import (
    BATCH_SIZE,
    DATA,
    EPOCHS,
    build_linear,
    draw_beside,
    killing_above,
)
from support.tiers import once, rest

from keras_lr import compare, schedules
from keras_lr.comparison import apart, engines, worker

OPTIONS = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "seeds": 2, "verbose": 0}
# Processes take seconds to begin, on JAX the fewest, and what they do is the same on all.
on_one = pytest.mark.skipif(keras.config.backend() != "jax", reason="one back end says it all")
OPTIONS |= {"rates": [0.0625, 0.125, 0.25]}
# A comparison in a process of its own, which is killed: its table, as JSON, is its last line.
DRIVER = """
import json, sys
from keras_lr import schedules
from test_engines import compared, results
if __name__ == "__main__":
    workers = int(sys.argv[2]) or None
    print(json.dumps(results(compared(directory=sys.argv[1], workers=workers))))
"""


def compared(named=None, **options):
    named = named or {"linear": schedules.LinearToZero}
    return compare(build_linear, DATA, named, **{**OPTIONS, **options})


def results(found):
    """Returns all that a comparison has found but the times."""
    found = found.to_dict()
    return [[run.pop("seconds") for run in found["runs"]], found][1]


@rest
@on_one
def test_an_executor_makes_the_same_runs_whatever_draws_beside_them():
    loky = pytest.importorskip("joblib.externals.loky")
    beside = {"initializer": draw_beside, "env": {"KERAS_BACKEND": keras.config.backend()}}
    with loky.ProcessPoolExecutor(1, **beside) as executor:
        assert executor.submit(apart.work_apart, *broken()).exception().__notes__
        assert results(compared(executor=executor)) == results(compared())


class Untellable(Exception):
    """An error that no process can send to another."""

    def __init__(self):
        super().__init__("mine")
        self.lock = threading.Lock()


def broken():
    """Returns a plan that nobody can open, and a run of it."""
    return worker.Package("broken", keras.config.backend(), "float32", "float32", b""), None


@once
def test_errors_of_a_run_come_out_of_its_process(monkeypatch):
    outcome, error = pickle.loads(apart._answer(*broken()))
    assert outcome is None and isinstance(error, EOFError)
    assert "in open" in error.__notes__[0]

    def fail(package, task):
        raise Untellable

    monkeypatch.setattr(apart, "work", fail)
    _, error = pickle.loads(apart._answer(*broken()))
    assert type(error) is RuntimeError and "Untellable: mine" in str(error)


@once
def test_a_worker_with_another_back_end_is_refused():
    package = worker.Package("other", "numpy", "float32", "float32", b"")
    with pytest.raises(ValueError, match="KERAS_BACKEND=numpy. Received"):
        worker.work(package, None)


@once
def test_what_cannot_travel_is_refused():
    lock = threading.Lock()
    with pytest.raises(ValueError, match="can be sent to another"):
        compared({"a": lambda peak: [lock, peak][1] * schedules.Constant(1.0)}, workers=1)


def test_heavy_data_are_said():
    package = worker.Package("d", "jax", "float32", "float32", bytes(2**24))
    with pytest.warns(UserWarning, match="Each run is sent 16 MB: give `data` as functions"):
        engines.OnExecutor(None, package)


@rest
@on_one
def test_workers_on_this_machine_make_the_same_runs(tmp_path):
    assert results(compared(workers=2)) == results(compared())


@rest
@on_one
@pytest.mark.parametrize("engine", ["workers", "executor"])
def test_a_run_that_kills_its_worker_three_times_is_left_out_and_said(engine):
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        offered = {"workers": 2, "executor": threads}
        found = compared({"kills": killing_above(0.2)}, **{engine: offered[engine]})
    killed = {(run.name, run.rate) for run in found.runs if run.value != run.value}
    assert killed == {("kills", 0.25)}
    row = next(row for row in found.contestants if row.name == "kills")
    assert row.rate <= 0.125 and row.killed == 0


@rest
@on_one
@pytest.mark.parametrize(("workers", "victim"), [(0, "driver"), (2, "driver"), (2, "worker")])
def test_a_process_is_killed_and_the_table_is_the_same(tmp_path, workers, victim):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    path = tmp_path / "kept" / "results.jsonl"
    process = started(script, path.parent, workers)
    while lines(path) < 8:
        assert process.poll() is None, script.with_suffix(".err").read_text()
        time.sleep(0.02)
    victims = children(process.pid)
    if victim == "driver":
        process.kill()
        for child in victims:
            kill(child)
        process.wait()
        process = started(script, path.parent, workers)
    else:
        kill(victims[0])
    assert process.wait() == 0, script.with_suffix(".err").read_text()
    told = script.with_suffix(".out").read_text()
    assert json.loads(told.splitlines()[-1]) == json.loads(json.dumps(results(compared())))


def started(script, folder, workers):
    here = str(pathlib.Path(__file__).parent)
    path = os.pathsep.join([here, os.environ["PYTHONPATH"]])
    command = [sys.executable, str(script), str(folder), str(workers)]
    # No pipes: what a killed driver has started would hold them open.
    with open(script.with_suffix(".out"), "w") as out, open(script.with_suffix(".err"), "w") as err:
        files = {"stdout": out, "stderr": err}
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, **files)


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def children(pid):
    """Returns the workers of a process."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True)
    rows = [row.split(None, 2) for row in listed.stdout.splitlines()[1:]]
    return [int(row[0]) for row in rows if row[1] == str(pid) and "popen_loky" in row[2]]


def kill(pid):
    os.kill(pid, signal.SIGKILL)


@rest
@on_one
def test_dask_on_two_workers_one_of_which_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m"]
    address = tmp_path / "scheduler.json"
    worker = [*dask, "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard"]
    scheduler = [*dask, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    commands = [[*scheduler, "--no-dashboard"], [*worker, "--no-nanny"], worker]
    processes = []
    try:
        for command in commands:
            at = ["--scheduler-file", str(address)]
            processes.append(subprocess.Popen([*command, *at], cwd=tmp_path, **options))
        with distributed.Client(scheduler_file=str(address), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            path, victim = tmp_path / "kept" / "results.jsonl", processes[1]
            with concurrent.futures.ThreadPoolExecutor(1) as thread:
                pool = client.get_executor(retries=2)
                call = thread.submit(compared, executor=pool, directory=path.parent)
                while lines(path) < 8:
                    assert not call.done(), call.exception()
                    time.sleep(0.02)
                victim.kill()
                found = call.result()
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()
    assert results(found) == results(compared())
