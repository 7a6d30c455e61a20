"""Half-written files beside a store or a figure: whose they are, and who removes them."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rescli.errors import StoreError
from rescli.store import replace as module
from rescli.store.writer import write_run
from tests.store.samples import failure, names, sample


def test_the_half_written_files_of_other_runs_are_left_alone(tmp_path: Path) -> None:
    """Also those of a run whose name begins like this one's."""
    others = [
        tmp_path / name for name in ("run.h5.0123abcd.new", "run.h5.prev.0123abcd.new", "run.new", "run.notes.new")
    ]
    ours = [tmp_path / name for name in ("run.0123abcd.new", "run.prev.0123abcd.new")]
    for path in (*others, *ours):
        path.write_bytes(b"half")

    write_run(tmp_path / "run", sample())

    assert all(path.exists() for path in others)
    assert not any(path.exists() for path in ours)


def test_two_writers_of_one_file_leave_one_anothers_unfinished_ones_alone(tmp_path: Path) -> None:
    """Figures and documents have no lock: the last one wins, and nobody fails."""
    target, failed = tmp_path / "figure.svg", list[StoreError]()

    def write(text: bytes) -> None:
        for _ in range(150):
            error = failure(lambda: module.install(target, text, keep=None))
            failed.extend([error] if error else [])

    writers = [threading.Thread(target=write, args=(text,)) for text in (b"one", b"two", b"three")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failed
    assert target.read_bytes() in (b"one", b"two", b"three")
    assert names(target) == {"figure.svg"}


def test_a_new_file_that_is_swept_away_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:
            assert module.sweep(tmp_path / "a.csv") == []
        real(descriptor, operation)

    new = tmp_path / "a.csv.0123abcd.new"
    monkeypatch.setattr(fcntl, "flock", late)
    os.close(module.create(new))
    assert calls == [fcntl.LOCK_EX, fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_EX]
    assert new.exists()


def test_what_others_are_at_work_on_stays_where_it_may_only_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half-written file of another user, or one in place of a read-only file."""
    target, new = tmp_path / "p.h5", tmp_path / "p.h5.0123abcd.new"
    real = os.open

    def refusing(flags: int) -> Callable[..., int]:
        def refused(path: Any, how: int, *mode: Any, **more: Any) -> int:
            if Path(path) == new and how & os.O_ACCMODE in (os.O_RDWR, flags) and not how & os.O_CREAT:
                raise PermissionError(13, "Permission denied")
            return real(path, how, *mode, **more)

        return refused

    writer = module.create(new)
    monkeypatch.setattr(os, "open", refusing(os.O_RDWR))
    assert module.sweep(target) == [new]

    def not_for_reading(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", not_for_reading)  # as NFS answers
        assert module.sweep(target) == [new]
    os.close(writer)
    monkeypatch.setattr(os, "open", refusing(os.O_RDONLY))
    assert module.sweep(target) == [new], "nobody knows"
    monkeypatch.setattr(os, "open", refusing(os.O_RDWR))
    assert module.sweep(target) == []
    assert not new.exists()


def test_what_another_user_has_left_in_a_shared_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp, where one may write, and remove only what is one's own."""
    target, theirs = tmp_path / "figure.svg", tmp_path / "figure.svg.0123abcd.new"
    theirs.write_bytes(b"half")
    real = os.unlink

    def refusing(path: Any, *more: Any) -> None:
        if Path(path) == theirs:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        real(path, *more)

    monkeypatch.setattr(os, "unlink", refusing)
    module.install(target, b"whole", keep=None)
    assert (target.read_bytes(), theirs.exists()) == (b"whole", True)
    assert module.sweep(target) == [], "nobody is at work on it"
