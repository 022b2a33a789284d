"""The suite, once per back end in a process of its own: Keras fixes its back end at import.

`python -m tests` runs the quick tier on every back end that is installed, two at a time where there
are two cores. `python -m tests --rest` runs what that leaves out: full matrices, processes that are
killed, distribution, the notebooks. `python -m tests jax` keeps to one back end; other options go
to pytest, and select from both tiers: `python -m tests jax -k plateau`.
"""

import concurrent.futures
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
# The longest first.
BACKENDS = ("tensorflow", "jax", "torch")
# Keras' default; notebooks are executed on no other.
DEFAULT = "tensorflow"
# Tests train the same few networks: most of what JAX compiles in the rest, the quick tier has.
COMPILED = ROOT / ".pytest_cache" / "jax"
# A line of dots, none of them a failure.
PROGRESS = re.compile(r"[.sx]+ +\[ *(\d+)%\]$")


def jobs(chosen, rest, options):
    """Returns what is to be run: a label, a back end, and the options of pytest."""
    if options:
        tier = ["-m", "rest"] if rest else []
        return [(name, name, [*tier, *options]) for name in chosen]
    tier = "rest and not notebook" if rest else "not rest"
    found = [(name, name, ["-m", tier]) for name in chosen]
    # They take as long as a back end.
    notebooks = ("notebooks", DEFAULT, ["-m", "notebook", "tests/project/test_notebooks.py"])
    return [notebooks, *found] if rest and DEFAULT in chosen else found


def run(label, backend, options, mark=""):
    """Runs pytest on one back end, what it prints behind `mark`; returns its status and seconds."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "pytest", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    pipes |= {"env": environment(backend), "errors": "replace"}
    say(f"{mark}== {label} ==\n")
    told = 0
    with subprocess.Popen(command, **pipes) as process:
        for line in process.stdout:
            progress = PROGRESS.match(line)
            if progress is None:
                say(mark + line)
            elif int(progress[1]) >= told + 25:
                told = int(progress[1])
                say(f"{mark}{told} %\n")
    seconds = time.perf_counter() - begin
    say(f"{mark}== {label}: {seconds:.0f} s ==\n")
    return process.returncode, seconds


def environment(backend):
    """Returns the variables of a job."""
    found = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    found["PYTHONUNBUFFERED"] = "1"
    if backend == "torch":
        # On shared cores the threads of a tiny step cost ten times the step.
        found.setdefault("OMP_NUM_THREADS", "1")
    if backend == "jax":
        found |= {
            "JAX_COMPILATION_CACHE_DIR": str(COMPILED),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return found


def say(line):
    # In one piece, or two jobs would meet within a line.
    sys.stdout.write(line)
    sys.stdout.flush()


def main(arguments):
    chosen = [name for name in BACKENDS if name in arguments]
    options = [a for a in arguments if a not in BACKENDS and a != "--rest"]
    installed = [name for name in BACKENDS if importlib.util.find_spec(name) is not None]
    todo = jobs(chosen or installed, "--rest" in arguments, options)
    begin = time.perf_counter()
    # Jobs are single-threaded for the most part.
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 3)) as pool:
        marks = [f"{label}: " if len(todo) > 1 else "" for label, *_ in todo]
        results = list(pool.map(run, *zip(*todo), marks))
    print()
    for (label, *_), (status, seconds) in zip(todo, results):
        # Less than 0: the number of the signal that ended it.
        print(f"{label:<12}{seconds:5.0f} s  {f'FAILED, status {status}' if status else 'passed'}")
    print(f"{'total':<12}{time.perf_counter() - begin:5.0f} s")
    return int(any(status for status, _ in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
