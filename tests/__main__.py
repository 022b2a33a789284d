"""The whole suite, once per back end in a process of its own: Keras fixes its back end at import.

`python -m tests` runs on every back end that is installed, and executes the notebooks, two of these
at a time where there are two cores; `python -m tests jax` on one of them; what else is given goes
to pytest: `python -m tests jax -k plateau`.
"""

import concurrent.futures
import importlib.util
import os
import subprocess
import sys
import tempfile
import time

BACKENDS = ("tensorflow", "jax", "torch")


def jobs(chosen, options):
    """Returns what is to be run: a label, a back end, and the options of pytest."""
    default, *others = BACKENDS
    without = ["-m", "not notebook"]
    found = [(name, name, [*without, *options]) for name in others if name in chosen]
    if default in chosen:
        # Notebooks are executed on the default back end only, and take as long as a suite.
        alone = ("notebooks", default, ["-m", "notebook", "tests/project/test_notebooks.py"])
        found[1:1] = [] if options else [alone]
        found.insert(0, (default, default, options or without))
    return found


def run(label, backend, options, mark=""):
    """Runs pytest on one back end, each line it prints behind `mark`; returns its status."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "pytest", *options]
    say(f"{mark}== {label} ==\n")
    with tempfile.TemporaryDirectory() as compiled:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        pipes["env"] = environment(backend, compiled)
        with subprocess.Popen(command, errors="replace", **pipes) as process:
            for line in process.stdout:
                say(mark + line)
    say(f"{mark}== {label}: {time.perf_counter() - begin:.0f} s ==\n")
    return process.returncode


def environment(backend, compiled):
    """Returns the variables of a suite; JAX keeps in the folder `compiled` what it compiles."""
    found = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    found["PYTHONUNBUFFERED"] = "1"
    if backend == "torch":
        # On shared cores the threads of a tiny step cost ten times the step.
        found.setdefault("OMP_NUM_THREADS", "1")
    if backend == "jax":
        # Tests train the same few networks: most of what they compile was compiled before.
        found |= {
            "JAX_COMPILATION_CACHE_DIR": compiled,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return found


def say(line):
    # In one piece, or two suites would meet within a line.
    sys.stdout.write(line)
    sys.stdout.flush()


def main(arguments):
    chosen = [name for name in BACKENDS if name in arguments]
    options = [argument for argument in arguments if argument not in BACKENDS]
    installed = [name for name in BACKENDS if importlib.util.find_spec(name) is not None]
    todo = jobs(chosen or installed, options)
    # The suites are single-threaded for the most part.
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 3)) as pool:
        marks = [f"{label}: " if len(todo) > 1 else "" for label, *_ in todo]
        statuses = list(pool.map(run, *zip(*todo), marks))
    failed = [label for (label, *_), status in zip(todo, statuses) if status != 0]
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
