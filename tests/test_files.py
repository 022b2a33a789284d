"""A file is whole or untouched."""

import os
import pathlib
import subprocess
import sys

import pytest
from support.damage import damage

from keras_lr import files
from keras_lr.files import hold, release, sealed, unsealed, write_atomically


def test_the_file_is_as_readable_as_any(tmp_path):
    write_atomically(tmp_path / "ours", b"\x00\xff")
    (tmp_path / "theirs").write_bytes(b"\x00\xff")
    assert (tmp_path / "ours").read_bytes() == b"\x00\xff"
    ours, theirs = ((tmp_path / name).stat().st_mode for name in ("ours", "theirs"))
    assert ours == theirs


def test_a_write_that_is_interrupted_leaves_the_old_file_and_nothing_beside_it(
    tmp_path, monkeypatch
):
    path = tmp_path / "state.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError, match="surrogates"):
        write_atomically(path, "\udcff")
    monkeypatch.setattr("os.fsync", lambda file: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="by zero"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    write_atomically(link, "new")
    assert link.is_symlink() and real.read_text() == "new"
    assert list((tmp_path / "far").iterdir()) == [real]


def test_a_dangling_link_is_written_through(tmp_path):
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real.txt")
    write_atomically(link, "new")
    assert link.is_symlink() and (tmp_path / "real.txt").read_text() == "new"


# Seals


CONTENT = {"epoch": 3, "rate": 0.1, "names": ["a", "é"], "none": None, "inner": {"x": [1e-9, -2]}}


def test_any_flipped_bit_and_any_cut_is_seen():
    line = sealed(CONTENT, "before")
    assert unsealed(line, "before") == CONTENT
    for damaged in damage(line.encode()):
        try:
            found = unsealed(damaged.decode(), "before")
        except ValueError:
            continue
        assert found == CONTENT


def test_a_line_has_its_place():
    with pytest.raises(ValueError, match="the checksum is not that of the content"):
        unsealed(sealed(CONTENT, "before"), "another")
    for text in ("[]", "{}", "3"):
        with pytest.raises(ValueError, match="there is no checksum"):
            unsealed(text)


# One process at a time

OTHER = """
import sys
sys.path.insert(0, sys.argv[2])
from files import hold
try:
    hold(sys.argv[1], "The file", "give it another name")
    print("held", flush=True)
    sys.stdin.read()
except ValueError as error:
    print(error, flush=True)
"""


# Without the package, which imports Keras.
FOLDER = pathlib.Path(files.__file__).parent


def other_process(path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", OTHER, path, FOLDER], **pipes)


def test_another_process_is_refused_until_the_first_lets_go(tmp_path):
    path = tmp_path / ".lock"
    hold(path, "The file", "give it another name")
    hold(path, "The file", "give it another name")  # in the next fit
    said = other_process(path).communicate(timeout=60)[0]
    assert f"The file is in use by process {os.getpid()} on" in said
    assert "wait for the other run to end, stop it, or give it another name." in said
    release(path)
    assert not path.exists()
    release(path)
    assert other_process(path).communicate(timeout=60)[0] == "held\n"


def test_a_process_that_is_killed_holds_nothing(tmp_path):
    path = tmp_path / ".lock"
    other = other_process(path)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match=f"in use by process {other.pid} on"):
        hold(path, "The file", "give it another name")
    other.kill()
    other.communicate()
    assert path.exists()
    hold(path, "The file", "give it another name")
    release(path)
