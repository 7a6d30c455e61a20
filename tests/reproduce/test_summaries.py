"""Summaries say the same as stores: tables, figures, verdicts; and the page comes from them alone."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rescli.analysis.collect import collect
from rescli.analysis.figures import figure_bytes
from rescli.analysis.gradients import Gradients
from rescli.analysis.gradients import Layer as GradientLayer
from rescli.analysis.points import points, weighted
from rescli.analysis.responses import Layer, Responses
from rescli.analysis.run import Run
from rescli.analysis.subject import Wishes
from rescli.errors import StoreError
from rescli.models.weights.digest import digest
from rescli.reproduce import measuring
from rescli.reproduce.chapters import chapters
from rescli.reproduce.codec import dumps, gradients_to_dict, responses_to_dict
from rescli.reproduce.element import Element, Net
from rescli.reproduce.elements import CIFAR, element
from rescli.reproduce.gather import gather
from rescli.reproduce.measuring import Layers, known, measure, outdated
from rescli.reproduce.page import page
from rescli.reproduce.results import result
from rescli.reproduce.summaries import as_csv, read, summarize
from rescli.store.annotate import save_analysis
from rescli.store.header import read_header
from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.analysis.runs import a_run
from tests.cli.conftest import Rescli

ROOT = Path(__file__).parents[2]
ERRORS = {(20, True): 9.4, (56, True): 12.5, (20, False): 8.75, (56, False): 6.97, (110, False): 6.5}

AS_STUDIED: dict[str, Any] = {"momentum_form": "pytorch", "bn_images": 128}


def a_study(folder: Path, **recipe: int) -> Path:
    """Two seeds of five nets, measured; 110 layers are unfinished."""
    for (depth, plain), error in ERRORS.items():
        for seed in (0, 1):
            name = f"{'plain' if plain else 'resnet'}{depth}-seed{seed}"
            done = 32_000 if depth == 110 and not recipe else None
            values: dict[str, Any] = {"depth": depth, "plain": plain, "seed": seed, **AS_STUDIED, **recipe}
            path = a_run(folder / f"{name}.h5", error=error + seed / 7, train_error=error / 3, done=done, **values)
            if seed == 0 and not recipe and depth < 110:
                measured_by_hand(collect([path]).runs[0])
    return folder


def measured_by_hand(run: Run) -> None:
    """Responses and gradients that nobody measured, beside the store."""
    chance = np.random.default_rng(run.recipe.depth)
    common: dict[str, Any] = {"what": str(run.path), "label": run.label, "network": run.spec.name, "dataset": "cifar10"}
    none = np.zeros(0)
    found = Responses(
        split="test",
        images=10_000,
        iteration=64_000,
        precision="fp32",
        statistics="running",
        weights="0",
        layers=tuple(
            Layer(
                point=point,
                mean=0.1,
                std=chance.uniform(1, 2) * (2 if run.recipe.plain else 1),
                channel_mean=none,
                channel_std=none,
            )
            for point in points(run.spec)
        ),
        **common,
    )
    norms = Gradients(
        split="train",
        batches=2,
        batch_size=8,
        iteration=64_000,
        precision="fp32",
        layers=tuple(
            GradientLayer(point=point, weight=chance.uniform(1, 2, 2), output=chance.uniform(1, 2, 2), variance=1.0)
            for point in weighted(run.spec)
        ),
        **common,
    )
    document = {
        "store": read_header(run.path).digest,
        "responses": responses_to_dict(found),
        "gradients": gradients_to_dict(norms),
    }
    run.path.with_suffix(".measured.json").write_bytes(dumps(document))


def layers_of(runs: tuple[Run, ...]) -> Layers:
    each = [known(run) for run in runs]
    return Layers(
        responses=tuple(one for these in each for one in these.responses),
        gradients=tuple(one for these in each for one in these.gradients),
    )


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


def test_a_net_that_is_too_large_to_measure_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = collect([a_study(tmp_path / "study")]).runs
    (tmp_path / "study" / "resnet56-seed0.measured.json").unlink()

    def too_large(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(measuring, "responses", too_large)
    found = measure(element("fig7"), runs, Wishes())
    assert {one.label for one in found.responses} == {"plain-20", "plain-56", "ResNet-20"}
    assert found.notes == ("ResNet-56 was not measured: out of memory",)


def test_what_was_measured_of_another_store_is_not_used(tmp_path: Path) -> None:
    study = a_study(tmp_path / "study")
    run = collect([study / "plain20-seed0.h5"]).runs[0]
    assert known(run).responses
    a_run(run.path, depth=20, plain=True, error=5.0)
    assert not known(run).responses
    run.path.with_suffix(".measured.json").write_text("{")
    with pytest.raises(StoreError, match="not what was measured"):
        known(run)


def test_chapters_keep_apart_what_cannot_be_compared(tmp_path: Path) -> None:
    a_study(tmp_path / "full")
    a_study(tmp_path / "small", iterations=4000)
    found = chapters(collect([tmp_path]).runs, Layers())
    assert [(one.iterations, len(one.runs)) for one in found] == [(64_000, 10), (4_000, 10)]
    assert found[1].results[0].title.endswith("(4,000 of the paper's 64,000 iterations)")


@pytest.mark.skipif(not (ROOT / "docs" / "reproduction.md").exists(), reason="nothing is published yet")
def test_the_published_page_is_what_its_summaries_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    summaries, out = Path("docs/reproduction"), Path("docs/reproduction.md")
    assert page(read(summaries), summaries, out) == out.read_text(encoding="utf-8"), os.fspath(out)


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


def test_the_run_nearest_to_the_papers_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "plain20-lr001.h5", plain=True, learning_rate=0.01)
    a_run(tmp_path / "bf16.h5", plain=True, precision="bf16")
    a_run(tmp_path / "also.h5", plain=True, seed=1)
    a_run(tmp_path / "plain20-seed2.h5", plain=True, seed=2)
    looked: list[str] = []

    def look(run: Run, *_: Any) -> Any:
        looked.append(run.path.name)
        raise StoreError("never mind")

    monkeypatch.setattr(measuring, "_look", look)
    for left_out, expected in ((None, "plain20-seed2.h5"), ("plain20-seed2.h5", "also.h5")):
        runs = [run for run in gather([tmp_path])[0] if run.path.name != left_out]
        measure(element("fig7"), runs, Wishes())
        assert looked.pop() == expected


def test_what_two_commands_measured_at_once_is_kept_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_study(tmp_path)
    run = next(run for run in collect([tmp_path]).runs if run.path.name == "plain20-seed0.h5")
    both = known(run)
    beside = tmp_path / "plain20-seed0.measured.json"
    kept = json.loads(beside.read_text())
    beside.unlink()

    def look(*_: Any) -> Any:
        beside.write_text(
            json.dumps({name: kept[name] for name in ("store", "gradients")})
        )  # the other one was quicker
        return both.responses[0]

    monkeypatch.setattr(measuring, "_look", look)
    measure(
        Element(name="x", title="", where="", nets=(Net(depth=20, plain=True),), shows=("responses",)), [run], Wishes()
    )
    assert [len(known(run).responses), len(known(run).gradients)] == [1, 1]


def test_what_else_is_saved_in_a_run_leaves_what_was_measured_of_it(tmp_path: Path) -> None:
    a_study(tmp_path / "study")
    path = tmp_path / "study" / "plain20-seed0.h5"
    run = collect([path]).runs[0]
    write_run(path, replace(read_run(path), model={"conv1.weight": np.ones(3, np.float32)}))
    measured_by_hand(run)
    beside = path.with_suffix(".measured.json")
    weights = digest(read_run(path).model)
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "weights": weights}))

    save_analysis(path, "tests", {"any": {"@schema": 1}})
    assert len(known(run).responses) == 1
    assert not outdated(run)

    write_run(path, replace(read_run(path), model={"conv1.weight": np.zeros(3, np.float32)}))
    assert known(run).responses == ()
    told: list[str] = []
    summarize([path], tmp_path / "summaries", told.append)
    assert told == ["plain20-seed0: its layers were measured with other weights than it has now: left out"]


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


def test_a_page_into_a_folder_that_is_not_there(rescli: Rescli, tmp_path: Path) -> None:
    a_run(tmp_path / "study" / "resnet20-seed0.h5")
    assert rescli("reproduce", "summarize", tmp_path / "study", "--out", tmp_path / "s").code == 0
    assert rescli("reproduce", "page", tmp_path / "s", "--out", tmp_path / "no" / "page.md").code == 2
    assert rescli("reproduce", "fig1", "--slurm", tmp_path / "no" / "x.sh").code == 2
    assert (
        rescli("runs", "export", tmp_path / "study" / "resnet20-seed0.h5", "--out", tmp_path / "no" / "x.csv").code == 2
    )


def test_what_is_measured_is_what_verdicts_are_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most runs of the folder are bf16, most of Fig. 7's nets fp32."""
    for depth in (20, 32, 44, 56, 110):
        a_run(tmp_path / f"r{depth}-bf16.h5", depth=depth, precision="bf16")
    for depth, plain in ((20, True), (56, True), (20, False), (56, False), (110, False)):
        a_run(tmp_path / f"{'p' if plain else 'r'}{depth}-fp32.h5", depth=depth, plain=plain)
    looked: list[str] = []

    def look(run: Run, *_: Any) -> Any:
        looked.append(run.path.name)
        raise StoreError("never mind")

    monkeypatch.setattr(measuring, "_look", look)
    measure(element("fig7"), gather([tmp_path])[0], Wishes())
    assert looked == [f"{name}-fp32.h5" for name in ("p20", "p56", "r20", "r56", "r110")]


def test_a_part_that_makes_no_sense_is_not_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_study(tmp_path)
    run = next(run for run in collect([tmp_path]).runs if run.path.name == "plain20-seed0.h5")
    found = known(run).responses[0]
    beside = tmp_path / "plain20-seed0.measured.json"
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "gradients": {"layers": ["of another time"]}}))
    monkeypatch.setattr(measuring, "_look", lambda *_: found)
    measure(
        Element(name="x", title="", where="", nets=(Net(depth=20, plain=True),), shows=("responses",)), [run], Wishes()
    )
    assert (len(known(run).responses), known(run).gradients) == (1, ())


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
