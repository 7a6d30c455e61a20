"""Which images a run is of: known again, refused, left out where they are damaged, in a folder or in one file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kills import same
from rescli.engine.graded import Graded, save
from rescli.engine.networks import open_network, save_network
from rescli.engine.score import Scoring, score
from rescli.errors import DataError, StoppedEarly, UsageError
from rescli.store.predictions import read_predictions
from rescli.store.reader import read_run
from tests.cli.conftest import Rescli
from tests.cli.processes import run
from tests.photographs.conftest import CLASSES, TRAINING, Train, little
from tests.photographs.observers import Notes, StopsTraining


def test_a_run_knows_its_images_again(trained: Train, photographs: Path, tmp_path: Path) -> None:
    recipe = little(precise_bn=0)
    with pytest.raises(StoppedEarly):
        trained(recipe, observer=StopsTraining(3))
    other = tmp_path / "other"
    shutil.copytree(photographs, other)
    (other / "train" / "n00" / "0.JPEG").rename(other / "train" / "n01" / "new.JPEG")
    with pytest.raises(DataError, match="does not hold the images"):
        trained(recipe, resume=True, data=other)
    (other / "train" / "n01" / "new.JPEG").rename(other / "train" / "n00" / "0.JPEG")
    (other / "val" / "n02" / "3.JPEG").unlink()
    with pytest.raises(DataError, match=r"does not hold the images that .* was evaluated on"):
        trained(recipe, resume=True, data=other)
    outcome, _ = trained(recipe, resume=True, data=None)
    assert outcome.status == "finished", "where they were is in the store"


def test_images_without_classes_are_refused(trained: Train, photographs: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    shutil.copytree(photographs / "train", flat / "train")
    (flat / "val").mkdir()
    shutil.copy(photographs / "val" / "n00" / "0.JPEG", flat / "val" / "0.JPEG")
    with pytest.raises(DataError, match="which class an image has"):
        trained(little(), data=flat)
    shutil.copytree(photographs / "val" / "n00", flat / "val" / "n77")
    (flat / "val" / "0.JPEG").unlink()
    with pytest.raises(DataError, match="the class n77 is not one of the 3"):
        trained(little(), data=flat)
    assert not (tmp_path / "run.h5").exists()


def test_a_single_class_is_refused(trained: Train, photographs: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        shutil.copytree(photographs / split / "n01", tmp_path / "one" / split / "n01")
    with pytest.raises(DataError, match="all images are of one class, n01"):
        trained(little(), data=tmp_path / "one")
    assert not (tmp_path / "run.h5").exists()


def test_a_damaged_image_stops_the_run_and_the_store_stays(trained: Train, photographs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photographs, copy)
    victim = copy / "train" / "n01" / "3.JPEG"
    with pytest.raises(StoppedEarly):
        trained(little(), data=copy, observer=StopsTraining(3))
    whole = victim.read_bytes()
    victim.write_bytes(whole[:200])
    with pytest.raises(DataError, match=r"3\.JPEG: cannot be decoded"):
        trained(little(), data=copy, resume=True)
    assert read_run(tmp_path / "run.h5").progress["iteration"] == 3
    victim.write_bytes(whole)
    outcome, _ = trained(little(), data=copy, resume=True)
    assert outcome.status == "finished"


def test_a_packed_file_is_the_folder_bit_for_bit(trained: Train, photographs: Path, tmp_path: Path) -> None:
    """The mean of crops of 224 comes from the file, that of other sizes from its images."""
    packed = tmp_path / "packed.h5"
    assert run("data", "pack", "--data", str(photographs), "--out", "packed.h5", folder=tmp_path).code == 0
    for size in (32, 224):
        recipe = little(size=size, iterations=3, precise_bn=0) if size == 32 else little(size=size, iterations=1)
        told = Notes()
        _, expected = trained(recipe, name=f"folder{size}.h5")
        with pytest.raises(StoppedEarly):
            trained(recipe, name=f"packed{size}.h5", data=packed, observer=StopsTraining(1))
        _, record = trained(recipe, name=f"packed{size}.h5", data=packed, resume=True, observer=told)
        assert same(expected, record) == []
        assert np.array_equal(expected.inputs["mean_image"], record.inputs["mean_image"])
        assert np.array_equal(expected.inputs["images_sha256"], record.inputs["images_sha256"])


def test_damaged_images_are_left_out_when_asked_and_stay_so(trained: Train, photographs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photographs, copy)
    for victim in (copy / "train" / "n01" / "3.JPEG", copy / "val" / "n02" / "0.JPEG"):
        victim.write_bytes(victim.read_bytes()[:200])
    recipe, told = little(iterations=6, log_every=3, precise_bn=0), Notes()
    _, expected = trained(recipe, name="whole.h5", data=copy, skip_damaged=True, observer=told)
    assert [line for line in told.lines if "3.JPEG" in line and line.startswith("left out")]
    assert expected.inputs["skipped"].tolist() == [b"train/n01/3.JPEG", b"val/n02/0.JPEG"]
    assert expected.progress["totals"]["images"] == 2 * (CLASSES * TRAINING - 1)
    with pytest.raises(StoppedEarly):
        trained(recipe, data=copy, skip_damaged=True, observer=StopsTraining(4))
    again = Notes()
    _, record = trained(recipe, data=copy, resume=True, observer=again)
    assert any(f"{CLASSES * TRAINING - 1} training images" in line for line in again.lines), again.lines
    assert same(expected, record) == []
    assert record.inputs["skipped"].tolist() == expected.inputs["skipped"].tolist()


def test_what_is_left_out_is_decided_when_a_run_begins(trained: Train, photographs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photographs, copy)
    recipe = little(iterations=4, precise_bn=0)
    for name, skip_damaged in (("asked.h5", True), ("never.h5", False)):
        with pytest.raises(StoppedEarly):
            trained(recipe, name=name, data=copy, skip_damaged=skip_damaged, observer=StopsTraining(2))
    victim = copy / "val" / "n02" / "0.JPEG"
    good = victim.read_bytes()
    victim.write_bytes(good[:200])
    with pytest.raises(UsageError, match="begun without --skip-damaged"):
        trained(recipe, name="never.h5", data=copy, skip_damaged=True, resume=True)
    with pytest.raises(DataError, match="cannot be decoded"):
        trained(recipe, name="never.h5", data=copy, resume=True)
    victim.write_bytes(good)
    assert trained(recipe, name="never.h5", data=copy, resume=True)[1].status == "finished"
    _, record = trained(recipe, name="asked.h5", data=copy, skip_damaged=True, resume=True)
    assert (record.status, record.inputs["skipped"].tolist()) == ("finished", [])


def flattened(photographs: Path, folder: Path) -> str:
    """The same images with `val/` as it is published, in no folders of classes; returns the lines of --truth."""
    shutil.copytree(photographs / "train", folder / "train")
    (folder / "val").mkdir()
    lines = []
    for path in sorted((photographs / "val").rglob("*.JPEG")):
        name = f"{path.parent.name}_{path.name}"
        shutil.copy(path, folder / "val" / name)
        lines.append(f"{name} {path.parent.name}")
    return "\n".join(lines)


def test_validation_images_in_no_folders_have_their_classes_in_a_file(
    trained: Train, photographs: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    lines = flattened(photographs, flat)
    with pytest.raises(DataError, match="--truth"):
        trained(little(), data=flat)
    (tmp_path / "truth.txt").write_text(lines)
    _, sorted_in = trained(little(iterations=2, precise_bn=0), name="sorted.h5")
    with pytest.raises(StoppedEarly):
        trained(little(iterations=2, precise_bn=0), data=flat, truth=tmp_path / "truth.txt", observer=StopsTraining(1))
    _, record = trained(little(iterations=2, precise_bn=0), resume=True, data=None)
    assert same(sorted_in, record) == ["inputs/tested_sha256"], "the run knows the file; only names are others"


def test_the_true_classes_hold_where_a_runs_own_images_are_named(
    trained: Train, photographs: Path, tmp_path: Path, rescli: Rescli
) -> None:
    flat, packed, truth = tmp_path / "flat", tmp_path / "flat.h5", tmp_path / "truth.txt"
    truth.write_text(flattened(photographs, flat))
    assert rescli("data", "pack", "--data", flat, "--out", packed).code == 0
    recipe = little(iterations=2, precise_bn=0)
    with pytest.raises(StoppedEarly):
        trained(recipe, data=packed, truth=truth, observer=StopsTraining(1))
    assert trained(recipe, data=packed, resume=True)[0].status == "finished"
    told = [
        rescli("eval", tmp_path / "run.h5", "--threads", "1", "--json", *where).document["top1_error"]
        for where in ((), ("--data", packed), ("--data", os.path.relpath(packed)))
    ]
    assert told[0] is not None
    assert told == [told[0]] * 3


def test_images_that_were_sorted_since_need_no_file_of_their_classes(
    trained: Train, photographs: Path, tmp_path: Path, rescli: Rescli
) -> None:
    data, truth = tmp_path / "data", tmp_path / "truth.txt"
    truth.write_text(flattened(photographs, data))
    trained(little(iterations=2, precise_bn=0), data=data, truth=truth)
    before = rescli("eval", tmp_path / "run.h5", "--threads", "1", "--json").document["top1_error"]
    for path in list((data / "val").iterdir()):
        name, _, rest = path.name.partition("_")
        (data / "val" / name).mkdir(exist_ok=True)
        path.rename(data / "val" / name / rest)
    after = rescli("eval", tmp_path / "run.h5", "--threads", "1", "--json")
    assert (after.code, after.document["top1_error"]) == (0, before), after.err


def test_a_name_that_is_no_text(trained: Train, photographs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photographs, copy)
    first = copy / "train" / "n00" / "0.JPEG"
    first.rename(first.with_name(os.fsdecode(b"caf\xe9.JPEG")))
    for split in ("train", "val"):
        (copy / split / "n01").rename(copy / split / os.fsdecode(b"n\xe9"))
    with pytest.raises(StoppedEarly):
        trained(little(), data=copy, observer=StopsTraining(3))
    outcome, record = trained(little(), resume=True, data=None)
    assert outcome.status == "finished"
    assert record.inputs["classes"].tolist() == [b"n00", b"n02", b"n\xe9"]
    net = tmp_path / "net.h5"
    save_network(net, open_network(tmp_path / "run.h5"))
    for path in (tmp_path / "run.h5", net):
        result = score(Scoring(path=path, data=copy, threads=1))
        assert isinstance(result, Graded)
        assert [name for name, *_ in result.by_class()] == ["n00", "n02", os.fsdecode(b"n\xe9")]
        scores = path.with_name(f"of-{path.name}")
        save(scores, result.predictions)
        assert read_predictions(scores).classes == result.predictions.classes


def test_a_split_of_which_nothing_can_be_decoded(trained: Train, photographs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photographs, copy)
    for path in (copy / "val").rglob("*.JPEG"):
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(DataError, match="no image of val can be decoded"):
        trained(little(), data=copy, skip_damaged=True)
    assert not (tmp_path / "run.h5").exists()


def test_the_last_batch_is_that_of_the_images_that_are_left(trained: Train, photographs: Path, tmp_path: Path) -> None:
    """Of 25 images one is damaged: 24 are three whole batches, and BN never sees an image alone."""
    copy = tmp_path / "copy"
    shutil.copytree(photographs, copy)
    for number in range(4):
        shutil.copy(copy / "train" / "n00" / "0.JPEG", copy / "train" / "n00" / f"more{number}.JPEG")
    (copy / "train" / "n01" / "0.JPEG").write_bytes(b"no image")
    notes = Notes()
    with pytest.raises(StoppedEarly):
        trained(little(), data=copy, skip_damaged=True, observer=StopsTraining(3))
    outcome, _ = trained(little(), resume=True, data=None, observer=notes)
    assert outcome.status == "finished"
    with pytest.raises(UsageError, match="the last batch of an epoch has 1 of 25"):
        trained(little(), name="other.h5", data=copy)


def test_the_count_of_the_mean_image_ends_where_an_image_is_damaged(
    trained: Train, photographs: Path, tmp_path: Path
) -> None:
    """Else the bar stays on the terminal, and hides its cursor."""
    copy, said = tmp_path / "copy", list[str]()
    shutil.copytree(photographs, copy)
    (copy / "train" / "n01" / "0.JPEG").write_bytes(b"no image")

    class Counts(Notes):
        def begin(self, iteration: int, iterations: int, batch: int) -> None:
            said.append("begin")

        def end(self) -> None:
            said.append("end")

    with pytest.raises(DataError, match="cannot be decoded"):
        trained(little(), data=copy, observer=Counts())
    assert said == ["begin", "end"]
