"""The cost of a network row by row: by layer, block, stage or kind of operator, or as a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from rescli.models.operators import WEIGHTED, Operator, operators
from rescli.models.spec import NetworkSpec, Spec
from rescli.profiling.count import Count, bias_additions, bn_macs, macs, operations

By: TypeAlias = Literal["layer", "block", "stage", "operator"]
Sort: TypeAlias = Literal["macs", "parameters", "activations", "name"]

TREE: tuple[By, ...] = ("stage", "block", "layer")
"""What each depth of the tree adds, below the network itself."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """`output` is the shape behind the part, channels x height x width. `macs` are multiply-adds, `operations` single
    additions and comparisons, `activations` values put out by convolutions and fc. `level` is the depth in a tree.
    """

    name: str
    output: str
    parameters: int
    macs: int
    operations: int
    activations: int
    level: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            name: getattr(self, name) for name in ("name", "output", "parameters", "macs", "operations", "activations")
        }


def rows_of(spec: Spec, *, by: By, count: Count, batch: int = 1) -> list[Row]:
    """One row for each layer, block, stage or kind of operator, from input to output, for `batch` images."""
    parts = _parts(spec, count, batch)
    rows = _grouped(parts, _KEYS[by])
    return [replace(row, output="") for row in rows] if by == "operator" else rows


def tree_of(spec: Spec, *, depth: int, count: Count, batch: int = 1) -> list[Row]:
    """The network, and below it its stages (depth 1), their blocks (2) and the blocks' layers (3), each with its subtotal."""
    parts = _parts(spec, count, batch)
    rows = [replace(total_of([part.row for part in parts]), name=spec.name, output=parts[-1].row.output)]
    _descend(rows, parts, 1, depth)
    return rows


def _descend(rows: list[Row], parts: list[_Part], level: int, depth: int) -> None:
    if level > depth:
        return
    key = _KEYS[TREE[level - 1]]
    for name in dict.fromkeys(map(key, parts)):
        members = [part for part in parts if key(part) == name]
        row = _grouped(members, key)[0]
        # A stage of one block, a block of one layer: the row would say nothing new.
        if rows[-1].name != row.name or rows[-1].macs != row.macs or rows[-1].parameters != row.parameters:
            rows.append(replace(row, level=level))
        _descend(rows, members, level + 1, depth)


def ordered(rows: Iterable[Row], sort: Sort) -> list[Row]:
    """The largest first; names in the order of the alphabet."""
    if sort == "name":
        return sorted(rows, key=lambda row: row.name)
    return sorted(rows, key=lambda row: -int(getattr(row, sort)))


def total_of(rows: Iterable[Row]) -> Row:
    """The sum of rows."""
    listed = list(rows)

    def add(name: str) -> int:
        return sum(getattr(row, name) for row in listed)

    return Row(
        name="total",
        output="",
        parameters=add("parameters"),
        macs=add("macs"),
        operations=add("operations"),
        activations=add("activations"),
    )


@dataclass(frozen=True, kw_only=True)
class _Part:
    stage: str
    block: str
    kind: str
    row: Row


_KEYS: dict[By, Callable[[_Part], str]] = {
    "layer": lambda part: part.row.name,
    "block": lambda part: part.block,
    "stage": lambda part: part.stage,
    "operator": lambda part: part.kind,
}


def _parts(spec: Spec, count: Count, batch: int) -> list[_Part]:
    found: list[_Part] = []
    table1 = isinstance(spec, NetworkSpec) and spec.for_photographs
    for operator in operators(spec):
        for kind, name, parameters, multiply_adds, single in _counted(operator, count):
            row = Row(
                name=name,
                output=f"{operator.channels}x{operator.size}x{operator.size}",
                parameters=parameters,
                macs=batch * multiply_adds,
                operations=batch * single,
                activations=batch * (operator.outputs if operator.kind in WEIGHTED and name == operator.name else 0),
            )
            stage = _paper_name(operator.stage) if table1 else operator.stage
            found.append(_Part(stage=stage, block=operator.block, kind=kind, row=row))
    return found


def _counted(operator: Operator, count: Count) -> Iterable[tuple[str, str, int, int, int]]:
    """Kind, name, parameters, multiply-adds and single operations of what is counted of an operator."""
    if operator.kind in WEIGHTED:
        kernel = "" if operator.kind == "fc" else f" {operator.kernel}x{operator.kernel}"
        yield f"{operator.kind}{kernel}", operator.name, operator.parameters, macs(operator), 0
        if count == "all" and operator.bias:
            yield "bias addition", f"{operator.name}.bias", 0, 0, bias_additions(operator)
    elif operator.kind == "bn":  # its parameters count in any case
        yield "bn", operator.name, operator.parameters, bn_macs(operator) if count == "all" else 0, 0
    elif count == "all" and operations(operator):
        yield operator.kind, operator.name, 0, 0, operations(operator)


def _grouped(parts: list[_Part], key: Callable[[_Part], str]) -> list[Row]:
    groups: dict[str, list[_Part]] = {}
    for part in parts:
        groups.setdefault(key(part), []).append(part)
    return [
        replace(total_of(part.row for part in group), name=name, output=group[-1].row.output)
        for name, group in groups.items()
    ]


def _paper_name(stage: str) -> str:
    """`layer1` is the paper's conv2_x."""
    return f"{stage} (conv{int(stage[5:]) + 1}_x)" if stage.startswith("layer") else stage
