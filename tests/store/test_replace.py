"""Replacing a store: whatever fails or dies, and whenever, a complete store is there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rescli.errors import StoreError
from rescli.store import replace as module
from rescli.store.encode import encode
from rescli.store.header import check_digest
from rescli.store.problems import ForeignFile
from rescli.store.reader import read_run
from rescli.store.replace import replace
from rescli.store.writer import write_run
from tests.store.samples import damage, failure, names, sample, saved

STEPS = {"open", "dup", "fchmod", "write", "fsync", "close", "link", "rename", "unlink"}


class Killed(BaseException):
    """The process is gone."""


class Calls:
    """Stands in for the module `os`: counts the system calls that change something and lets one of them misbehave."""

    def __init__(self, misbehave: Callable[[Calls, str, Callable[..., Any], tuple[Any, ...]], Any]) -> None:
        self.count = 0
        self.dead = False
        self.names: list[str] = []
        self.descriptors: set[int] = set()
        self._misbehave = misbehave

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in STEPS:
            return real

        def call(*arguments: Any) -> Any:
            if self.dead:
                raise Killed  # nothing that a dead process would do to clean up is done
            self.count += 1
            self.names.append(name)
            return self._misbehave(self, name, noting, arguments)

        def noting(*arguments: Any) -> Any:
            found = real(*arguments)
            if name in ("open", "dup"):
                self.descriptors.add(found)
            elif name == "close":
                self.descriptors.discard(arguments[0])
            return found

        return call

    def bury(self) -> None:
        """Close what the dead process had open, as the kernel does."""
        for descriptor in self.descriptors:
            os.close(descriptor)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def iteration(path: Path) -> int:
    return int(read_run(path).progress["iteration"])


def previous(path: Path) -> Path:
    return path.with_name("run.h5.prev")


def steps_of_a_replacement(path: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        calls = Calls(lambda calls, name, real, arguments: real(*arguments))
        patch.setattr(module, "os", calls)
        write_run(path, sample(1))
        first = calls.count
        write_run(path, sample(2))
    return calls.count - first


def test_the_previous_generation_is_always_the_one_before(path: Path) -> None:
    write_run(path, sample(0))
    assert names(path) == {"run.h5"}
    for number in range(1, 5):
        write_run(path, sample(number))
        assert (iteration(path), iteration(previous(path))) == (number, number - 1)
        assert names(path) == {"run.h5", "run.h5.prev"}


def test_one_name_each(path: Path) -> None:
    for number in range(3):
        write_run(path, sample(number))
    assert [item.stat().st_nlink for item in (path, previous(path))] == [1, 1]


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_killed_at_every_step(path: Path, done: bool, links: bool) -> None:
    """Die before or after each system call; a store must be readable then, and the next write must succeed."""
    total = steps_of_a_replacement(path) + (
        0 if links else 7
    )  # open, dup, fchmod, write, fsync and two closes of a copy
    assert total >= 9
    for step in range(1, total + 1):
        good = 10 * step
        write_run(path, sample(good - 1))
        write_run(path, sample(good))

        def die(calls: Calls, name: str, real: Any, arguments: Any, step: int = step) -> Any:
            if calls.count == step:
                calls.dead = True
                if done:
                    real(*arguments) if name != "write" else real(arguments[0], arguments[1][:1000])
                raise Killed
            if name == "link" and not links:
                raise OSError(errno.EPERM, "Operation not permitted")
            return real(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "os", calls := Calls(die))
            with pytest.raises(Killed):
                write_run(path, sample(good + 1))
            calls.bury()
        assert iteration(path) in (good, good + 1)
        assert iteration(previous(path)) in (good - 1, good)
        last = iteration(path)
        write_run(path, sample(good + 2))
        assert (iteration(path), iteration(previous(path))) == (good + 2, last)
        assert names(path) == {"run.h5", "run.h5.prev"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EFBIG])
def test_an_error_at_every_step(path: Path, code: int) -> None:
    """Each system call fails once: the store is the old one, or the new one if the call did not matter."""
    total = steps_of_a_replacement(path)
    for step in range(1, total + 1):
        good = 10 * step
        write_run(path, sample(good))

        def fail(calls: Calls, name: str, real: Any, arguments: Any, step: int = step) -> Any:
            if calls.count == step:
                if name == "close":
                    real(*arguments)
                raise OSError(code, os.strerror(code))
            return real(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "os", Calls(fail))
            error = failure(lambda path=path, good=good: write_run(path, sample(good + 1)))  # type: ignore[misc]
        if error is None or "does not confirm" in error.message:
            assert iteration(path) == good + 1
        else:
            assert iteration(path) == good
            assert f"{os.strerror(code)}; the last good store (iteration {good}, saved" in error.message
        if error is not None:
            assert str(path) in error.message
            assert error.hint
        check_digest(previous(path))
        assert len(names(path) - {"run.h5", "run.h5.prev"}) <= 1  # where `unlink` was the call that failed
    write_run(path, sample(1))
    assert names(path) == {"run.h5", "run.h5.prev"}


def test_out_of_memory_keeps_the_old_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(path, sample(1))

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "_written", fail)
    with pytest.raises(StoreError, match="not enough memory; the last good store"):
        write_run(path, sample(2))
    assert iteration(path) == 1


def test_short_writes_are_gone_on_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(calls: Calls, name: str, real: Any, arguments: Any) -> Any:
        return real(arguments[0], arguments[1][:777]) if name == "write" else real(*arguments)

    monkeypatch.setattr(module, "os", Calls(short))
    write_run(path, sample(1))
    assert iteration(path) == 1


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_a_file_system_without_hard_links_gets_a_copy(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def no_links(calls: Calls, name: str, real: Any, arguments: Any) -> Any:
        if name == "link":
            raise OSError(code, os.strerror(code))
        return real(*arguments)

    monkeypatch.setattr(module, "os", Calls(no_links))
    for number in range(3):
        write_run(path, sample(number))
    assert (iteration(path), iteration(previous(path))) == (2, 1)
    assert names(path) == {"run.h5", "run.h5.prev"}


def test_two_names_of_one_file_are_told_apart(path: Path) -> None:
    """After a kill between the two renames the previous generation is the store itself."""
    write_run(path, sample(1))
    os.link(path, previous(path))
    os.link(path, path.with_name("run.h5.prev.12345678.new"))
    write_run(path, sample(2))
    assert (iteration(path), iteration(previous(path))) == (2, 1)
    assert names(path) == {"run.h5", "run.h5.prev"}


def test_a_leftover_that_is_another_name_of_the_store_is_not_written_through(path: Path) -> None:
    write_run(path, sample(1))
    os.link(path, path.with_name("run.h5.12345678.new"))
    write_run(path, sample(2))
    assert (iteration(path), iteration(previous(path))) == (2, 1)
    assert names(path) == {"run.h5", "run.h5.prev"}


def test_the_files_of_other_runs_are_not_swept_away(path: Path) -> None:
    for name in ("run.h5x.1.new", "xrun.h5.1.new", "run.h5.note", "[r]un.h5.1.new"):
        path.with_name(name).touch()
    write_run(path, sample(1))
    assert len(names(path)) == 5


def test_a_damaged_store_does_not_push_out_the_good_generation(path: Path) -> None:
    for number in (1, 2):
        write_run(path, sample(number))
    damage(path, 40)
    write_run(path, sample(3))
    assert (iteration(path), iteration(previous(path))) == (3, 1)


def test_other_files_are_never_overwritten(path: Path) -> None:
    path.write_text("my thesis")
    with pytest.raises(ForeignFile):
        replace(path, encode(sample()))
    assert path.read_text() == "my thesis"


def test_a_link_to_a_store_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    path.symlink_to(tmp_path / "disk" / "real.h5")
    for number in (1, 2):
        write_run(path, sample(number))
    assert path.is_symlink()
    assert iteration(path) == 2
    assert iteration(tmp_path / "disk" / "real.h5.prev") == 1


def test_permissions_are_kept(path: Path) -> None:
    saved(path)
    path.chmod(0o640)
    write_run(path, sample(2))
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory; there is no earlier store") as caught:
        write_run(tmp_path / "missing" / "run.h5", sample())
    assert "folder must exist" in caught.value.hint


def test_a_real_limit_of_the_file_size(path: Path) -> None:
    """`ulimit -f`: the kernel itself refuses the write."""
    write_run(path, sample(1))
    code = (
        "import resource, sys, numpy as np\n"
        "from rescli.errors import StoreError\n"
        "from rescli.store.writer import write_run\n"
        "from tests.store.samples import sample\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    write_run(sys.argv[1], sample(2, model={'big': np.ones(1_000_000)}))\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "File too large; the last good store (iteration 1" in done.stdout
    assert (iteration(path), names(path)) == (1, {"run.h5"})


def test_a_real_limit_of_memory(path: Path) -> None:
    """`ulimit -v`: HDF5 would end the process with a segmentation fault, so it is not even asked."""
    write_run(path, sample(1))
    code = (
        "import resource, sys, psutil, numpy as np\n"
        "from rescli.errors import StoreError\n"
        "from rescli.store.writer import write_run\n"
        "from tests.store.samples import sample\n"
        "record = sample(2, model={str(i): np.ones(1_000) for i in range(3000)})\n"
        "for megabytes in range(10, 60, 5):\n"
        "    used = psutil.Process().memory_info().vms\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used + (megabytes << 20), resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        write_run(sys.argv[1], record)\n"
        "    except StoreError as error:\n"
        "        print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == 10 * f"{path}: the run store could not be built: not enough memory; an earlier one stays\n"
    assert (iteration(path), names(path)) == (1, {"run.h5"})


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, where we may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_really_full_disk(tiny_disk: Path) -> None:
    import numpy as np

    path = tiny_disk / "run.h5"
    write_run(path, sample(1))
    with pytest.raises(StoreError, match="No space left on device; the last good store") as caught:
        write_run(path, sample(2, model={"big": np.ones(1_000_000)}))
    assert "Free some space" in caught.value.hint
    assert iteration(path) == 1
    write_run(path, sample(3))
    assert (iteration(path), iteration(previous(path))) == (3, 1)


def test_damage_in_the_body_does_not_push_out_the_good_generation_either(path: Path) -> None:
    write_run(path, sample(1))
    write_run(path, sample(2))
    damage(path)

    write_run(path, sample(3))

    assert iteration(path) == 3
    assert iteration(previous(path)) == 1
