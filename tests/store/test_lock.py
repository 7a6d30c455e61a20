"""One writer at a time, and everybody can see who."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rescli.errors import StoreError
from rescli.store.lock import RunLock, holder
from rescli.store.owner import birth, last_holder

HOLD = (
    "import sys, time\n"
    "from rescli.store.lock import RunLock\n"
    "with RunLock(sys.argv[1], command='rescli train cifar resnet20'):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_told_who_holds_the_run(path: Path) -> None:
    with another_process(path) as process:
        with pytest.raises(StoreError) as caught:
            RunLock(path).acquire()
        assert caught.value.exit_code == 4
        assert f"in use by process {process.pid} of " in caught.value.message
        assert "(rescli train cifar resnet20, since " in caught.value.message
        assert caught.value.hint
        found = holder(path)
        assert found is not None
        assert (found.pid, found.alive) == (process.pid, True)


def test_a_holder_that_python_began_is_shown_as_one_types_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/some/rescli/__main__.py", "train", "cifar"])
    with RunLock(path):
        held = holder(path)
    assert held is not None
    assert held.command == "python -m rescli train cifar"


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    with another_process(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert holder(path) is None
        assert last_holder(path) is not None
        with RunLock(path):
            found = holder(path)
            assert found is not None
            assert found.pid == os.getpid()


def test_a_zombie_holds_nothing(path: Path) -> None:
    with another_process(path) as process:
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet collected
        assert holder(path) is None


def test_the_lock_is_given_back_with_its_facts(path: Path) -> None:
    for _ in range(2):
        with RunLock(path):
            assert holder(path) is not None
        assert holder(path) is None
    assert not path.with_name("run.h5.owner").exists()


def test_two_locks_in_one_process_exclude_each_other(path: Path) -> None:
    with RunLock(path), pytest.raises(StoreError, match="in use"):
        RunLock(path).acquire()


def test_a_link_and_its_target_are_one_run(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.h5"
    link.symlink_to(path)
    with RunLock(path), pytest.raises(StoreError, match="in use"):
        RunLock(link).acquire()


@pytest.mark.parametrize("facts", [b"", b"\xff", b"[]", b"{}", b'{"pid": "x"}', b"[" * 100_000, None])
def test_missing_or_garbled_facts_only_shorten_the_message(path: Path, facts: bytes | None) -> None:
    with another_process(path):
        owner = path.with_name("run.h5.owner")
        owner.unlink() if facts is None else owner.write_bytes(facts)
        assert holder(path) is None
        with pytest.raises(StoreError, match="in use by another process"):
            RunLock(path).acquire()


def facts_of(path: Path, **changes: object) -> None:
    owner = path.with_name("run.h5.owner")
    owner.write_text(json.dumps({**json.loads(owner.read_text()), **changes}))


def test_a_process_number_used_again_is_another_process(path: Path) -> None:
    with RunLock(path):
        facts_of(path, started=1.0, birth="another boot 12")
        assert holder(path) is None


def test_of_another_host_only_the_last_word_is_known(path: Path) -> None:
    with RunLock(path):
        facts_of(path, host="elsewhere")
        found = holder(path)
        assert found is not None
        assert found.alive is None
        assert "on elsewhere" in str(found)
        assert "unknown whether it still runs" in str(found)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be locked for writing: its folder does not exist"):
        RunLock(tmp_path / "missing" / "run.h5").acquire()
    assert not (tmp_path / "missing").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that refuses new files to everybody")
def test_a_folder_that_takes_no_files() -> None:
    with pytest.raises(StoreError, match=r"no lock can be made|cannot be locked"):
        RunLock(Path("/proc/run.h5")).acquire()


def test_a_folder_that_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = RunLock(path)

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lock._lock, "acquire", refuse)
    with pytest.raises(StoreError, match="Permission denied") as caught:
        lock.acquire()
    assert "permissions" in caught.value.hint


def test_facts_that_cannot_be_written_do_not_stop_the_run(path: Path) -> None:
    path.with_name("run.h5.owner").mkdir()
    with RunLock(path):
        assert holder(path) is None


def test_releasing_twice_is_harmless(path: Path) -> None:
    lock = RunLock(path)
    lock.acquire()
    lock.release()
    lock.release()


def test_a_clock_that_is_set_kills_nobody(path: Path) -> None:
    """When a process began is counted from the boot, whose time moves with the clock."""
    with RunLock(path):
        owner = path.with_name("run.h5.owner")
        said = json.loads(owner.read_text())
        assert said["birth"] == birth(os.getpid())
        owner.write_text(json.dumps({**said, "started": said["started"] + 3600}))
        assert holder(path) is not None
        owner.write_text(json.dumps({**said, "birth": "another boot 12"}))
        assert holder(path) is None
        owner.write_text(json.dumps({**said, "birth": None}))
        assert holder(path) is not None


def test_another_process_was_born_at_another_time(path: Path) -> None:
    with another_process(path) as process:
        assert birth(process.pid) not in (None, birth(os.getpid()))
    assert birth(2**22 + 1) is None
