"""Results on the disk: a line of JSON for each run, written and out on the disk when it has ended.

Only the process that drives the experiment writes. The first line says what was trained on what;
a line that was torn by the end of the process is no result.
"""

import contextlib
import os

from keras_lr import checks, files
from keras_lr.comparison.protocol import Outcome

_NAME, _LOCK = "results.jsonl", "results.lock"


class ResultsFile:
    """The results of earlier calls and of this one, by key.

    `identity` is a dictionary that says what the results belong to. Raises ValueError where the
    folder has results of something else, is in use, or cannot be written to.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with ResultsFile(folder, {"model": "a"}) as results:
    ...     results.add("k1", Outcome(0.5, {"loss": 0.5}), {"name": "linear"})
    >>> with ResultsFile(folder, {"model": "a"}) as results:
    ...     results.get("k1").value
    0.5
    >>> ResultsFile(folder, {"model": "b"}).__enter__()
    Traceback (most recent call last):
    ValueError: `directory` must be ... with the same model as now. Received: ...
    """

    def __init__(self, directory, identity):
        self._identity, self._found, self._file = identity, {}, None
        required = "the path of a folder"
        self._folder = checks.path("directory", directory, required)

    def __enter__(self):
        path = os.path.join(self._folder, _NAME)
        try:
            os.makedirs(self._folder, exist_ok=True)
            lock = os.path.join(self._folder, _LOCK)
            files.hold(lock, f"The folder {self._folder}", "give another directory=")
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise ValueError(
                "`directory` must be a folder that can be written to. Received: "
                f"directory={self._folder!r}: {error}"
            ) from error
        try:
            self._read(path)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        os.close(self._file)
        files.release(os.path.join(self._folder, _LOCK))

    def get(self, key):
        """Returns the outcome under a key, or None."""
        return self._found.get(key)

    def add(self, key, outcome, about):
        """Writes an outcome, with what a reader of the file wants to know about it."""
        self._found[key] = outcome
        self._write({"key": key, **about, **outcome._asdict()})

    def _read(self, path):
        with open(path, "rb") as file:
            content = file.read()
        lines = []
        for line in content.splitlines():
            # A torn line, or one that something else has damaged: its run is made again.
            with contextlib.suppress(ValueError):
                lines.append(files.unsealed(line.decode("utf-8")))
        if content and not content.endswith(b"\n"):
            self._put(b"\n")
        if lines and "identity" in lines[0]:
            self._check(lines[0]["identity"])
        elif any("key" in line for line in lines):
            raise ValueError(
                f"{path} must begin with what its results belong to, and its first line is "
                "damaged. Give another directory=, or delete the file to measure all anew."
            )
        else:
            self._write({"identity": self._identity})
        for line in lines:
            if "key" in line:
                fields = {name: line[name] for name in Outcome._fields if name in line}
                self._found[line["key"]] = Outcome(**fields)

    def _check(self, identity):
        changed = [name for name, value in self._identity.items() if identity.get(name) != value]
        if changed:
            what = " and ".join(changed)
            raise ValueError(
                f"`directory` must be new, or have results with the same {what} as now. Received: "
                f"directory={self._folder!r}, whose results were made with another {what}"
            )

    def _write(self, content):
        self._put((files.sealed(content) + "\n").encode("utf-8"))

    def _put(self, line):
        while line:
            line = line[os.write(self._file, line) :]
        os.fsync(self._file)


class NoFile:
    """The same where nothing is kept."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def get(self, key):
        """Returns None."""

    def add(self, key, outcome, about):
        """Keeps nothing."""
