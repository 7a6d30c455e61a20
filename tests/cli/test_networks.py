"""`flops`, `profile`, `build`, and `eval` of weights, as typed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch

from rescli.models.build import build
from rescli.models.names import network
from tests.analysis.runs import a_run
from tests.cli.conftest import Rescli
from tests.models.weights.others import OtherCifarNet, randomized


def test_flops_in_one_line(rescli: Rescli) -> None:
    done = rescli("flops", "resnet152")

    assert done.out.splitlines()[0] == "11,282,415,616 multiply-adds · 60,192,808 parameters · paper: 11.3e9"
    assert "not counted: BN" in done.out
    for other in (("--unit", "flops"), ("--count", "all")):
        assert "paper: 11.3e9 multiply-adds" in rescli("flops", "resnet152", *other).out


def test_flops_as_json(rescli: Rescli) -> None:
    found = rescli("flops", "resnet50", "--stride-in", "3x3", "--json").document

    assert (found["macs"], found["flops"], found["parameters"]) == (4_089_184_256, 8_178_368_512, 25_557_032)
    assert (found["unit"], found["stride_in"], found["paper"]) == ("multiply-adds", "3x3", None)
    everything = rescli("flops", "resnet50", "--count", "all", "--unit", "flops", "--json").document
    assert everything["total"] == sum(everything["counted"].values())
    assert everything["counted"]["convolutions"] + everything["counted"]["fc"] == 2 * 3_857_973_248


def test_the_machine_formats_are_exact(rescli: Rescli) -> None:
    rows = list(csv.DictReader(io.StringIO(rescli("profile", "resnet34", "--by", "layer", "--csv").out)))

    assert sum(int(row["multiply-adds"]) for row in rows[:-1]) == int(rows[-1]["multiply-adds"]) == 3_644_493_824
    lines = rescli("profile", "table1", "--markdown").out.splitlines()
    assert lines[1].startswith("|---|---:|")
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| resnet18 (option A) | 18 | 11,515,688 | 1,794,805,760 | 100.0 | 1.8e9 | -0.3 |"
    lines = rescli("profile", "table6", "--markdown").out.splitlines()
    assert lines[1] == "|---|---:|---:|---:|---:|---:|"
    assert lines[8] == "| ResNet | 20 | 269,722 | 0.27M | 8.75 | 40,551,040 |"
    assert rescli("profile", "resnet34", "--csv", "--json").code == 2


def test_profile_as_it_is_typed(rescli: Rescli) -> None:
    tree = rescli("profile", "--depth", "2", "resnet18", "--json").document

    assert [row["level"] for row in tree["rows"]][:2] == [0, 1]
    assert tree["total"]["macs"] == 1_794_805_760
    first = rescli("profile", "resnet18", "--by", "block", "--sort", "macs", "--json").document["rows"]
    assert [row["macs"] for row in first] == sorted((row["macs"] for row in first), reverse=True)
    assert "conv2_x" in rescli("profile", "resnet18").out
    assert rescli("profile", "resnet18", "--batch", "8", "--json").document["total"]["macs"] == 8 * 1_794_805_760
    compared = rescli("profile", "compare", "vgg19", "plain34", "--json").document
    assert int(compared[1]["share_percent"]) == 18
    assert [row["parameters"] for row in rescli("profile", "table6", "--json").document["networks"]][-1] == 19_421_274


@pytest.mark.parametrize(
    "line",
    [
        ["profile", "resnet34", "--depth", "1", "--by", "layer"],
        ["profile", "resnet34", "--card", "8"],
        ["profile", "resnet34", "--memory", "--by", "layer"],
        ["profile", "table1", "--by", "layer"],
        ["profile", "resnet3"],
        ["flops", "plain34", "--shortcut", "A"],
        ["flops", "vgg16", "--input", "8"],
        ["build"],
        ["build", "resnet20", "--seed", "3"],
        ["build", "resnet20", "--normalize", "cifar10"],
        ["build", "resnet20", "--out", "net.pth"],
        ["build", "resnet20", "--export", "net.xyz"],
        ["build", "resnet20", "--overwrite"],
        ["build", "--list", "resnet20"],
        ["build", "--list", "--out", "net.h5"],
        ["build", "--list", "--seed", "0"],
        ["build", "resnet20", "--out", "missing/net.h5"],
    ],
    ids=" ".join,
)
def test_what_has_no_effect_or_makes_no_sense(rescli: Rescli, line: list[str]) -> None:
    done = rescli(*line)

    assert done.code == 2, done
    assert done.err.startswith("Error: ")


def test_does_it_fit_on_my_card(rescli: Rescli) -> None:
    found = rescli("profile", "cifar-resnet1202", "--batch", "128", "--memory", "--card", "8", "--json").document
    answers = {(way["use"], way["precision"], way["checkpointed"]): way["fits"] for way in found["ways"]}

    assert not answers["training", "fp32", False]
    assert answers["training", "bf16", True]
    assert "more for its driver" in rescli("profile", "cifar-resnet1202", "--memory").out


def test_build_shows_and_lists(rescli: Rescli) -> None:
    assert "[1x1, 64; 3x3, 64; 1x1, 256] x 3" in rescli("build", "resnet152").out
    listed = {row["network"]: row["macs"] for row in rescli("build", "--list", "--json").document}
    assert listed["resnet152"] == 11_282_415_616
    assert listed["resnet1202"] == 2_829_238_912


def test_build_draws(rescli: Rescli, tmp_path: Path) -> None:
    drawing = tmp_path / "fig3.svg"

    assert rescli("build", "resnet34", "--graph", drawing).code == 0
    assert "3x3 conv, 512, /2" in drawing.read_text()
    assert rescli("build", "resnet34", "--graph", drawing).code == 2
    assert rescli("build", "resnet34", "--graph", tmp_path / "fig3.gif").code == 2


def test_weights_go_round(rescli: Rescli, tmp_path: Path) -> None:
    net, pth, tensors = tmp_path / "net.h5", tmp_path / "net.pth", tmp_path / "net.safetensors"
    built = rescli("build", "resnet8", "--seed", "5", "--out", net, "--export", pth, "--export", tensors, "--json")
    assert built.code == 0, built.err

    results = []
    for path in (net, pth, tensors):
        done = rescli("eval", path, "--data", "synthetic", "--normalize", "none", "--json")
        assert done.code == 0, done.err
        results.append((done.document["errors"], done.document["loss"]))
    assert results[0] == results[1] == results[2]
    assert rescli("build", "resnet8", "--out", net).code == 2  # it is there already
    assert rescli("build", "resnet8", "--out", net, "--overwrite").code == 0
    assert rescli("eval", pth, "--data", "synthetic").code == 3  # nobody says how its inputs were normalized
    refused = rescli("eval", pth, "--net", "resnet14", "--data", "synthetic", "--normalize", "none")
    assert refused.code == 1
    assert "resnet8" in refused.err


def test_a_run_becomes_weights_that_score_the_same(rescli: Rescli, finished: Path, tmp_path: Path) -> None:
    pth = tmp_path / "run.pth"
    assert rescli("build", "--weights", finished, "--export", pth).code == 0

    run = rescli("eval", finished, "--precision", "fp32", "--json").document
    assert rescli("build", "--weights", finished, "--export", tmp_path / "run.safetensors").code == 0
    for path in (pth, tmp_path / "run.safetensors"):
        weights = rescli("eval", path, "--json").document  # it knows what it was trained on
        assert (run["errors"], run["loss"]) == (weights["errors"], weights["loss"])
        assert weights["inputs"] == "mean image of synthetic"
        assert rescli("eval", path, "--data", "cifar10").code == 2
    assert rescli("eval", finished, "--net", "resnet8").code == 2
    assert rescli("eval", finished, "--data", "cifar10").code == 2
    for path in (finished, pth):
        refused = rescli("eval", path, "--data", tmp_path)
        assert (refused.code, "has no effect" in refused.err) == (2, True)


def test_published_cifar_weights_score_as_their_own_code(rescli: Rescli, tmp_path: Path) -> None:
    from rescli.data.read import load

    theirs = randomized(OtherCifarNet(3))
    state = {f"module.{key}": value for key, value in theirs.state_dict().items() if "num_batches" not in key}
    torch.save({"state_dict": state, "best_prec1": 91.7}, tmp_path / "resnet20.th")
    images = load("synthetic").test
    x = torch.from_numpy(images.images).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        logits = theirs((x - mean[:, None, None]) / std[:, None, None])
    wrong = int((logits.argmax(1) != torch.from_numpy(images.labels)).sum())

    done = rescli("eval", tmp_path / "resnet20.th", "--net", "cifar-resnet20", "--data", "synthetic", "--json")

    assert done.code == 0, done.err
    assert done.document["errors"] == wrong
    assert done.document["inputs"] == "imagenet"


def test_a_network_file_is_no_run(rescli: Rescli, tmp_path: Path) -> None:
    net = tmp_path / "net.h5"
    assert rescli("build", "resnet8", "--out", net).code == 0

    shown = rescli("runs", "show", net)
    assert shown.code == 4
    assert "rescli eval" in shown.err
    listed = json.loads(rescli("runs", "list", tmp_path, "--json").out)
    assert listed[0]["status"] == "weights"
    assert "weights" in rescli("runs", "list", tmp_path).out
    data = bytearray(net.read_bytes())
    data[len(data) // 2] ^= 1
    net.write_bytes(data)
    assert rescli("eval", net, "--data", "synthetic").code == 4


def test_hostile_weights_by_their_exit_code(rescli: Rescli, tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    assert rescli("eval", tmp_path / "cut.safetensors", "--data", "synthetic").code == 3
    assert rescli("eval", tmp_path / "missing.pth", "--data", "synthetic").code == 3
    torch.save(dict(build(network("resnet8-b")).state_dict()) | {"extra": torch.zeros(1)}, tmp_path / "extra.pth")
    done = rescli("eval", tmp_path / "extra.pth", "--data", "synthetic")
    assert done.code == 1
    assert "extra" in done.err


def test_any_module_from_the_folder_one_is_in(rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_nets.py").write_text(
        "from torch import nn\n\ndef make():\n    return nn.Conv2d(3, 4, 3, padding=1)\n"
    )
    monkeypatch.chdir(tmp_path)

    found = rescli("profile", "some_nets:make", "--input", "8", "--json").document

    assert (found["macs"], found["parameters"], found["activations"]) == (27 * 4 * 64, 112, 256)
    assert "not counted" in rescli("profile", "some_nets:make", "--input", "8").out
    assert rescli("profile", "some_nets:make", "--memory").code == 2
    assert rescli("profile", "some_nets:make", "--by", "block").code == 2
    assert rescli("profile", "some_nets:mak").code == 2


def test_no_run_is_replaced_by_weights(rescli: Rescli, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run.h5")
    before = run.read_bytes()
    refused = rescli("build", "resnet8", "--out", run, "--overwrite")
    assert (refused.code, "it is a run" in refused.err, run.read_bytes() == before) == (2, True, True)
