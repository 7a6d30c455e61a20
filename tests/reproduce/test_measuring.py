"""What a study measures of layers: of which run, kept how long, and what becomes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rescli.analysis.collect import collect
from rescli.analysis.run import Run
from rescli.analysis.subject import Wishes
from rescli.errors import StoreError
from rescli.models.weights.digest import digest
from rescli.reproduce import measuring
from rescli.reproduce.element import Element, Net
from rescli.reproduce.elements import element
from rescli.reproduce.gather import gather
from rescli.reproduce.measuring import known, measure, outdated
from rescli.reproduce.summaries import summarize
from rescli.store.annotate import save_analysis
from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.analysis.runs import a_run
from tests.reproduce.studies import a_study, measured_by_hand


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
