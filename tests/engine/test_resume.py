"""A resumed run equals an uninterrupted one, bit for bit."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.kills import same
from rescli.backends.base import Job
from rescli.backends.cpu import CpuBackend
from rescli.backends.worker import TorchWorker
from rescli.data.dataset import Dataset, Images
from rescli.engine.dry_run import dry_run
from rescli.engine.fit import Diverged
from rescli.engine.observer import Silent
from rescli.engine.request import Request
from rescli.engine.resume import resumed
from rescli.engine.train import train
from rescli.errors import BackendError, DataError, StoppedEarly, StoreError, UsageError
from rescli.recipes.cifar import CifarRecipe
from rescli.store.listing import list_runs
from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.engine.conftest import Stops, Train, small

FORKS: list[dict[str, Any]] = [
    {},
    {"precision": "bf16"},
    {"plain": True, "augment": False},
    {"shortcut": "B", "momentum_form": "caffe"},
    {"bn_images": 8, "decay": "conv"},
    {"warmup": True, "validation": 30},
]


@pytest.mark.parametrize("fork", FORKS, ids=lambda fork: "-".join(f"{k}={v}" for k, v in fork.items()) or "default")
def test_stopped_at_every_other_iteration(trained: Train, tmp_path: Path, fork: Mapping[str, Any]) -> None:
    """Also where the learning rate changes (6, 9), an epoch ends (7), and metrics and evaluations are due."""
    recipe = small(**fork)
    _, expected = trained(recipe, name="whole.h5")

    for iteration in range(1, 12):
        with pytest.raises(StoppedEarly) as stopped:
            trained(recipe, resume=True, observer=Stops(iteration))
        assert f"after iteration {iteration}," in stopped.value.message
        assert read_run(tmp_path / "run.h5").status == "stopped"
    _, record = trained(recipe, resume=True)

    assert same(expected, record) == []
    assert record.status == "finished"
    assert [session["first_iteration"] for session in record.sessions] == list(range(12))


def test_resuming_where_there_is_nothing_begins_a_run(trained: Train) -> None:
    outcome, _ = trained(small(iterations=2), resume=True)

    assert outcome.status == "finished"
    assert not outcome.already


def test_resuming_a_finished_run_does_nothing(trained: Train, tmp_path: Path) -> None:
    trained(small(iterations=2))
    before = (tmp_path / "run.h5").read_bytes()

    outcome, _ = trained(small(iterations=2), resume=True)

    assert outcome.already
    assert (tmp_path / "run.h5").read_bytes() == before


def test_another_recipe_is_refused_for_a_finished_run_too(trained: Train) -> None:
    trained(small(iterations=2))

    with pytest.raises(UsageError, match="iterations was 2, now 4"):
        trained(small(iterations=4), resume=True, given={"iterations": 4})


def test_a_run_that_cannot_begin_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESCLI_DATA", str(tmp_path))
    with pytest.raises(DataError):
        train(Request(recipe=CifarRecipe(), path=tmp_path / "runs" / "run.h5", data=tmp_path))
    with pytest.raises(BackendError):
        train(Request(recipe=small(), path=tmp_path / "runs" / "run.h5", backend="none"))

    assert list(tmp_path.iterdir()) == []


def test_an_existing_run_is_not_overwritten(trained: Train) -> None:
    trained(small(iterations=1))

    with pytest.raises(UsageError, match="exists already"):
        trained(small(iterations=1))


def stop_at_2(trained: Train) -> None:
    with pytest.raises(StoppedEarly):
        trained(small(), observer=Stops(2))


def test_another_recipe_is_refused_with_the_difference(trained: Train) -> None:
    stop_at_2(trained)

    with pytest.raises(UsageError, match=r"seed was 0, now 3"):
        trained(small(seed=3), resume=True, given={"seed": 3, "depth": 8})


def test_what_was_not_given_comes_from_the_store(trained: Train) -> None:
    stop_at_2(trained)

    _, record = trained(CifarRecipe(), resume=True, given={})

    assert CifarRecipe.from_dict(record.recipe) == small().resolved()


def test_other_images_are_refused(trained: Train, few_images: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at_2(trained)
    images = Images(255 - few_images.train.images, few_images.train.labels)
    other = Dataset(few_images.name, few_images.classes, images, few_images.test)
    monkeypatch.setattr("rescli.engine.source.load", lambda name, *, data=None: other)

    with pytest.raises(DataError, match="mean image"):
        trained(small(), resume=True)


def test_a_run_in_use_is_refused(trained: Train, tmp_path: Path) -> None:
    class Second(Silent):
        def step(self, iteration: int) -> None:
            with pytest.raises(StoreError, match="in use by process"):
                train(Request(recipe=small(), path=tmp_path / "run.h5", resume=True), Silent())

    trained(small(iterations=1), observer=Second())


def test_checkpoints_do_not_change_the_result(trained: Train) -> None:
    _, rare = trained(small(), name="rare.h5", checkpoint_seconds=1e9)
    _, often = trained(small(), name="often.h5", checkpoint_seconds=0.0)

    assert same(rare, often) == []


def test_a_write_that_fails_stops_the_run_and_the_last_store_stays(
    trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rescli.store.writer as writer

    class Full(Silent):
        def step(self, iteration: int) -> None:
            if iteration == 4:
                monkeypatch.setattr(writer, "write_run", full)

    def full(path: Path, record: object) -> None:
        raise StoreError(f"{path}: could not be written: No space left on device")

    with pytest.raises(StoreError, match="No space left"):
        trained(small(), observer=Full(), checkpoint_seconds=0.0)

    record = read_run(tmp_path / "run.h5")
    assert 0 < record.progress["iteration"] <= 4
    assert all(np.isfinite(values).all() for values in record.model.values())


def test_a_resumed_run_that_diverges_at_once(trained: Train, tmp_path: Path) -> None:
    recipe = small(learning_rate=1e30)
    for _ in range(2):
        with pytest.raises(Diverged, match="NaN or infinite"):
            trained(recipe, resume=True)

    assert read_run(tmp_path / "run.h5").status == "diverged"


def test_weights_that_are_no_good_are_not_saved(trained: Train, tmp_path: Path) -> None:
    """An update may spoil the weights a step before a loss shows it."""

    class Spoils(Silent):
        def step(self, iteration: int) -> None:
            if iteration == 4:
                for value in workers[0].network.parameters():
                    value.data.fill_(float("inf"))
                    break
                os.kill(os.getpid(), signal.SIGTERM)

    workers: list[TorchWorker] = []
    start = CpuBackend.start

    def remember(self: CpuBackend, job: Job) -> TorchWorker:
        workers.append(start(self, job))
        return workers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CpuBackend, "start", remember)
        with pytest.raises(Diverged, match="the weights became NaN or infinite at iteration 4"):
            trained(small(), observer=Spoils())

    record = read_run(tmp_path / "run.h5")
    assert record.progress["iteration"] == 0
    assert all(np.isfinite(values).all() for values in record.model.values())


def test_while_it_trains_a_resumed_run_is_running(trained: Train, tmp_path: Path) -> None:
    stop_at_2(trained)
    seen = []

    class Looks(Silent):
        def step(self, iteration: int) -> None:
            seen.append((list_runs(tmp_path)[0].status, len(read_run(tmp_path / "run.h5").sessions)))

    trained(small(), resume=True, observer=Looks())

    assert set(seen) == {("running", 2)}


def test_a_resume_keeps_backend_threads_and_determinism(trained: Train) -> None:
    with pytest.raises(StoppedEarly):
        trained(small(), observer=Stops(2), deterministic=True)

    request = Request(recipe=CifarRecipe(), path=Path("run.h5"), resume=True)
    _, record = trained(small(), resume=True)
    went_on = resumed(request, record)

    assert (went_on.backend, went_on.threads, went_on.deterministic) == ("cpu", 1, True)


class Notes(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_what_may_change_the_last_bits_is_said(trained: Train, tmp_path: Path) -> None:
    stop_at_2(trained)
    same_again, other = Notes(), Notes()
    with pytest.raises(StoppedEarly):
        trained(small(), resume=True, observer=StopsAndNotes(3, same_again))
    request = Request(recipe=small(), path=tmp_path / "run.h5", resume=True, threads=2)

    train(request, other)

    assert not any("last bits" in note for note in same_again.notes)
    assert any("the last bits may differ" in note and "threads was 1, now 2" in note for note in other.notes)


class StopsAndNotes(Stops):
    """Both."""

    def __init__(self, iteration: int, notes: Notes) -> None:
        super().__init__(iteration)
        self.note = notes.note  # type: ignore[method-assign]


def test_a_device_without_the_runs_precision_is_refused(trained: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CpuBackend, "precision", lambda _, asked: asked)  # whatever this processor has
    with pytest.raises(StoppedEarly):
        trained(small(precision="bf16"), observer=Stops(2))
    monkeypatch.setattr(CpuBackend, "precision", lambda _, asked: "fp32")

    with pytest.raises(BackendError, match="trained in bf16"):
        trained(small(precision="bf16"), resume=True)


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"Not a directory|cannot be made"):
        train(Request(recipe=small(), path=tmp_path / "file" / "run.h5"))


def test_a_finished_run_needs_no_backend_any_more(trained: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the login node of a cluster."""
    trained(small(iterations=2))
    monkeypatch.setattr(CpuBackend, "unavailable", lambda _: "not on this node")

    outcome, _ = trained(small(iterations=2), resume=True, given={"depth": 8, "precision": "bf16"})

    assert outcome.already


def test_a_store_that_no_session_worked_on_can_be_gone_on_with(trained: Train, tmp_path: Path) -> None:
    stop_at_2(trained)
    path = tmp_path / "run.h5"
    write_run(path, replace(read_run(path), sessions=[]))

    outcome, record = trained(small(), resume=True)

    assert outcome.status == "finished"
    assert len(record.sessions) == 1


def test_a_test_loss_that_is_not_finite_is_no_result(trained: Train, tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        trained(small(iterations=1, learning_rate=1e38, milestones=()))

    record = read_run(tmp_path / "run.h5")
    assert record.status == "diverged"
    assert record.sessions[-1]["status"] == "diverged"


def test_a_backend_that_fails_is_blamed(trained: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: CpuBackend, asked: str) -> str:
        raise KeyError(asked)

    monkeypatch.setattr(CpuBackend, "precision", fails)

    with pytest.raises(BackendError, match="backend 'cpu' failed: KeyError: 'fp32'"):
        trained(small())


def test_a_dry_run_looks_at_the_images_of_a_run_that_is_at_its_beginning(
    trained: Train, few_images: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first checkpoint is that of iteration 0."""
    outcome, record = trained(small())
    write_run(outcome.path, replace(record, status="stopped", progress={**record.progress, "iteration": 0}))
    request = Request(recipe=small(), path=outcome.path, threads=1, backend="cpu", resume=True)
    assert dry_run(request).iterations == small().iterations
    others = replace(few_images, train=Images(255 - few_images.train.images, few_images.train.labels))
    monkeypatch.setattr("rescli.engine.source.load", lambda *_, **__: others)
    with pytest.raises(DataError, match="training images are not those"):
        dry_run(request)


def test_a_new_run_takes_no_name_that_is_taken(tmp_path: Path, trained: Train) -> None:
    text = tmp_path / "notes.h5"
    text.write_text("mine")
    for path in (text, tmp_path):
        with pytest.raises(UsageError, match="exists already, and is no run") as caught:
            train(Request(recipe=small(), path=path))
        assert "--resume" not in caught.value.hint
    with pytest.raises(UsageError, match="belongs to"):
        train(Request(recipe=small(), path=tmp_path / "run.h5.prev"))
    assert text.read_text() == "mine"
