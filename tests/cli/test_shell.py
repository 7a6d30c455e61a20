"""The installed program in /bin/sh, as its users meet it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.analysis.runs import a_run

PROGRAMS = Path(sys.executable).parent
TRAIN = "rescli train cifar --dataset synthetic --depth 8 --iterations 50 --batch-size 16 --threads 1 --out a.h5"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def sh(script: str, folder: Path, **variables: str) -> Done:
    """Run a script with `rescli` and `python` on the path, stdout and stderr in files, as a batch queue has it."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith("RESCLI_")}
    path = f"{PROGRAMS}{os.pathsep}{keep.get('PATH', os.defpath)}"
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=folder,
            stdout=out,
            stderr=err,
            env={**keep, "PATH": path, **variables},
            check=False,
        )
    return Done(done.returncode, *((folder / name).read_bytes().decode() for name in ("stdout", "stderr")))


def plain(text: str) -> bool:
    """Whether there are no control characters but line feeds: neither colours nor cursor movements."""
    return all(letter == "\n" or letter.isprintable() for letter in text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A folder in which a.h5 was trained, with its JSON document through a pipe."""
    folder = tmp_path_factory.mktemp("shell")
    done = sh(f"{TRAIN} --json | {sys.executable} -m json.tool > a.json; echo $?", folder)
    return folder, done


def test_train_to_json_in_a_pipe(trained: tuple[Path, Done]) -> None:
    folder, done = trained
    assert done.out == "0\n", done.err
    document = json.loads((folder / "a.json").read_text())
    assert (document["path"], document["status"], document["iteration"]) == ("a.h5", "finished", 50)
    assert document["recipe"]["dataset"] == "synthetic"
    assert 0 <= document["test"]["error"] <= 100


def test_progress_in_a_log_is_plain_lines(trained: tuple[Path, Done]) -> None:
    log = trained[1].err
    assert plain(log)
    lines = log.splitlines()
    assert lines[0].startswith("resnet8 (option A) on synthetic: 75,290 parameters")
    assert lines[-1].startswith("50/50  test  error")


def test_train_leaves_the_run_and_its_companions_only(trained: tuple[Path, Done]) -> None:
    names = {path.name for path in trained[0].iterdir()} - {"stdout", "stderr", "a.json"}
    assert {"a.h5"} <= names <= {"a.h5", "a.h5.lock", "a.h5.prev"}


def test_eval_agrees_with_the_run(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    done = sh("rescli eval a.h5 --threads 1", folder)
    assert done.code == 0, done.err
    assert plain(done.out)
    assert done.err == ""
    error = json.loads((folder / "a.json").read_text())["test"]["error"]
    assert f"top-1 error {error:.2f} %" in done.out.splitlines()[-1]
    assert done.out.splitlines()[0].split() == ["class", "images", "wrong", "error"]


def test_list_show_verify_watch(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    script = "for c in 'list .' 'show a.h5' 'verify a.h5' 'watch a.h5'; do rescli runs $c; echo $?; done"
    done = sh(script, folder)
    assert plain(done.out)
    assert done.err == ""
    lines = done.out.splitlines()
    assert lines[0].split()[:4] == ["run", "status", "net", "data"]
    assert lines[2].split()[:5] == ["a.h5", "finished", "resnet8", "A", "synthetic"]
    assert lines.count("0") == 4
    assert "a.h5: resnet8, finished" in lines
    assert any(line.startswith("a.h5: intact, iteration 50") for line in lines)
    assert lines[-2].startswith("50/50  train error")
    assert lines[-2].endswith("finished")


def test_every_answer_about_a_run_has_a_json_form(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    script = "for c in 'list .' 'show a.h5' 'verify a.h5' 'watch a.h5' 'export a.h5'; do rescli runs $c --json; done"
    done = sh(script, folder)
    assert done.err == ""
    listed, shown, verified, watched, exported = documents(done.out)
    assert [one["path"] for one in listed] == ["a.h5"]
    assert {one["status"] for one in (listed[0], shown, watched)} == {"finished"}
    assert verified["intact"] is True
    assert verified["iteration"] == shown["progress"]["iteration"] == watched["iteration"] == 50
    assert exported["train"]["iteration"] == [10, 20, 30, 40, 50]
    assert exported["test"]["error"] == [shown["metrics"]["test"]["error"]]


def documents(text: str) -> list[Any]:
    """The JSON documents that stand one after the other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def test_export_to_a_file_and_to_stdout_are_the_same(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    done = sh("rescli runs export a.h5 && rescli runs export a.h5 --to csv --out b.csv", folder)
    assert (done.code, done.err) == (0, "Written to b.csv.\n")
    assert (folder / "b.csv").read_text() == done.out
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [(row["split"], row["iteration"]) for row in rows] == [("test", "50")] + [
        ("train", str(iteration)) for iteration in range(10, 51, 10)
    ]
    assert all(0 <= float(row["error"]) <= 100 for row in rows)
    assert {row["learning_rate"] for row in rows if row["split"] == "test"} == {""}


def test_export_obeys_both_to_and_json(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    script = "rescli runs export a.h5 --json --out c.csv && rescli runs export a.h5 --to json --out c.json; cat c.json"
    written, metrics = documents(sh(script, folder).out)
    assert written == {"path": "a.h5", "written": "c.csv"}
    assert (folder / "c.csv").read_text().startswith("split,iteration,")
    assert metrics["train"]["iteration"][-1] == 50
    done = sh("rescli runs export a.h5 --to csv --json", folder)
    assert done.code == 2
    assert json.loads(done.out)["error"] == "--json writes no CSV to stdout"


def test_a_reader_that_leaves_early_meets_no_traceback(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    done = sh("rescli runs export a.h5 | head -1; rescli runs list . | head -1; rescli runs show a.h5 | true", folder)
    assert done.err == ""
    assert done.out.splitlines()[0] == "split,iteration,loss,error,learning_rate,seconds"
    assert done.out.splitlines()[1].startswith("run ")


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


@FULL
@pytest.mark.parametrize(
    ("command", "code"),
    [("rescli runs list empty", 0), ("rescli flops nosuch", 2), ("rescli flops nosuch --debug", 2)],
)
@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_what_people_cannot_read_changes_nothing(command: str, code: int, where: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = sh(f"{command} {where}", tmp_path)
    assert (done.code, done.out, done.err) == (code, "", "")


@FULL
@pytest.mark.parametrize("command", ["rescli flops resnet50", "rescli profile table1 --csv", "rescli --help"])
def test_output_that_cannot_be_written(command: str, tmp_path: Path) -> None:
    done = sh(f"{command} >/dev/full", tmp_path)
    assert (done.code, done.err) == (1, "Error: the output could not be written: No space left on device\n")
    done = sh(f"{command} >&-", tmp_path)
    assert (done.code, done.err) == (0, "")


@FULL
def test_an_error_is_told_once_where_its_document_cannot_be_written(tmp_path: Path) -> None:
    done = sh("rescli flops nosuch --json >/dev/full", tmp_path)
    assert done.code == 2
    assert done.err.count("Error: ") == len(done.err.splitlines()) - 1 == 1


def test_exit_codes_reach_the_shell(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    script = (
        "rescli --version; echo $?; rescli runs show; echo $?; rescli data verify cifar10 --data .; echo $?;"
        "rescli runs show nothing.h5; echo $?"
    )
    done = sh(script, folder)
    assert done.out.splitlines()[1:] == ["0", "2", "3", "4"]
    assert done.err.count("Error: ") == 3
    assert "Traceback" not in done.err


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_completion_in_bash(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    script = """
        eval "$(rescli --show-completion bash)"
        complete -p rescli
        for words in "rescli tr" "rescli train cifar --de" "rescli runs ex"; do
            COMP_WORDS=($words) COMP_CWORD=$(($(wc -w <<< "$words") - 1))
            _rescli_completion rescli
            echo "${COMPREPLY[@]}"
        done"""
    (folder / "complete.bash").write_text(script)
    done = sh("bash complete.bash", folder)
    assert done.err == ""
    first, *others = done.out.splitlines()
    assert "_rescli_completion" in first
    assert others == ["train", "--depth --decay --deterministic --devices --debug", "export"]


def test_the_script_for_several_machines_asks_for_another_turn_only_after_a_stop(tmp_path: Path) -> None:
    """Not because some session of the run was stopped once."""
    page = (Path(__file__).parents[2] / "docs" / "distributed.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if "runs list" in line]
    a_run(tmp_path / "stopped.h5", done=100, iterations=200)
    finished = read_run(a_run(tmp_path / "finished.h5", iterations=200))
    sessions = [{"status": "stopped"}, {"status": "finished"}]
    write_run(tmp_path / "finished.h5", replace(finished, sessions=sessions))

    turns = " ".join(f"run={name}.h5; {line};" for name in ("finished", "stopped"))
    done = sh(f"scontrol() {{ echo $run $*; }}; SLURM_JOB_ID=7; {turns}", tmp_path)

    assert (done.code, done.out) == (0, "stopped.h5 requeue 7\n"), done.err


def test_a_name_that_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9.h5", os.O_CREAT | os.O_WRONLY))
    done = sh("rescli runs list . | grep -ac \"$(printf 'caf\\351.h5')\"", tmp_path, PYTHONIOENCODING="utf-8:strict")
    assert (done.code, done.out) == (0, "1\n"), done.err
