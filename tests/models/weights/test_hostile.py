"""Files that are damaged, or mean harm: an error that names the key, and nothing executed."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rescli.engine.networks import fresh, open_network, save_network
from rescli.errors import DataError, RescliError
from rescli.models.names import network
from rescli.models.weights.metadata import to_text
from rescli.models.weights.read import read_weights
from rescli.models.weights.write import pth_bytes, safetensors_bytes


class Evil:
    """What a pickle would run when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value.copy()) for name, value in fresh(network("resnet8-b"), 0).tensors.items()}


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, how: str) -> None:
    path, mark = tmp_path / "evil.pth", tmp_path / "ran"
    if how == "torch":
        torch.save({"state_dict": Evil(mark)}, path)
    else:
        path.write_bytes(pickle.dumps({"conv1.weight": Evil(mark)}))

    with pytest.raises(DataError, match=r"evil\.pth"):
        open_network(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "forks", "hint"),
    [
        ("resnet8-c", {}, "Name the right one, not resnet8-c."),
        ("cifar100-resnet8", {}, "Name the right one, not cifar100-resnet8."),
        ("resnet8", {"shortcut": "C"}, "Leave --shortcut out."),
    ],
)
def test_who_is_to_be_changed_is_what_was_said(
    tmp_path: Path, state: dict[str, torch.Tensor], name: str, forks: dict[str, str], hint: str
) -> None:
    torch.save(state, tmp_path / "b.pth")
    with pytest.raises(RescliError) as caught:
        read_weights(tmp_path / "b.pth", name=name, forks=forks)
    assert hint in caught.value.hint


@pytest.mark.parametrize("format_", ["pth", "safetensors", "npz"])
@pytest.mark.parametrize("keep", [0, 7, 100, 0.5, 0.99])
def test_truncated_files(tmp_path: Path, format_: str, keep: float) -> None:
    bundle = fresh(network("resnet8"), 0)
    path = tmp_path / f"net.{format_}"
    if format_ == "npz":
        np.savez(path, **bundle.tensors)  # type: ignore[arg-type]
    else:
        path.write_bytes(pth_bytes(bundle) if format_ == "pth" else safetensors_bytes(bundle))
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])

    with pytest.raises(DataError, match=rf"net\.{format_}"):
        read_weights(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("layer2.0.conv2.weight"), "missing layer2.0.conv2.weight"),
        (lambda s: s.update({"layer2.0.extra": torch.zeros(1)}), "not known layer2.0.extra"),
        (lambda s: s.update({"fc.weight": torch.zeros(10, 63)}), r"fc.weight has the shape \[10, 63\].*\[10, 64\]"),
        (lambda s: s.update({"bn1.bias": torch.full((16,), torch.nan)}), "bn1.bias has NaN"),
        (lambda s: s.update({"conv1.weight": "text"}), "conv1.weight"),
        (lambda s: s.update({"bn1.bias": torch.zeros(16, dtype=torch.complex64)}), "bn1.bias"),
    ],
    ids=["missing", "extra", "shape", "nan", "text", "complex"],
)
def test_the_message_names_the_key(tmp_path: Path, state: dict[str, Any], change: Any, words: str) -> None:
    change(state)
    torch.save(state, tmp_path / "net.pth")

    with pytest.raises(RescliError, match=words):
        read_weights(tmp_path / "net.pth", name="resnet8")


def test_other_things_are_no_weights(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "text.h5").write_text("hello")
    for name in ("list.pth", "objects.npz", "text.txt", "text.h5", "missing.pth"):
        with pytest.raises(DataError, match=name):
            read_weights(tmp_path / name)


def test_metadata_that_make_no_sense(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    from safetensors.torch import save

    for text in ("{", "[]", '{"version": 9}', '{"version": 1, "network": {"network": "resnet9"}}'):
        (tmp_path / "net.safetensors").write_bytes(save(state, metadata={"rescli": text}))
        with pytest.raises(DataError, match="metadata"):
            read_weights(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(2, 2, device="meta"),
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.eye(3).to_sparse_csr(),
        lambda: torch.zeros(1).expand(2**22, 2**22),
        lambda: torch.zeros(4, dtype=torch.uint8).view(torch.bits8),
    ],
    ids=["meta", "sparse", "csr", "expanded", "bits"],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_tensors_that_are_no_numbers(tmp_path: Path, make: Callable[[], torch.Tensor]) -> None:
    """Nor is memory given for one that claims to have more of them than are stored."""
    torch.save({"conv1.weight": make()}, tmp_path / "odd.pth")
    with pytest.raises(DataError, match=r"odd\.pth"):
        open_network(tmp_path / "odd.pth")


@pytest.mark.parametrize("depths", [(3, 4, 6, 1), (1, 1, 1, 1), (3, 24, 36, 3)])
def test_nets_that_are_none_of_the_papers(tmp_path: Path, depths: tuple[int, ...]) -> None:
    """Of 14, 30, 200 layers, say: the message is about the file, not about options that nobody gave."""
    from torchvision.models.resnet import BasicBlock, ResNet

    path = tmp_path / "strange.pth"
    torch.save(ResNet(BasicBlock, list(depths)).state_dict(), path)
    with pytest.raises(RescliError, match=r"strange\.pth: its tensors are of no network known here"):
        open_network(path)


@pytest.mark.parametrize(
    "origin",
    [
        3,
        {"recipe": 3},
        {"recipe": {"depth": 20, "nonsense": 1}},
        {"recipe": {"depth": "x"}},
        {"classes": 3},
        {"data": 3},
        {"iteration": "x"},
        {"iteration": [1]},
        {"truth": ["x"]},
        {"recipe": {"dataset": 3}},
        {"recipe": {"dataset": ["x"]}},
        {"classes": [3]},
    ],
)
def test_an_origin_that_makes_no_sense(tmp_path: Path, origin: Any) -> None:
    path = tmp_path / "net.safetensors"
    bundle = fresh(network("resnet8"), 0)
    text = json.dumps({**json.loads(to_text(bundle)), "origin": origin})
    save_file({name: torch.from_numpy(value.copy()) for name, value in bundle.tensors.items()}, path, {"rescli": text})
    with pytest.raises(DataError, match=r"net\.safetensors: its metadata"):
        open_network(path)


def test_our_own_file_has_our_own_layout(tmp_path: Path) -> None:
    save_network(tmp_path / "net.h5", fresh(network("resnet8"), 0))
    with pytest.raises(RescliError, match="its layout is not caffe"):
        open_network(tmp_path / "net.h5", layout="caffe")
