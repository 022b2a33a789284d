"""A file is whole or untouched."""

import pytest

from keras_lr.files import write_atomically


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
