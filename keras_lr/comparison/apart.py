"""Runs in a process where nothing else runs: a child of the one that an executor chose.

A run draws from the global generators of Python and NumPy. Where other threads live, as in a worker
of Dask, one that draws too would change the run. A child is kept for the runs that follow; it ends
with the process that it belongs to.
"""

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import traceback

from keras_lr.comparison.protocol import Outcome
from keras_lr.comparison.worker import work

MOST_DEATHS = 3
KILLED = Outcome(None, {}, killed=True)
# What anything prints goes where errors go: nothing but answers may come out of a child.
_CHILD = (
    "import os, sys; out = os.dup(1); os.dup2(2, 1); sys.path[:] = {path!r}; "
    "from keras_lr.comparison.apart import serve; serve(out)"
)
# Children that wait for a run. Executors may have several threads, which each need one.
_idle: list = []


def work_apart(package, task):
    """Makes a run in a child of this process; if that dies, it is tried again, `MOST_DEATHS` times.

    Raises what the run raised.
    """
    for _ in range(MOST_DEATHS):
        child = _waiting() or _started()
        try:
            outcome, error = _asked(child, package, task)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            _end(child)
            continue
        except BaseException:
            # Nobody waits for its answer any more.
            _end(child)
            raise
        _idle.append(child)
        if error is not None:
            raise error
        return outcome
    return KILLED


def serve(out):
    """Answers runs that come in, until the other end is closed."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(out, "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    while True:
        try:
            package, task = pickle.load(asked)
        except EOFError:
            return
        answers.write(_answer(package, task))
        answers.flush()


def _answer(package, task):
    """Returns the bytes of a run's outcome and its error, one of which is None."""
    import cloudpickle

    try:
        return pickle.dumps((work(package, task), None))
    except Exception as error:
        error.add_note(f"In the process that made the run:\n{traceback.format_exc()}")
        with contextlib.suppress(Exception):
            content = cloudpickle.dumps((None, error))
            pickle.loads(content)
            return content
        # An error that cannot travel.
        return pickle.dumps((None, RuntimeError(traceback.format_exc())))


def _asked(child, package, task):
    pickle.dump((package, task), child.stdin)
    child.stdin.flush()
    return pickle.load(child.stdout)


def _started():
    command = [sys.executable, "-c", _CHILD.format(path=sys.path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _waiting():
    """Returns a child that waits, or None. Two threads cannot be given the same one."""
    while True:
        try:
            child = _idle.pop()
        except IndexError:
            return None
        if child.poll() is None:
            return child
        _end(child)


def _end(child):
    child.kill()
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):
            pipe.close()
    child.wait()


@atexit.register
def _end_all():
    while _idle:
        _end(_idle.pop())
