"""Files that are whole: written in one piece, sealed with a checksum, used by one process."""

import contextlib
import hashlib
import json
import os
import socket
import uuid

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

_SEAL = "checksum"


def write_atomically(path, content):
    """Writes text or bytes to `path` in one replacement: a reader sees the old file or the new one.

    Where `path` is a link, it stays one, and the file that it leads to is replaced.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
    >>> write_atomically(path, "whole")
    >>> path.read_text()
    'whole'
    """
    path = os.path.realpath(path)
    content = content.encode("utf-8") if isinstance(content, str) else content
    # Not with `tempfile`: only their owner may read its files.
    temporary = os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.part")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    write_out(os.path.dirname(path))


def write_out(path):
    """Has the system write a file, or the names in a folder, to the disk, where it can."""
    # Some network file systems refuse a folder, and Windows opens none.
    ignored = contextlib.suppress(OSError) if os.path.isdir(path) else contextlib.nullcontext()
    with ignored:
        file = os.open(path, os.O_RDONLY if fcntl else os.O_RDWR)
        try:
            os.fsync(file)
        finally:
            os.close(file)


# Content with a checksum


def sealed(content, before=""):
    """Returns a dictionary as one line of JSON that ends in a checksum; `before` is part of that.

    >>> line = sealed({"epoch": 3})
    >>> unsealed(line)
    {'epoch': 3}
    >>> unsealed(line.replace("3", "2", 1))
    Traceback (most recent call last):
    ValueError: the checksum is not that of the content
    """
    text = json.dumps(content)
    return f'{text[:-1]}, "{_SEAL}": "{_checksum(text, before)}"}}'


def unsealed(line, before=""):
    """Returns what `sealed` was given; raises ValueError if that is not certain."""
    content = json.loads(line)
    if not isinstance(content, dict) or _SEAL not in content:
        raise ValueError("there is no checksum")
    found = content.pop(_SEAL)
    # Of what was read, not of its letters: every number counts, and no space does.
    if found != _checksum(json.dumps(content), before):
        raise ValueError("the checksum is not that of the content")
    return content


def seal_of(line):
    """Returns the checksum at the end of a sealed line."""
    return json.loads(line)[_SEAL]


def _checksum(text, before):
    return hashlib.blake2b((before + text).encode(), digest_size=8).hexdigest()


# One process at a time

_held: dict = {}


def hold(path, what, instead):
    """Keeps other processes off what the lock file `path` stands for, until `release`.

    The system lets go of it when a process ends, also by a kill; this process may call it again.
    `what` and `instead` go into the message of the ValueError that other processes get.
    """
    key = (os.getpid(), os.path.realpath(path))
    while key not in _held:
        file = open(key[1], "a+b")  # noqa: SIM115
        try:
            _lock(file)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read(200).decode("utf-8", "replace") or "another process"
            file.close()
            raise ValueError(
                f"{what} is in use by {holder}, and two runs would spoil it: wait for the other "
                f"run to end, stop it, or {instead}."
            ) from error
        if _is_at(file, key[1]):
            file.truncate(0)
            file.write(f"process {key[0]} on {socket.gethostname()}".encode())
            file.flush()
            _held[key] = file
        else:
            # The one before has deleted the file between our opening it and our locking it.
            file.close()


def release(path):
    """Lets other processes have what `hold` has kept them off."""
    path = os.path.realpath(path)
    file = _held.pop((os.getpid(), path), None)
    if file is None:
        return
    if fcntl is None:  # Windows deletes no open file.
        file.close()
    with contextlib.suppress(OSError):
        os.unlink(path)
    file.close()


def _lock(file):
    """Locks a file for this process; raises BlockingIOError where another one has."""
    try:
        if fcntl is None:
            # Far beyond the end: what is locked cannot be read.
            file.seek(2**30)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            # Not `flock`, which children would share.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except PermissionError as error:
        raise BlockingIOError from error
    except BlockingIOError:
        raise
    except OSError:
        # A file system without locks: as before there were any.
        return


def _is_at(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
