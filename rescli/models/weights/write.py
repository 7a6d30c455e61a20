"""Weights for other programs. Their own loaders take these files; our metadata ride along."""

from __future__ import annotations

import io
from collections import OrderedDict

import torch

from rescli.models.weights.bundle import Bundle
from rescli.models.weights.files import METADATA
from rescli.models.weights.metadata import to_text


def safetensors_bytes(bundle: Bundle) -> bytes:
    """A safetensors file: tensors under torchvision's names, our JSON under "rescli" in its metadata."""
    from safetensors.torch import save

    data: bytes = save(_tensors(bundle), metadata={METADATA: to_text(bundle), "format": "pt"})
    return data


def pth_bytes(bundle: Bundle) -> bytes:
    """A bare state_dict as `torch.save` writes it; `load_state_dict` of torchvision's models takes it as it is.

    A state_dict has room for metadata of modules; our JSON stands there under a name that no module has.
    """
    state: OrderedDict[str, torch.Tensor] = OrderedDict(_tensors(bundle))
    state._metadata = {METADATA: to_text(bundle)}  # type: ignore[attr-defined]
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def _tensors(bundle: Bundle) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value.copy()) for name, value in bundle.tensors.items()}
