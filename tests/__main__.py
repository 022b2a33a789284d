"""The whole suite, once per back end in a process of its own: Keras fixes its back end at import.

`python -m tests` runs on every back end that is installed, two at a time where there are two cores;
`python -m tests jax` on one of them; what else is given goes to pytest: `python -m tests jax -k
plateau`.
"""

import concurrent.futures
import importlib.util
import os
import subprocess
import sys
import time

BACKENDS = ("tensorflow", "jax", "torch")


def run(backend, options, mark=""):
    """Runs the suite on one back end, each line it prints behind `mark`; returns its status."""
    begin = time.perf_counter()
    # Notebooks are executed on the default back end only.
    marks = [] if backend == BACKENDS[0] else ["-m", "not notebook"]
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONUNBUFFERED"] = "1"
    if backend == "torch":
        # On shared cores the threads of a tiny step cost ten times the step.
        environment.setdefault("OMP_NUM_THREADS", "1")
    command = [sys.executable, "-m", "pytest", *marks, *options]
    say(f"{mark}== {backend} ==\n")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, errors="replace", **pipes) as process:
        for line in process.stdout:
            say(mark + line)
    say(f"{mark}== {backend}: {time.perf_counter() - begin:.0f} s ==\n")
    return process.returncode


def say(line):
    # In one piece, or two suites would meet within a line.
    sys.stdout.write(line)
    sys.stdout.flush()


def main(arguments):
    chosen = [name for name in BACKENDS if name in arguments]
    options = [argument for argument in arguments if argument not in BACKENDS]
    installed = [name for name in BACKENDS if importlib.util.find_spec(name) is not None]
    chosen = chosen or installed
    # The suites are single-threaded for the most part.
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 3)) as pool:
        marks = [f"{name}: " if len(chosen) > 1 else "" for name in chosen]
        statuses = list(pool.map(run, chosen, [options] * len(chosen), marks))
    failed = [name for name, status in zip(chosen, statuses) if status != 0]
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll back ends passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
