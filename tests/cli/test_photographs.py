"""`rescli eval` of ImageNet nets, as typed, on a small folder of images; held against torchvision's networks and transforms."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision.datasets import ImageFolder
from torchvision.transforms import Compose, Normalize, PILToTensor, Resize, TenCrop
from torchvision.transforms._presets import ImageClassification

from rescli.models.blocks import PlainBlock
from rescli.store.predictions import read_predictions
from tests.cli.conftest import Rescli
from tests.cli.photographs import CLASSES, NET
from tests.models.weights.others import randomized


def theirs(path: Path) -> torchvision.models.ResNet:
    net: torchvision.models.ResNet = torchvision.models.resnet18(num_classes=CLASSES)
    net.load_state_dict(torch.load(path, weights_only=True))
    net.eval()
    return net


@torch.no_grad()
def test_a_center_crop_gives_the_logits_of_torchvisions_own_preset(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "scores.h5"
    where = ("--data", str(photographs), "--average", "logits", "--predictions", str(out))
    found = rescli("eval", str(weights["a"]), *NET, *where, "--json").document

    net, preset = theirs(weights["a"]), ImageClassification(crop_size=224, resize_size=256)
    folder = ImageFolder(str(photographs / "val"), transform=preset)
    logits = torch.cat([net(image[None]) for image, _ in folder])
    made = read_predictions(out)
    np.testing.assert_allclose(made.scores, logits.numpy(), rtol=1e-5, atol=1e-5)
    assert made.labels.tolist() == folder.targets
    wrong = (logits.argmax(1) != torch.tensor(folder.targets)).double().mean()
    assert found["top1_error"] == pytest.approx(100 * float(wrong))
    top5 = logits.topk(5).indices
    missed = [label not in row for label, row in zip(folder.targets, top5.tolist(), strict=True)]
    assert found["top5_error"] == pytest.approx(100 * sum(missed) / len(missed))
    assert found["images"] == 2 * CLASSES


@torch.no_grad()
def test_bottlenecks_give_the_logits_of_torchvisions_own_preset_too(
    rescli: Rescli, photographs: Path, tmp_path: Path
) -> None:
    """Of v1.5, which halves maps in the 3x3: the file cannot say so, the user does."""
    net = randomized(torchvision.models.resnet50(num_classes=CLASSES), 3).eval()
    torch.save(net.state_dict(), tmp_path / "r50.pth")
    words = [
        "--net",
        "resnet50",
        "--stride-in",
        "3x3",
        "--normalize",
        "imagenet",
        "--threads",
        "1",
        "--average",
        "logits",
    ]
    where = ("--data", str(photographs), "--predictions", str(tmp_path / "scores.h5"))
    assert rescli("eval", str(tmp_path / "r50.pth"), *words, *where).code == 0

    folder = ImageFolder(str(photographs / "val"), transform=ImageClassification(crop_size=224, resize_size=256))
    logits = torch.cat([net(image[None]) for image, _ in folder]).numpy()
    np.testing.assert_allclose(
        read_predictions(tmp_path / "scores.h5").scores, logits, rtol=1e-5, atol=1e-5 * np.abs(logits).max()
    )


@torch.no_grad()
def test_ten_crops_are_torchvisions_ten_crops(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "ten.h5"
    where = ("--data", str(photographs), "--crops", "10", "--predictions", str(out))
    assert rescli("eval", "--weights", str(weights["a"]), "--model", *NET[1:], *where).code == 0

    net, normalize = theirs(weights["a"]), Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    folder = ImageFolder(str(photographs / "val"), transform=Compose([Resize(256), TenCrop(224)]))
    for scores, (crops, _) in zip(read_predictions(out).scores, folder, strict=True):
        inputs = torch.stack([normalize(PILToTensor()(crop) / 255) for crop in crops])
        np.testing.assert_allclose(scores, net(inputs).softmax(1).mean(0).numpy(), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_whole_images_at_several_scales(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    """The mean over scales, mirror images and positions, by hand."""
    net = theirs(weights["a"])
    backbone = torch.nn.Sequential(*list(net.children())[:-2])
    normalize = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    folder = ImageFolder(str(photographs / "val"))
    for pooling in ("windows", "global"):
        out = tmp_path / f"{pooling}.h5"
        where = ("--data", str(photographs), "--scales", "224,288", "--pooling", pooling, "--predictions", str(out))
        assert rescli("eval", str(weights["a"]), *NET, *where).code == 0
        for scores, (image, _) in list(zip(read_predictions(out).scores, folder, strict=True))[:4]:
            views = []
            for scale in (224, 288):
                x = normalize(PILToTensor()(Resize(scale)(image)) / 255)[None]
                for view in (x, x.flip(3)):
                    maps = backbone(view)
                    pooled = (
                        torch.nn.functional.avg_pool2d(maps, 7, 1) if pooling == "windows" else maps.mean((2, 3), True)
                    )
                    views.append(net.fc(pooled.movedim(1, 3)).softmax(3).mean((1, 2))[0])
            np.testing.assert_allclose(scores, torch.stack(views).mean(0).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--crops", "5"], "5 crops"),
        (["--scales", "224,x"], "whole numbers"),
        (["--scales", "224", "--crops", "10"], "no effect"),
        (["--pooling", "global"], "whole images"),
        (["--shorter", "200"], "do not fit"),
        (["--predictions", "scores.json"], ".h5 or .csv"),
    ],
)
def test_wishes_that_make_no_sense(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], words: list[str], message: str
) -> None:
    done = rescli("eval", str(weights["a"]), *NET, "--data", str(photographs), *words)
    assert done.code == 2
    assert message in done.err


def test_files_to_test_are_one_or_an_ensemble(rescli: Rescli, weights: dict[str, Path], tmp_path: Path) -> None:
    a, b = (str(path) for path in weights.values())
    assert "no file to test" in rescli("eval").err
    assert "ensemble FILE FILE" in rescli("eval", a, b).err
    assert "two members" in rescli("eval", "ensemble", a).err
    assert rescli("eval", "ensemble", a, b, "--net", "resnet18").code == 2
    nowhere = rescli("eval", a, *NET, "--data", str(tmp_path / "nowhere"))
    assert (nowhere.code, "cannot be listed" in nowhere.err) == (3, True)
    assert json.loads(rescli("eval", a, b, "--json").out)["exit_code"] == 2


def test_verify_decodes_every_image(rescli: Rescli, photographs: Path, tmp_path: Path) -> None:
    whole = rescli("data", "verify", "imagenet", "--data", str(photographs), "--json")
    assert whole.code == 0
    (split,) = whole.document["splits"]
    assert {name: split[name] for name in ("name", "classes", "images", "each", "grey", "damaged")} == {
        "name": "val",
        "classes": CLASSES,
        "images": 2 * CLASSES,
        "each": "2",
        "grey": 1,
        "damaged": [],
    }
    for folder, name in (("train", "n01"), ("train", "n02"), ("val", "n01")):
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / "0.JPEG").write_bytes((photographs / "val" / name / "0.JPEG").read_bytes())
    (tmp_path / "val" / "n01" / "1.JPEG").write_bytes(b"\xff\xd8\xff nothing")
    for empty in ("train/n03", "val/n04", "val/n05"):
        (tmp_path / empty).mkdir()
    broken = rescli("data", "verify", "imagenet", "--data", str(tmp_path))
    assert broken.code == 3
    assert "1.JPEG: cannot be decoded" in broken.out
    assert "train has no images of n03: empty folders" in broken.out
    assert "val has no images of n04, n05: empty folders" in broken.out
    assert "different classes: n02" in broken.out
    assert "and 3 more" in broken.err
    as_json = rescli("data", "verify", "imagenet", "--data", str(tmp_path), "--json")
    assert as_json.document["remarks"][-1] == "train and val have different classes: n02"
    assert rescli("data", "verify", "imagenet", "--data", str(tmp_path / "none")).code == 3

    (tmp_path / "server" / "test").mkdir(parents=True)
    for name in ("1.JPEG", "2.JPEG"):
        (tmp_path / "server" / "test" / name).write_bytes((photographs / "val" / "n01" / "0.JPEG").read_bytes())
    server = rescli("data", "verify", "imagenet", "--data", str(tmp_path / "server"), "--json")
    (split,) = server.document["splits"]
    assert [split[name] for name in ("name", "classes", "images")] == ["test", 0, 2], "no class is called so"


def test_verify_takes_the_classes_of_a_flat_val_from_a_file(rescli: Rescli, photographs: Path, tmp_path: Path) -> None:
    for folder, name in (("train/n01", "a"), ("train/n02", "b"), ("val", "x"), ("val", "y"), ("val", "z")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / f"{name}.JPEG").write_bytes((photographs / "val" / "n01" / "0.JPEG").read_bytes())
    truth = tmp_path / "truth.txt"
    asked = ("data", "verify", "imagenet", "--data", str(tmp_path), "--json")
    for said, each in (
        ("x.JPEG n01\ny.JPEG n02\nz.JPEG n02\n", "1 to 2"),
        ("x.JPEG 1\ny.JPEG 0\nz.JPEG 1\n", "1 to 2"),
    ):
        truth.write_text(said)
        done = rescli(*asked, "--truth", str(truth))
        assert (done.code, done.document["ok"], done.document["splits"][1]["each"]) == (0, True, each)
    assert rescli(*asked).document["splits"][1]["each"] == ""
    truth.write_text("x.JPEG n01\ny.JPEG n02\nz.JPEG n03\n")
    strange = rescli(*asked, "--truth", str(truth))
    assert (strange.code, "n03 is not one of the 2" in strange.err + strange.out) == (2, True)
    truth.write_text("x.JPEG n01\n")
    assert rescli(*asked, "--truth", str(truth)).code == 3
    for where, code in ((photographs, 2), (tmp_path / "train" / "n01", 3)):  # sorted already; of other images
        assert rescli("data", "verify", "imagenet", "--data", str(where), "--truth", str(truth)).code == code
    assert rescli("data", "verify", "cifar10", "--truth", str(truth)).code == 2


def test_a_net_that_cannot_be_compiled_runs_as_it_is_written(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("eval", str(weights["a"]), *NET, "--data", str(photographs), "--json")
    plain = rescli(*words).document

    def broken(network: torch.nn.Module) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("no compiler")

        for module in network.modules():
            if isinstance(module, PlainBlock):
                module._compiled_call_impl = fail

    monkeypatch.setattr("rescli.backends.scores.compile_blocks", broken)
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # a line for people, which the command line makes of it
        done = rescli(*words, "--compile")
    assert done.document["top1_error"] == plain["top1_error"]
    assert "cannot be compiled here" in done.err
    refused = rescli("eval", str(weights["a"]), *NET, "--data", str(photographs), "--scales", "224", "--compile")
    assert (refused.code, "for crops" in refused.err) == (2, True)


@pytest.mark.long
def test_compiled_blocks_give_the_same_scores(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    found = []
    for name, words in (("plain", ()), ("compiled", ("--compile",))):
        out = tmp_path / f"{name}.h5"
        done = rescli("eval", str(weights["a"]), *NET, "--data", str(photographs), "--predictions", str(out), *words)
        assert "cannot be compiled" not in done.err
        found.append(read_predictions(out).scores)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)


def test_a_class_called_as_the_folder(rescli: Rescli, photographs: Path, tmp_path: Path) -> None:
    cats = tmp_path / "cats"
    for name in ("cats", "dogs"):
        (cats / name).mkdir(parents=True)
        shutil.copy(next((photographs / "val").rglob("*.JPEG")), cats / name / "1.JPEG")
    (split,) = rescli("data", "verify", "imagenet", "--data", cats, "--json").document["splits"]
    assert (split["name"], split["classes"], split["images"]) == ("cats", 2, 2)
