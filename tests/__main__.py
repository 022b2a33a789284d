"""The whole suite, once per back end in a process of its own: Keras fixes its back end at import.

`python -m tests` runs on every back end that is installed, `python -m tests jax` on one of them;
what else is given goes to pytest: `python -m tests jax -k plateau`.
"""

import importlib.util
import os
import subprocess
import sys
import time

BACKENDS = ("tensorflow", "jax", "torch")


def main(arguments):
    chosen = [name for name in BACKENDS if name in arguments]
    options = [argument for argument in arguments if argument not in BACKENDS]
    installed = [name for name in BACKENDS if importlib.util.find_spec(name) is not None]
    failed = []
    for backend in chosen or installed:
        print(f"\n== {backend} ==", flush=True)
        begin = time.perf_counter()
        # Notebooks are executed on the default back end only.
        marks = [] if backend == BACKENDS[0] else ["-m", "not notebook"]
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if backend == "torch":
            # On shared cores the threads of a tiny step cost ten times the step.
            environment.setdefault("OMP_NUM_THREADS", "1")
        command = [sys.executable, "-m", "pytest", *marks, *options]
        if subprocess.run(command, env=environment).returncode != 0:
            failed.append(backend)
        print(f"== {backend}: {time.perf_counter() - begin:.0f} s ==", flush=True)
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll back ends passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
