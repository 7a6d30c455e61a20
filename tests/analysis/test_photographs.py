"""Tables 2 to 5 from runs and predictions with made-up figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rescli.analysis.collect import collect, only_cifar
from rescli.analysis.table6 import table6
from rescli.analysis.table234 import single_models
from rescli.analysis.table234_rules import refused
from rescli.models.names import network
from rescli.profiling.paper import SCALES, TABLE2, TABLE3, TABLE4, TABLE5
from tests.analysis import runs as cifar
from tests.analysis.photographs import a_run, ensemble, known, note_of, rows, scores, whole

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
        ("VGG (ILSVRC'14), on the test set", "", "8.43"),
        ("GoogLeNet (ILSVRC'14)", "", "7.89"),
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
    assert SCALES == (224, 256, 384, 480, 640)


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


def test_only_seeds_tested_alike_are_a_group(tmp_path: Path) -> None:
    a_run(tmp_path / "a.h5", model="resnet50", top1=22.0)
    a_run(tmp_path / "b.h5", model="resnet50", top1=24.0, seed=1)
    a_run(tmp_path / "c.h5", model="resnet50", tests=({"top1": 26.0, "precision": "bf16"},), seed=2)
    a_run(tmp_path / "d.h5", model="resnet50", seed=3)
    ours = [row for row in single_models(3, known(tmp_path)).rows if row[0] == "ResNet-50"]
    assert [row[1:3] for row in ours] == [("2", "23.00±1.41"), ("1", "26.00"), ("0", "")]


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
