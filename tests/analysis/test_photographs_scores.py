"""Saved predictions as rows of tables; and what a run keeps of a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.analysis.collect import collect
from rescli.analysis.run import read
from rescli.analysis.table5 import table5
from rescli.analysis.table234 import single_models
from rescli.errors import StoreError
from rescli.models.names import network
from rescli.profiling.paper import SCALES
from rescli.store import tested
from rescli.store.predictions import encode_predictions, read_predictions
from rescli.store.reader import read_run
from tests.analysis.photographs import a_run, a_test, ensemble, known, note_of, rows, scores, weights, whole


def test_predictions_stand_beside_runs_and_the_same_test_counts_once(tmp_path: Path) -> None:
    for folder in ("apart", "here"):
        (tmp_path / folder).mkdir()
    which = known(scores(tmp_path / "apart" / "x.h5", network("resnet50", classes=10), wrong=1)).entries[0].test
    assert which is not None
    test = {"images": 20, "classes": 10, "images_sha256": which.images_sha256}
    path = a_run(tmp_path / "here" / "run.h5", model="resnet50", tests=(test,), classes=10)
    run = read(path)

    origin = {"recipe": run.recipe.to_dict(), "iteration": 600_000}
    scores(tmp_path / "here" / "same.h5", run.spec, wrong=5, origin=origin, model=read_run(path).model)
    other = replace(run.recipe, seed=1).to_dict()
    scores(tmp_path / "here" / "seed1.h5", run.spec, wrong=7, origin={"recipe": other, "iteration": 600_000})

    table = single_models(3, known(tmp_path / "here"))
    assert rows(table)["ResNet-50"][:3] == ("2", "30.00±7.07", "21.00±19.80")
    assert table.notes[-1] == f"{tmp_path / 'here' / 'same.h5'}: the same weights and test as {path}, counted once"


def test_another_error_of_the_same_weights_is_counted_once_and_told(tmp_path: Path) -> None:
    path = a_run(tmp_path / "run.h5", model="resnet50", tests=({"images": 20, "classes": 10},), classes=10)
    run = read(path)
    origin = {"recipe": run.recipe.to_dict(), "iteration": 600_000}
    for name, wrong in (("a", 4), ("b", 10)):
        scores(tmp_path / f"{name}.h5", network("resnet50", classes=10), wrong=wrong, origin=origin)
    path.unlink()

    table = single_models(3, known(tmp_path))

    assert rows(table)["ResNet-50"][:2] == ("1", "20.00")
    assert table.notes[-1].endswith(
        "counted once, though its top-1 error is 50.00 % and not 20.00: which is of the right images?"
    )


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
        ({"scales": (224, 256)}, (0, 224, 0, (224, 256), True, "windows")),
        ({"scales": (224,), "mirrored": False, "pooling": "global"}, (0, 224, 0, (224,), False, "global")),
    ],
)
def test_predictions_say_what_they_are_of(tmp_path: Path, views: dict[str, Any], facts: Any) -> None:
    path = scores(tmp_path / "a.h5", network("resnet34", shortcut="B", classes=10), wrong=3, views=views)

    (one,) = collect([path], predictions=True).predictions

    test = one.test
    assert (one.label, one.specs[0].classes) == ("ResNet-34 (B)", 10)
    assert (test.crops, test.size, test.shorter, test.scales, test.mirrored, test.pooling) == facts
    assert (test.top1, test.top5, test.precision, test.average) == (15.0, 15.0, "fp32", "softmax")


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
        {"networks": None},
        {"views": "various"},
    ],
    ids=str,
)
def test_predictions_that_make_no_sense_are_named(tmp_path: Path, odd: dict[str, Any]) -> None:
    path = scores(tmp_path / "a.h5", network("resnet34", classes=10), wrong=3)
    made = read_predictions(path)
    about = odd if "views" in odd else {**made.about, **odd}
    path.write_bytes(encode_predictions(replace(made, about=about)))
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
    scales=st.lists(st.integers(32, 999), max_size=5, unique=True).map(sorted).map(tuple),
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


def test_a_run_whose_scores_are_in_a_file_is_tested(tmp_path: Path) -> None:
    path = a_run(tmp_path / "run.h5", model="resnet50", classes=10)
    run = read(path)
    origin = {"recipe": run.recipe.to_dict(), "iteration": 600_000}
    scores(tmp_path / "s.h5", run.spec, wrong=5, origin=origin, model=read_run(path).model)
    ours = [row for row in single_models(3, known(tmp_path)).rows if row[0] == "ResNet-50"]
    assert [row[1] for row in ours] == ["1"], "and no second row that says not tested so yet"


def test_the_same_ensemble_counts_once(tmp_path: Path) -> None:
    members = [
        scores(tmp_path / f"{name}.h5", network(name, classes=10), wrong=4) for name in ("resnet50", "resnet152")
    ]
    ensemble(tmp_path / "e1.h5", members, wrong=2)
    ensemble(tmp_path / "e2.h5", members[::-1], wrong=2)
    found = table5(known(tmp_path))
    assert sum(row[0].startswith("ensemble of 2") for row in found.rows) == 1
    assert found.notes[-1].endswith(f"the same networks and test as {tmp_path / 'e1.h5'}, counted once")


def test_members_in_other_precisions_are_marked(tmp_path: Path) -> None:
    one = scores(tmp_path / "a.h5", network("resnet50", classes=10), wrong=4)
    mark = "some of its members were tested in another precision than others"
    for precision in ("bf16", "fp32"):
        other = scores(tmp_path / "bb.h5", network("resnet152", classes=10), wrong=3, precision=precision)
        made = ensemble(tmp_path / "e.h5", [one, other], wrong=2)
        marks = note_of(table5(known(made)), table5(known(made)).rows[-1][-1])
        assert (mark in marks) == (precision == "bf16")
