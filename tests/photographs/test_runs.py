"""Training on photographs: exact when resumed, whoever decodes; statistics, means and plateaus as the recipe says."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

from benchmarks.kills import same
from rescli.backends.base import Tally
from rescli.backends.cpu import CpuBackend
from rescli.backends.team import Team
from rescli.backends.worker import TorchWorker
from rescli.data.listing import list_images
from rescli.data.order import Order
from rescli.data.stream import training_batches
from rescli.engine.fit import fit
from rescli.engine.observer import Silent
from rescli.engine.photograph_batches import augmentation
from rescli.engine.prepare import check_deterministic, describe, prepare
from rescli.engine.request import Request
from rescli.engine.stopping import StopSignals
from rescli.engine.suitable import check_batches
from rescli.engine.train import assemble, train
from rescli.errors import Interrupted, StoppedEarly, UsageError
from rescli.models.build import build
from rescli.store.reader import read_run
from rescli.store.writer import NoWriter
from tests.photographs.conftest import CLASSES, TRAINING, VALIDATION, Train, little
from tests.photographs.observers import Notes, StopsTraining


@pytest.mark.parametrize("fork", [{}, {"model": "resnet18-b", "bn_images": 4, "augment": False}], ids=["paper", "fork"])
def test_stopped_after_every_iteration(trained: Train, tmp_path: Path, fork: dict[str, Any]) -> None:
    """In the middle of epochs and at their ends, with threads at work."""
    recipe = little(**fork)
    _, expected = trained(recipe, name="whole.h5", workers=1)
    for iteration in range(1, 9):
        with pytest.raises(StoppedEarly):
            trained(recipe, resume=True, observer=StopsTraining(iteration))
        assert read_run(tmp_path / "run.h5").progress["iteration"] == iteration
    _, record = trained(recipe, resume=True, workers=3)

    assert same(expected, record) == []
    assert expected.progress["averaged"]
    assert {name: value.tobytes() for name, value in expected.inputs.items()} == {
        name: value.tobytes() for name, value in record.inputs.items()
    }


def test_a_signal_while_statistics_are_averaged_leaves_that_to_the_resumed_run(
    trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = little()
    _, expected = trained(recipe, name="whole.h5")
    average = TorchWorker.average_statistics

    def interrupted(self: TorchWorker, plans: Any, stop: Any = lambda: False) -> bool:
        def some() -> Iterator[Any]:
            for number, plan in enumerate(plans):
                if number == 2:
                    os.kill(os.getpid(), signal.SIGUSR1)
                yield plan

        return average(self, some(), stop)

    monkeypatch.setattr(TorchWorker, "average_statistics", interrupted)
    with pytest.raises(StoppedEarly, match="after iteration 9,"):
        trained(recipe)
    monkeypatch.undo()
    halfway = read_run(tmp_path / "run.h5")
    assert not halfway.progress["averaged"]
    assert 9 not in halfway.metrics["val"]["iteration"], "what is tested are the averages"
    _, record = trained(recipe, resume=True)
    assert same(expected, record) == []


def test_statistics_are_the_true_averages_over_the_batches_that_would_follow(trained: Train, photographs: Path) -> None:
    """The mean over batches of what hooks see, in fp64, over the same batches through the same weights."""
    recipe = little().resolved()
    _, moving = trained(little(precise_bn=0), name="moving.h5")
    _, record = trained(little())

    ours = build(recipe.spec(classes=CLASSES))
    ours.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in moving.model.items()})
    layers = {name: m for name, m in ours.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    seen: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {name: [] for name in layers}
    for name, layer in layers.items():
        layer.register_forward_pre_hook(
            lambda _, x, name=name: seen[name].append((x[0].double().mean((0, 2, 3)), x[0].double().var((0, 2, 3))))
        )
    listing = list_images(photographs, "train")
    made = training_batches(
        listing, Order(len(listing), 0), augmentation(recipe), batch=8, workers=1, first=recipe.iterations
    )
    ours.train()
    with torch.no_grad():
        for _ in range(4):
            batch = next(made)
            x = torch.from_numpy(batch.pixels) / 255.0 - torch.from_numpy(record.inputs["mean_image"])
            ours((x + torch.from_numpy(batch.colour)[:, None, None]).permute(0, 3, 1, 2).float())
    made.close()
    for name, batches in seen.items():
        mean, variance = (torch.stack(part).mean(0).numpy() for part in zip(*batches, strict=True))
        np.testing.assert_allclose(record.model[f"{name}.running_mean"], mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(record.model[f"{name}.running_var"], variance, rtol=1e-4, atol=1e-6)
    weights = [name for name in record.model if not name.endswith(("running_mean", "running_var"))]
    assert all(np.array_equal(record.model[name], moving.model[name]) for name in weights), "weights stay"
    assert not np.array_equal(record.model["bn1.running_var"], moving.model["bn1.running_var"])


def test_averages_are_over_batches_however_few_parts_the_short_one_has(trained: Train) -> None:
    """The batch of 6 at the end has three parts of 2, that of 15 five parts of 3."""
    values: dict[str, Any] = {"iterations": 2, "size": 64, "batch_size": 15, "learning_rate": 1e-9}
    _, parts = trained(little(**values), name="parts.h5", accumulate=5)
    _, groups = trained(little(bn_images=3, **values), name="groups.h5")
    for name, value in groups.model.items():
        if name.endswith(("running_mean", "running_var")):
            np.testing.assert_allclose(parts.model[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_the_mean_image_is_that_of_center_crops(trained: Train, photographs: Path) -> None:
    crop = Compose([Resize(37), CenterCrop(32), PILToTensor()])
    paths = sorted((photographs / "train").rglob("*.JPEG"))
    crops = np.stack([crop(Image.open(path).convert("RGB")).numpy() for path in paths]).transpose(0, 2, 3, 1)
    _, record = trained(little(iterations=1, precise_bn=0))
    np.testing.assert_allclose(record.inputs["mean_image"], crops.mean(0) / 255, rtol=1e-6)
    _, some = trained(little(iterations=1, precise_bn=0, mean_images=5), name="some.h5")
    spread = [i * len(paths) // 5 for i in range(5)]
    np.testing.assert_allclose(some.inputs["mean_image"], crops[spread].mean(0) / 255, rtol=1e-6)
    assert [name.decode() for name in record.inputs["classes"]] == ["n00", "n01", "n02"]


def test_parts_of_a_batch_are_bn_over_parts(trained: Train) -> None:
    """Two parts one after the other compute what BN over half a batch computes at once, up to rounding."""
    _, parts = trained(little(iterations=1, size=64), name="parts.h5", accumulate=2)
    _, once = trained(little(iterations=1, size=64, bn_images=4), name="once.h5")
    assert parts.recipe == once.recipe
    assert parts.sessions[-1]["accumulate"] == 2
    for name, value in once.momentum.items():  # the gradient, after one iteration
        assert np.linalg.norm(value - parts.momentum[name]) <= 1e-3 * np.linalg.norm(value) + 1e-6, name
    np.testing.assert_allclose(parts.metrics["train"]["loss"], once.metrics["train"]["loss"], rtol=1e-5)
    with pytest.raises(UsageError, match="3 parts cannot share batches of 8 images evenly"):
        trained(little(), name="odd.h5", accumulate=3)
    with pytest.raises(UsageError, match="2 parts cannot share batches of 8 images with BN over 8"):
        trained(little(bn_images=8), name="odd.h5", accumulate=2)


def test_the_rate_falls_where_the_error_plateaus(
    trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of 12 images, evaluated after every iteration; progress is more than 10 points below the best."""
    wrong = [11, 9, 8, 8, 5, 4, 4, 4, 4, 3, 3, 3]  # 92, 75, 67, 67, 42, 33, 33, ... %
    at = {"n": 0}

    def evaluate(*_: Any, **__: Any) -> Tally:
        errors = wrong[at["n"]]
        at["n"] += 1
        return Tally(loss=1.0, images=np.array([12]), errors=np.array([errors]))

    monkeypatch.setattr(TorchWorker, "evaluate", evaluate)
    recipe = little(iterations=12, eval_every=1, log_every=1, patience=2, least=10.0, drops=2, precise_bn=0)
    told = Notes()
    with pytest.raises(StoppedEarly):
        trained(recipe, observer=StopsTraining(7))
    trained(recipe, resume=True, observer=told)
    record = read_run(tmp_path / "run.h5")

    # best 92; 75; (67: 8 points, 1), (67, 2: the first drop) after 4; 42 best; (33: 9 points, 1), (33, 2) after 7: the second.
    rates = [0.05] * 4 + [0.005] * 3 + [0.0005] * 5
    np.testing.assert_allclose(record.metrics["train"]["learning_rate"], rates)
    assert (record.progress["drops"], record.progress["best_error"]) == (2, pytest.approx(100 * 3 / 12))
    assert [line for line in told.lines if "plateau after" in line] == [], (
        "both were before the stop, and there are no more"
    )
    assert record.progress["waited"] == 2


def test_milestones_in_place_of_plateaus(trained: Train) -> None:
    recipe = little(iterations=6, milestones=(0.5,), log_every=1, eval_every=6, precise_bn=0)
    _, record = trained(recipe)
    np.testing.assert_allclose(record.metrics["train"]["learning_rate"], [0.05] * 3 + [0.005] * 3)
    assert record.progress["best_error"] is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_mean_is_computed_ends_that(trained: Train, tmp_path: Path, number: signal.Signals) -> None:
    class Early(Notes):
        def step(self, iteration: int) -> None:
            if iteration == 3:
                os.kill(os.getpid(), number)
            assert iteration < 15, "it goes on with the images that are under way, and no further"

    told = Early()
    with pytest.raises((StoppedEarly, Interrupted), match="while the mean image was computed") as stopped:
        trained(little(mean_images=20), observer=told, workers=1)
    assert stopped.value.exit_code == (75 if number == signal.SIGTERM else 130)
    assert not (tmp_path / "run.h5").exists()


def test_a_last_batch_that_bn_cannot_see_is_refused(trained: Train, tmp_path: Path) -> None:
    """21 images: a last batch of one at inputs of 32 pixels, whose last map is a single one."""
    with pytest.raises(UsageError, match="the last batch of an epoch has 1 of 21 images: BN would see 1"):
        trained(little(batch_size=10))
    with pytest.raises(UsageError, match="BN would see 1"):
        trained(little(batch_size=10, bn_images=1))
    assert not (tmp_path / "run.h5").exists()
    outcome, _ = trained(little(batch_size=10, size=33, iterations=3, precise_bn=0))
    assert outcome.status == "finished"


@pytest.mark.parametrize(
    ("images", "batch", "bn_images", "size", "fine"),
    [(28, 9, 9, 32, False), (29, 9, 9, 32, True), (27, 12, 3, 32, False), (28, 12, 6, 32, True), (27, 12, 3, 64, True)],
)
def test_parts_of_last_batches(images: int, batch: int, bn_images: int, size: int, fine: bool) -> None:
    """Of 27 images in batches of 12 three are left, cut into 1, 1, 1 by BN over 3; of 28 four, 2 and 2 by BN over 6."""
    recipe = little(batch_size=batch, bn_images=bn_images, size=size).resolved()
    if fine:
        check_batches(images, recipe, Team(), 1)
    else:
        with pytest.raises(UsageError, match="BN would see 1"):
            check_batches(images, recipe, Team(), 1)
    rounded_up = little(
        batch_size=12, bn_images=12, size=34, pool="ceil"
    ).resolved()  # whose last map is one pixel, too
    with pytest.raises(UsageError, match="BN would see 1"):
        check_batches(25, rounded_up, Team(), 1)
    check_batches(25, little(batch_size=12, bn_images=12, size=34).resolved(), Team(), 1)
    four = little(batch_size=16, bn_images=4).resolved()  # of six images: 2, 2, 2; in two parts 3, 3, and so 2, 1, 2, 1
    check_batches(22, four, Team(), 1)
    with pytest.raises(UsageError, match="BN would see 1"):
        check_batches(22, four, Team(), 2)
    with pytest.raises(UsageError, match="of 2 processes one would have none"):
        check_batches(25, little(batch_size=12, size=64).resolved(), Team(0, 2), 1)


def test_metrics_count_every_image(trained: Train) -> None:
    _, record = trained(little(iterations=6, log_every=3, eval_every=3, precise_bn=0))
    assert record.progress["totals"]["images"] == 2 * CLASSES * TRAINING
    errors = record.metrics["val"]["error"] * CLASSES * VALIDATION / 100
    np.testing.assert_allclose(errors, np.round(errors), atol=1e-9)


def test_classes_come_from_the_images_and_a_plain_net_trains(photographs: Path, tmp_path: Path) -> None:
    request = Request(
        recipe=little(model="plain18", iterations=2, precise_bn=0),
        path=tmp_path / "plain.h5",
        data=photographs,
        threads=1,
        backend="cpu",
    )
    train(request)
    record = read_run(tmp_path / "plain.h5")
    assert len(record.model["fc.bias"]) == CLASSES
    assert all(np.isfinite(value).all() for value in record.model.values())


@pytest.mark.parametrize(("model", "precise_bn"), [("vgg16", None), ("resnet101", 1), ("resnet152", 1)])
def test_the_largest_nets_train(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, precise_bn: int | None
) -> None:
    """Two iterations and a test, without the hundreds of megabytes of a checkpoint."""
    monkeypatch.setattr("rescli.engine.train.BackgroundWriter", lambda _: NoWriter())
    recipe = little(model=model, iterations=2, eval_every=2, log_every=1, learning_rate=0.01, precise_bn=precise_bn)
    request = Request(recipe=recipe, path=tmp_path / "run.h5", data=photographs, threads=1, workers=2, backend="cpu")
    with ExitStack() as stack:
        run = assemble(request, Silent(), StopSignals(), None, stack)
        before = run.worker.state().model
        assert fit(run)
        for name, value in run.worker.state().model.items():
            assert not np.array_equal(value, before[name]), name
    assert list(tmp_path.iterdir()) == []
    assert np.isfinite(run.metrics.arrays()["train"]["loss"]).all()
    assert run.metrics.arrays()["val"]["iteration"].tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "lr 0.05 (evaluations: 3, too few for a plateau; --milestone or --eval-every); momentum"),
        ({"patience": 1}, "lr 0.05, / 10 at a plateau of 1 evaluations, 3 times at most; momentum"),
        ({"eval_every": 2}, "lr 0.05 (evaluations: 5, too few"),
        ({"iterations": 7, "eval_every": 1}, "lr 0.05, / 10 at a plateau of 5 evaluations"),
        ({"iterations": 6, "eval_every": 1}, "lr 0.05 (evaluations: 6, too few"),
        ({"milestones": (0.5,)}, "lr 0.05, / 10 at 4; momentum"),
    ],
    ids=str,
)
def test_a_run_says_where_its_rate_cannot_fall(photographs: Path, tmp_path: Path, changes: Any, said: str) -> None:
    request = Request(recipe=little(**changes), path=tmp_path / "run.h5", data=photographs, threads=1, backend="cpu")
    assert said in "\n".join(describe(prepare(request, quick=True)))


def test_real_photographs_are_learned(trained: Train, imagenette: Path) -> None:
    """Ten classes: the error after 100 iterations of 32 images is well below chance, which is 90 %."""
    real = {"size": 48, "batch_size": 32, "iterations": 100, "eval_every": 100, "log_every": 10, "precise_bn": 10}
    _, record = trained(little(**real, learning_rate=0.01), data=imagenette)
    assert record.metrics["val"]["error"][-1] < 78
    assert record.metrics["train"]["loss"][-1] < record.metrics["train"]["loss"][0]


@pytest.mark.gpu
def test_on_cuda_a_deterministic_run_is_the_same_when_resumed(trained: Train) -> None:
    """Batches that come from the host into a replayed step; the last of an epoch is a short one."""
    options: dict[str, Any] = {"backend": "cuda", "deterministic": True, "compile": False}
    _, expected = trained(little(), name="whole.h5", **options)
    with pytest.raises(StoppedEarly):
        trained(little(), observer=StopsTraining(5), **options)
    _, record = trained(little(), resume=True, **options)
    assert same(expected, record) == []
    _, by_processor = trained(little(iterations=1, precise_bn=0), name="cpu.h5")
    _, by_device = trained(little(iterations=1, precise_bn=0), name="cuda.h5", **options)
    np.testing.assert_allclose(by_device.metrics["train"]["loss"], by_processor.metrics["train"]["loss"], rtol=1e-4)


def test_every_process_has_a_part_of_every_batch() -> None:
    """Without BN nothing else is asked of a batch's size: of 12 images two to a process leave two of eight with none."""
    vgg = little(model="vgg16", batch_size=12, size=64, precise_bn=None).resolved()
    check_batches(24, vgg, Team(0, 6), 1)
    with pytest.raises(UsageError, match="a batch has 12 images: of 8 processes one would have none"):
        check_batches(12 + 8, vgg, Team(0, 8), 1)


@pytest.mark.parametrize(
    ("model", "size", "fine"), [("vgg16", 128, False), ("vgg16", 224, True), ("resnet18", 128, True)]
)
def test_a_gradient_that_cuda_has_not(model: str, size: int, fine: bool) -> None:
    recipe = little(model=model, size=size, precise_bn=None if model == "vgg16" else 4)
    request = Request(recipe=recipe, path=Path("r.h5"), deterministic=True)
    cuda: Any = SimpleNamespace(name="cuda")
    check_deterministic(recipe, request, CpuBackend())
    check_deterministic(recipe, replace(request, deterministic=False), cuda)
    if fine:
        check_deterministic(recipe, request, cuda)
    else:
        with pytest.raises(UsageError, match="at 128 pixels the last map of vgg16 is averaged to 7x7"):
            check_deterministic(recipe, request, cuda)
