"""Real processes, really killed: see benchmarks/store.py for what is counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rescli.store.header import check_digest
from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.store.samples import sample

ROOT = Path(__file__).parents[2]


def test_a_writer_killed_at_random_moments_never_costs_a_store(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.store", "--kills", "15", "--repeats", "0", "--json"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    counted = json.loads(done.stdout)["killing"]
    assert counted.pop("generations") > 0
    assert counted == dict.fromkeys(counted, 0) | {"kills": 15}


WRITE = (
    "import sys, time\n"
    "from rescli.errors import StoreError\n"
    "from rescli.store.writer import write_run\n"
    "from tests.store.samples import sample\n"
    "end, number = time.monotonic() + 1.5, 0\n"
    "while time.monotonic() < end:\n"
    "    try:\n"
    "        write_run(sys.argv[1], sample(number))\n"
    "        number += 1\n"
    "    except StoreError:\n"
    "        pass\n"
    "print(number)\n"
)


def test_two_writers_that_share_no_lock_never_tear_a_store(tmp_path: Path) -> None:
    """As on a network file system whose locks do not reach the other machine."""
    path = tmp_path / "run.h5"
    write_run(path, sample(0))
    command = [sys.executable, "-c", WRITE, str(path)]
    writers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        read_run(path)
        reads += 1
    written = [int(writer.communicate()[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert reads > 10
    assert sum(written) > 0
    check_digest(path)
    check_digest(tmp_path / "run.h5.prev")
    write_run(path, sample(1))
    assert {entry.name for entry in tmp_path.iterdir()} == {"run.h5", "run.h5.prev"}
