"""Where runs are made: in this process, in several on this machine, or wherever an executor is.

Each engine has `outcomes(tasks)`, which yields a task and its outcome as runs come to an end.
"""

import collections
import concurrent.futures
import contextlib
import os
import tempfile
import warnings

import keras

from keras_lr import checks
from keras_lr.comparison.apart import KILLED, MOST_DEATHS, work_apart
from keras_lr.comparison.worker import work

# Each run of an executor is sent all arrays anew.
_HEAVY = 10 * 2**20
# Seconds without work after which a worker ends: when the process that sent it was killed, too.
_IDLE = 60


class InProcess:
    """Runs one after the other, on the bench that is there already."""

    def __init__(self, bench):
        self._bench = bench

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bench.close()

    def outcomes(self, tasks):
        for task in tasks:
            yield task, self._bench.make(task)


class Workers:
    """Processes on this machine, started anew and never forked.

    They are given as many runs as they are, so that the end of one takes no other's results along.
    Runs that were under way when a process died are made again one by one, so that the one that
    kills is known.
    """

    def __init__(self, count, package):
        self._count = count
        self._package, self._pool, self._deaths = package, None, collections.Counter()

    def __enter__(self):
        handle, path = tempfile.mkstemp(prefix="keras_lr_", suffix=".plan")
        with open(handle, "wb") as file:
            file.write(self._package.content)
        self._package = self._package._replace(content=None, path=path)
        return self

    def __exit__(self, *exception):
        self._drop(kill=exception[0] is not None)
        with contextlib.suppress(OSError):
            os.unlink(self._package.path)

    def outcomes(self, tasks):
        waiting, running = collections.deque(tasks), {}
        while waiting or running:
            while waiting and len(running) < self._count:
                task = waiting.popleft()
                running[self._submit(task)] = task
            done, _ = concurrent.futures.wait(running, return_when="FIRST_COMPLETED")
            broken = []
            for future in done:
                try:
                    outcome = future.result()
                except concurrent.futures.BrokenExecutor:
                    broken.append(future)
                    continue
                yield running.pop(future), outcome
            if broken:
                # All that were under way have ended with the pool, some of them with a result.
                yield from self._repeated(running)
                running = {}

    def _repeated(self, running):
        suspects = []
        concurrent.futures.wait(running)
        for future, task in running.items():
            if future.exception() is None:
                yield task, future.result()
            elif isinstance(future.exception(), concurrent.futures.BrokenExecutor):
                self._deaths[task] += 1
                suspects.append(task)
            else:
                raise future.exception()
        self._drop()
        for task in suspects:
            yield task, self._alone(task)

    def _alone(self, task):
        while self._deaths[task] < MOST_DEATHS:
            try:
                return self._submit(task).result()
            except concurrent.futures.BrokenExecutor:
                self._deaths[task] += 1
                self._drop()
        return KILLED

    def _submit(self, task):
        for _ in range(2):
            if self._pool is None:
                options = {"timeout": _IDLE, "env": _environment(self._count)}
                self._pool = _loky()(self._count, **options)
            try:
                return self._pool.submit(work, self._package, task)
            except concurrent.futures.BrokenExecutor:
                # A process died between two runs: nothing was lost.
                self._drop()
        raise RuntimeError("Processes cannot be started: they die before their first run.")

    def _drop(self, kill=True):
        if self._pool is not None:
            self._pool.shutdown(wait=not kill, kill_workers=kill)
            self._pool = None


class OnExecutor:
    """An executor of the user's: it knows where runs are made, and repeats those that were lost.

    What else goes on in its processes it does not know: runs are made in children of these.
    """

    def __init__(self, executor, package):
        self._executor, self._package = executor, package
        if len(package.content) > _HEAVY:
            warnings.warn(
                f"Each run is sent {len(package.content) / 2**20:.0f} MB: give `data` as functions "
                "that load it where they run.",
                stacklevel=4,
            )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """The executor is the user's, who ends it."""

    def outcomes(self, tasks):
        futures = {self._executor.submit(work_apart, self._package, task): task for task in tasks}
        try:
            for future in concurrent.futures.as_completed(futures):
                error = future.exception()
                # What Dask says of a run that took three of its workers with it.
                if type(error).__name__ == "KilledWorker":
                    yield futures[future], KILLED
                else:
                    yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()


def check(workers, executor):
    """Returns the number of workers; raises ValueError for what is no engine, or two of them."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        checks.refuse(
            "executor", "a concurrent.futures.Executor, such as Dask's, or None", executor
        )
    if workers is not None and executor is not None:
        checks.refuse("workers", "None where an executor is given", workers)
    if workers is not None:
        workers = checks.COUNT("workers", workers)
        _loky()
    return workers


def _loky():
    try:
        from joblib.externals.loky import ProcessPoolExecutor
    except ImportError as error:
        raise ImportError(
            "workers=… needs joblib, which is not installed: pip install 'keras_lr[workers]'"
        ) from error
    return ProcessPoolExecutor


def _environment(count):
    """Returns the variables of a worker: the back end, and its share of cores and of a GPU."""
    threads = str(max(1, (os.cpu_count() or 1) // count))
    names = "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
    found = {name: os.environ.get(name, threads) for name in names}
    found |= {"KERAS_BACKEND": keras.config.backend(), "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    return found | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
