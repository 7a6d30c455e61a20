"""What autograd keeps of each operator for the backward pass, as our modules are written. Without torch.

A convolution and an fc layer keep their input, BN its input with a mean and an inverse deviation a channel, an in-place ReLU
its output, max pooling its input and the indices of the maxima, dropout its mask, an in-place addition nothing. A storage
that two operators keep counts once: an in-place ReLU overwrites the map before it, and the next
convolution keeps that same map.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rescli.models.operators import WEIGHTED, Operator

IN_PLACE = ("relu", "add")
INDEX = 8  # bytes of an int64
SINGLE = 4  # bytes of an fp32


@dataclass(kw_only=True)
class Step:
    """One operator: `storage` names the memory that its output lies in, `maps` what it keeps first, by storage, in bytes.

    `extra` are bytes kept that are no map: statistics, indices, masks; and bf16 copies of weights.
    """

    operator: Operator
    storage: str
    inputs: tuple[str, ...]
    bytes: int
    maps: dict[str, int] = field(default_factory=dict)
    extra: int = 0

    @property
    def kept(self) -> int:
        """Bytes that this operator adds to what is kept."""
        return sum(self.maps.values()) + self.extra


def steps(table: list[Operator], *, batch: int, value: int) -> list[Step]:
    """The operators with what each keeps, for `batch` images and `value` bytes a value of a map (4, or 2 under autocast)."""
    first = table[0]
    sizes = {"input": batch * value * first.in_channels * first.in_size**2}
    roots = {"input": "input"}
    kept: set[str] = set()
    made = []
    for operator in table:
        inputs = tuple(roots[name] for name in operator.inputs)
        root = inputs[0] if operator.kind in IN_PLACE else operator.name
        roots[operator.name] = root
        sizes.setdefault(root, batch * value * operator.outputs)
        step = Step(operator=operator, storage=root, inputs=inputs, bytes=sizes[root])
        for name in _keeps(operator, inputs, root):
            if name not in kept:
                kept.add(name)
                step.maps[name] = sizes[name]
        step.extra = _extra(operator, batch, value)
        made.append(step)
    return made


def _keeps(operator: Operator, inputs: tuple[str, ...], root: str) -> tuple[str, ...]:
    if operator.kind in (*WEIGHTED, "bn", "maxpool"):
        return inputs[:1]
    if operator.kind == "avgpool" and operator.size > 1:  # VGG's adaptive pooling; a mean over all pixels keeps nothing
        return inputs[:1]
    return (root,) if operator.kind == "relu" else ()


def _extra(operator: Operator, batch: int, value: int) -> int:
    if operator.kind == "bn":
        return 2 * SINGLE * operator.channels
    if operator.kind == "maxpool":
        return INDEX * batch * operator.outputs
    if operator.kind == "dropout":
        return value * batch * operator.outputs
    return value * operator.weights if value < SINGLE else 0
