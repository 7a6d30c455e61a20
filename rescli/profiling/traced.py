"""The rows of a module that was counted by tracing, as those of a network of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rescli.profiling.profile import Row, total_of


@dataclass(frozen=True, kw_only=True)
class TracedProfile:
    """Rows for `batch` images; `parameters` are all of the module's, `elsewhere` those in layers that are not counted."""

    title: str
    rows: list[Row]
    parameters: int
    elsewhere: int
    not_counted: Mapping[str, int]


def profile_module(target: str, *, by: str, input_size: int, batch: int = 1) -> TracedProfile:
    """Trace the module that `target` names; `by` is "layer" or "operator". Raises as `load_module` and `trace` do."""
    from rescli.models.trace import load_module, trace  # PyTorch, which no named network needs

    found = trace(load_module(target), title=target, input_size=input_size)
    rows = [
        Row(
            name=row.name or row.kind,
            output="x".join(str(side) for side in row.shape),
            parameters=row.parameters,
            macs=batch * row.macs,
            operations=0,
            activations=batch * row.outputs,
        )
        for row in found.rows
    ]
    if by == "operator":
        kinds: dict[str, list[Row]] = {}
        for row, traced in zip(rows, found.rows, strict=True):
            kinds.setdefault(traced.kind, []).append(row)
        rows = [replace(total_of(members), name=kind) for kind, members in kinds.items()]
    return TracedProfile(
        title=found.title,
        rows=rows,
        parameters=found.parameters,
        elsewhere=found.parameters - sum(row.parameters for row in rows),
        not_counted=found.not_counted,
    )
