"""Writing files in one piece: a file is complete or untouched."""

import os
import uuid


def write_atomically(path, content):
    """Writes text or bytes to `path` in one replacement: a reader sees the old file or the new one.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
    >>> write_atomically(path, "whole")
    >>> path.read_text()
    'whole'
    """
    path = os.fspath(path)
    content = content.encode("utf-8") if isinstance(content, str) else content
    # Not with `tempfile`: only their owner may read its files.
    temporary = os.path.join(os.path.dirname(path) or ".", f".{uuid.uuid4().hex}.part")
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
