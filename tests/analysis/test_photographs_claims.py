"""The claims of Sec. 4.1, Fig. 4, and both on the page of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rescli.analysis.claims_imagenet import claims_imagenet
from rescli.analysis.collect import collect
from rescli.analysis.curves import curves
from rescli.analysis.degradation import degradation
from rescli.analysis.evidence import Evidence
from rescli.analysis.measured import Measured
from rescli.analysis.report import report
from rescli.analysis.responses import responses
from rescli.analysis.run import read
from rescli.analysis.subject import Wishes
from rescli.models.names import network
from rescli.profiling.paper import TABLE3
from tests.analysis import runs as cifar
from tests.analysis.photographs import a_run, ensemble, known, scores


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


def test_an_ensemble_is_not_compared_with_what_was_tested_otherwise(tmp_path: Path) -> None:
    alike = [
        scores(tmp_path / f"{n}.h5", network("resnet50", classes=10), wrong=4, model={"w": np.full(1, n)})
        for n in (1, 2)
    ]
    ensemble(tmp_path / "e.h5", alike, wrong=2)
    for path in alike:
        path.unlink()
    one_crop = {"crops": 1}
    scores(tmp_path / "a.h5", network("resnet50", classes=10), wrong=4, views=one_crop, model={"w": np.full(1, 1)})
    scores(tmp_path / "b.h5", network("resnet50", classes=10), wrong=4, precision="bf16", model={"w": np.full(1, 2)})
    assert claims_imagenet(known(tmp_path))[-1].answer == "cannot tell"


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
