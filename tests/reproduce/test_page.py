"""The page of a reproduction comes from summaries alone, and the published one from those that are committed."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rescli.analysis.collect import collect
from rescli.analysis.measured import Measured
from rescli.analysis.run import read as read_one
from rescli.reproduce.chapters import chapters
from rescli.reproduce.page import devices, page
from rescli.reproduce.summaries import as_csv, read, summarize
from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.analysis.runs import a_run
from tests.cli.conftest import Rescli
from tests.reproduce.studies import AS_STUDIED, a_study

ROOT = Path(__file__).parents[2]


def test_the_page_comes_from_summaries_alone_and_marks_what_is_small(rescli: Rescli, tmp_path: Path) -> None:
    full, small = a_study(tmp_path / "full"), a_study(tmp_path / "small", iterations=4000)
    for path in list(small.glob("*.h5")):
        path.rename(path.with_name(path.name.replace("-seed", "-4000-seed")))
    summaries, out = tmp_path / "docs" / "reproduction", tmp_path / "docs" / "reproduction.md"
    assert rescli("reproduce", "summarize", full, small, "--out", summaries).code == 0
    shutil.rmtree(full)
    shutil.rmtree(small)
    assert rescli("reproduce", "page", summaries, "--out", out).code == 0
    text = out.read_text()

    command = "rescli reproduce table6 --depth 20 --depth 56 --depth 110 --seeds 2 --precision fp32"
    assert f"| Table 6 | `{command}` | ResNet-20 | 8.75 | " in text
    assert "| 8.82±0.10 (n = 2) |" in text
    assert "## 4,000 of the paper's 64,000 iterations" in text
    assert "--seeds 2 --scale 0.0625 --precision fp32 --out study-4000`" in text
    assert "![Fig. 1: plain nets with 20 and 56 layers](reproduction/fig1.svg)" in text
    assert "(4,000 of the paper's 64,000 iterations)](reproduction/fig1-4000.svg)" in text
    assert "plain-20 9.47 %, plain-56 12.57 % (+3.10 points, n = 2)" in text
    assert "stopped after 32,000 of 64,000 iterations" in text
    assert "- ResNet-110: none of 5 runs of the paper's length." in text
    assert "- plain-20: " not in text.partition("## What has not been run")[2]
    assert "detection is not part of rescli yet" in text
    for line in text.splitlines():
        if line.startswith("!["):
            assert (out.parent / line.rpartition("(")[2].removesuffix(")")).exists()
    assert "4,000 of the paper" in (summaries / "fig1-4000.svg").read_text()
    assert "of the paper" not in (summaries / "fig1.svg").read_text()
    assert page(read(summaries), summaries, out) == text


def test_chapters_keep_apart_what_cannot_be_compared(tmp_path: Path) -> None:
    a_study(tmp_path / "full")
    a_study(tmp_path / "small", iterations=4000)
    found = chapters(collect([tmp_path]).runs, Measured())
    assert [(one.iterations, len(one.runs)) for one in found] == [(64_000, 10), (4_000, 10)]
    assert found[1].results[0].title.endswith("(4,000 of the paper's 64,000 iterations)")


@pytest.mark.skipif(not (ROOT / "docs" / "reproduction.md").exists(), reason="nothing is published yet")
def test_the_published_page_is_what_its_summaries_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    summaries, out = Path("docs/reproduction"), Path("docs/reproduction.md")
    assert page(read(summaries), summaries, out) == out.read_text(encoding="utf-8"), os.fspath(out)


def test_a_page_into_a_folder_that_is_not_there(rescli: Rescli, tmp_path: Path) -> None:
    a_run(tmp_path / "study" / "resnet20-seed0.h5")
    assert rescli("reproduce", "summarize", tmp_path / "study", "--out", tmp_path / "s").code == 0
    assert rescli("reproduce", "page", tmp_path / "s", "--out", tmp_path / "no" / "page.md").code == 2
    assert rescli("reproduce", "fig1", "--slurm", tmp_path / "no" / "x.sh").code == 2
    assert (
        rescli("runs", "export", tmp_path / "study" / "resnet20-seed0.h5", "--out", tmp_path / "no" / "x.csv").code == 2
    )


def test_the_page_draws_its_figures_anew(rescli: Rescli, tmp_path: Path) -> None:
    out = tmp_path / "my sums"
    summarize([a_study(tmp_path / "study")], out)
    drawn = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".json"}
    assert {"runs.csv", "fig1.svg", "fig7.svg"} <= set(drawn)
    for name in drawn:
        (out / name).unlink()
    done = rescli("reproduce", "page", out, "--out", tmp_path / "page.md", "--json")
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".json"} == drawn
    assert {f"{name}" for name in done.document["figures"]} | {"runs.csv"} == set(drawn)
    text = (tmp_path / "page.md").read_text()
    assert "](my%20sums/fig1.svg)" in text
    assert f"reproduce page '{out}' --out {tmp_path / 'page.md'}`" in text
    assert "(analysis.md)" not in text, "there is none beside this page"


def test_the_page_names_commands_that_make_its_runs(tmp_path: Path) -> None:
    a_run(tmp_path / "a" / "r20.h5", learning_rate=0.01, **AS_STUDIED)
    a_run(tmp_path / "a" / "long.h5", iterations=128_000)
    a_run(tmp_path / "a" / "100.h5", dataset="cifar100")
    summarize([tmp_path / "a"], tmp_path / "s")
    text = page(read(tmp_path / "s"), tmp_path / "s", tmp_path / "page.md")
    assert "rescli reproduce fig6-middle" not in text
    assert text.count("| Fig. 6 middle | no study: trained by hand |") == 3
    a_run(tmp_path / "b" / "b.h5", iterations=4000, **AS_STUDIED)
    summarize([tmp_path / "b"], tmp_path / "s")
    text = page(read(tmp_path / "s"), tmp_path / "s", tmp_path / "page.md")
    assert "`rescli reproduce fig6-middle --depth 20 --scale 0.0625 --precision fp32 --out study-4000`" in text


def test_a_command_makes_all_the_runs_it_stands_beside(tmp_path: Path) -> None:
    short = {"iterations": 4000, **AS_STUDIED}
    a_run(tmp_path / "a" / "r20.h5", **short)
    a_run(tmp_path / "a" / "r56.h5", depth=56, seed=2, **short)
    a_run(tmp_path / "a" / "a.h5", learning_rate=0.05, **short)  # of no study
    summarize([tmp_path / "a"], tmp_path / "s")
    text = page(read(tmp_path / "s"), tmp_path / "s", tmp_path / "page.md")
    (line,) = [line for line in text.splitlines() if "`rescli reproduce fig6-middle " in line]
    assert "fig6-middle --depth 20 --depth 56 --seeds 3 --scale 0.0625 --precision fp32 --out study-4000`" in line
    (mark,) = (one[2] for one in text.splitlines() if one.startswith("- ") and ": learning_rate 0.05 " in one)
    assert mark not in line.split(" | ")[5].split(",")


@pytest.mark.parametrize("odd", [{"threads": "2"}, {"last_iteration": "x"}])
def test_a_summary_with_odd_sessions_is_damaged_and_nothing_is_drawn(
    odd: dict[str, str], rescli: Rescli, tmp_path: Path
) -> None:
    a_run(tmp_path / "a" / "r20.h5", iterations=4000, **AS_STUDIED)
    summarize([tmp_path / "a"], tmp_path / "s")
    (summary,) = (tmp_path / "s").glob("*.json")
    values = json.loads(summary.read_text())
    summary.write_text(json.dumps({**values, "sessions": [odd]}))
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    refused = rescli("reproduce", "page", tmp_path / "s", "--out", tmp_path / "page.md")
    assert (refused.code, summary.name in refused.err) == (4, True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before


def test_a_run_of_two_devices_says_both(tmp_path: Path) -> None:
    path = a_run(tmp_path / "r.h5")
    record = read_run(path)
    sessions = [
        {"device": "NVIDIA H100", "backend": "cuda", "first_iteration": 0, "last_iteration": 9000},
        {"device": "NVIDIA H100", "backend": "cuda", "first_iteration": 9000, "last_iteration": 37240},
        {"device": "AMD EPYC", "backend": "cpu", "threads": 2, "first_iteration": 37240, "last_iteration": 64000},
    ]
    write_run(path, replace(record, sessions=sessions))
    summarize([path], tmp_path / "s")
    text = page(read(tmp_path / "s"), tmp_path / "s", tmp_path / "page.md")
    assert "| NVIDIA H100 up to iteration 37,240, then AMD EPYC, 2 threads |" in text
    assert "cuda; cpu,NVIDIA H100; AMD EPYC" in (tmp_path / "s" / "runs.csv").read_text()


def test_the_published_table_and_figures_are_those_of_the_summaries() -> None:
    found = read(ROOT / "docs" / "reproduction")
    assert (ROOT / "docs" / "reproduction" / "runs.csv").read_text(encoding="utf-8") == as_csv(found.runs)
    figures = {
        chapter.figure(one.element)
        for chapter in chapters(found.runs, found.layers)
        for one in chapter.results
        if one.plot is not None
    }
    assert {path.name for path in (ROOT / "docs" / "reproduction").glob("*.svg")} == figures


def test_a_session_that_left_nothing_trained_nothing(tmp_path: Path) -> None:
    """The first checkpoint is that of iteration 0: a process killed after it has one."""
    path = a_run(tmp_path / "r.h5")
    sessions = [
        {"device": "NVIDIA H100", "backend": "cuda", "first_iteration": 0, "last_iteration": 0},
        {"device": "AMD EPYC", "backend": "cpu", "threads": 2, "first_iteration": 0, "last_iteration": 64000},
    ]
    write_run(path, replace(read_run(path), sessions=sessions))
    assert devices(read_one(path)) == "AMD EPYC, 2 threads"
    write_run(
        path,
        replace(
            read_run(path), sessions=[*sessions, {**sessions[0], "first_iteration": 64000, "last_iteration": 64000}]
        ),
    )
    assert devices(read_one(path)) == "AMD EPYC, 2 threads"
    write_run(path, replace(read_run(path), sessions=sessions[:1]))
    assert devices(read_one(path)) == "NVIDIA H100"


def named(text: str, element: str) -> str:
    """The command that the page names for an element."""
    (found,) = re.findall(rf"`(rescli reproduce {element}[^`]*)`", text)
    return str(found)


def written(folder: Path) -> str:
    summarize([folder], folder / "s")
    return page(read(folder / "s"), folder / "s", folder / "page.md")


def test_the_papers_own_numbers_of_seeds_need_no_word(tmp_path: Path) -> None:
    for depth, seeds in ((20, 1), (32, 1), (44, 1), (56, 1), (110, 5), (1202, 1)):
        for seed in range(seeds):
            a_run(tmp_path / f"resnet{depth}-seed{seed}.h5", depth=depth, seed=seed, **AS_STUDIED)
    assert named(written(tmp_path), "table6") == "rescli reproduce table6 --precision fp32"
    for seed in range(1, 5):
        (tmp_path / f"resnet110-seed{seed}.h5").unlink()
    shutil.rmtree(tmp_path / "s")
    assert named(written(tmp_path), "table6") == "rescli reproduce table6 --seeds 1 --precision fp32"


def test_studies_in_several_precisions_have_folders_of_their_own(tmp_path: Path) -> None:
    for depth in (20, 56):
        a_run(tmp_path / f"plain{depth}-seed0.h5", depth=depth, plain=True, **AS_STUDIED)
        a_run(tmp_path / f"resnet{depth}-seed0.h5", depth=depth, **{**AS_STUDIED, "precision": "bf16"})
    text = written(tmp_path)
    assert named(text, "fig1") == "rescli reproduce fig1 --precision fp32 --out study-fp32"
    assert named(text, "fig6-middle").endswith("--depth 20 --depth 56 --precision bf16 --out study-bf16")


def test_footnote_5_is_the_papers_own(tmp_path: Path) -> None:
    a_run(tmp_path / "resnet110-nowarmup-seed0.h5", depth=110, warmup=False, **AS_STUDIED)
    text = written(tmp_path)
    assert "ResNet-110 without warm-up" in text
    assert "warmup is off" not in text
    assert ": warmup " not in text
