"""Summaries say the same as stores: tables, figures, verdicts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rescli.analysis.collect import collect
from rescli.analysis.figures import figure_bytes
from rescli.errors import StoreError
from rescli.reproduce.codec import dumps, run_from_dict, run_to_dict
from rescli.reproduce.elements import CIFAR
from rescli.reproduce.gather import gather
from rescli.reproduce.results import result
from rescli.reproduce.summaries import read, summarize
from tests.analysis.runs import a_run
from tests.cli.conftest import Rescli
from tests.reproduce.studies import AS_STUDIED, a_study, layers_of


def test_summaries_say_what_the_stores_say(tmp_path: Path) -> None:
    study = a_study(tmp_path / "study")
    done = summarize([study], tmp_path / "summaries")
    runs = collect([study]).runs
    back = read(tmp_path / "summaries")

    assert sorted(done.runs) == [run.path.stem for run in back.runs]
    for one in CIFAR:
        ours, theirs = result(one, runs, layers_of(runs), ()), result(one, back.runs, back.layers, ())
        assert [verdict.to_dict() for verdict in ours.verdicts] == [verdict.to_dict() for verdict in theirs.verdicts]
        assert ours.lacking == theirs.lacking
        assert (ours.table is None) == (theirs.table is None)
        assert (ours.plot is None) == (theirs.plot is None)
        if ours.table is not None and theirs.table is not None:
            assert (ours.table.rows, ours.table.notes) == (theirs.table.rows, theirs.table.notes)
        if ours.plot is not None and theirs.plot is not None:
            assert figure_bytes(ours.plot, "svg") == figure_bytes(theirs.plot, "svg")
    answers = {one.claim: one.answer for each in CIFAR for one in result(each, runs, layers_of(runs), ()).verdicts}
    assert answers["residual nets have smaller responses than their plain counterparts"] == "yes"
    assert answers["the gradients of plain nets with BN do not vanish"] == "yes"


def test_summaries_are_small_and_keep_no_host_path_or_weight(tmp_path: Path) -> None:
    summarize([a_study(tmp_path / "study")], tmp_path / "summaries")
    for path in (tmp_path / "summaries").iterdir():
        text = path.read_text()
        assert len(text) < 100_000, path
        assert str(tmp_path) not in text
        assert "command" not in text
        assert '"host"' not in text


def test_what_was_summarized_is_counted_in_good_english(rescli: Rescli, tmp_path: Path) -> None:
    study = a_study(tmp_path / "study")
    found = rescli("reproduce", "summarize", study, "--out", tmp_path / "ten")
    assert found.out.startswith(f"{tmp_path / 'ten'}: 10 runs, ")
    for path in sorted(study.glob("*.h5"))[1:]:
        path.unlink()
    found = rescli("reproduce", "summarize", study, "--out", tmp_path / "one")
    assert found.out.startswith(f"{tmp_path / 'one'}: 1 run, ")


def test_runs_are_in_one_table(rescli: Rescli, tmp_path: Path) -> None:
    rescli("reproduce", "summarize", a_study(tmp_path / "study"), "--out", tmp_path / "s")
    lines = (tmp_path / "s" / "runs.csv").read_text().splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("name,net,dataset,seed,iterations,done,status,train_error,test_error,")
    assert lines[1].startswith("plain20-seed0,plain-20,cifar10,0,64000,64000,finished,3.13")


def test_what_is_no_summary_is_told(rescli: Rescli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there are no summaries" in rescli("reproduce", "page", tmp_path / "empty").err
    summarize([a_study(tmp_path / "study")], tmp_path / "s")
    one = tmp_path / "s" / "plain20-seed0.json"
    values = json.loads(one.read_bytes())
    for wrong in (b"{", b"[]", dumps({**values, "recipe": {}, "status": None, "metrics": 3}), dumps({"schema": 1})):
        one.write_bytes(wrong)
        with pytest.raises(StoreError, match=r"plain20-seed0\.json: not the summary of a run"):
            read(tmp_path / "s")
    one.write_bytes(dumps({**values, "schema": 9}))
    done = rescli("reproduce", "page", tmp_path / "s", "--out", tmp_path / "page.md")
    assert (done.code, (tmp_path / "page.md").exists()) == (4, False)
    assert rescli("reproduce", "summarize", tmp_path / "nosuch", "--out", tmp_path / "t").code == 4


@pytest.mark.parametrize("first", ["old", "new"])
def test_of_two_stores_of_a_run_the_finished_one_counts(first: str, tmp_path: Path) -> None:
    a_run(tmp_path / "old" / "resnet20-seed0.h5", done=32_000)
    a_run(tmp_path / "new" / "r20.h5")
    order = [tmp_path / name for name in sorted(("old", "new"), key=lambda name: name != first)]
    runs, skipped = gather(order)
    assert [run.path.name for run in runs] == ["r20.h5"]
    assert [(one.path.name, one.why) for one in skipped] == [
        ("resnet20-seed0.h5", f"the same recipe and seed as {tmp_path / 'new' / 'r20.h5'}")
    ]


def test_the_summary_of_another_run_is_not_written_over(rescli: Rescli, tmp_path: Path) -> None:
    a_run(tmp_path / "a" / "resnet20-seed0.h5")
    a_run(tmp_path / "b" / "resnet20-seed0.h5", precision="bf16")
    out = tmp_path / "summaries"
    for _ in range(2):  # the same run again is no other
        assert rescli("reproduce", "summarize", tmp_path / "a", "--out", out).code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    refused = rescli("reproduce", "summarize", tmp_path / "b", "--out", out)
    assert refused.code == 2
    assert "is of a run with another recipe" in refused.err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_summary_that_knows_more_stays(tmp_path: Path) -> None:
    out, told = tmp_path / "summaries", list[str]()
    study = a_study(tmp_path / "study")
    summarize([study], out)
    before = {path.name: path.read_bytes() for path in out.glob("*.json")}
    (study / "plain20-seed0.measured.json").unlink()
    a_run(study / "resnet20-seed1.h5", seed=1, done=100, error=90.0, **AS_STUDIED)
    assert len(summarize([study], out, told.append).runs) == len(before) - 2
    assert {path.name: path.read_bytes() for path in out.glob("*.json")} == before
    assert [line.partition(" stays as it is: ")[2] for line in told] == [
        "it has the run's responses and gradients, which are not there any more. Remove it to write it anew",
        "it is of iteration 64,000, the run of 100",
    ]
    newer = json.loads(before["plain56-seed0.json"])
    (out / "plain56-seed0.json").write_text(json.dumps({**newer, "schema": 99}))
    with pytest.raises(StoreError, match="another rescli"):
        summarize([study], out)


def test_a_run_under_two_names_is_no_second_seed(rescli: Rescli, tmp_path: Path) -> None:
    out = tmp_path / "s"
    for folder, name in (("a", "resnet20-seed0"), ("b", "r20")):
        a_run(tmp_path / folder / f"{name}.h5")
    assert rescli("reproduce", "summarize", tmp_path / "a", "--out", out).code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    refused = rescli("reproduce", "summarize", tmp_path / "b", "--out", out)
    assert (refused.code, "is of the same recipe and seed as" in refused.err) == (2, True)
    shutil.copy(out / "resnet20-seed0.json", out / "copy.json")
    assert rescli("reproduce", "page", out, "--out", tmp_path / "page.md").code == 4
    values = json.loads((out / "copy.json").read_bytes())
    (out / "copy.json").write_bytes(dumps({**values, "name": "copy"}))
    with pytest.raises(StoreError, match="are of the same recipe and seed"):
        read(out)
    (out / "copy.json").unlink()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_what_is_no_summary_keeps_all_from_being_written(tmp_path: Path) -> None:
    out = tmp_path / "s"
    out.mkdir()
    (out / "package.json").write_text("{}")
    a_run(tmp_path / "study" / "resnet20-seed0.h5")
    with pytest.raises(StoreError, match="not the summary of a run: it has no 'schema'"):
        summarize([tmp_path / "study"], out)
    assert [path.name for path in out.iterdir()] == ["package.json"]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("seconds", float("nan")),
        ("seconds", float("inf")),
        ("seconds", 10**400),
        ("warmup_ended", "soon"),
        ("recipe.dataset", "mnist"),
        ("metrics.test.error", [9.0]),
        ("metrics.train.error", [[9.0]]),
        ("metrics.test.iteration", 3),
        ("responses.images", "many"),
        ("responses.layers", []),
        ("gradients.weight", 3),
    ],
)
def test_a_summary_that_was_changed_names_itself(where: str, value: object, tmp_path: Path) -> None:
    summarize([a_study(tmp_path / "study")], tmp_path / "s")
    path = tmp_path / "s" / "plain20-seed0.json"
    values = json.loads(path.read_bytes())
    *rooms, last = where.split(".")
    inside = values
    for room in rooms:
        inside = inside[room]
    inside[last] = value
    path.write_text(json.dumps(values))
    with pytest.raises(StoreError, match=r"plain20-seed0\.json: not the summary of a run"):
        read(tmp_path / "s")


def test_folders_called_as_stores_are_no_runs_of_a_study(tmp_path: Path) -> None:
    a_run(tmp_path / "plain20-seed0.h5", plain=True)
    a_run(tmp_path / "old.h5" / "plain20-seed7.h5", plain=True, seed=7)
    runs, skipped = gather([tmp_path])
    assert [run.path.name for run in runs] == ["plain20-seed0.h5"]
    assert [(one.path.name, one.why) for one in skipped] == [("old.h5", "a folder, not a run store")]


def test_a_recipe_without_end_is_no_summary(tmp_path: Path) -> None:
    run = collect([a_run(tmp_path / "plain20-seed0.h5", plain=True)]).runs[0]
    values = run_to_dict(run)
    with pytest.raises(ValueError, match="iterations"):
        run_from_dict({**values, "recipe": {**values["recipe"], "iterations": 10**29}})
