"""The loop: against a loop that anybody would write, and what it records on the way."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rescli.backends.base import State
from rescli.backends.team import Team
from rescli.data.dataset import Dataset
from rescli.data.mean import mean_image
from rescli.data.order import Order
from rescli.engine.checkpoint import Checkpointer
from rescli.engine.fit import Diverged, _check_plateau
from rescli.engine.observer import Silent
from rescli.engine.progress import Metrics, Progress
from rescli.engine.request import Request
from rescli.engine.stopping import StopSignals
from rescli.engine.train import train
from rescli.errors import StoppedEarly, UsageError
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.resnet import ResNet
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.schedule import Plateau, Schedule
from rescli.store.header import read_header
from rescli.store.reader import read_run
from rescli.store.record import RunRecord, Status
from tests.engine.conftest import Train, small


def plain_loop(recipe: CifarRecipe, data: Dataset, *, caffe: bool = False) -> ResNet:
    """Sec. 4.2 written down again: numpy for the images, SGD by hand."""
    net = build(cifar_spec(recipe.depth), seed=recipe.seed).train()
    mean = data.train.images.astype(np.float64).mean(0) / 255
    order = Order(len(data.train), recipe.seed)
    velocity = [torch.zeros_like(p) for p in net.parameters()]
    steps = -(-len(data.train) // recipe.batch_size)
    for iteration in range(recipe.iterations):
        epoch, step = divmod(iteration, steps)
        plan = order.epoch(epoch)
        batch = []
        for row in range(step * recipe.batch_size, min((step + 1) * recipe.batch_size, len(data.train))):
            image = data.train.images[plan.index[row]] / 255 - mean
            padded = np.pad(image, ((4, 4), (4, 4), (0, 0)))
            crop = padded[plan.dy[row] : plan.dy[row] + 32, plan.dx[row] : plan.dx[row] + 32]
            seen = crop[:, ::-1] if plan.flip[row] else crop
            batch.append(seen if recipe.augment else image)
        rows = plan.index[step * recipe.batch_size :][: len(batch)]
        x = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float()
        loss = F.cross_entropy(net(x), torch.from_numpy(data.train.labels[rows]))
        rate = recipe.learning_rate / 10 ** sum(iteration >= round(f * recipe.iterations) for f in (0.5, 0.75))
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for p, v, g in zip(net.parameters(), velocity, gradients, strict=True):
                g = g + 1e-4 * p
                if caffe:
                    v.mul_(0.9).add_(g, alpha=rate)
                    p.sub_(v)
                else:
                    v.mul_(0.9).add_(g)
                    p.sub_(v, alpha=rate)
    return net


@pytest.mark.parametrize("form", ["pytorch", "caffe"])
def test_a_run_is_the_loop_of_the_paper(trained: Train, few_images: Dataset, form: str) -> None:
    """To rounding: a hundredth of the learning rate keeps it from growing; the other form is 100 times further off."""
    recipe = small(momentum_form=form, learning_rate=1e-3)

    _, record = trained(recipe)

    expected = plain_loop(recipe, few_images, caffe=form == "caffe").state_dict()
    other = plain_loop(recipe, few_images, caffe=form != "caffe").state_dict()
    assert record.model.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(record.model[name], value.numpy(), rtol=1e-4, atol=1e-6, err_msg=name)
    assert np.abs(record.model["conv1.weight"] - other["conv1.weight"].numpy()).max() > 1e-4


def test_the_momentum_forms_differ(trained: Train) -> None:
    _, pytorch = trained(small(momentum_form="pytorch"), name="p.h5")
    _, caffe = trained(small(momentum_form="caffe"), name="c.h5")

    assert not np.allclose(pytorch.model["conv1.weight"], caffe.model["conv1.weight"], rtol=1e-3)


def test_decay_of_convolutions_only(trained: Train) -> None:
    """With a huge decay, what decays is halved by one step, and the rest stays about as it was."""
    recipe = small(iterations=1, weight_decay=5.0, decay="conv", milestones=())

    _, record = trained(recipe)

    before = build(cifar_spec(8), seed=0).state_dict()
    shrunk = {
        name: np.linalg.norm(record.model[name]) / np.linalg.norm(before[name].numpy())
        for name in ("conv1.weight", "fc.weight")
    }
    assert shrunk["conv1.weight"] == pytest.approx(0.5, abs=0.1)
    assert shrunk["fc.weight"] == pytest.approx(1.0, abs=0.1)
    assert record.model["bn1.weight"] == pytest.approx(np.ones(16), abs=0.1)


def test_metrics(trained: Train) -> None:
    outcome, record = trained(small())

    train, test = record.metrics["train"], record.metrics["test"]
    assert train["iteration"].tolist() == [3, 6, 9, 12]
    assert test["iteration"].tolist() == [5, 10, 12]
    assert train["learning_rate"].tolist() == [0.1, 0.1, 0.01, 0.001]
    assert ((train["error"] >= 0) & (train["error"] <= 100)).all()
    assert (np.diff(train["seconds"]) > 0).all()
    assert outcome.test is not None
    assert outcome.test["error"] == test["error"][-1]
    assert record.status == "finished"
    assert record.progress["iteration"] == 12
    assert record.inputs["mean_image"].shape == (32, 32, 3)


def test_a_window_of_metrics_is_the_mean_over_its_images(trained: Train, few_images: Dataset) -> None:
    """One row a step, and one row for all of them: the second is the mean of the first, weighted by images."""
    _, fine = trained(small(iterations=7, log_every=1), name="fine.h5")
    _, coarse = trained(small(iterations=7, log_every=7), name="coarse.h5")

    images = [32] * 6 + [8]
    for column in ("loss", "error"):
        mean = np.average(fine.metrics["train"][column], weights=images)
        assert coarse.metrics["train"][column][0] == pytest.approx(mean, rel=1e-12)


def test_warmup_holds_the_rate_until_the_training_error_falls(trained: Train) -> None:
    _, record = trained(small(iterations=60, warmup=True, warmup_lr=0.02, warmup_error=80.0, log_every=1))

    rates, errors = record.metrics["train"]["learning_rate"], record.metrics["train"]["error"]
    ended = record.progress["warmup_ended"]
    assert ended == int(np.argmax(errors < 80.0)) + 1  # at this length a window is one iteration
    assert (rates[:ended] == 0.02).all()
    assert rates[ended] == 0.1
    assert not record.progress["warming_up"]


def test_a_warmup_that_never_ends_follows_the_schedule_down(trained: Train) -> None:
    _, record = trained(small(warmup=True, warmup_error=1e-9, log_every=1))

    assert record.progress["warmup_ended"] is None
    assert record.metrics["train"]["learning_rate"].tolist() == [0.01] * 9 + [0.001] * 3


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_iteration(
    trained: Train, tmp_path: pytest.TempPathFactory
) -> None:
    with pytest.raises(Diverged) as error:
        trained(small(learning_rate=1e30, iterations=40, log_every=10))

    record: RunRecord = read_run(f"{tmp_path}/run.h5")
    at = record.progress["diverged_at"]
    assert 1 <= at < 10
    assert f"iteration {at}" in error.value.message
    assert error.value.exit_code == 1
    assert record.status == "diverged"
    assert all(np.isfinite(values).all() for values in record.model.values())
    assert record.progress["iteration"] == 0


def test_validation_images_are_held_out_and_evaluated(trained: Train, few_images: Dataset) -> None:
    outcome, record = trained(small(validation=40))

    assert outcome.tested == "val"
    assert "test" not in record.metrics
    np.testing.assert_array_equal(record.inputs["mean_image"], mean_image(few_images.train.images[:160]))


def test_more_validation_images_than_there_are(trained: Train) -> None:
    with pytest.raises(UsageError):
        trained(small(validation=200))


def test_without_augmentation_the_images_are_the_originals(trained: Train, few_images: Dataset) -> None:
    recipe = small(learning_rate=1e-3, augment=False)
    _, record = trained(recipe)
    expected, other = (plain_loop(replace(recipe, augment=flag), few_images).state_dict() for flag in (False, True))
    found = record.model["conv1.weight"]
    np.testing.assert_allclose(found, expected["conv1.weight"].numpy(), rtol=1e-4, atol=1e-6)
    assert np.abs(found - other["conv1.weight"].numpy()).max() > 1e-4


class Counting(Silent):
    """Notes what it was told."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.rows: list[tuple[str, float]] = []
        self.notes: list[str] = []
        self.ended = 0

    def step(self, iteration: int) -> None:
        self.steps.append(iteration)

    def row(self, split: str, row: object) -> None:
        assert isinstance(row, dict)
        self.rows.append((split, row["iteration"]))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def end(self) -> None:
        self.ended += 1


def test_the_observer_hears_of_everything(trained: Train) -> None:
    observer = Counting()

    trained(small(iterations=6), observer=observer)

    assert observer.steps == [1, 2, 3, 4, 5, 6]
    assert observer.rows == [("train", 3), ("test", 5), ("train", 6), ("test", 6)]
    assert observer.ended == 1
    assert "resnet8 (option A) on synthetic: 75,290 parameters, 12,239,488 multiply-adds" in observer.notes[0]


class Alone(Team):
    """Process `rank` of a job, with all of the work and nobody to ask."""

    def share(self, images: int) -> tuple[int, int]:
        return 0, images


@pytest.mark.parametrize(("rank", "saves"), [(0, 14), (1, 2)])
def test_the_first_process_alone_says_when_a_checkpoint_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int, saves: int
) -> None:
    """The others write nothing and would not know how long it takes: they save where the first does, else at both ends."""
    seen: list[int] = []
    save = Checkpointer.save

    def counted(self: Checkpointer, status: Status, state: State, progress: Progress, metrics: Metrics) -> None:
        seen.append(progress.iteration)
        save(self, status, state, progress, metrics)

    monkeypatch.setattr(Checkpointer, "save", counted)
    monkeypatch.setattr("rescli.engine.train.join", lambda: Alone(rank, 1))
    monkeypatch.setattr("rescli.engine.prepare.join", lambda: Alone(rank, 1))

    path = tmp_path / "run.h5"
    train(Request(recipe=small(), path=path, threads=1, backend="cpu", checkpoint_seconds=0.0), Silent())

    assert len(seen) == saves
    assert path.exists() == (rank == 0)


@pytest.mark.parametrize("end", ["stopped", "diverged"])
def test_nobody_leaves_a_job_before_its_store_is_written(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stop = tmp_path / "run.h5", StopSignals()
    recipe = small() if end == "stopped" else small(learning_rate=1e30)
    stored: list[str] = []

    class Asked(Alone):
        def any(self, *flags: bool) -> tuple[bool, ...]:
            stored.append(str(read_header(path).summary["status"]) if path.exists() else "not yet")
            stop.received = signal.SIGTERM if end == "stopped" else None
            return flags

    for place in ("rescli.engine.train.join", "rescli.engine.prepare.join"):
        monkeypatch.setattr(place, lambda: Asked(0, 1))
    with pytest.raises(StoppedEarly if end == "stopped" else Diverged):
        train(Request(recipe=recipe, path=path, threads=1, backend="cpu"), Silent(), stop)
    assert (stored.count(end), stored[-1]) == (1, end)


def test_exactly_so_much_lower_is_no_progress() -> None:
    """Of 1,000 images an error of 0.1 points is one, which does not come out as 0.1 in most places."""
    rule = Plateau(patience=2, least=0.1, drops=3)
    schedule = Schedule(iterations=10, learning_rate=0.1, milestones=(), divisor=10)
    for first in range(2, 1000):
        progress = Progress()
        run: Any = SimpleNamespace(progress=progress, schedule=schedule, observer=Silent())
        for wrong in (first, first - 1, first - 1):
            _check_plateau(run, rule, 100 * wrong / 1000)
        assert progress.drops == 1, first
        _check_plateau(run, rule, 100 * (first - 2) / 1000)
        assert (progress.drops, progress.waited) == (1, 0), first
