"""Tensors out of files of weights. Nothing in a file is ever executed, and sizes are checked before memory is given."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rescli.errors import DataError, out_of_memory
from rescli.models.weights.bundle import Array

PICKLES = (".pth", ".pt", ".th", ".tar", ".bin")
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net")
PREFIXES = ("module.", "_orig_mod.")
METADATA = "rescli"  # the key of our JSON in a file's metadata
MAX_BYTES = 8 << 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Raw:
    """The tensors of a file, float32 under the file's own names less wrappers and prefixes; our metadata, if it has any."""

    tensors: Mapping[str, Array]
    metadata: Mapping[str, Any] | None
    changed: tuple[str, ...]


def read_file(path: Path) -> Raw:
    """The tensors in the file at `path`. Raises `DataError` for whatever is no file of weights."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder, not a file of weights", "Name a file in it.")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file", "Check the path.")
    suffix = path.suffix.lower()
    try:
        if suffix == ".safetensors":
            found, metadata = _safetensors(path)
        elif suffix == ".npz":
            found, metadata = _npz(path), None
        elif suffix in (".h5", ".hdf5"):
            from rescli.store.dump import read_arrays

            found, metadata = read_arrays(path), None
        elif suffix in PICKLES:
            found, metadata = _pickle(path)
        else:
            known = ", ".join((*PICKLES, ".safetensors", ".npz", ".h5"))
            raise DataError(f"{path}: {path.suffix or 'no ending'} is no format of weights", f"Known here: {known}.")
    except DataError:
        raise
    except Exception as error:  # whatever a library makes of a damaged file
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(
            f"{path}: cannot be read as weights: {text}",
            "It is damaged, or holds more than tensors; nothing in it was executed.",
        ) from error
    return _cleaned(path, found, metadata)


def _safetensors(path: Path) -> tuple[dict[str, Any], Any]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = (file.metadata() or {}).get(METADATA)
        return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 - no mapping


def _npz(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_BYTES:
        raise DataError(f"{path}: unpacks to {size:,} bytes, which is too large to be true")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _pickle(path: Path) -> tuple[dict[str, Any], Any]:
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(loaded, Mapping):
        raise DataError(f"{path}: holds a {type(loaded).__name__}, not tensors by name", "Save a state_dict.")
    metadata = getattr(loaded, "_metadata", None)
    ours = metadata.get(METADATA) if isinstance(metadata, Mapping) else None
    return dict(_unwrapped(loaded)), ours


def _unwrapped(loaded: Mapping[str, Any]) -> Mapping[str, Any]:
    """The state_dict within a checkpoint that holds other things beside it."""
    for name in WRAPPERS:
        inner = loaded.get(name)
        if isinstance(inner, Mapping) and inner:
            return inner
    return loaded


def _cleaned(path: Path, found: Mapping[Any, Any], metadata: Any) -> Raw:
    changed: list[str] = []
    tensors: dict[str, Array] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, (torch.Tensor, np.ndarray)):
            raise DataError(f"{path}: {name!r} is a {type(value).__name__}, not a tensor", "Save a state_dict.")
        tensors[name] = _float32(path, name, value)
    if not tensors:
        raise DataError(f"{path}: holds no tensors")
    while found_prefix := next((one for one in PREFIXES if all(name.startswith(one) for name in tensors)), None):
        tensors = {name.removeprefix(found_prefix): value for name, value in tensors.items()}
        changed.append(f"prefix {found_prefix} removed")
    kept = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    if len(kept) < len(tensors):
        changed.append("num_batches_tracked dropped")
    if any(
        str(getattr(value, "dtype", "")).removeprefix("torch.") in ("float16", "bfloat16") for value in found.values()
    ):
        changed.append("16-bit numbers widened")
    return Raw(tensors=kept, metadata=_metadata(path, metadata), changed=tuple(changed))


def _float32(path: Path, name: str, value: Any) -> Array:
    if name.endswith("num_batches_tracked"):
        return np.zeros(0, np.float32)
    if isinstance(value, torch.Tensor):
        odd = (
            value.layout != torch.strided
            or value.is_nested
            or value.is_quantized
            or value.is_complex()
            or value.is_meta
        )
        # More numbers than are stored, as `expand` makes them, may be any number of them.
        if odd or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise DataError(f"{path}: {name} is no ordinary tensor of numbers")
        try:
            value = value.detach().float().cpu().numpy()
        except (RuntimeError, TypeError) as error:  # PyTorch has kinds of numbers that it computes nothing with
            if out_of_memory(error):
                raise
            raise DataError(f"{path}: {name} holds {value.dtype}, which are no numbers here") from error
    if value.dtype.kind not in "fiub":
        raise DataError(f"{path}: {name} holds {value.dtype}, not numbers")
    array: Array = np.ascontiguousarray(value, dtype=np.float32).reshape(value.shape)
    if not np.isfinite(array).all():
        raise DataError(f"{path}: {name} has NaN or infinity in it", "These weights are of a run that diverged.")
    return array


def _metadata(path: Path, text: Any) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        metadata = json.loads(text)
        if not isinstance(metadata, dict):
            raise TypeError
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: its rescli metadata make no sense", "Export it anew.") from error
    return metadata


def first(names: Iterable[str], count: int = 3) -> str:
    """Some names for a message: "a, b, c and 12 more"."""
    listed = sorted(names)
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more
