"""Weights written for other programs, and for ourselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rescli.engine.networks import save_bytes, save_network
from rescli.errors import StoreError, UsageError
from rescli.models.spec import Spec
from rescli.models.weights.bundle import Bundle
from rescli.store.network import holds_network, is_store
from rescli.store.target import check_folder
from rescli.store.target import check_target as check_place


def check_target(path: Path, *, overwrite: bool, kinds: tuple[str, ...]) -> None:
    """Raises `UsageError` for a name with another end than `kinds`, a missing folder, and a file that is there already."""
    if path.suffix not in kinds:
        raise UsageError(
            f"{path}: {path.suffix or 'no ending'} is no format of this", f"Known here: {', '.join(kinds)}."
        )
    if path.suffix == ".h5":  # the store itself looks at what it replaces
        check_folder(path)
    else:
        check_place(path, "--export or --graph")
    if path.suffix == ".h5" and path.is_file() and overwrite and not _weights(path):
        raise UsageError(f"{path} holds no weights alone: it is a run, or something else", "Name another file.")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already", "Name another file, or replace it: --overwrite.")


def _weights(path: Path) -> bool:
    """Whether a file is one that `rescli build` has written: with --overwrite nothing else is replaced."""
    try:
        return is_store(path) and holds_network(path)
    except StoreError:
        return False


def export(path: Path, bundle: Bundle) -> None:
    """Write `bundle` as the end of the path's name says: .safetensors, .pth, .pt, .onnx, or .h5 (a file of our own).

    Raises `StoreError` where it cannot be written, and `RescliError` where ONNX cannot be made or gives other logits.
    """
    if path.suffix == ".h5":
        save_network(path, bundle)
    else:
        save_bytes(path, _maker(path.suffix)(bundle))


def _maker(suffix: str) -> Callable[[Bundle], bytes]:
    if suffix == ".onnx":
        from rescli.models.weights.onnx import onnx_bytes

        return onnx_bytes
    from rescli.models.weights.write import pth_bytes, safetensors_bytes

    return safetensors_bytes if suffix == ".safetensors" else pth_bytes


def save_drawing(path: Path, spec: Spec) -> None:
    """Draw `spec` as Fig. 3 does, in the format that the end of the path's name says. Raises `StoreError`."""
    from rescli.profiling.draw import figure_bytes
    from rescli.profiling.figure_file import format_of

    save_bytes(path, figure_bytes(spec, format_of(path)))
