"""SIGKILL at random moments, the short form of `python -m benchmarks.kills`: same bits, and never an unreadable store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.kills import experiment, parse
from tests.cli.processes import call


def _experiment(arguments: list[str], report: Path) -> None:
    report.write_text(json.dumps(experiment(parse(arguments))))


@pytest.mark.parametrize(("precision", "kills"), [("fp32", 10), ("bf16", 3)])
def test_killed_at_random_moments_a_run_ends_with_the_same_bits(precision: str, kills: int, tmp_path: Path) -> None:
    if precision == "bf16":
        from rescli.backends.cpu import CpuBackend

        if CpuBackend().precision("auto") != "bf16":
            pytest.skip("this processor has no bf16")
    report = tmp_path / "report.json"
    arguments = ["--kills", str(kills), "--iterations", "12", "--precision", precision]
    call(_experiment, arguments, report)
    found = json.loads(report.read_text())
    assert found["kills"] >= kills
    assert found["finished_runs"] >= 1
    assert found["reads_meanwhile"] > 0
    assert (found["different"], found["unreadable_after_kill"], found["unreadable_meanwhile"]) == ([], [], [])
