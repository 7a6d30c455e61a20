"""A network at a glance: its stages as Table 1 writes them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from rescli.models.operators import Operator, operators
from rescli.models.spec import Spec
from rescli.profiling.count import macs


@dataclass(frozen=True, kw_only=True)
class StageSummary:
    """One row: `what` is "[3x3, 64; 3x3, 64] x 3", `size` the side of its output map in pixels."""

    name: str
    what: str
    size: int
    parameters: int
    macs: int


def stages(spec: Spec) -> list[StageSummary]:
    """The stages of `spec` in order. Raises `UsageError` where its input is too small."""
    rows = []
    for name, group in groupby(operators(spec), key=lambda operator: operator.stage):
        members = list(group)
        rows.append(
            StageSummary(
                name=name,
                what="; ".join(_parts(members)),
                size=members[-1].size,
                parameters=sum(operator.parameters for operator in members),
                macs=sum(macs(operator) for operator in members),
            )
        )
    return rows


def _parts(members: list[Operator]) -> list[str]:
    """What a stage is made of; equal parts in a row are written once."""
    written = []
    for block, group in groupby(members, key=lambda operator: operator.block):
        layers = [word for word in map(_word, group) if word]
        if "." in block:  # layer1.0: a building block, which Table 1 puts in brackets
            written.append("; ".join(layers))
        else:
            written.extend(layers)
    parts = [(text, len(list(repeats))) for text, repeats in groupby(written)]
    return [f"[{text}] x {count}" if count > 1 or ";" in text else text for text, count in parts]


def _word(operator: Operator) -> str:
    stride = f" /{operator.stride}" if operator.stride > 1 else ""
    if operator.kind == "fc":
        return f"fc {operator.channels}"
    if operator.kind == "avgpool":
        return "average pool"
    if operator.kind == "maxpool":
        return f"{operator.kernel}x{operator.kernel} max pool{stride}"
    if operator.kind != "conv":
        return ""
    # The first block of a stage halves the map; as in Table 1 that is not part of the brackets.
    shown = stride if "." not in operator.block else ""
    return f"{operator.kernel}x{operator.kernel}, {operator.channels}{shown}"
