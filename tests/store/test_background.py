"""Writing behind the training loop."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rescli.errors import StoreError
from rescli.store import writer as module
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from rescli.store.writer import BackgroundWriter, write_run
from tests.store.samples import sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def test_everything_submitted_is_written_in_order(path: Path) -> None:
    with BackgroundWriter(path) as writer:
        for number in range(5):
            writer.submit(sample(number))
        writer.flush()
        assert read_run(path).progress["iteration"] == 4
        assert read_run(path.with_name("run.h5.prev")).progress["iteration"] == 3
        assert writer.seconds > 0
        assert not writer.failed()


def test_leaving_the_block_waits_for_the_last_write(path: Path) -> None:
    with BackgroundWriter(path) as writer:
        writer.submit(sample(7))
    assert read_run(path).progress["iteration"] == 7


def test_training_may_go_on_in_the_memory_of_the_arrays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def late(path: Path, record: RunRecord) -> None:
        go.wait(10)
        write_run(path, record)

    monkeypatch.setattr(module, "write_run", late)
    weights = np.ones(100, np.float32)
    with BackgroundWriter(path) as writer:
        writer.submit(sample(1, model={"w": weights}))
        weights += 1
        go.set()
    assert (read_run(path).model["w"] == 1).all()


def test_at_most_one_write_is_in_flight(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = [0, 0]

    def count(path: Path, record: RunRecord) -> None:
        running[0] += 1
        running[1] = max(running)
        write_run(path, record)
        running[0] -= 1

    monkeypatch.setattr(module, "write_run", count)
    with BackgroundWriter(path) as writer:
        for number in range(10):
            writer.submit(sample(number))
    assert running == [0, 1]


def test_a_failed_write_is_raised_at_the_next_occasion_and_once(tmp_path: Path) -> None:
    with BackgroundWriter(tmp_path / "missing" / "run.h5") as writer:
        writer.submit(sample())
        with pytest.raises(StoreError, match="No such file"):
            writer.submit(sample())
        writer.flush()
        writer.submit(sample())
        with pytest.raises(StoreError):
            writer.flush()
        assert not writer.failed()


def test_a_failed_write_is_raised_when_the_block_ends(tmp_path: Path) -> None:
    with pytest.raises(StoreError), BackgroundWriter(tmp_path / "missing" / "run.h5") as writer:
        writer.submit(sample())


def test_a_failed_write_does_not_hide_the_error_that_ended_the_block(tmp_path: Path) -> None:
    def work() -> None:
        with BackgroundWriter(tmp_path / "missing" / "run.h5") as writer:
            writer.submit(sample())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()


@pytest.mark.parametrize("ending", ["pass", "raise SystemExit(0)", "sys.exit()"])
def test_the_interpreter_ends_after_the_last_write(path: Path, ending: str) -> None:
    code = (
        "import sys\n"
        "from rescli.store.writer import BackgroundWriter\n"
        "from tests.store.samples import sample\n"
        f"BackgroundWriter(sys.argv[1]).submit(sample(5))\n{ending}\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=30)
    assert read_run(path).progress["iteration"] == 5


def test_several_runs_may_write_at_the_same_moment(tmp_path: Path) -> None:
    """As several seeds at once do: HDF5 refuses two files in memory of one name."""
    writers = [BackgroundWriter(tmp_path / f"{number}.h5") for number in range(4)]
    for round_ in range(5):
        for number, writer in enumerate(writers):
            writer.submit(sample(10 * number + round_))
    for number, writer in enumerate(writers):
        writer.flush()
        assert read_run(writer.path).progress["iteration"] == 10 * number + 4
