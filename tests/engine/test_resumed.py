"""What a resumed request takes from the store: nets by any of their names, and where images and classes were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rescli.engine.networks import fresh
from rescli.engine.request import Request
from rescli.engine.resume import _changes, resumed
from rescli.engine.score import Scoring, trial
from rescli.models.names import network
from rescli.recipes.imagenet import ImageNetRecipe
from tests.store.samples import sample


@pytest.mark.parametrize(
    ("trained_as", "name", "same"),
    [
        ("resnet34", "ResNet-34", True),
        ("resnet34-b", "resnet34-b", True),
        ("resnet34-b", "ResNet-34", True),  # the option was given by itself then, and is not given now
        ("resnet50-v1.5", "resnet50-v1.5", True),
        ("vgg16", "VGG-16", True),
        ("resnet34", "resnet34-b", False),
        ("resnet34", "resnet18", False),
    ],
)
def test_a_net_is_the_same_by_any_of_its_names(trained_as: str, name: str, same: bool) -> None:
    stored = ImageNetRecipe(model=trained_as, precision="fp32").resolved()
    request = Request(recipe=ImageNetRecipe(model=name), path=Path("run.h5"), given={"model": name})
    assert (_changes(request, stored, finished=False) == {}) == same


def test_a_pack_knows_its_classes_by_itself(tmp_path: Path) -> None:
    """Where a run was begun with --truth, its own pack is taken without."""
    recipe = ImageNetRecipe(model="resnet18", precision="fp32").resolved()
    sessions = [{"backend": "cpu", "data": str(tmp_path), "truth": str(tmp_path / "val.txt")}]
    record = replace(sample(), recipe=recipe.to_dict(), sessions=sessions)
    pack = tmp_path / "images.h5"
    pack.write_bytes(b"")
    for data, truth in ((None, tmp_path / "val.txt"), (pack, None)):
        assert resumed(Request(recipe=recipe, path=tmp_path / "run.h5", data=data), record).truth == truth


@pytest.mark.parametrize("name", ["folder", "pack.h5"])
def test_a_test_remembers_the_true_classes_of_a_runs_own_images(name: str, tmp_path: Path) -> None:
    """And of no others, which may be sorted into classes."""
    own, other = tmp_path / name, tmp_path / "other" / "imagenet"
    own.mkdir() if name == "folder" else own.write_bytes(b"")
    (other / "val").mkdir(parents=True)
    origin = {"data": str(own), "truth": str(tmp_path / "val.txt")}
    bundle = replace(fresh(network("resnet18"), 0), origin=origin)
    asked = Scoring(path=tmp_path / "run.h5")
    assert trial(asked, bundle).truth == tmp_path / "val.txt"
    assert trial(replace(asked, data=other), bundle).truth is None
    assert trial(replace(asked, split="train"), bundle).truth is None


def test_other_processes_have_their_own_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four that share a machine do not each take all of its threads, as the one before them did."""
    recipe = ImageNetRecipe(model="resnet18", precision="fp32").resolved()
    request = Request(recipe=recipe, path=tmp_path / "run.h5")
    for before, now, threads in ((1, "1", 16), (1, "4", None), (4, "4", 16), (4, "1", None)):
        monkeypatch.setenv("RANK", "0")
        monkeypatch.setenv("WORLD_SIZE", now)
        sessions = [{"backend": "cpu", "threads": 16, "processes": before}]
        record = replace(sample(), recipe=recipe.to_dict(), sessions=sessions)
        assert resumed(request, record).threads == threads
        assert resumed(replace(request, threads=2), record).threads == 2


@pytest.mark.parametrize(
    ("before", "now"), [("compile", "checkpoint_activations"), ("checkpoint_activations", "compile")]
)
def test_of_two_that_exclude_one_another_the_one_asked_for_now_counts(before: str, now: str, tmp_path: Path) -> None:
    recipe = ImageNetRecipe(model="resnet18", precision="fp32").resolved()
    record = replace(sample(), recipe=recipe.to_dict(), sessions=[{"backend": "cpu", before: True}])
    request = Request(recipe=recipe, path=tmp_path / "run.h5")
    assert getattr(resumed(request, record), before)
    asked: dict[str, Any] = {now: True}
    found = resumed(replace(request, **asked), record)
    assert (bool(getattr(found, before)), getattr(found, now)) == (False, True)
