"""What of a training or a test is not the paper's, as the tables of ImageNet nets note it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.analysis.claims_imagenet import depth_claims
from rescli.analysis.compare import compare
from rescli.analysis.groups import group
from rescli.analysis.recipes import choices, differences
from rescli.analysis.run import read
from rescli.analysis.table234 import single_models
from rescli.recipes.imagenet import ImageNetRecipe
from tests.analysis import runs as cifar
from tests.analysis.photographs import a_run, known, note_of, rows, whole


@pytest.mark.parametrize(
    ("test", "note"),
    [
        ({"crops": 1}, "center crop: `rescli eval {path} --crops 10 --save` is the paper's way"),
        ({"average": "logits"}, "logits averaged, not softmax"),
        ({"shorter": 320}, "cropped from a shorter side of 320 (paper: 256)"),
        ({"precision": "bf16"}, "tested in bf16"),
        ({"images": 49_998, "skipped": 2}, "2 damaged images left out"),
        ({"images": 100}, "tested on 100 images (paper: 50,000)"),
        ({"split": "train"}, "tested on train images"),
        ({"top5": None}, "no top-5 error: there are only 1000 classes"),
    ],
)
def test_what_of_a_crop_test_is_not_the_papers_is_noted(tmp_path: Path, test: dict[str, Any], note: str) -> None:
    path = a_run(tmp_path / "run.h5", model="resnet50", tests=(test,))
    table = single_models(3, known(tmp_path))
    assert note_of(table, rows(table)["ResNet-50"][-1]) == [note.format(path=path)]


@pytest.mark.parametrize(
    ("test", "note"),
    [
        ({"scales": (224, 256)}, "at 224, 256: `rescli eval"),
        ({"mirrored": False}, "without mirror images"),
        ({"pooling": "global"}, "whole maps pooled, not 7x7 windows"),
    ],
)
def test_what_of_a_test_at_scales_is_not_the_papers_is_noted(tmp_path: Path, test: dict[str, Any], note: str) -> None:
    a_run(tmp_path / "run.h5", model="resnet50", tests=(whole(**test),))
    table = single_models(4, known(tmp_path))
    (found,) = note_of(table, rows(table)["ResNet-50"][-1])
    assert found.startswith(note)


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ({"stride_in": "3x3"}, "stride_in 3x3 (paper: 1x1)"),
        ({"classes": 10}, "10 classes, not ImageNet's 1000"),
        ({"milestones": (0.5, 0.75)}, "fixed milestones 0.5/0.75 in place of plateaus"),
        ({"weight_decay": 5e-4}, "weight_decay 0.0005 (paper: 0.0001)"),
        ({"done": 300_000}, "stopped after 300,000 of 600,000 iterations"),
        ({"patience": 3}, "patience 3 (the paper leaves it open; here usually 5)"),
        ({"mean_images": 1000}, "mean_images 1,000 (the paper leaves it open; here usually all)"),
        ({"size": 112}, "size 112 (paper: 224)"),
        ({"augment": False}, "augment off (paper: on)"),
    ],
)
def test_what_of_a_training_is_not_the_papers_is_noted(tmp_path: Path, words: dict[str, Any], note: str) -> None:
    a_run(tmp_path / "run.h5", model="resnet50", top1=23.0, **words)
    table = single_models(3, known(tmp_path))
    assert note_of(table, rows(table)["ResNet-50"][-1]) == [note]


def test_the_papers_own_recipe_has_nothing_to_note(tmp_path: Path) -> None:
    for name in ("plain18", "resnet34", "resnet152", "vgg16"):
        run = read(a_run(tmp_path / f"{name}.h5", model=name))
        assert (run.marks(), run.forks(), run.tested, run.spec.classes) == ((), {}, "val", 1000)
    fork = read(a_run(tmp_path / "x.h5", model="resnet34", shortcut="C", momentum_form="pytorch", precision="bf16"))
    assert fork.marks() == ()
    assert fork.forks() == {"precision": ("fp32", "bf16"), "momentum_form": ("caffe", "pytorch")}


def test_how_often_a_run_is_evaluated_matters_to_the_rule_for_plateaus_alone(tmp_path: Path) -> None:
    usual = a_run(tmp_path / "a.h5", seed=1)
    often = a_run(tmp_path / "b.h5", eval_every=2500)
    assert len(group([read(usual), read(often)])) == 2
    assert read(often).marks() == ("eval_every 2,500 (the paper leaves it open; here usually 5,000)",)
    fixed: dict[str, Any] = {"milestones": (0.5,), "iterations": 60_000}
    a, b = a_run(tmp_path / "c.h5", seed=1, **fixed), a_run(tmp_path / "d.h5", eval_every=2500, **fixed)
    assert len(group([read(a), read(b)])) == 1


def test_the_number_of_classes_makes_an_experiment(tmp_path: Path) -> None:
    all_, ten = read(a_run(tmp_path / "a.h5")), read(a_run(tmp_path / "b.h5", classes=10, seed=1))
    assert (all_.spec.classes, ten.spec.classes) == (1000, 10)
    assert all_.parameters - ten.parameters == 990 * 513
    assert len(group([all_, ten])) == 2


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "patience": st.integers(1, 9),
            "drops": st.integers(0, 5),
            "precise_bn": st.integers(0, 500),
            "mean_images": st.integers(1, 10**6),
            "pool": st.sampled_from(["padded", "ceil"]),
            "bn_images": st.sampled_from([32, 64, 256]),
        },
    )
)
def test_what_the_paper_leaves_open_is_never_a_difference(words: dict[str, Any]) -> None:
    recipe = ImageNetRecipe(**words).resolved()
    usual = ImageNetRecipe().resolved()
    assert not {name for name in differences(recipe) if name not in ("precision", "momentum_form")}
    noted = {line.split(" ")[0] for line in choices(recipe)}
    assert noted == {name for name in words if getattr(recipe, name) != getattr(usual, name)}


def test_a_cifar_run_beside_an_imagenet_run(tmp_path: Path) -> None:
    a, b = read(cifar.a_run(tmp_path / "a.h5")), read(a_run(tmp_path / "b.h5"))
    found = rows(compare([a, b]))
    assert found["dataset"] == ("cifar10", "imagenet")
    assert found["val error"] == ("", "30.00 %")


def test_the_images_make_an_experiment(tmp_path: Path) -> None:
    """Runs on other images are no seeds of one another, and no claim compares them."""
    a_run(tmp_path / "a.h5", model="plain18", top1=20.0, classes=10, images=1)
    a_run(tmp_path / "b.h5", model="plain18", top1=60.0, classes=10, images=2, seed=1)
    a_run(tmp_path / "c.h5", model="plain34", top1=70.0, classes=10, images=2)
    table = single_models(2, known(tmp_path))
    assert [row[1:3] for row in table.rows if row[0] == "plain-18"] == [("1", "20.00"), ("1", "60.00")]
    assert len(group([read(tmp_path / "a.h5"), read(tmp_path / "b.h5")])) == 2
    first, *_ = depth_claims(known(tmp_path))
    assert first.numbers == ("10-crop top-1: plain-18 60.00 %, plain-34 70.00 % (+10.00 points, n = 1)",)
    same = compare([read(tmp_path / "a.h5"), read(tmp_path / "b.h5")])
    assert any(row[0] == "images" for row in same.rows)


def test_images_that_a_net_was_trained_on_say_nothing_of_its_error(tmp_path: Path) -> None:
    trained = {"split": "train", "top1": 5.0}
    a_run(tmp_path / "a.h5", model="plain18", tests=({"top1": 27.9, "precision": "bf16"}, {**trained, "top1": 9.0}))
    a_run(tmp_path / "b.h5", model="plain34", tests=({"top1": 28.5, "precision": "bf16"}, {**trained, "top1": 8.0}))
    first, *_ = depth_claims(known(tmp_path))
    assert (first.answer, len(first.numbers)) == ("yes", 1)
    assert rows(single_models(2, known(tmp_path)))["plain-18"][:2] == ("1", "27.90")
