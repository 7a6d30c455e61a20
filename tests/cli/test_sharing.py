"""A run that several processes want, a disk that is full, and a terminal that someone looks at."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import termios
import time
from pathlib import Path

from benchmarks.kills import same
from rescli.store.reader import read_run, verify
from tests.cli.conftest import Rescli
from tests.cli.processes import PATIENCE, SMALL, Process, run, stored_iteration

RUN = (*SMALL, "--out", "run.h5")


def test_a_second_trainer_is_refused_while_readers_always_see_a_whole_run(
    finished: Path, tmp_path: Path, rescli: Rescli
) -> None:
    path = tmp_path / "run.h5"
    with Process(*RUN, folder=tmp_path) as process:
        process.wait_for_progress(path)
        process.send(signal.SIGSTOP)
        second = run(*RUN, "--resume", folder=tmp_path)
        listed = rescli("runs", "list", tmp_path, "--json").document
        process.send(signal.SIGCONT)
        seen = []
        while process.running:
            shown = rescli("runs", "show", path, "--json")
            assert shown.code == 0, shown.err
            seen.append(shown.document["progress"]["iteration"])
        assert process.wait().code == 0
    assert second.code == 4
    assert str(process.pid) in listed[0]["held_by"]
    message, hint = second.err.splitlines()
    assert message.startswith(f"Error: run.h5: in use by process {process.pid} of ")
    assert "(rescli train cifar " in message
    assert "Wait" in hint
    assert [one["status"] for one in listed] == ["running"]
    assert seen == sorted(seen)
    assert len(set(seen)) > 1, "the reader was meant to see the run move on"
    assert same(read_run(finished), read_run(path)) == []


def test_a_full_disk_leaves_the_last_good_store(finished: Path, stopped: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    shutil.copy(stopped, path)
    before = path.read_bytes()
    ended = run(*RUN, "--resume", folder=tmp_path, largest_file=len(before) // 2)
    assert ended.code == 4
    message, hint = ended.err.splitlines()[-2:]
    assert message.startswith("Error: ")
    assert (
        f"could not be written: File too large; the last good store (iteration {stored_iteration(stopped)}," in message
    )
    assert "ulimit -f" in hint
    assert "Traceback" not in ended.err
    assert path.read_bytes() == before
    verify(path)
    assert [left.name for left in tmp_path.glob("*.new")] == []

    assert run(*RUN, "--resume", folder=tmp_path).code == 0
    assert same(read_run(finished), read_run(path)) == []


def test_a_new_run_on_a_full_disk(tmp_path: Path) -> None:
    ended = run(*RUN, folder=tmp_path, largest_file=100_000)
    assert ended.code == 4
    assert "could not be written: File too large; there is no earlier store" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "run.h5").exists()


def test_a_terminal_gets_a_bar_and_is_left_as_it_was(tmp_path: Path) -> None:
    screen, modes = on_a_terminal(*RUN, "--iterations", "20", folder=tmp_path)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert "20/20" in text
    assert re.search(r" left  train \d+\.\d\d %", text)
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") > 0, "the cursor is hidden and shown again"
    assert modes[0] == modes[1]


def test_an_interrupted_bar_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    screen, modes = on_a_terminal(*RUN, "--iterations", "100000", folder=tmp_path, stop=signal.SIGINT)
    assert screen.rindex("\x1b[?25h") > screen.rindex("\x1b[?25l")
    assert screen.rstrip().endswith("The same command with --resume goes on.")
    assert modes[0] == modes[1]


def on_a_terminal(
    *arguments: str, folder: Path, stop: signal.Signals | None = None
) -> tuple[str, tuple[object, object]]:
    """What a command shows on a terminal, and the terminal's modes before and after."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 40, 160, 0, 0))
    before = termios.tcgetattr(slave)
    seen = b""
    stopped = stop is None
    until = time.monotonic() + PATIENCE
    with Process(*arguments, folder=folder, terminal=os.ttyname(slave)) as process:
        while process.running or select.select([master], [], [], 0)[0]:
            assert time.monotonic() < until
            if select.select([master], [], [], 0.02)[0]:
                seen += os.read(master, 65536)
            if stop is not None and not stopped and stored_iteration(folder / "run.h5") > 0:
                process.send(stop)
                stopped = True
        assert process.wait().code == (0 if stop is None else 128 + stop)
    after = termios.tcgetattr(slave)
    os.close(master)
    os.close(slave)
    return seen.decode(), (before, after)


def test_the_stored_command_is_what_was_typed(finished: Path, rescli: Rescli) -> None:
    shown = rescli("runs", "show", finished, "--json").document
    assert shown["sessions"][0]["command"] == " ".join(("rescli", *SMALL, "--out", "run.h5"))
    assert json.loads(json.dumps(shown)) == shown
