"""Which backends there are: ours, other packages', and broken ones. The others are installed for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rescli.backends.base import Device
from rescli.backends.registry import BackendWarning, choose, registered
from rescli.errors import BackendError

THIRD_PARTY = """
from rescli.backends.cpu import CpuBackend
from rescli.backends.worker import TorchWorker


class SlowWorker(TorchWorker):
    steps = 0

    def train_step(self, iteration, start, stop, learning_rate):
        SlowWorker.steps += 1
        super().train_step(iteration, start, stop, learning_rate)


class SlowBackend(CpuBackend):
    name = "slow"

    def start(self, job):
        import torch

        return SlowWorker(job, torch.device("cpu"), eval_batch=50)
"""
BROKEN = "raise RuntimeError('its library is of another version')"


def install(folder: Path, name: str, module: str, code: str, entry: str) -> None:
    """What an installer leaves behind: the module, and metadata with an entry point."""
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[rescli.backends]\n{entry}\n")


def rescli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "rescli", *arguments]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_training_on_another_packages_backend(tmp_path: Path) -> None:
    install(tmp_path, "rescli-slow", "rescli_slow", THIRD_PARTY, "slow = rescli_slow:SlowBackend")
    install(tmp_path, "rescli-broken", "rescli_broken", BROKEN, "broken = rescli_broken:Backend")

    done = rescli(
        tmp_path,
        *("train", "cifar", "--dataset", "synthetic", "--depth", "8", "--iterations", "2", "--batch-size", "8"),
        *("--backend", "slow", "--out", "a.h5", "--json", "--threads", "1"),
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    assert "on slow:" in done.stderr
    assert "broken" not in done.stderr  # nobody asked for that one

    listed = {one["name"]: one for one in json.loads(rescli(tmp_path, "backends", "--json").stdout)}
    assert listed["slow"] | {"works": True, "from": "rescli-slow 1.0"} == listed["slow"]
    assert not listed["broken"]["works"]
    assert "its library is of another version" in listed["broken"]["reason"]
    assert listed["cpu"]["works"]


def test_a_broken_backend_that_was_asked_for(tmp_path: Path) -> None:
    install(tmp_path, "rescli-broken", "rescli_broken", BROKEN, "broken = rescli_broken:Backend")

    done = rescli(tmp_path, "train", "cifar", "--dataset", "synthetic", "--backend", "broken")

    assert done.returncode == 5
    assert "its library is of another version" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_backend_warns_and_is_left_out(tmp_path: Path) -> None:
    install(tmp_path, "rescli-broken", "rescli_broken", BROKEN, "broken = rescli_broken:Backend")

    done = rescli(tmp_path, "train", "cifar", "--dataset", "synthetic", "--backend", "borken")

    assert done.returncode == 5
    warning, error, hint = done.stderr.splitlines()
    assert warning.startswith("Warning: backend 'broken' of rescli-broken 1.0 is left out")
    assert error == "Error: there is no backend 'borken'; did you mean 'broken'?"
    assert "broken (not here: " in hint


def test_an_unknown_backend_is_told_what_there_is() -> None:
    with pytest.raises(BackendError) as error:
        choose("cudda")

    assert "did you mean 'cuda'?" in error.value.message
    assert "cpu" in error.value.hint
    assert error.value.exit_code == 5


def test_auto_takes_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    from rescli.backends.cuda import CudaBackend

    monkeypatch.setattr(CudaBackend, "unavailable", lambda _: "no GPU")
    assert choose("auto").name == "cpu"
    monkeypatch.setattr(CudaBackend, "unavailable", lambda _: None)
    monkeypatch.setattr(CudaBackend, "device", lambda _: Device(name="a GPU", memory_total=1, memory_free=1))
    assert choose("auto").name == "cuda"


def test_what_does_not_work_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from rescli.backends.cuda import CudaBackend

    monkeypatch.setattr(CudaBackend, "unavailable", lambda _: "no GPU")
    with pytest.raises(BackendError, match="'cuda' does not work here: no GPU"):
        choose("cuda")


def test_a_device_that_fails_is_a_reason_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    from rescli.backends.cuda import CudaBackend

    def burns(_: object) -> object:
        raise RuntimeError("driver on fire")

    monkeypatch.setattr(CudaBackend, "unavailable", lambda _: None)
    monkeypatch.setattr(CudaBackend, "device", burns)

    with pytest.warns(BackendWarning, match="driver on fire"):
        assert choose("auto").name == "cpu"
    with pytest.warns(BackendWarning), pytest.raises(BackendError, match="driver on fire"):
        choose("cuda")


def test_two_packages_with_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """rescli's own wins, whatever the order of installation."""
    from importlib.metadata import EntryPoint

    import rescli.backends.registry as registry

    entries = [
        EntryPoint("cpu", "other:Backend", registry.GROUP),
        EntryPoint("tpu", "first:Backend", registry.GROUP),
        EntryPoint("tpu", "second:Backend", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)
    registered.cache_clear()
    try:
        with pytest.warns(BackendWarning, match="the name is taken") as warned:
            assert registered()["cpu"].value == "rescli.backends.cpu:CpuBackend"
        assert registered()["tpu"].value == "first:Backend"
        assert len(warned) == 2
    finally:
        registered.cache_clear()
