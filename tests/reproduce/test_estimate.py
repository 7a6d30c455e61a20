"""What a dry run adds up. How good its seconds are is measured in benchmarks/estimates.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rescli.engine.request import Request
from rescli.engine.timing import Timing
from rescli.reproduce import estimate as module
from rescli.reproduce.element import Element, Net
from rescli.reproduce.elements import element
from rescli.reproduce.estimate import side_by_side, store_bytes
from rescli.reproduce.plan import plan
from rescli.reproduce.settings import Settings
from rescli.reproduce.study import State
from tests.cli.conftest import Rescli
from tests.reproduce.conftest import Trainer
from tests.reproduce.studies import a_study, planned

TIMING = Timing(
    step=0.5, evaluation=10.0, beginning=1.0, evaluations=2, device="a processor", memory=10**9, memory_free=10**10
)


def test_jobs_take_runs_in_turn() -> None:
    assert side_by_side([3.0, 1.0, 1.0, 4.0], 1) == 9.0
    assert side_by_side([3.0, 1.0, 1.0, 4.0], 2) == 6.0
    assert side_by_side([], 2) == 0.0


def test_a_store_and_the_one_before_it(tmp_path: Path, rescli: Rescli) -> None:
    from rescli.engine.train import train
    from rescli.recipes.cifar import CifarRecipe

    recipe = CifarRecipe(dataset="synthetic", depth=8, iterations=1, batch_size=8)
    train(Request(recipe=recipe, path=tmp_path / "run.h5", threads=1))
    found = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert found / 1.5 < store_bytes(Net(depth=8)) < 1.5 * found


def test_what_is_left_is_added_up(
    rescli: Rescli, trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "time_loading", lambda: 3.0)
    monkeypatch.setattr(module, "time_run", lambda _: TIMING)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    words = ("reproduce", "fig1", "--dataset", "synthetic", "--scale", "0.001", "--out", tmp_path / "s")
    found = rescli(*words, "--dry-run", "--json").document
    one = 3 + 1 + 1.01 * 64 * 0.5 + 2 * 10
    assert [run["seconds"] for run in found["runs"]] == [pytest.approx(one)] * 2
    assert found["seconds"] == pytest.approx(2 * one + 3)
    assert (found["iterations"], found["memory"], found["jobs"]) == (128, 10**9, 1)
    assert not (tmp_path / "s").exists()

    side = rescli(*words, "--dry-run", "--json", "--jobs", "2", "--backend", "cpu").document
    assert (side["seconds"], side["memory"]) == (pytest.approx(one + 3), 2 * 10**9)

    all_cores = (*words, "--dry-run", "--json", "--jobs", "2", "--backend", "cpu", "--threads", "64")
    assert rescli(*all_cores).document["seconds"] == pytest.approx(2 * one + 3), "no faster than one after the other"

    trainer(**{"synthetic-plain56-64-seed0": "die"})  # after half of it
    rescli(*words)
    store = tmp_path / "s" / "synthetic-plain20-64-seed0.h5"
    whole = store.read_bytes()
    store.write_bytes(whole[:3000])
    damaged = rescli(*words, "--dry-run")
    assert "synthetic-plain20-64-seed0 cannot be trained: " in damaged.err
    assert "truncated within its header" in damaged.err
    store.write_bytes(whole)
    left = rescli(*words, "--dry-run", "--json").document
    assert [run["iterations"] for run in left["runs"]] == [0, 32]
    assert left["seconds"] == pytest.approx(3 + 1 + 1.01 * 32 * 0.5 + 10 + 3)
    shown = rescli(*words, "--dry-run")
    assert "2, 1 side by side, 32 iterations to do" in shown.out


def test_what_was_measured_takes_no_time(tmp_path: Path) -> None:
    a_study(tmp_path)
    shown = element("gradients")
    timed = [(run, State(word="finished"), TIMING) for run in plan([shown], Settings(), tmp_path)]
    assert {run.path.name for run, *_ in timed} > {"plain20-seed0.h5", "resnet56-seed0.h5"}
    assert module._afterwards(shown, timed) == module.DRAWING
    (tmp_path / "plain56-seed0.measured.json").unlink()
    assert module._afterwards(shown, timed) == module.DRAWING + 16 * 0.5


def test_a_run_that_goes_on_is_timed_where_it_will(
    rescli: Rescli, trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the backend and with the threads of its last session; a new one gets what there is."""
    asked: list[Request] = []

    def timed(request: Request) -> Timing:
        asked.append(request)
        return TIMING

    monkeypatch.setattr(module, "time_loading", lambda: 3.0)
    monkeypatch.setattr(module, "time_run", timed)
    words = ("reproduce", "fig1", "--dataset", "synthetic", "--scale", "0.001", "--out", tmp_path)
    trainer(**{"synthetic-plain20-64-seed0": "die", "synthetic-plain56-64-seed0": "refuse"})
    assert rescli(*words).code == 1
    assert rescli(*words, "--dry-run").code == 0
    assert [(one.path.stem, one.backend, one.threads) for one in asked] == [
        ("synthetic-plain20-64-seed0", "cpu", 1),
        ("synthetic-plain56-64-seed0", "auto", None),
    ]


def test_jobs_that_share_a_gpu_take_turns(
    rescli: Rescli, trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "time_loading", lambda: 3.0)
    monkeypatch.setattr(module, "time_run", lambda _: TIMING)
    words = ("reproduce", "fig1", "--dataset", "synthetic", "--scale", "0.001", "--out", tmp_path, "--jobs", "2")
    one = 3 + 1 + 1.01 * 64 * 0.5 + 2 * 10
    for gpus, seconds in ((("0",), 2 * one), (("0", "1"), one)):
        monkeypatch.setattr("rescli.backends.visible.gpus", lambda gpus=gpus: gpus)
        assert rescli(*words, "--dry-run", "--json").document["seconds"] == pytest.approx(seconds + 3)


def test_a_run_is_timed_for_real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from rescli.backends.cpu import CpuBackend
    from rescli.engine import prepare, timing
    from rescli.recipes.cifar import CifarRecipe

    order: list[str] = []

    def noted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*these: Any) -> Any:
            order.append(name)
            return call(*these)

        return noting

    monkeypatch.setattr(CpuBackend, "device", noted("device", CpuBackend.device))
    monkeypatch.setattr(timing, "start", noted("start", prepare.start))
    monkeypatch.setattr(timing, "LEAST_SECONDS", 0.01)
    recipe = CifarRecipe(dataset="synthetic", depth=8, iterations=1200, batch_size=8)
    found = timing.time_run(Request(recipe=recipe, path=tmp_path / "run.h5", threads=1))
    assert order.index("start") == len(order) - 1, "what the timed run itself takes is free before and after it"
    assert found.evaluations == 3  # after 500, 1000 and 1200 iterations
    assert found.step > 0
    assert found.evaluation > 0
    assert not list(tmp_path.iterdir())


def test_the_clock_counts_when_batches_of_both_sizes_have_had_their_first_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a GPU the first short batch, at the end of an epoch, takes seconds to compile."""
    from rescli.backends.worker import TorchWorker
    from rescli.engine import timing
    from rescli.recipes.cifar import CifarRecipe

    seen: list[tuple[int, int]] = []

    def step(self: TorchWorker, iteration: int, start: int, stop: int, learning_rate: float) -> None:
        seen.append((iteration, stop - start))

    monkeypatch.setattr(TorchWorker, "train_step", step)
    monkeypatch.setattr(timing, "LEAST_SECONDS", 0.0001)
    recipe = CifarRecipe(dataset="synthetic", depth=8, iterations=100, batch_size=3000)
    timing.time_run(Request(recipe=recipe, path=tmp_path / "run.h5", threads=1))
    assert seen[:7] == [(0, 3000), (1, 3000), (2, 3000), (3, 1000), (7, 1000), (11, 1000), (12, 3000)]


def test_what_comes_after_training_depends_on_what_is_shown(tmp_path: Path) -> None:
    timed = [(run, State(word="missing"), TIMING) for run in planned(tmp_path)]
    nets = tuple(run.net for run, *_ in timed)[:1]

    def after(*shows: object) -> float:
        return module._afterwards(Element(name="", title="", where="", nets=nets, shows=shows), timed)  # type: ignore[arg-type]

    assert after("curves") == module.DRAWING
    assert after("responses") == module.DRAWING + 20.0
    assert after("gradients") == module.DRAWING + 8.0
