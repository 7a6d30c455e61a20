"""What `rescli eval` says and writes of images: predictions, ensembles, no labels, damaged files; as typed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from rescli.data.devkit import Devkit
from rescli.engine.answers import answers
from rescli.errors import StoreError
from rescli.store.predictions import Predictions, read_predictions
from tests.cli.conftest import Rescli
from tests.cli.photographs import CLASSES, NET
from tests.data.devkits import devkit


def test_an_ensemble_is_the_mean_of_the_saved_predictions(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    where = ("--data", str(photographs), "--threads", "1")
    built, saved = [], []
    for name, path in weights.items():
        net = tmp_path / f"{name}-net.h5"
        assert rescli("build", *NET[1:-2], "--weights", str(path), "--out", str(net)).code == 0
        built.append(str(net))
        saved.append(str(tmp_path / f"{name}.h5"))
        assert rescli("eval", str(net), *where, "--predictions", saved[-1]).code == 0
    together, joined = tmp_path / "together.h5", tmp_path / "joined.h5"
    now = rescli("eval", "ensemble", *built, *where, "--predictions", str(together), "--json").document
    later = rescli("eval", "ensemble", *saved, "--predictions", str(joined), "--json").document

    mean = np.mean([read_predictions(Path(path)).scores.astype(np.float64) for path in saved], axis=0)
    assert np.array_equal(read_predictions(together).scores, mean.astype(np.float32))
    assert np.array_equal(read_predictions(joined).scores, mean.astype(np.float32))
    assert now["top1_error"] == later["top1_error"]
    assert "ensemble of 2" in now["title"]
    mixed = rescli("eval", "ensemble", built[0], saved[1], *where, "--json").document
    assert mixed["top5_error"] == now["top5_error"]
    for words in (("--net", "resnet18"), ("--backend", "cpu"), ("--data", "cifar10"), ("--stride-in", "3x3")):
        refused = rescli("eval", saved[0], *words)
        assert (refused.code, f"{words[0]} would have no effect" in refused.err) == (2, True), refused.err
    for twice in ((saved[0], saved[0]), (built[0], saved[0], *where)):
        refused = rescli("eval", "ensemble", *twice)
        assert (refused.code, "same weights and views, which would count twice" in refused.err) == (2, True), (
            refused.err
        )
    alone = rescli("eval", saved[0], "--json").document
    assert alone["images"] == 2 * CLASSES
    for command in (("runs", "show"), ("runs", "verify"), ("build", "--weights"), ("analyze", "table6")):
        refused = rescli(*command, saved[0])
        assert (refused.code, "saved predictions, not a run" in refused.err) == (4, True), command


def without_labels(photographs: Path, folder: Path) -> Path:
    """Three of the images, as the test server has them."""
    folder.mkdir()
    for number, path in enumerate(sorted(photographs.rglob("*.JPEG"))[:3]):
        (folder / f"{number}.JPEG").write_bytes(path.read_bytes())
    return folder


def test_images_without_labels_and_the_file_for_a_server(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    folder = without_labels(photographs, tmp_path / "test")
    out = tmp_path / "answers.csv"
    done = rescli("eval", str(weights["a"]), *NET, "--data", str(folder), "--predictions", str(out))
    assert "3 images: no labels" in done.out
    rows = list(csv.reader(out.read_text().splitlines()))
    assert rows[0][:3] == ["file", "class", "best1"]
    assert [row[0] for row in rows[1:]] == ["0.JPEG", "1.JPEG", "2.JPEG"]
    for row in rows[1:]:
        scores = [float(value) for value in row[7:]]
        assert sum(scores) == pytest.approx(1, abs=1e-6)
        assert int(row[2]) == int(np.argmax(scores))

    truth = tmp_path / "truth.txt"
    truth.write_text("0.JPEG 0\n1.JPEG 0\n2.JPEG 4\n")
    with_truth = rescli(
        "eval", str(weights["a"]), *NET, "--data", str(folder), "--truth", str(truth), "--json"
    ).document
    assert [(row["name"], row["images"]) for row in with_truth["classes"]] == [("0", 2), ("4", 1)]
    truth.write_text("0.JPEG 0\n1.JPEG 0\n2.JPEG 6\n")
    beyond = rescli("eval", str(weights["a"]), *NET, "--data", str(folder), "--truth", str(truth))
    assert (beyond.code, "images of class 6" in beyond.err) == (2, True)


def test_a_test_is_not_lost_where_its_predictions_cannot_be_written(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("eval", str(weights["a"]), *NET, "--data", str(photographs))
    refused = rescli(*line, "--predictions", str(tmp_path / "missing" / "p.h5"))
    assert (refused.code, refused.out, "there is no folder" in refused.err) == (2, "", True)

    def full(path: Path, data: bytes) -> None:
        raise StoreError(f"{path}: no space left", "Make room.")

    monkeypatch.setattr("rescli.engine.networks.put", full)
    done = rescli(*line, "--predictions", str(tmp_path / "p.h5"))
    assert (done.code, "top-1 error" in done.out, "no space left" in done.err) == (4, True, True)


def test_the_file_for_the_test_server(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    """The five best classes by the kit's numbers, a line for each image; of a net, and of scores saved before."""
    kit = devkit(tmp_path, {f"n{number:02}": CLASSES - number for number in range(CLASSES)}, [1, 1, 2])
    folder = without_labels(photographs, tmp_path / "test")
    saved, answers = tmp_path / "scores.h5", tmp_path / "answers.txt"
    test = ("eval", str(weights["a"]), *NET, "--data", str(folder))
    done = rescli(*test, "--predictions", answers, "--devkit", kit)
    assert done.code == 0, done.err
    assert rescli(*test, "--predictions", saved).code == 0
    expected = [[CLASSES - best for best in np.argsort(-row)[:5]] for row in read_predictions(saved).scores]
    assert [[int(number) for number in line.split()] for line in answers.read_text().splitlines()] == expected

    named = tmp_path / "named.h5"
    assert rescli(*test, "--predictions", named, "--class-list", classes(tmp_path)).code == 0
    for number, scores in enumerate((saved, named)):  # of a net for the kit's classes, whether they were named or not
        later = tmp_path / f"later{number}.txt"
        assert rescli("eval", scores, "--predictions", later, "--devkit", kit).code == 0
        assert later.read_text() == answers.read_text()
    other = devkit(tmp_path / "other", {"n00": 1, "n01": 2}, [1])
    refused = rescli("eval", saved, "--predictions", tmp_path / "no.txt", "--devkit", other)
    assert (refused.code, "6 classes that nothing names" in refused.err) == (2, True), refused.err


def test_answers_are_in_the_order_of_the_images_names_wherever_these_lie() -> None:
    """The server reads them by number; in folders of classes they would be sorted by class first."""
    made = Predictions(
        scores=np.array([[1, 0], [0, 1]], np.float32),
        labels=np.array([0, 1]),
        files=("n01/ILSVRC2012_val_00000002.JPEG", "n02/ILSVRC2012_val_00000001.JPEG"),
        classes=("n01", "n02"),
        about={"networks": ["net"]},
    )
    kit = Devkit(path=Path("kit"), numbers={"n01": 7, "n02": 9}, truth=())
    assert b"".join(answers(made, kit)) == b"9 7\n7 9\n"


def test_answers_that_the_server_would_not_understand(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    kit = devkit(tmp_path, {f"n{number:02}": number + 1 for number in range(CLASSES)}, [1])
    folder = without_labels(photographs, tmp_path / "test")
    test = ("eval", str(weights["a"]), *NET, "--data", str(folder))
    for words, why in {
        ("--predictions", "a.txt"): "--devkit ILSVRC2012_devkit_t12.tar.gz",
        ("--predictions", "a.csv", "--devkit", str(kit)): "--devkit has no effect",
        ("--devkit", str(kit)): "--devkit is for --predictions",
        ("--predictions", "a.txt", "--devkit", str(kit), "--skip-damaged"): "an answer for every image",
    }.items():
        refused = rescli(*test, *words)
        assert (refused.code, why in refused.err) == (2, True), refused.err
    strange = rescli(*test, "--class-list", classes(tmp_path, "x"), "--predictions", "a.txt", "--devkit", kit)
    assert (strange.code, "the class x00 is none of the 6" in strange.err) == (2, True)

    (folder / "0.JPEG").write_bytes(b"nothing")
    saved = tmp_path / "scores.h5"
    assert rescli(*test, "--class-list", classes(tmp_path), "--skip-damaged", "--predictions", saved).code == 0
    refused = rescli("eval", saved, "--predictions", tmp_path / "a.txt", "--devkit", kit)
    assert (refused.code, "left out as damaged: 1" in refused.err) == (2, True), refused.err


def classes(folder: Path, letter: str = "n") -> Path:
    """A file with all classes in order."""
    path = folder / f"{letter}.txt"
    path.write_text("".join(f"{letter}{number:02}\n" for number in range(CLASSES)))
    return path


def test_a_network_of_more_classes_needs_their_list(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    part = tmp_path / "part" / "val"
    for name in ("n01", "n04"):
        (part / name).mkdir(parents=True)
        (part / name / "0.JPEG").write_bytes((photographs / "val" / name / "0.JPEG").read_bytes())
    refused = rescli("eval", str(weights["a"]), *NET, "--data", str(part.parent))
    assert (refused.code, "6 classes apart" in refused.err, "--class-list" in refused.err) == (2, True, True)
    listed = tmp_path / "synsets.txt"
    listed.write_text("".join(f"n{number:02}\n" for number in range(CLASSES)))
    done = rescli("eval", str(weights["a"]), *NET, "--data", str(part.parent), "--class-list", str(listed), "--json")
    assert [row["name"] for row in done.document["classes"]] == ["n01", "n04"]


def test_damaged_images_are_left_out_only_when_asked(
    rescli: Rescli, photographs: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    sources = sorted(photographs.rglob("*.JPEG"))
    for number in range(2):
        (folder / f"{number}.JPEG").write_bytes(sources[number].read_bytes())
    (folder / "0.JPEG").write_bytes(sources[0].read_bytes()[:700])
    refused = rescli("eval", str(weights["a"]), *NET, "--data", str(folder))
    assert (refused.code, "0.JPEG: cannot be decoded" in refused.err, "--skip-damaged" in refused.err) == (
        3,
        True,
        True,
    )
    done = rescli("eval", str(weights["a"]), *NET, "--data", str(folder), "--skip-damaged", "--json")
    assert (done.document["images"], done.document["skipped"]) == (1, ["0.JPEG"])
    assert "left out" in done.err
    (folder / "1.JPEG").unlink()
    assert rescli("eval", str(weights["a"]), *NET, "--data", str(folder), "--skip-damaged").code == 3
