"""`rescli analyze` as it is typed."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from rescli.store.lock import RunLock
from tests.analysis import photographs
from tests.analysis.runs import a_run
from tests.cli.conftest import Rescli


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for depth, error in ((20, 9.5), (56, 13.0)):
        a_run(folder / f"p{depth}.h5", depth=depth, plain=True, error=error, train_error=error - 4)
    for seed, error in enumerate((8.75, 8.95)):
        a_run(folder / f"r20-{seed}.h5", error=error, seed=seed)
    (folder / "notes.h5").write_text("not a run")
    return folder


def test_curves(rescli: Rescli, runs: Path, tmp_path: Path) -> None:
    pdf, data = tmp_path / "fig.pdf", tmp_path / "fig.csv"
    found = rescli("analyze", "curves", f"{runs}/p*.h5", "--plot", pdf, "--data", data)
    assert found.code == 0
    assert "plain-56" in found.out
    assert "13.00 %" in found.out
    assert pdf.read_bytes().startswith(b"%PDF")
    assert len(data.read_text().splitlines()) == 1 + 2 * (640 + 64)
    document = rescli("analyze", "curves", runs, "--json").document
    assert len(document["panels"][0]["lines"]) == 8
    assert document["skipped"][0]["path"].endswith("notes.h5")


def test_table6_in_every_format(rescli: Rescli, runs: Path) -> None:
    shown = rescli("analyze", "table6", runs)
    assert shown.code == 0
    assert "8.75 (8.85±0.14)" in shown.out
    assert "notes.h5: not a run store" in shown.err
    exact = rescli("analyze", "table6", runs, "--json").document
    ours = [row for row in exact["rows"] if row["method"] == "ResNet"]
    assert (ours[0]["best"], ours[0]["n"], ours[0]["paper"]) == (8.75, 2, "8.75")
    rows = list(csv.DictReader(io.StringIO(rescli("analyze", "table6", runs, "--csv").out)))
    assert float(rows[-1]["mean"]) == pytest.approx(8.85)
    assert rows[-1]["seeds"] == "0; 1"
    a_run(runs / "bf16.h5", precision="bf16")
    assert "precision: fp32 / bf16" in rescli("analyze", "table6", runs / "bf16.h5", "--csv").out
    assert "| ResNet | 20 | 0.27M | 2 | 8.75 (8.85±0.14) |" in rescli("analyze", "table6", runs, "--markdown").out
    latex = rescli("analyze", "table6", runs, "--latex").out
    assert r"ResNet & 20 & 0.27M & 2 & 8.75 (8.85$\pm$0.14) & 8.75 &  \\" in latex
    assert r"error (\%)" in latex
    twice = rescli("analyze", "table6", runs, "--csv", "--latex")
    assert (twice.code, "one format" in twice.err) == (2, True)


def test_strict(rescli: Rescli, runs: Path) -> None:
    refused = rescli("analyze", "table6", runs, "--strict")
    assert refused.code == 4
    assert "notes.h5" in refused.err
    nothing = rescli("analyze", "table6", runs / "notes.h5")
    assert nothing.code == 4


def test_compare_and_degradation(rescli: Rescli, runs: Path) -> None:
    found = rescli("analyze", "compare", runs / "p20.h5", runs / "r20-1.h5")
    assert found.code == 0
    assert "shortcut" in found.out
    assert "momentum" not in found.out
    rows = list(csv.DictReader(io.StringIO(rescli("analyze", "compare", runs, "--csv").out)))
    errors = {row["what"]: row for row in rows}["test error"]
    assert (errors[str(runs / "p20.h5")], errors[str(runs / "r20-1.h5")]) == ("9.5", "8.95")
    assert rescli("analyze", "compare", runs / "p20.h5").code == 2
    judged = rescli("analyze", "degradation", runs)
    assert "deeper plain nets have higher training error (Fig. 1, Fig. 6 left): yes" in judged.out
    assert "plain-20 5.50 %, plain-56 9.00 % (+3.50 points, n = 1)" in judged.out
    verdicts = rescli("analyze", "degradation", runs, "--json").document["verdicts"]
    assert [one["answer"] for one in verdicts] == ["yes", "yes", "cannot tell", "yes"]


def test_responses_of_a_real_run(rescli: Rescli, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run.h5"
    shutil.copy(finished, run)
    first = rescli("analyze", "responses", run, "--images", "100", "--save", "--channels", "--threads", "1")
    assert first.code == 0, first.err
    assert "layer1.0.conv1" in first.out
    again = rescli(
        "analyze", "responses", run, "--images", "100", "--json", "--plot", tmp_path / "f.svg", "--threads", "1"
    )
    (found,) = again.document["responses"]
    assert len(found["layers"]) == 7
    assert found["layers"][0]["std"] > 0
    assert (tmp_path / "f.svg").exists()
    kept = rescli("analyze", "responses", run, "--images", "100", "--threads", "1")
    assert "taken from the run store" in kept.out
    assert rescli("runs", "verify", run).code == 0
    several = rescli("analyze", "responses", run, "cifar-resnet8", tmp_path / "nosuch.h5", "--dataset", "synthetic",
                     "--images", "50", "--threads", "1")  # fmt: skip
    assert several.code == 0
    assert "ResNet-8 at initialization" in several.out
    assert "Skipped" in several.err


def test_what_cannot_be_saved_is_shown_all_the_same(rescli: Rescli, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run.h5"
    shutil.copy(finished, run)
    line = ("analyze", "responses", run, "--images", "50", "--save", "--threads", "1")
    with RunLock(run):
        found = rescli(*line)
    assert found.code == 4
    assert "layer1.0.conv1" in found.out
    assert "in use" in found.err


def test_gradients_of_a_real_run(rescli: Rescli, finished: Path) -> None:
    line = ("analyze", "gradients", finished, "--batches", "2", "--batch-size", "16", "--threads", "1")
    shown = rescli(*line)
    assert shown.code == 0
    assert "healthy" in shown.out
    (found,) = rescli(*line, "--json").document["gradients"]
    assert [len(found["layers"]), found["batches"]] == [8, 2]
    assert found["layers"][0]["weight_gradient"]["std"] > 0


@pytest.mark.parametrize("command", ["gradients", "responses"])
def test_a_figure_is_written_though_nobody_reads_to_the_end(
    command: str, rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("rescli.console.table", left)
    few = ("--batches", "1", "--batch-size", "8") if command == "gradients" else ("--images", "20")
    line = ("analyze", command, "cifar-resnet8", "--dataset", "synthetic", "--threads", "1", *few)
    rescli(*line, "--plot", tmp_path / "f.svg")
    assert (tmp_path / "f.svg").exists()


def test_a_net_that_build_wrote(rescli: Rescli, finished: Path, tmp_path: Path) -> None:
    net, pth = tmp_path / "net.h5", tmp_path / "net.pth"
    assert rescli("build", "cifar-resnet8", "--weights", finished, "--out", net, "--export", pth).code == 0
    common = ("--images", "64", "--dataset", "synthetic", "--threads", "1", "--json")
    found = [rescli("analyze", "responses", path, *common).document["responses"][0] for path in (finished, net, pth)]
    assert found[0]["layers"] == found[1]["layers"] == found[2]["layers"]


def test_report(rescli: Rescli, runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found = rescli("analyze", "report", runs, "--out", page, "--no-measure", "--json")
    assert found.code == 0, found.err
    assert "Figure 1" in page.read_text()
    assert json.loads(found.out)["page"] == str(page)
    assert rescli("analyze", "report", runs, "--out", tmp_path / "page.pdf").code == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["curves", "nosuch.h5"], 4),
        (["curves", "{runs}", "--plot", "fig.bmp"], 2),
        (["curves", "{runs}", "--plot", "no/such/folder/fig.pdf"], 2),
        (["curves", "{runs}", "--data", "fig.xls"], 2),
        (["curves", "{runs}", "--top", "5", "--bottom", "9"], 2),
        (["curves", "{runs}", "--plot", "fig.pdf", "--size", "huge"], 2),
        (["responses", "nosuch"], 2),
        (["responses", "{runs}/p20.h5"], 4),
        (["responses", "cifar-resnet8", "--dataset", "cifar11"], 3),
        (["gradients", "cifar-resnet8", "--dataset", "synthetic", "--batches", "1000"], 2),
        (["table6"], 2),
        (["nosuch"], 2),
    ],
)
def test_wrong_input(
    rescli: Rescli, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    found = rescli("analyze", *(word.format(runs=runs) for word in line))
    assert found.code == code, found.err
    assert "Traceback" not in found.err
    assert found.err.count("\n") <= 4


def test_watching_with_a_curve(rescli: Rescli, finished: Path) -> None:
    drawn = rescli("runs", "watch", finished, "--curve")
    assert "ResNet-8 test" in drawn.out
    assert "60/60" in drawn.out
    assert "ResNet-8 test" not in rescli("runs", "watch", finished).out
    assert rescli("runs", "watch", finished, "--curve", "--json").code == 2


def test_several_nets_that_fail_alike_have_the_exit_code_of_one(
    rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESCLI_DATA", str(tmp_path))
    nets = ("cifar-resnet8", "cifar-plain8")
    assert [rescli("analyze", "responses", *some).code for some in (nets[:1], nets)] == [3, 3]
    assert rescli("analyze", "gradients", *nets, "--dataset", "synthetic", "--batch-size", "100000").code == 2
    assert rescli("analyze", "responses", nets[0], tmp_path / "nosuch.h5").code == 4, "of different kinds"


def test_channels_of_several_nets(rescli: Rescli) -> None:
    line = (
        "analyze",
        "responses",
        "cifar-resnet8",
        "cifar-plain8",
        "--dataset",
        "synthetic",
        "--images",
        "20",
        "--threads",
        "1",
    )
    shown = rescli(*line, "--channels")
    assert shown.code == 0, shown.err
    assert shown.out.count("std of each channel") == 2
    assert "plain-8 at initialization, cifar-plain8" in shown.out


def test_what_measuring_alone_needs_has_no_effect_without_it(rescli: Rescli, runs: Path, tmp_path: Path) -> None:
    line = ("analyze", "report", runs, "--no-measure", "--out", tmp_path / "report.html")
    refused = rescli(*line, "--images", "5", "--threads", "1")
    assert (refused.code, "--images and --threads: no effect with --no-measure" in refused.err) == (2, True)
    assert rescli(*line).code == 0


def test_weights_of_a_run_are_tested_on_the_data_set_of_that_run(
    rescli: Rescli, finished: Path, tmp_path: Path
) -> None:
    net = tmp_path / "net.h5"
    assert rescli("build", "--weights", finished, "--out", net).code == 0
    found = rescli("eval", net, "--threads", "1", "--json")
    assert found.code == 0, found.err
    assert found.document["dataset"] == "synthetic"
    other = rescli("eval", net, "--data", "cifar10")
    assert (other.code, "was trained on synthetic, not cifar10" in other.err) == (2, True)
    refused = rescli("eval", net, "--predictions", tmp_path / "scores.h5")
    assert (refused.code, refused.out, "--predictions has no effect" in refused.err) == (2, "", True)


def test_a_report_says_in_json_too_what_was_not_measured(rescli: Rescli, runs: Path, tmp_path: Path) -> None:
    line = ("analyze", "report", runs / "r20-0.h5", "--out", tmp_path / "page.html")  # it has no weights
    (note,) = rescli(*line, "--json").document["not_measured"]
    assert note.startswith("ResNet-20 was not measured: ")
    assert f"Not measured: {note}" in rescli(*line).err


def test_a_report_of_an_imagenet_run_is_made_though_its_images_are_not_here(
    rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESCLI_DATA", raising=False)
    run = photographs.a_run(tmp_path / "r18.h5", model="resnet18", classes=10, tests=({"images": 20, "classes": 10},))
    done = rescli("analyze", "report", run, "--out", tmp_path / "page.html")
    assert (done.code, "ResNet-18 was not measured" in done.err, (tmp_path / "page.html").is_file()) == (0, True, True)
