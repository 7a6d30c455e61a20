"""What docs/run-store.md says, done."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from rescli.store.header import read_header
from rescli.store.record import UNITS
from rescli.store.writer import write_run
from tests.store.samples import sample

PAGE = (Path(__file__).parents[2] / "docs" / "run-store.md").read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    metrics = {"test": {"iteration": np.array([10]), "error": np.array([8.75])}}
    write_run(tmp_path / "run.h5", sample(metrics=metrics))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snippet(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_python_example_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(snippet("python"), names)
    assert "resnet20" in capsys.readouterr().out
    assert isinstance(names["weights"], dict)
    assert set(names["weights"]) == set(sample().model)


def test_the_shell_example_gives_both_digests(folder: Path) -> None:
    done = subprocess.run(["bash", "-c", snippet("bash")], capture_output=True, text=True, check=True)
    of_header, of_image = (line.split()[0] for line in done.stdout.splitlines())
    lines = (folder / "run.h5").read_bytes()[:4096].split(b"\n")
    assert lines[2].decode() == f"sha256 {of_header}"
    assert of_image == read_header(folder / "run.h5").digest
    assert of_header == hashlib.sha256(lines[0] + b"\n" + lines[1] + b"\n").hexdigest()


@pytest.mark.parametrize("column", UNITS)
def test_the_table_of_units_is_that_of_the_code(column: str) -> None:
    assert f"| `{column}` | `{UNITS[column]}` |" in PAGE
