"""`rescli profile PACKAGE:CALLABLE`: any nn.Module, counted by tracing."""

from __future__ import annotations

from typing import Any

from rescli import console
from rescli.commands.formats import show
from rescli.errors import UsageError
from rescli.profiling.profile import Sort, ordered, total_of
from rescli.profiling.traced import profile_module


def print_traced(
    target: str, by: str | None, sort: Sort | None, batch: int, size: int, *, json: bool, csv: bool, markdown: bool
) -> None:
    """Its layers or kinds of operator, and what was met and is not counted."""
    if by not in (None, "layer", "operator"):
        raise UsageError(f"--by {by}: a traced module has no {by}s that are known", "Use --by layer or --by operator.")
    found = profile_module(target, by=by or "layer", input_size=size, batch=batch)
    rows = ordered(found.rows, sort) if sort else found.rows
    whole = total_of(rows)
    columns = ("name", "output", "parameters", "multiply-adds", "activations")
    other = [("elsewhere", "", found.elsewhere, 0, 0)] if found.elsewhere else []
    exact: list[tuple[Any, ...]] = [
        *((row.name, row.output, row.parameters, row.macs, row.activations) for row in rows),
        *other,
        ("total", "", found.parameters, whole.macs, whole.activations),
    ]
    document = {
        "target": target,
        "input_size": size,
        "batch": batch,
        "unit": "multiply-adds",
        "macs": whole.macs,
        "parameters": found.parameters,
        "activations": whole.activations,
        "rows": [{key: value for key, value in row.to_dict().items() if key != "operations"} for row in rows],
        "not_counted": dict(found.not_counted),
    }
    if show(columns, exact, document, json=json, csv=csv, markdown=markdown):
        return
    console.say(f"{target}, {size}x{size}, " + ("1 image" if batch == 1 else f"{batch} images"))
    console.table(columns, [(*row[:2], *(f"{value:,}" for value in row[2:])) for row in exact], right=range(1, 5))
    console.say("not counted: " + ", ".join(f"{name} x {count}" for name, count in found.not_counted.items()))
