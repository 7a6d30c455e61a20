"""Tables 2 to 5, Fig. 4 and the claims of Sec. 4.1, from runs and predictions with made-up figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.analysis.claims_imagenet import claims_imagenet
from rescli.analysis.collect import collect, only_cifar
from rescli.analysis.compare import compare
from rescli.analysis.curves import curves
from rescli.analysis.degradation import degradation
from rescli.analysis.evidence import Evidence, evidence
from rescli.analysis.groups import group
from rescli.analysis.kinds import refused
from rescli.analysis.measured import Measured
from rescli.analysis.recipes import choices, differences
from rescli.analysis.report import report
from rescli.analysis.responses import responses
from rescli.analysis.run import read
from rescli.analysis.subject import Wishes
from rescli.analysis.table import Table
from rescli.analysis.table5 import table5
from rescli.analysis.table6 import table6
from rescli.analysis.table234 import single_models
from rescli.data.views import PAPER_SCALES
from rescli.errors import StoreError
from rescli.models.names import network
from rescli.profiling.paper import SCALES, TABLE2, TABLE3, TABLE4, TABLE5
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.store import tested
from rescli.store.predictions import encode_predictions, read_predictions
from tests.analysis import runs as cifar
from tests.analysis.photographs import a_run, a_test, ensemble, scores, weights, whole


def known(*sources: Path) -> Evidence:
    return evidence(collect(sources, predictions=True))


def rows(table: Table) -> dict[str, tuple[str, ...]]:
    """By the first cell; the last of several rows of one name."""
    return {row[0]: row[1:] for row in table.rows}


def note_of(table: Table, letters: str) -> list[str]:
    notes = dict(line.split(": ", 1) for line in table.notes if line.split(": ")[0].isalpha())
    return [notes[letter] for letter in letters.split(",")]


# What the paper prints


def test_the_papers_values() -> None:
    """Typed from the paper's tables once more."""
    assert [(one.method, one.top1) for one in TABLE2] == [
        ("plain-18", 27.94),
        ("ResNet-18", 27.88),
        ("plain-34", 28.54),
        ("ResNet-34", 25.03),
    ]
    assert [(one.method, one.text("top1"), one.text("top5")) for one in TABLE3] == [
        ("VGG-16", "28.07", "9.33"),
        ("GoogLeNet", "", "9.15"),
        ("PReLU-net", "24.27", "7.38"),
        ("plain-34", "28.54", "10.02"),
        ("ResNet-34 A", "25.03", "7.76"),
        ("ResNet-34 B", "24.52", "7.46"),
        ("ResNet-34 C", "24.19", "7.40"),
        ("ResNet-50", "22.85", "6.71"),
        ("ResNet-101", "21.75", "6.05"),
        ("ResNet-152", "21.43", "5.71"),
    ]
    assert [(one.method, one.text("top1"), one.text("top5")) for one in TABLE4] == [
        ("VGG (v5)", "24.4", "7.1"),
        ("PReLU-net", "21.59", "5.71"),
        ("BN-inception", "21.99", "5.81"),
        ("ResNet-34 B", "21.84", "5.71"),
        ("ResNet-34 C", "21.53", "5.60"),
        ("ResNet-50", "20.74", "5.25"),
        ("ResNet-101", "19.87", "4.60"),
        ("ResNet-152", "19.38", "4.49"),
    ]
    assert [one.text("top5") for one in TABLE5] == ["7.32", "6.66", "6.8", "4.94", "4.82", "3.57"]
    assert SCALES == PAPER_SCALES


# Tables


def test_table_2_from_runs(tmp_path: Path) -> None:
    for name, top1 in (("plain18", 27.94), ("resnet18", 27.88), ("plain34", 28.54)):
        a_run(tmp_path / f"{name}.h5", model=name, top1=top1)
    for seed, top1 in enumerate((25.03, 25.23)):
        a_run(tmp_path / f"r34-{seed}.h5", model="resnet34", seed=seed, top1=top1)

    table = single_models(2, known(tmp_path))

    assert table.columns == ("net", "n", "top-1 error (%)", "paper, top-1 (%)", "note")
    assert table.rows == (
        ("plain-18", "1", "27.94", "27.94", ""),
        ("ResNet-18", "1", "27.88", "27.88", ""),
        ("plain-34", "1", "28.54", "28.54", ""),
        ("ResNet-34", "2", "25.13±0.14", "25.03", ""),
    )
    assert table.notes == ("validation images, 10-crop testing; mean±std over n seeds",)
    assert (table.exact[-1]["seeds"], table.exact[-1]["top1_errors"]) == ([0, 1], [25.03, 25.23])


def test_table_3_has_every_row_of_the_papers_and_other_nets_below(tmp_path: Path) -> None:
    a_run(tmp_path / "b.h5", model="resnet34", shortcut="B", top1=24.6, top5=7.5)
    a_run(tmp_path / "v.h5", model="vgg16", top1=28.0, top5=9.4)
    a_run(tmp_path / "r18.h5", model="resnet18", top1=27.9, top5=9.0)
    table = single_models(3, known(tmp_path))
    found = rows(table)
    assert [row[0] for row in table.rows] == [*(one.method for one in TABLE3), "ResNet-18"]
    assert found["ResNet-34 B"] == ("1", "24.60", "7.50", "24.52", "7.46", "")
    assert found["VGG-16"][:4] == ("1", "28.00", "9.40", "28.07")
    assert found["ResNet-34 A"] == ("", "", "", "25.03", "7.76", "")
    assert found["ResNet-18"] == ("1", "27.90", "9.00", "", "", "")
    assert found["GoogLeNet"] == ("", "", "", "", "9.15", "")


def test_table_4_takes_whole_images_alone(tmp_path: Path) -> None:
    a_run(tmp_path / "run.h5", model="resnet50", top1=22.9, tests=(whole(top1=20.8, top5=5.3),))
    found = known(tmp_path)
    assert rows(single_models(4, found))["ResNet-50"] == ("1", "20.80", "5.30", "20.74", "5.25", "")
    assert rows(single_models(3, found))["ResNet-50"][:2] == ("1", "22.90")


def test_a_run_without_a_test_says_which_command_makes_one(tmp_path: Path) -> None:
    path = a_run(tmp_path / "my run.h5", model="resnet50")
    for number, options in ((3, "--crops 10"), (4, "--scales 224,256,384,480,640")):
        table = single_models(number, known(tmp_path))
        row = rows(table)["ResNet-50"]
        assert row[:3] == ("0", "", "")
        assert note_of(table, row[-1]) == [f"not tested so yet: `rescli eval '{path}' {options} --save` makes one"]


def test_a_test_of_weights_that_the_run_has_no_more_is_not_used(tmp_path: Path) -> None:
    a_run(tmp_path / "run.h5", model="resnet50", top1=22.9, now=7)
    table = single_models(3, known(tmp_path))
    row = rows(table)["ResNet-50"]
    assert row[:3] == ("0", "", "")
    (note,) = note_of(table, row[-1])
    assert note.startswith("its test is of other weights, of iteration 600,000, than the run has now: `rescli eval")


def test_of_several_tests_the_one_that_is_most_like_the_papers_counts(tmp_path: Path) -> None:
    others = ({"top1": 1.0, "average": "logits"}, {"top1": 2.0, "crops": 1}, {"top1": 3.0, "split": "train"})
    a_run(tmp_path / "run.h5", model="resnet50", top1=22.9, tests=others)
    assert rows(single_models(3, known(tmp_path)))["ResNet-50"][1] == "22.90"


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
        ({"top5": None}, "of 1000 classes five are no choice: no top-5 error"),
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


def test_only_seeds_tested_alike_are_a_group(tmp_path: Path) -> None:
    a_run(tmp_path / "a.h5", model="resnet50", top1=22.0)
    a_run(tmp_path / "b.h5", model="resnet50", top1=24.0, seed=1)
    a_run(tmp_path / "c.h5", model="resnet50", tests=({"top1": 26.0, "precision": "bf16"},), seed=2)
    a_run(tmp_path / "d.h5", model="resnet50", seed=3)
    ours = [row for row in single_models(3, known(tmp_path)).rows if row[0] == "ResNet-50"]
    assert [row[1:3] for row in ours] == [("2", "23.00±1.41"), ("1", "26.00"), ("0", "")]


def test_predictions_stand_beside_runs_and_the_same_test_counts_once(tmp_path: Path) -> None:
    path = a_run(tmp_path / "run.h5", model="resnet50", tests=({"images": 20, "classes": 10},), classes=10)
    run = read(path)
    from rescli.store.reader import read_run

    origin = {"recipe": run.recipe.to_dict(), "iteration": 600_000}
    scores(tmp_path / "same.h5", run.spec, wrong=5, origin=origin, model=read_run(path).model)
    other = replace(run.recipe, seed=1).to_dict()
    scores(tmp_path / "seed1.h5", run.spec, wrong=7, origin={"recipe": other, "iteration": 600_000})

    table = single_models(3, known(tmp_path))
    assert rows(table)["ResNet-50"][:3] == ("2", "30.00±7.07", "21.00±19.80")
    assert table.notes[-1] == f"{tmp_path / 'same.h5'}: the same weights and test as {path}, counted once"


def test_predictions_of_weights_from_elsewhere_are_never_seeds(tmp_path: Path) -> None:
    for name in ("a", "bb"):
        scores(tmp_path / f"{name}.h5", network("resnet50", stride_in="3x3", classes=10), wrong=4)
    table = single_models(3, known(tmp_path))
    ours = [row for row in table.rows if row[0] == "ResNet-50"]
    assert [row[1:4] for row in ours] == [("1", "20.00", "20.00")] * 2
    assert note_of(table, ours[0][-1]) == [
        "nobody says how these weights were trained",
        "stride_in 3x3 (paper: 1x1)",
        "10 classes, not ImageNet's 1000",
        "tested on 20 images (paper: 50,000)",
    ]


@pytest.mark.parametrize(
    ("views", "facts"),
    [
        ({"crops": 10}, (10, 224, 256, (), False, "")),
        ({"crops": 1, "shorter": 320}, (1, 224, 320, (), False, "")),
        ({"scales": (224, 256)}, (0, 0, 0, (224, 256), True, "windows")),
        ({"scales": (224,), "mirrored": False, "pooling": "global"}, (0, 0, 0, (224,), False, "global")),
    ],
)
def test_predictions_of_an_older_version_say_it_in_words(tmp_path: Path, views: dict[str, Any], facts: Any) -> None:
    path = scores(tmp_path / "new.h5", network("resnet34", shortcut="B", classes=10), wrong=3, views=views)
    made = read_predictions(path)
    before = ("networks", "views", "average", "precision", "backend", "inputs", "weights")
    old = replace(made, about={name: made.about[name] for name in before})
    path.write_bytes(encode_predictions(old))

    (one,) = collect([path], predictions=True).predictions

    test = one.test
    assert (one.label, one.specs[0].classes) == ("ResNet-34 (B)", 10)
    assert (test.crops, test.size, test.shorter, test.scales, test.mirrored, test.pooling) == facts
    assert (test.top1, test.top5, test.precision, test.average) == (15.0, 15.0, "fp32", "softmax")


def test_an_ensemble_of_older_predictions_can_be_read(tmp_path: Path) -> None:
    one = read_predictions(scores(tmp_path / "a.h5", network("resnet34", classes=10), wrong=3))
    about = {"networks": ["resnet34 (option A)", "plain34"], "views": "various", "average": "softmax", "members": []}
    (tmp_path / "a.h5").write_bytes(encode_predictions(replace(one, about=about)))
    (found,) = collect([tmp_path], predictions=True).predictions
    assert found.label == "ensemble of 2: ResNet-34, plain-34"
    (tmp_path / "a.h5").write_bytes(encode_predictions(replace(one, about={"views": "various"})))
    with pytest.raises(StoreError, match="fit no table"):
        collect([tmp_path], predictions=True)


@pytest.mark.parametrize(
    "odd",
    [
        {"iterations": ["x"]},
        {"iterations": [1, 2]},
        {"recipes": ["x"]},
        {"recipes": [{"dataset": "imagenet", "iterations": "x"}]},
        {"descriptions": [{"network": "resnet34", "classes": -1}]},
        {"descriptions": ["x"]},
        {"weights_sha256": 3},
        {"crops": "x"},
        {"scales": ["x"]},
        {"networks": []},
    ],
    ids=str,
)
def test_predictions_that_make_no_sense_are_named(tmp_path: Path, odd: dict[str, Any]) -> None:
    path = scores(tmp_path / "a.h5", network("resnet34", classes=10), wrong=3)
    made = read_predictions(path)
    path.write_bytes(encode_predictions(replace(made, about={**made.about, **odd})))
    with pytest.raises(StoreError, match="fit no table"):
        collect([path], predictions=True)


@pytest.mark.parametrize(
    "odd", [{"@schema": 2}, {"top1_error": 101.0}, {"top1_error": float("nan")}, {"@images": "x"}, {"@crops": None}]
)
def test_a_kept_test_that_makes_no_sense_is_none(odd: dict[str, Any]) -> None:
    tree = {**a_test(weights(0), top1=1.0, top5=0.5).to_tree(), **odd}
    with pytest.raises(ValueError):
        tested.Tested.from_tree(tree)
    assert tested.tests_in({"tests": {"10-crop": tree}}) == ()


def test_images_without_labels_have_no_row(tmp_path: Path) -> None:
    path = scores(tmp_path / "a.h5", network("resnet34", classes=10), wrong=3)
    made = read_predictions(path)
    path.write_bytes(encode_predictions(replace(made, labels=made.labels * 0 - 1)))
    with pytest.raises(StoreError, match="no labels"):
        collect([path], predictions=True)


def test_table_5(tmp_path: Path) -> None:
    one = scores(tmp_path / "a.h5", network("resnet50", classes=10), wrong=4, views={"scales": SCALES})
    other = scores(tmp_path / "bb.h5", network("resnet152", classes=10), wrong=3, views={"scales": SCALES})
    ensemble(tmp_path / "e.h5", [one, other, one], wrong=2)
    table = table5(known(tmp_path))
    assert [row[3] for row in table.rows] == ["7.32", "6.66", "6.8", "4.94", "4.82", "3.57", ""]
    *_, ours = table.rows
    assert ours[:4] == ("ensemble of 3: 2 x ResNet-50, ResNet-152", "3", "10.00", "")
    notes = note_of(table, ours[-1])
    assert notes[:2] == ["3 networks (paper: 6, of different depths)", "tested on 20 images (paper: 50,000)"]
    mixed = scores(tmp_path / "ccc.h5", network("resnet34", classes=10), wrong=4)
    ensemble(tmp_path / "e.h5", [one, mixed], wrong=2)
    assert "its members were shown various views" in "\n".join(table5(known(tmp_path)).notes)


def test_which_table_takes_what(tmp_path: Path) -> None:
    """Each other file is named with the reason."""
    cifar.a_run(tmp_path / "cifar.h5")
    a_run(tmp_path / "r50.h5", model="resnet50")
    a_run(tmp_path / "r34b.h5", model="resnet34", shortcut="B")
    one = scores(tmp_path / "crops.h5", network("plain34", classes=10), wrong=3)
    scores(tmp_path / "scales.h5", network("plain34", classes=10), wrong=3, views={"scales": SCALES})
    ensemble(tmp_path / "ens.h5", [one, one], wrong=3)

    def left_out(why: Any) -> dict[str, str]:
        return {s.path.stem: s.why for s in collect([tmp_path], predictions=True, refuse=why).skipped}

    second, third, fourth = (left_out(lambda it, number=number: refused(number, it)) for number in (2, 3, 4))
    assert set(second) == {"cifar", "r50", "r34b", "scales", "ens"}
    assert second["cifar"] == "a CIFAR run: Table 2 is of ImageNet nets"
    assert second["r34b"].startswith("ResNet-34 (B) is not in Table 2")
    assert set(third) == {"cifar", "scales", "ens"}
    assert third["scales"] == "scores of whole images: `rescli analyze table4` takes them"
    assert set(fourth) == {"cifar", "crops", "ens"}
    from rescli.analysis.table5 import refused as refused5

    assert set(left_out(refused5)) == {"cifar", "r50", "r34b", "crops", "scales"}
    assert set(left_out(only_cifar)) == {"r50", "r34b", "crops", "scales", "ens"}
    assert [row[0] for row in table6(collect([tmp_path]).runs).rows][6:] == ["ResNet"]


# Recipes


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


# Claims


def paper(folder: Path) -> None:
    """The paper's own numbers."""
    for one in TABLE3[3:]:
        assert one.net
        words: dict[str, Any] = {"shortcut": one.method[-1]} if one.method[-1] in "ABC" else {}
        model = one.net.lower().replace("-", "").split(" ")[0]
        a_run(folder / f"{one.method}.h5", model=model, top1=one.top1, top5=one.top5, train_error=40.0, **words)
    a_run(folder / "p18.h5", model="plain18", top1=27.94, train_error=38.0)
    a_run(folder / "r18.h5", model="resnet18", top1=27.88)


def test_the_papers_own_numbers_agree_with_the_paper(tmp_path: Path) -> None:
    paper(tmp_path)
    found = claims_imagenet(known(tmp_path))
    assert [one.answer for one in found] == ["yes"] * 7 + ["cannot tell"]
    assert not [one for one in found if one.caveats]
    assert found[0].numbers == ("10-crop top-1: plain-18 27.94 %, plain-34 28.54 % (+0.60 points, n = 1)",)
    assert found[1].numbers == ("training: plain-18 38.00 %, plain-34 40.00 % (+2.00 points, n = 1)",)
    assert found[4].numbers == (
        "10-crop top-1: ResNet-34 (B) 24.52 %, ResNet-50 22.85 % (-1.67 points, n = 1)",
        "10-crop top-1: ResNet-50 22.85 %, ResNet-101 21.75 % (-1.10 points, n = 1)",
        "10-crop top-1: ResNet-101 21.75 %, ResNet-152 21.43 % (-0.32 points, n = 1)",
    )
    assert degradation(collect([tmp_path]).runs)[0].numbers == found[0].numbers


def test_without_runs_nobody_can_tell() -> None:
    assert {one.answer for one in claims_imagenet(Evidence())} == {"cannot tell"}


def test_the_opposite_is_no_and_the_validation_error_speaks_where_no_test_does(tmp_path: Path) -> None:
    a_run(tmp_path / "p18.h5", model="plain18", error=30.0, train_error=40.0)
    a_run(tmp_path / "p34.h5", model="plain34", error=29.0, train_error=39.0, top1=27.0)
    a_run(tmp_path / "r34.h5", model="resnet34", error=35.0, done=600)  # not at its end: it says nothing
    a_run(tmp_path / "vgg.h5", model="vgg16", error=1.0, train_error=1.0)  # of neither family
    found = claims_imagenet(known(tmp_path))
    assert [one.answer for one in found[:4]] == ["no", "no", "cannot tell", "cannot tell"]
    assert found[0].numbers[0].startswith("center-crop validation: plain-18 30.00 %, plain-34 29.00 %")


def test_only_what_was_trained_and_tested_alike_is_compared(tmp_path: Path) -> None:
    a_run(tmp_path / "a.h5", model="plain18", top1=27.0)
    a_run(tmp_path / "b.h5", model="plain34", top1=28.0, batch_size=128)
    a_run(tmp_path / "c.h5", model="plain34", tests=({"top1": 20.0, "images": 10},), error=31.0)
    first, *_ = claims_imagenet(known(tmp_path))
    assert [line.split(":")[0] for line in first.numbers] == ["center-crop validation"]


def test_an_ensemble_is_compared_with_single_networks_on_the_same_images(tmp_path: Path) -> None:
    one = scores(tmp_path / "a.h5", network("resnet50", classes=10), wrong=4)
    other = scores(tmp_path / "bb.h5", network("resnet152", classes=10), wrong=3)
    ensemble(tmp_path / "e.h5", [one, other], wrong=2)
    *_, found = claims_imagenet(known(tmp_path))
    assert found.answer == "yes"
    assert found.numbers == (
        "top-5: best of 2 tests of one network 15.00 %, ensemble of 2: ResNet-50, ResNet-152 10.00 %",
    )
    ensemble(tmp_path / "e.h5", [one, other], wrong=2, images=30)
    assert claims_imagenet(known(tmp_path))[-1].answer == "cannot tell"


# Fig. 4 and the page


def test_figure_4(tmp_path: Path) -> None:
    runs = [
        read(a_run(tmp_path / "p18.h5", model="plain18", error=28.0, train_error=33.0)),
        read(a_run(tmp_path / "p34.h5", model="plain34", error=29.0, train_error=34.0)),
    ]
    plot = curves(runs)
    panel = plot.panels[0]
    assert [(line.group, line.style) for line in panel.lines] == [
        ("plain-18", "dashed"),
        ("plain-18", "bold"),
        ("plain-34", "dashed"),
        ("plain-34", "bold"),
    ]
    assert (panel.x_label, panel.x_limits, panel.y_limits) == ("iter. (1e4)", (0, 600_000), (20.0, 60.0))
    assert plot.key == {"dashed": "training error", "bold": "center-crop validation error"}
    low = read(a_run(tmp_path / "low.h5", model="plain34", error=5.0, train_error=3.0))
    assert curves([low]).panels[0].y_limits == (0.0, 60.0)
    assert curves(runs, top=15.0).panels[0].y_limits == (0.0, 15.0)


def test_the_page_has_a_section_for_imagenet_only_where_there_is_something(tmp_path: Path) -> None:
    cifar.a_run(tmp_path / "cifar.h5")
    alone = report(collect([tmp_path]), Measured(), title="x")
    assert "<h2>ImageNet</h2>" not in alone
    a_run(tmp_path / "p18.h5", model="plain18", top1=27.94)
    a_run(tmp_path / "p34.h5", model="plain34", top1=28.54)
    a_run(tmp_path / "vgg.h5", model="vgg16")
    one = scores(tmp_path / "s.h5", network("resnet50", classes=10), wrong=4)
    ensemble(tmp_path / "e.h5", [one, one], wrong=2)
    page = report(collect([tmp_path], predictions=True), Measured(), title="x")
    assert "<h2>ImageNet</h2>" in page
    assert "<h2>CIFAR</h2>" in page
    assert "The 34-layer plain net has higher validation error than the 18-layer one" in page
    assert [page.count(f"<caption>Table {number}</caption>") for number in range(2, 7)] == [1] * 5
    assert "Figure 4, left" in page
    assert "Figure 4, right" not in page  # a VGG net is no residual net
    only = report(collect([tmp_path / "s.h5"], predictions=True), Measured(), title="x")
    assert "<h2>CIFAR</h2>" not in only


def test_what_was_measured_is_shown_without_a_cifar_run_too(tmp_path: Path) -> None:
    a_run(tmp_path / "p18.h5", model="plain18")
    measured = Measured(responses=(responses("plain8", Wishes(dataset="synthetic", images=16)),))
    page = report(collect([tmp_path]), measured, title="x")
    assert "<h2>Layers</h2>" in page
    assert page.count("<h3>Figure 7</h3>") == 1
    assert "residual nets have smaller responses" in page
    assert "<h2>CIFAR</h2>" not in page


# What is kept


anything = st.builds(
    tested.Tested,
    top1=st.floats(0, 100),
    top5=st.none() | st.floats(0, 100),
    images=st.integers(1, 10**6),
    skipped=st.integers(0, 99),
    split=st.sampled_from(["val", "train", "test"]),
    classes=st.integers(2, 1000),
    crops=st.sampled_from([1, 10]),
    size=st.integers(32, 512),
    shorter=st.integers(32, 640),
    scales=st.lists(st.integers(32, 999), max_size=5, unique=True).map(tuple),
    mirrored=st.booleans(),
    pooling=st.sampled_from(["", "windows", "global"]),
    average=st.sampled_from(["softmax", "logits"]),
    precision=st.sampled_from(["fp32", "bf16"]),
    weights=st.text("0123456789abcdef", min_size=1),
    iteration=st.none() | st.integers(0, 10**6),
)


@given(anything)
def test_a_test_comes_back_as_it_was_kept(test: tested.Tested) -> None:
    assert tested.Tested.from_tree(test.to_tree()) == test
    assert tested.tests_in({"tests": {test.name: test.to_tree(), "odd": {"@schema": 99}, "odder": 3}}) == (test,)
    assert "/" not in test.name


def test_names_of_tests() -> None:
    test = a_test(weights(0), top1=1.0, top5=0.5)
    assert test.name == "10-crop"
    assert replace(test, crops=1, average="logits").name == "1-crop"
    assert replace(test, average="logits", shorter=320, split="train").name == "10-crop-from-320-logits-train"
    assert replace(test, **whole()).name == "scales-224-256-384-480-640"
    assert replace(test, **whole(scales=(224,), mirrored=False, pooling="global")).name == (
        "scales-224-not-mirrored-global"
    )
