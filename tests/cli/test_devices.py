"""Several real processes under PyTorch's launcher, and several seeds in one."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks.kills import same
from rescli.program import first_of_job
from rescli.store.header import read_header
from rescli.store.reader import read_run, verify
from tests.cli.conftest import Rescli
from tests.cli.processes import SMALL, Job, run, stored_iteration

NET = ("train", "cifar", "--dataset", "synthetic", "--depth", "8", "--precision", "fp32", "--threads", "1")


def test_two_processes_do_what_one_does_with_bn_over_half_a_batch(tmp_path: Path) -> None:
    """Four batches of 3000 out of 10,000 images, the last of which is a short one.

    Up to rounding: 1e-4 of each tensor of the model, 1e-3 of each momentum, where large gradients cancel.
    """
    few = ("--batch-size", "3000", "--iterations", "4", "--lr", "0.01", "--log-every", "2")
    with Job(*NET, *few, "--devices", "2", "--out", "two.h5", folder=tmp_path) as pair:
        done = pair.wait()
    assert done.code == 0, done.err
    assert done.out.count("two.h5: 4 iterations") == 1, "only the first process talks"
    assert done.err.count("fp32 on cpu") == 1
    assert run(*NET, *few, "--bn-images", "1500", "--out", "one.h5", folder=tmp_path).code == 0

    one, two = read_run(tmp_path / "one.h5"), read_run(tmp_path / "two.h5")
    assert two.recipe["bn_images"] == 1500
    assert two.sessions[-1]["processes"] == 2
    for ours, theirs, tolerance in ((one.model, two.model, 1e-4), (one.momentum, two.momentum, 1e-3)):
        for name, value in ours.items():
            assert np.linalg.norm(value - theirs[name]) <= tolerance * np.linalg.norm(value) + 1e-5, name
    assert two.progress["totals"]["images"] == 10_000
    for split in ("train", "test"):
        np.testing.assert_allclose(one.metrics[split]["loss"], two.metrics[split]["loss"], rtol=1e-5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_two_processes_stop_together_and_one_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    long = (*NET, "--batch-size", "16", "--iterations", "100000", "--checkpoint-every", "0.2", "--out", "run.h5")
    with Job(*long, "--devices", "2", "--json", folder=tmp_path) as pair:
        pair.wait_for_progress(path)
        pair.process.send_signal(number)
        done = pair.wait()
    assert done.code == 75, done.err
    assert json.loads(done.out)["exit_code"] == 75
    assert "with a checkpoint in run.h5" in done.err
    reached = stored_iteration(path)
    assert read_header(path).summary["status"] == "stopped"
    if number is not signal.SIGTERM:
        return

    with Job(*long, "--resume", folder=tmp_path) as alone:
        alone.wait_for_progress(path, beyond=reached)
        alone.process.send_signal(signal.SIGTERM)
        done = alone.wait()
    assert done.code == 75, done.err
    assert "processes was 2, now 1" in done.err
    assert "BN over 8" in done.err


def test_a_process_that_dies_ends_the_job_and_not_the_store(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    long = (*NET, "--batch-size", "16", "--iterations", "100000", "--checkpoint-every", "0.2", "--out", "run.h5")
    with Job(*long, "--devices", "2", "--json", folder=tmp_path) as pair:
        pair.wait_for_progress(path)
        processes = psutil.Process(pair.process.pid).children()
        next(child for child in processes if child.environ().get("RANK") == "1").kill()
        done = pair.wait()
    assert done.code not in (0, 75), done.err
    assert "the last checkpoint" in done.err
    assert json.loads(done.out)["exit_code"] == done.code, "one document, and the launcher's"
    assert "Traceback" not in done.err
    assert verify(path) is not None
    assert stored_iteration(path) > 0


def test_a_second_ctrl_c_waits_for_no_process(tmp_path: Path) -> None:
    """One of them hangs, so that there is no checkpoint to wait for."""
    path = tmp_path / "run.h5"
    long = (*NET, "--batch-size", "16", "--iterations", "100000", "--checkpoint-every", "0.2", "--out", "run.h5")
    with Job(*long, "--devices", "2", folder=tmp_path) as pair:
        pair.wait_for_progress(path)
        processes = psutil.Process(pair.process.pid).children()
        next(child for child in processes if child.environ().get("RANK") == "1").suspend()
        pair.process.send_signal(signal.SIGINT)
        time.sleep(1.0)
        assert pair.process.poll() is None
        pair.process.send_signal(signal.SIGINT)
        done = pair.wait()
    assert (done.code, "Traceback" in done.err) == (130, False), done.err
    assert "no checkpoint since" in done.err
    assert not [child for child in processes if child.is_running()]
    assert stored_iteration(path) > 0


@pytest.mark.parametrize("words", [("--data", "nowhere"), ("--resume",)])
def test_what_goes_wrong_is_one_document(words: tuple[str, ...], tmp_path: Path) -> None:
    """Of the process that failed first, with the exit code of the command."""
    if words == ("--resume",):
        (tmp_path / "run.h5").write_bytes(b"not a run")
    line = ("train", "cifar", "--depth", "8", "--threads", "1", "--out", "run.h5", "--devices", "2", "--json", *words)
    with Job(*line, folder=tmp_path) as pair:
        done = pair.wait()
    document = json.loads(done.out)
    assert document["exit_code"] == done.code == (4 if words == ("--resume",) else 3)
    assert document["error"] in done.err
    assert "failed with exit code" not in document["error"]


def test_seeds_at_once_are_the_runs_by_themselves(tmp_path: Path) -> None:
    together = run(*SMALL, "--seeds", "2", "--seed", "3", "--out", "run-{seed}.h5", folder=tmp_path)
    assert together.code == 0, together.err
    assert together.out.count("60 iterations") == 2
    for seed in (3, 4):
        assert run(*SMALL, "--seed", str(seed), "--out", f"alone-{seed}.h5", folder=tmp_path).code == 0
        ours, theirs = read_run(tmp_path / f"run-{seed}.h5"), read_run(tmp_path / f"alone-{seed}.h5")
        assert same(ours, theirs) == []
    again = run(*SMALL, "--seeds", "2", "--seed", "3", "--out", "run-{seed}.h5", "--resume", folder=tmp_path)
    assert again.out.count("is finished already") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seeds", "2", "--out", "run.h5"), "Say where the seed goes"),
        (("--seeds", "2", "--devices", "2"), "--seeds is for runs on one device"),
        (("--compile", "--checkpoint-activations"), "exclude one another"),
        (("--devices", "2", "--dry-run"), "--dry-run looks at one process"),
    ],
)
def test_what_makes_no_sense_together(rescli: Rescli, words: tuple[str, ...], message: str) -> None:
    found = rescli("train", "cifar", "--dataset", "synthetic", *words)
    assert found.code == 2
    assert message in found.err


def test_a_dry_run_counts_on_checkpointed_activations(rescli: Rescli) -> None:
    dry = ("train", "cifar", "--dataset", "synthetic", "--depth", "32", "--batch-size", "8", "--dry-run", "--json")
    whole, thrifty = rescli(*dry).document, rescli(*dry, "--checkpoint-activations").document
    assert thrifty["memory_needed"] < 0.8 * whole["memory_needed"]


def test_the_seed_in_a_path_is_filled_in(rescli: Rescli) -> None:
    found = rescli(
        "train", "cifar", "--dataset", "synthetic", "--seed", "7", "--out", "r-{seed}.h5", "--dry-run", "--json"
    )
    assert found.document["path"] == "r-7.h5"


@pytest.mark.parametrize(("rank", "first"), [(None, True), ("0", True), ("1", False)])
def test_what_is_done_once_for_a_job_is_done_by_its_first_process(
    rank: str | None, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
    assert first_of_job() is first
