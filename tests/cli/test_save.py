"""`rescli eval --save` and the tables of ImageNet nets, as typed, on small networks and images."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rescli.data.listing import fingerprint, list_images
from rescli.models.build import build
from rescli.models.weights.digest import digest
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.store.lock import RunLock
from rescli.store.predictions import read_predictions
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from rescli.store.writer import write_run
from tests.analysis import photographs as made_up
from tests.analysis import runs as cifar
from tests.cli.conftest import Rescli
from tests.models.weights.others import randomized

CLASSES, SIZE = 6, 32
NAMES = [f"n{number:02}" for number in range(CLASSES)]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of each class, all of them larger than the crops."""
    root = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for name in NAMES:
        (root / "val" / name).mkdir(parents=True)
        for which in range(2):
            image = Image.fromarray(random.integers(0, 256, (44, 40, 3), np.uint8))
            image.save(root / "val" / name / f"{which}.JPEG")
    return root


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """An unfinished run of ResNet-18 with random weights, as training would leave it."""
    path = tmp_path / "runs" / "r18.h5"
    path.parent.mkdir()
    write_run(path, record(0, iteration=50))
    return path


def record(seed: int, *, iteration: int) -> RunRecord:
    recipe = ImageNetRecipe(model="resnet18", size=SIZE, iterations=100, precision="fp32").resolved()
    net = randomized(build(recipe.spec(classes=CLASSES)), seed)
    return RunRecord(
        status="stopped",
        recipe=recipe.to_dict(),
        environment={},
        progress={"iteration": iteration, "seconds": 1.0},
        sessions=[{"command": "rescli train imagenet", "threads": 1}],
        metrics={"val": {"iteration": np.array([iteration]), "error": np.array([90.0])}},
        inputs={
            "mean_image": np.full((SIZE, SIZE, 3), 0.5, np.float32),
            "classes": np.array([name.encode() for name in NAMES]),
        },
        model={name: tensor.numpy() for name, tensor in net.state_dict().items()},
        momentum={"fc.bias": np.ones(CLASSES, np.float32)},
        analysis={"responses": {"std": np.ones(2)}},
        summary={"status": "stopped", "iteration": iteration, "iterations": 100, "network": "resnet18"},
    )


def test_a_test_is_kept_and_found_again(rescli: Rescli, photographs: Path, run: Path) -> None:
    line = ("eval", run, "--data", photographs, "--crops", "10", "--threads", "1")
    before = read_run(run)
    found = rescli(*line, "--save", "--json")
    assert found.code == 0, found.err
    assert f"Kept in {run} as /analysis/tests/10-crop." in found.err
    (kept,) = read_run(run).analysis["tests"].values()
    assert float(kept["top1_error"]) == found.document["top1_error"]
    assert float(kept["top5_error"]) == found.document["top5_error"]
    assert kept["top1_error@units"] == "%"
    assert (kept["@images"], kept["@classes"], kept["@crops"], kept["@shorter"]) == (12, CLASSES, 10, 37)
    assert (kept["@iteration"], kept["@weights_sha256"]) == (50, digest(before.model))
    assert (found.document["crops"], found.document["scales"], found.document["split"]) == (10, [], "val")

    scales = ("--scales", "64,32", "--average", "logits", "--save")  # their mean, whichever comes first
    assert rescli("eval", run, "--data", photographs, *scales, "--threads", "1").code == 0
    assert set(read_run(run).analysis["tests"]) == {"10-crop", "scales-32-64-logits"}
    assert digest(read_run(run).momentum) == digest(before.momentum)
    assert read_run(run).analysis["responses"]["std"].tolist() == [1, 1]
    assert rescli("runs", "verify", run).code == 0

    table = rescli("analyze", "table3", run.parent, "--json").document
    (ours,) = [row for row in table["rows"] if row.get("n")]
    assert (ours["net"], ours["top1_errors"], ours["images"]) == ("ResNet-18", [found.document["top1_error"]], 12)
    assert "stopped after 50 of 100 iterations" in ours["marks"]
    assert "6 classes, not ImageNet's 1000" in ours["marks"]
    text = rescli("analyze", "table4", run.parent).out
    assert "at 32, 64" in text
    assert "logits averaged, not softmax" in text


def test_a_run_that_went_on_has_outdated_tests(rescli: Rescli, photographs: Path, run: Path) -> None:
    assert rescli("eval", run, "--data", photographs, "--crops", "10", "--save", "--threads", "1").code == 0
    on = replace(record(1, iteration=60), analysis=read_run(run).analysis)
    write_run(run, on)
    found = rescli("analyze", "table3", run)
    assert found.code == 0
    assert "its test is of other weights, of iteration 50, than the run has now: `rescli eval" in found.out
    assert rescli("eval", run, "--data", photographs, "--crops", "10", "--save", "--threads", "1").code == 0
    assert "other weights" not in rescli("analyze", "table3", run).out


def test_images_left_out_are_counted(rescli: Rescli, photographs: Path, run: Path, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / "part" / "val" / name).mkdir(parents=True)
        (tmp_path / "part" / "val" / name / "0.JPEG").write_bytes(
            (photographs / "val" / name / "0.JPEG").read_bytes()[: 100 if name == "n02" else None]
        )
    line = ("eval", run, "--data", tmp_path / "part", "--save", "--threads", "1")
    assert rescli(*line).code == 3
    assert "tests" not in read_run(run).analysis
    scores = tmp_path / "scores.h5"
    assert rescli(*line, "--skip-damaged", "--predictions", scores).code == 0
    assert "5 images, 1 left out" in rescli("eval", scores).out
    assert rescli("eval", scores, "--json").document["left_out"] == 1
    kept = read_run(run).analysis["tests"]["1-crop"]
    assert (kept["@images"], kept["@skipped"]) == (5, 1)
    assert "1 damaged images left out" in rescli("analyze", "table3", run).out


def test_what_cannot_be_kept_is_shown_all_the_same(rescli: Rescli, photographs: Path, run: Path) -> None:
    with RunLock(run):
        found = rescli("eval", run, "--data", photographs, "--save", "--threads", "1")
    assert (found.code, "in use" in found.err, "top-1 error" in found.out) == (4, True, True)


def test_only_imagenet_runs_keep_tests(rescli: Rescli, photographs: Path, run: Path, tmp_path: Path) -> None:
    where = ("--data", photographs, "--save", "--threads", "1")
    net, scores = tmp_path / "net.h5", tmp_path / "scores.h5"
    assert rescli("build", "--weights", run, "--out", net).code == 0
    assert rescli("eval", run, *where[:2], "--predictions", scores, "--threads", "1").code == 0
    (tmp_path / "a.pth").write_bytes(b"weights")
    for path in (net, scores, tmp_path / "a.pth"):
        refused = rescli("eval", path, *where)
        assert (refused.code, "is not a run store" in refused.err, "--predictions" in refused.err) == (2, True, True)
    together = rescli("eval", "ensemble", run, net, *where)
    assert (together.code, "an ensemble is no run" in together.err) == (2, True)
    other = cifar.a_run(tmp_path / "cifar.h5")
    refused = rescli("eval", other, "--save")
    assert (refused.code, "is a CIFAR run" in refused.err) == (2, True)
    assert rescli("eval", tmp_path / "nosuch.h5", "--save").code == 4
    assert "tests" not in read_run(run).analysis


def test_images_without_labels_have_no_error_to_keep(
    rescli: Rescli, photographs: Path, run: Path, tmp_path: Path
) -> None:
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "0.JPEG").write_bytes((photographs / "val" / "n00" / "0.JPEG").read_bytes())
    found = rescli("eval", run, "--data", tmp_path / "flat", "--save", "--threads", "1")
    assert (found.code, "no labels" in found.err) == (2, True)


def test_saved_predictions_say_each_fact_on_its_own(
    rescli: Rescli, photographs: Path, run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scores"
    folder.mkdir()
    crops, scales, both = folder / "crops.h5", folder / "scales.h5", folder / "both.h5"
    line = ("eval", run, "--data", photographs, "--threads", "1", "--predictions")
    assert rescli(*line, crops, "--crops", "10").code == 0
    assert rescli(*line, scales, "--scales", "32,64").code == 0
    ensemble = rescli("eval", "ensemble", crops, scales, "--predictions", both, "--json").document
    assert (ensemble["crops"], ensemble["size"], ensemble["views"]) == (None, 32, "various")
    assert read_predictions(both).about["skipped"] == 0
    assert ensemble["iterations"] == [50, 50]
    assert len(set(ensemble["weights_sha256"])) == 1

    third = rescli("analyze", "table3", folder, "--json").document
    assert {Path(one["path"]).name for one in third["skipped"]} == {"scales.h5", "both.h5"}
    (ours,) = [row for row in third["rows"] if row.get("n")]
    assert (ours["label"], ours["seeds"]) == ("ResNet-18", [0])
    assert "tested after 50 of 100 iterations" in ours["marks"]
    fifth = rescli("analyze", "table5", folder, "--json").document
    assert fifth["rows"][-1]["top5"] == ensemble["top5_error"]
    assert fifth["rows"][-1]["networks"] == 2


def test_tables_in_every_format(rescli: Rescli, tmp_path: Path) -> None:
    for seed, top1 in enumerate((25.03, 25.23)):
        made_up.a_run(tmp_path / f"r{seed}.h5", model="resnet34", seed=seed, top1=top1, top5=7.76)
    assert "25.13±0.14" in rescli("analyze", "table2", tmp_path).out
    latex = rescli("analyze", "table2", tmp_path, "--latex").out
    assert r"ResNet-34 & 2 & 25.13$\pm$0.14 & 25.03 &  \\" in latex
    assert "| ResNet-34 | 2 | 25.13±0.14 | 25.03 |" in rescli("analyze", "table2", tmp_path, "--markdown").out
    rows = list(csv.DictReader(io.StringIO(rescli("analyze", "table3", tmp_path, "--csv").out)))
    (ours,) = [row for row in rows if row["n"]]
    assert (ours["net"], ours["n"], ours["top1_errors"], ours["seeds"]) == ("ResNet-34 A", "2", "25.03; 25.23", "0; 1")
    assert float(ours["top5_mean"]) == pytest.approx(7.76)
    assert rescli("analyze", "table3", tmp_path, "--csv", "--json").code == 2


def test_the_other_kind_is_named_and_strict_refuses_it(rescli: Rescli, tmp_path: Path) -> None:
    made_up.a_run(tmp_path / "photographs.h5", model="resnet50", top1=22.9)
    cifar.a_run(tmp_path / "cifar.h5")
    third, sixth = rescli("analyze", "table3", tmp_path), rescli("analyze", "table6", tmp_path)
    assert (third.code, sixth.code) == (0, 0)
    assert "cifar.h5: a CIFAR run: Table 3 is of ImageNet nets" in third.err
    assert "photographs.h5: an ImageNet net's: Table 6 is of CIFAR nets" in sixth.err
    for table in ("table2", "table3", "table4", "table5", "table6"):
        refused = rescli("analyze", table, tmp_path, "--strict")
        assert refused.code == 4, table
    assert rescli("analyze", "table5", tmp_path / "photographs.h5").code == 4
    assert rescli("analyze", "table3", tmp_path / "cifar.h5").code == 4
    assert rescli("analyze", "table2").code == 2
    assert rescli("analyze", "table2", tmp_path / "nosuch.h5").code == 4


def test_other_commands_know_imagenet_runs(rescli: Rescli, run: Path, tmp_path: Path) -> None:
    plain = [made_up.a_run(tmp_path / f"p{n}.h5", model=f"plain{n}", top1=27.94 + n / 100) for n in (18, 34)]
    drawn = rescli("analyze", "curves", *plain, "--plot", tmp_path / "fig4.pdf")
    assert drawn.code == 0, drawn.err
    assert (tmp_path / "fig4.pdf").read_bytes().startswith(b"%PDF")
    assert "plain-34" in drawn.out
    judged = rescli("analyze", "degradation", *plain).out
    assert "the 34-layer plain net has higher validation error than the 18-layer one (Table 2): yes" in judged
    assert "size" in rescli("analyze", "compare", plain[0], run).out
    page = rescli("analyze", "report", *plain, "--out", tmp_path / "page.html", "--no-measure", "--json").document
    assert page["verdicts"][0]["answer"] == "yes"
    for command in (("runs", "show", run), ("runs", "export", run), ("runs", "list", run.parent)):
        assert rescli(*command).code == 0
    assert "ResNet-18 val" in rescli("runs", "watch", run, "--curve").out


def test_an_ensemble_at_several_scales_is_the_mean_of_its_members(
    rescli: Rescli, photographs: Path, run: Path, tmp_path: Path
) -> None:
    other, together = run.with_name("other.h5"), tmp_path / "together.h5"
    write_run(other, record(1, iteration=100))
    how = ("--data", photographs, "--scales", "32,64", "--threads", "1")
    for path in (run, other):
        assert rescli("eval", path, *how, "--predictions", tmp_path / path.name).code == 0
    said = rescli("eval", "ensemble", run, other, *how, "--predictions", together)
    assert "whole images at 32, 64" in said.out
    mean = np.mean([read_predictions(tmp_path / path.name).scores.astype(np.float64) for path in (run, other)], axis=0)
    assert np.array_equal(read_predictions(together).scores, mean.astype(np.float32))


def test_an_unfinished_run_is_called_so(rescli: Rescli, photographs: Path, run: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.h5"
    line = ("--data", photographs, "--threads", "1")
    assert " after 50 of 100 iterations; fp32" in rescli("eval", run, *line, "--predictions", scores).out
    assert " after 50 of 100 iterations; fp32" in rescli("eval", scores).out
    other = run.with_name("other.h5")
    write_run(other, record(1, iteration=100))
    assert "(1 of 2 unfinished); " in rescli("eval", "ensemble", run, other, *line).out


def test_the_images_of_an_ensemble_are_where_the_first_run_had_them(
    rescli: Rescli, photographs: Path, run: Path, tmp_path: Path
) -> None:
    net, knows = tmp_path / "net.h5", run.with_name("other.h5")
    assert rescli("build", "--weights", run, "--out", net).code == 0
    write_run(knows, replace(record(1, iteration=50), sessions=[{"data": str(photographs)}]))
    assert rescli("eval", "ensemble", net, knows, "--json").document["data"] == str(photographs)


def test_scores_as_text_cannot_be_joined(rescli: Rescli, photographs: Path, run: Path, tmp_path: Path) -> None:
    text = tmp_path / "scores.csv"
    assert rescli("eval", run, "--data", photographs, "--threads", "1", "--predictions", text).code == 0
    for words in (("ensemble", run, text), (text,)):
        refused = rescli("eval", *words)
        assert (refused.code, "scores as .csv are for reading" in refused.err) == (2, True)


def test_a_test_of_other_images_takes_no_place(rescli: Rescli, photographs: Path, run: Path, tmp_path: Path) -> None:
    """A run's own images are those that it was evaluated on; a test of some of them does not replace that of all."""
    own = fingerprint(list_images(photographs, "val"))
    write_run(run, replace(read_run(run), inputs={**read_run(run).inputs, "tested_sha256": own}))
    part = tmp_path / "part"
    for name in NAMES:
        (part / "val" / name).mkdir(parents=True)
        (part / "val" / name / "0.JPEG").symlink_to(photographs / "val" / name / "0.JPEG")
    line = ("eval", run, "--crops", "1", "--threads", "1", "--save", "--data")
    assert "/analysis/tests/1-crop." in rescli(*line, photographs).err
    assert "/analysis/tests/1-crop-" in rescli(*line, part).err
    kept = read_run(run).analysis["tests"]
    assert sorted(test["@images"] for test in kept.values()) == [CLASSES, 2 * CLASSES]
    assert next(iter(kept.values()))["@images_sha256"] == own.tobytes().hex()
    table = rescli("analyze", "table3", run, "--json").document
    assert [row["images"] for row in table["rows"] if row.get("n")] == [2 * CLASSES]
