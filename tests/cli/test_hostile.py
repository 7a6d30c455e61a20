"""Files that are no run stores, given to every command that takes one: one clear line, at most one hint, exit 4."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from rescli.store.header import HEADER_BYTES
from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.analysis.runs import a_run
from tests.cli.conftest import Rescli, Result
from tests.cli.processes import stored_iteration
from tests.store.samples import damage, sample

COMMANDS = {
    "show": ("runs", "show"),
    "verify": ("runs", "verify"),
    "export": ("runs", "export"),
    "eval": ("eval",),
    "resume": ("train", "cifar", "--dataset", "synthetic", "--depth", "8", "--threads", "1", "--resume", "--out"),
}


def _other_program(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = 1


def _newer(path: Path) -> None:
    lines = b"rescli run store 9\nsomething else altogether\n"
    text = lines + b"sha256 " + hashlib.sha256(lines).hexdigest().encode() + b"\n"
    path.write_bytes(text.ljust(HEADER_BYTES, b"\0") + b"\x89HDF\r\n\x1a\n")


FILES: dict[str, tuple[Callable[[Path, bytes], object], str]] = {
    "missing": (lambda path, good: None, "there is no such file"),
    "empty": (lambda path, good: path.touch(), "the file is empty"),
    "text": (lambda path, good: path.write_text("iteration,loss\n1,2.3\n"), "not a run store"),
    "truncated": (lambda path, good: path.write_bytes(good[:-1000]), "truncated"),
    "other program": (lambda path, good: _other_program(path), "another program"),
    "newer": (lambda path, good: _newer(path), "newer rescli (schema 9"),
    "folder": (lambda path, good: path.mkdir(), "is a folder"),
}


def told(result: Result) -> str:
    """The one line that says what is wrong."""
    assert result.code == 4, result
    assert result.out == ""
    lines = result.err.splitlines()
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("Error: ")
    assert result.err.count("Error: ") == 1
    return lines[0]


@pytest.mark.parametrize(
    ("case", "command"),
    [
        (case, command) for case in FILES for command in COMMANDS if (case, command) != ("missing", "resume")
    ],  # begins a run
)
def test_a_file_that_is_no_run_store(case: str, command: str, finished: Path, tmp_path: Path, rescli: Rescli) -> None:
    make, words = FILES[case]
    path = tmp_path / "it.h5"
    make(path, finished.read_bytes())
    before = path.read_bytes() if path.is_file() else None
    done = rescli(*COMMANDS[command], path)
    if command == "eval" and case in ("empty", "text", "other program"):  # it might have been weights from elsewhere
        assert done.code == (1 if case == "other program" else 3)
        assert str(path) in done.err
    else:
        line = told(done)
        assert str(path) in line
        assert words in line
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_flipped_byte_is_noticed_and_the_way_back_is_offered(
    command: str, finished: Path, tmp_path: Path, rescli: Rescli
) -> None:
    path = tmp_path / "it.h5"
    shutil.copy(finished, path)
    shutil.copy(f"{finished}.prev", f"{path}.prev")
    kept = stored_iteration(finished.with_name("run.h5.prev"))
    damage(path)
    result = rescli(*COMMANDS[command], path)
    assert "do not match their digest" in told(result)
    hint = result.err.splitlines()[1]
    assert hint.startswith(f"`rescli runs restore {path}` puts back the previous generation (iteration {kept},")

    restored = rescli(*hint.split("`")[1].split()[1:])
    assert (restored.code, restored.err) == (0, "")
    assert restored.out.startswith(f"{path}: restored, iteration {kept}")
    assert rescli("runs", "verify", path).code == 0
    assert path.with_name("it.h5.damaged").exists()


def test_a_list_goes_on_after_a_file_that_cannot_be_read(finished: Path, tmp_path: Path, rescli: Rescli) -> None:
    shutil.copy(finished, tmp_path / "b.h5")
    (tmp_path / "a.h5").touch()
    listed = rescli("runs", "list", tmp_path)
    assert (listed.code, listed.err) == (0, "")
    _, _, empty, good = listed.out.splitlines()
    assert "the file is empty" in empty
    assert "finished" in good
    documents = rescli("runs", "list", tmp_path, "--json").document
    assert [one["status"] for one in documents] == ["unreadable", "finished"]
    assert documents[0]["error"]
    assert documents[1]["error"] is None


def test_there_is_nothing_to_restore_where_nothing_is_broken(finished: Path, tmp_path: Path, rescli: Rescli) -> None:
    path = tmp_path / "it.h5"
    shutil.copy(finished, path)
    assert "intact (iteration 60" in told(rescli("runs", "restore", path))


def test_a_damaged_run_without_a_previous_generation(finished: Path, tmp_path: Path, rescli: Rescli) -> None:
    path = tmp_path / "it.h5"
    shutil.copy(finished, path)
    damage(path)
    assert rescli("runs", "show", path).err.splitlines()[1] == "There is no previous generation beside it."
    assert "no previous generation" in told(rescli("runs", "restore", path))


@pytest.mark.parametrize(
    "summary",
    [
        {"iteration": 3},
        {"iteration": "3", "iterations": None, "network": 7, "train_error": "?", "val_error": [], "test_error": True},
    ],
)
def test_a_summary_that_another_program_wrote(summary: dict[str, object], tmp_path: Path, rescli: Rescli) -> None:
    path = tmp_path / "it.h5"
    write_run(path, sample(status="finished", summary={"status": "finished", **summary}))
    for command in ("list", "show", "watch", "export"):
        for form in ((), ("--json",)):
            done = rescli("runs", command, path, *form)
            assert (done.code, done.err) == (0, ""), done
    assert "test, no rows" in rescli("runs", "show", path).out


@pytest.mark.parametrize("line", [("build", "--weights"), ("eval",)])
def test_a_folder_is_no_file_of_weights(line: tuple[str, ...], tmp_path: Path, rescli: Rescli) -> None:
    done = rescli(*line, tmp_path)
    assert (done.code, f"{tmp_path}: is a folder" in done.err) == (3, True)


def test_a_name_that_no_file_can_have_is_no_bug(finished: Path, tmp_path: Path, rescli: Rescli) -> None:
    """Python's own question whether something is a folder raises an error of it, as of a folder that may not be entered."""
    for command in (("runs", "export", finished, "--out"), ("reproduce", "summarize"), ("analyze", "table6")):
        ended = rescli(*command, tmp_path / f"{'a' * 300}.csv")
        assert ended.code == 4
        assert "File name too long" in ended.err
        assert "bug" not in ended.err


def test_iterations_are_shown_with_all_their_digits(tmp_path: Path, rescli: Rescli) -> None:
    path = a_run(tmp_path / "r.h5", done=1_234_567, iterations=1_800_000, log_every=1_234_567, eval_every=1_234_567)
    assert "iteration  1,234,567" in " ".join(rescli("runs", "show", path).out.split(" ")).replace("   ", "  ")


def test_printing_the_recipe_of_a_run_says_what_training_would(finished: Path, rescli: Rescli) -> None:
    line = ("train", "cifar", "--dataset", "synthetic", "--out", finished, "--resume")
    assert "depth = 8" in rescli(*line, "--print-config").out
    refused = rescli(*line, "--depth", "56", "--print-config")
    assert (refused.code, "depth was 8, now 56" in refused.err) == (2, True)


def test_the_recipe_of_a_finished_run_needs_no_device(tmp_path: Path, rescli: Rescli) -> None:
    path = a_run(tmp_path / "r.h5")
    record = read_run(path)
    write_run(path, replace(record, sessions=[{**record.sessions[0], "backend": "a GPU that is elsewhere"}]))
    assert "depth = 20" in rescli("train", "cifar", "--out", path, "--resume", "--print-config").out
