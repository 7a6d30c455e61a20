"""`rescli train imagenet`, as typed: on a folder of small photographs, killed, resumed, tested, joined."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kills import same
from rescli.engine.networks import fresh
from rescli.models.names import network
from rescli.store.reader import read_run, verify
from tests.cli.conftest import Rescli
from tests.cli.processes import PATIENCE, Job, Process, run, stored_iteration
from tests.photographs.conftest import CLASSES, VALIDATION

NET = (
    *("train", "imagenet", "--model", "resnet18", "--input", "32", "--batch-size", "8", "--precision", "fp32"),
    *("--threads", "1", "--lr", "0.05", "--log-every", "2", "--eval-every", "6", "--precise-bn", "3"),
)


@pytest.fixture(scope="module")
def runs(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, r18.h5 and p18.h5."""
    folder = tmp_path_factory.mktemp("runs")
    for name, words in (("r18", NET), ("p18", (*NET, "--model", "plain18"))):
        ended = run(*words, "--data", str(photographs), "--iterations", "12", "--out", f"{name}.h5", folder=folder)
        assert ended.code == 0, ended.err
    return folder


def test_killed_in_the_middle_of_epochs_with_threads_at_work(photographs: Path, tmp_path: Path) -> None:
    """Three SIGKILLs; then the run is the uninterrupted one, bit for bit."""
    words = (*NET, "--data", str(photographs), "--iterations", "24", "--workers", "3", "--checkpoint-every", "0.1")
    whole = run(*words, "--out", "whole.h5", folder=tmp_path)
    assert whole.code == 0, whole.err
    path, killed = tmp_path / "run.h5", 0
    for _ in range(3):
        with Process(*words, "--out", "run.h5", "--resume", folder=tmp_path) as process:
            before, deadline = stored_iteration(path), time.monotonic() + PATIENCE
            while stored_iteration(path) <= before and process.running and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send(signal.SIGKILL)
            killed += process.wait().code == -signal.SIGKILL
        verify(path)
    ended = run(*words, "--out", "run.h5", "--resume", folder=tmp_path)
    assert ended.code == 0, ended.err
    assert killed, "none of the signals came in time"
    assert same(read_run(tmp_path / "whole.h5"), read_run(path)) == []


def test_two_processes_share_batches(photographs: Path, tmp_path: Path) -> None:
    """Each decodes its share; statistics over half a batch, as one process has them with --bn-images.

    What three iterations changed agrees to a tenth: rounding may send one number of the last stage to the other side of a
    ReLU. With statistics over the whole batch some tensors change by 15 % of it otherwise, most by all of it.
    """
    words = (*NET, "--data", str(photographs), "--iterations", "3", "--input", "64", "--lr", "0.001")
    with Job(*words, "--devices", "2", "--out", "two.h5", folder=tmp_path) as pair:
        done = pair.wait()
    assert done.code == 0, done.err
    assert run(*words, "--bn-images", "4", "--out", "one.h5", folder=tmp_path).code == 0
    one, two = read_run(tmp_path / "one.h5"), read_run(tmp_path / "two.h5")
    assert one.recipe == two.recipe
    assert np.array_equal(one.inputs["mean_image"], two.inputs["mean_image"]), "sums of integers"
    assert one.progress["totals"]["images"] == two.progress["totals"]["images"] == 21
    start = fresh(network("resnet18", classes=CLASSES, input_size=64), one.recipe["seed"]).tensors
    for name, value in one.model.items():
        assert np.linalg.norm(value - two.model[name]) <= 0.1 * np.linalg.norm(value - start[name]), name
    np.testing.assert_allclose(one.metrics["train"]["loss"], two.metrics["train"]["loss"], rtol=1e-2)
    assert one.metrics["val"]["loss"] == pytest.approx(two.metrics["val"]["loss"], rel=1e-2)


def test_a_run_is_tested_where_its_images_are(rescli: Rescli, runs: Path) -> None:
    """The last evaluation of the run is what `rescli eval` finds; crops and scales need no more words."""
    record = read_run(runs / "r18.h5")
    center = rescli("eval", runs / "r18.h5", "--json").document
    assert center["top1_error"] == pytest.approx(record.metrics["val"]["error"][-1])
    assert center["images"] == CLASSES * VALIDATION
    assert [one["name"] for one in center["classes"]] == ["n00", "n01", "n02"]
    for words in (("--crops", "10"), ("--scales", "32,48")):
        assert 0 <= rescli("eval", runs / "r18.h5", *words, "--json").document["top1_error"] <= 100
    trained = rescli("eval", runs / "r18.h5", "--split", "train", "--json").document
    assert trained["images"] == 21


@pytest.mark.parametrize("net", [("--model", "resnet50", "--shortcut", "C"), ("--model", "plain34")])
def test_the_other_nets_train_and_are_tested_by_the_same_commands(
    rescli: Rescli,
    photographs: Path,
    tmp_path: Path,
    net: tuple[str, ...],
) -> None:
    words = (*NET, *net, "--data", photographs, "--iterations", "2", "--precise-bn", "1", "--out", tmp_path / "run.h5")
    trained = rescli(*words, "--json").document
    tested = rescli("eval", tmp_path / "run.h5", "--json").document
    assert (trained["status"], trained["iteration"]) == ("finished", 2)
    assert tested["top1_error"] == pytest.approx(trained["val"]["error"])
    assert 0 <= rescli("eval", tmp_path / "run.h5", "--scales", "32,48", "--json").document["top1_error"] <= 100


def test_an_ensemble_of_runs_is_the_mean_of_their_predictions(rescli: Rescli, runs: Path, tmp_path: Path) -> None:
    saved = [tmp_path / f"{name}.h5" for name in ("r18", "p18")]
    for path in saved:
        assert rescli("eval", runs / path.name, "--predictions", path).code == 0
    now = rescli("eval", "ensemble", runs / "r18.h5", runs / "p18.h5", "--json").document
    later = rescli("eval", "ensemble", *saved, "--json").document
    assert now["top1_error"] == later["top1_error"]


def test_saved_scores_are_not_tested_again(rescli: Rescli, runs: Path, tmp_path: Path) -> None:
    saved = tmp_path / "scores.h5"
    assert rescli("eval", runs / "r18.h5", "--predictions", saved).code == 0
    for words in (("--crops", "10"), ("--data", "."), ("--split", "train"), ("--precision", "fp32")):
        refused = rescli("eval", saved, *words)
        assert (refused.code, f"{words[0]} would have no effect" in refused.err) == (2, True)
        together = rescli("eval", "ensemble", saved, saved, *words)
        assert (together.code, "would have no effect" in together.err) == (2, True)


def test_layers_of_a_run_are_measured_on_its_own_images(rescli: Rescli, runs: Path) -> None:
    found = rescli("analyze", "responses", runs / "r18.h5", "--images", "4", "--threads", "1", "--json").document
    assert found["responses"][0]["images"] == 4


def test_layers_measured_on_other_images_are_others(
    rescli: Rescli,
    runs: Path,
    photographs: Path,
    tmp_path: Path,
) -> None:
    run, other = tmp_path / "run.h5", tmp_path / "other"
    shutil.copy(runs / "r18.h5", run)
    shutil.copytree(photographs, other)
    first = next((other / "val").rglob("*.JPEG"))
    first.rename(first.with_name("another.JPEG"))
    line = ("analyze", "responses", run, "--images", "4", "--threads", "1")
    assert rescli(*line, "--save").code == 0
    assert "taken from the run store" in rescli(*line).out
    elsewhere = rescli(*line, "--dataset", other)
    assert elsewhere.code == 0, elsewhere.err
    assert "taken from the run store" not in elsewhere.out


def test_a_dry_run_leaves_out_what_the_run_would(rescli: Rescli, photographs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photographs, copy)
    (copy / "train" / "n00" / "0.JPEG").write_bytes(b"no image")
    words = (*NET, "--data", copy, "--iterations", "60", "--out", tmp_path / "run.h5", "--dry-run")
    assert rescli(*words).code == 3
    found = rescli(*words, "--skip-damaged")
    assert (found.code, "20 training images" in found.out) == (0, True)


def test_weights_of_a_run_travel_with_their_classes(
    rescli: Rescli,
    runs: Path,
    photographs: Path,
    tmp_path: Path,
) -> None:
    net = tmp_path / "net.h5"
    assert rescli("build", "--weights", runs / "r18.h5", "--out", net).code == 0
    part = tmp_path / "part" / "val" / "n02"
    part.mkdir(parents=True)
    (part / "0.JPEG").write_bytes((photographs / "val" / "n02" / "0.JPEG").read_bytes())
    found = rescli("eval", net, "--data", part.parent.parent, "--json").document
    assert [one["name"] for one in found["classes"]] == ["n02"], "one of three, known by its name"


def test_the_recipe_is_printed_as_a_configuration(rescli: Rescli, tmp_path: Path) -> None:
    config = tmp_path / "r50.toml"
    shown = rescli(
        "train", "imagenet", "--model", "resnet50", "--backend", "cpu", "--precision", "fp32", "--print-config"
    )
    config.write_text(shown.out)
    again = rescli("train", "imagenet", "--config", config, "--print-config")
    assert again.out == shown.out
    values = json.loads(rescli("train", "imagenet", "--config", config, "--print-config", "--json").out)
    assert (values["model"], values["shortcut"], values["stride_in"]) == ("resnet50", "B", "1x1")
    assert (values["iterations"], values["batch_size"], values["shortest"], values["longest"]) == (
        600_000,
        256,
        256,
        480,
    )


def test_a_dry_run_writes_nothing_and_computes_no_mean(rescli: Rescli, photographs: Path, tmp_path: Path) -> None:
    words = (*NET, "--data", photographs, "--iterations", "60", "--out", tmp_path / "run.h5")
    found = rescli(*words, "--dry-run", "--json")
    assert found.document["seconds"] == pytest.approx(60 * found.document["seconds_per_step"])
    assert "mean image" not in found.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--model", "resnet20"], 2, "is a CIFAR net"),
        (["--model", "resnet35"], 2, "no network is called"),
        (["--model", "plain18", "--shortcut", "A"], 2, "plain net"),
        (["--milestone", "0.5", "--patience", "3"], 2, "patience is about plateaus"),
        (["--no-augment", "--colour"], 2, "no effect"),
        (["--model", "vgg16", "--bn-images", "4"], 2, "has no BN"),
        (["--shortest", "20"], 2, "shortest = 20"),
        (["--accumulate", "3"], 2, "3 parts cannot share batches of 8"),
        (["--decode", "gpu", "--backend", "cpu"], 5, "backend 'cpu' decodes no JPEGs"),
        (["--data", "nowhere"], 3, "nowhere: there is no such folder"),
        (["--data", "."], 3, "holds no folder train"),
    ],
)
def test_wishes_that_make_no_sense(
    rescli: Rescli,
    photographs: Path,
    tmp_path: Path,
    words: list[str],
    code: int,
    message: str,
) -> None:
    done = rescli(*NET, "--data", photographs, "--iterations", "2", "--out", tmp_path / "run.h5", *words)
    assert (done.code, message in done.err) == (code, True), done.err
    assert list(tmp_path.iterdir()) == []


def test_without_images_it_says_what_to_do(rescli: Rescli, tmp_path: Path) -> None:
    done = rescli(*NET, "--out", tmp_path / "run.h5")
    assert (done.code, "--data PATH" in done.err) == (3, True)


def test_each_kind_of_run_goes_on_with_its_own_command(rescli: Rescli, runs: Path, finished: Path) -> None:
    photographs_by_cifar = rescli("train", "cifar", "--out", runs / "r18.h5", "--resume")
    assert (photographs_by_cifar.code, "rescli train imagenet" in photographs_by_cifar.err) == (2, True)
    cifar_by_imagenet = rescli("train", "imagenet", "--out", finished, "--resume")
    assert (cifar_by_imagenet.code, "rescli train cifar" in cifar_by_imagenet.err) == (2, True)
    changed = rescli("train", "imagenet", "--out", runs / "r18.h5", "--model", "resnet34", "--resume")
    assert (changed.code, "model was resnet18, now resnet34" in changed.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "VGG-16", "--compile"), "--compile is for blocks, and VGG nets have none"),
        (("--shortest", "0"), "shortest = 0: must be between"),
    ],
)
def test_values_are_looked_at_however_they_are_spelled(words: tuple[str, ...], said: str, rescli: Rescli) -> None:
    refused = rescli("train", "imagenet", *words, "--print-config")
    assert refused.code == 2
    assert said in refused.err


def test_members_that_do_not_fit_are_refused_before_anything_is_computed(
    rescli: Rescli,
    photographs: Path,
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved, data, net = tmp_path / "saved.h5", ("--data", photographs), runs / "p18.h5"
    assert rescli("eval", runs / "r18.h5", *data, "--predictions", saved).code == 0

    def never(*_: object) -> None:
        raise AssertionError("images were decoded")

    monkeypatch.setattr("rescli.engine.trial._decoded", never)
    other = rescli("eval", "ensemble", saved, net, *data, "--average", "logits")
    assert (other.code, "has softmax scores" in other.err) == (2, True)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(photographs, elsewhere)
    next((elsewhere / "val").rglob("*.JPEG")).unlink()
    fewer = rescli("eval", "ensemble", saved, net, "--data", elsewhere)
    assert (fewer.code, "not about the same files" in fewer.err) == (2, True)
