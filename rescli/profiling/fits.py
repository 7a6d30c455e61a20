"""Does it fit on my card? The predictions of `rescli.profiling.memory` beside the memory that cards are sold with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rescli.models.spec import Spec
from rescli.profiling.memory import Memory, Precision, inference_memory, training_memory

GIB = 2**30
CARDS = (8, 12, 16, 24, 32, 40, 48, 80, 96, 141, 192)
"""GiB that cards are sold with."""
RESERVE = GIB  # the driver's context, cuDNN's workspaces, the allocator's rounding: not part of the prediction


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One way to run a network. `card` is the smallest of `CARDS` with room for peak and reserve, None if there is none."""

    use: str
    precision: Precision
    checkpointed: bool
    memory: Memory
    card: int | None
    fits: bool | None
    """Whether it fits on the card that was asked about."""

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object, bytes exact."""
        values = asdict(self)
        return {**values, "memory": self.memory.to_dict()}


def fits(spec: Spec, *, batch: int, card: float | None = None) -> list[Fit]:
    """Training in fp32 and bf16, each with and without activation checkpointing, and inference; `card` in GiB."""
    ways: list[Fit] = []
    for precision in PRECISIONS:
        for checkpointed in (False, True):
            memory = training_memory(spec, batch=batch, precision=precision, checkpoint_activations=checkpointed)
            ways.append(_fit("training", precision, checkpointed, memory, card))
    forward = [(one, inference_memory(spec, batch=batch, precision=one)) for one in PRECISIONS]
    return [*ways, *(_fit("inference", precision, False, memory, card) for precision, memory in forward)]


PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


def _fit(use: str, precision: Precision, checkpointed: bool, memory: Memory, card: float | None) -> Fit:
    needed = memory.peak + RESERVE
    return Fit(
        use=use,
        precision=precision,
        checkpointed=checkpointed,
        memory=memory,
        card=next((size for size in CARDS if size * GIB >= needed), None),
        fits=None if card is None else needed <= card * GIB,
    )
