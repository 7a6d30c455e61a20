"""What a spec takes in memory, for training and for inference: read off its operators, without torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import accumulate, groupby
from typing import Literal, TypeAlias

from rescli.models.operators import Operator, operators
from rescli.models.spec import Spec
from rescli.profiling.saved import SINGLE, Step, steps

Precision: TypeAlias = Literal["fp32", "tf32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes at the moment of the peak. `weights` are fp32 with BN's running statistics; `optimizer` is the momentum.

    `activations` is what autograd keeps, `working` the batch and the maps or their gradients at work at the peak.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    working: int

    @property
    def peak(self) -> int:
        """The sum, in bytes."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.working

    def to_dict(self) -> dict[str, int]:
        """As a JSON document, with the peak."""
        return {**asdict(self), "peak": self.peak}


def training_memory(spec: Spec, *, batch: int, precision: Precision, checkpoint_activations: bool = False) -> Memory:
    """Memory of an SGD step with momentum on `batch` images. Raises `UsageError` where the input is too small.

    bf16 is autocast: fp32 weights, bf16 maps and copies of weights. `checkpoint_activations`: only the input of each block is
    kept, and the block recomputed in the backward pass. Gradients are counted twice: as the backward pass makes them, and in
    the one buffer that they are gathered in.
    """
    table = list(operators(spec))
    value = _value(precision)
    walk = steps(table, batch=batch, value=value)
    parameters = SINGLE * sum(operator.parameters for operator in table)
    kept = _checkpointed(walk) if checkpoint_activations else sum(step.kept for step in walk)
    kept += SINGLE * batch * spec.classes  # the loss keeps its log-probabilities
    return Memory(
        weights=_weights(table),
        gradients=parameters + _fresh_gradients(table, value),
        optimizer=parameters,
        activations=kept,
        working=_image(spec, batch) + _training_excess(walk),
    )


def _fresh_gradients(table: list[Operator], value: int) -> int:
    """Those that a backward pass makes, before they are gathered in one buffer: of the layers' arithmetic, of BN in fp32."""
    of_bn = sum(operator.parameters for operator in table if operator.kind == "bn")
    return SINGLE * of_bn + value * (sum(operator.parameters for operator in table) - of_bn)


def inference_memory(spec: Spec, *, batch: int, precision: Precision) -> Memory:
    """Memory of a forward pass on `batch` images. Raises `UsageError` where the input is too small."""
    table = list(operators(spec))
    value = _value(precision)
    live = _largest(steps(table, batch=batch, value=value))
    # Without gradients autocast keeps no copies: one weight at a time is cast.
    cast = value * max(operator.weights for operator in table) if value < SINGLE else 0
    return Memory(
        weights=_weights(table), gradients=0, optimizer=0, activations=0, working=_image(spec, batch) + live + cast
    )


def _value(precision: Precision) -> int:
    return 2 if precision == "bf16" else SINGLE


def _weights(table: list[Operator]) -> int:
    statistics = sum(2 * operator.channels for operator in table if operator.kind == "bn")
    return SINGLE * (sum(operator.parameters for operator in table) + statistics)


def _image(spec: Spec, batch: int) -> int:
    return SINGLE * batch * 3 * spec.input_size**2


def _checkpointed(walk: list[Step]) -> int:
    """Blocks' inputs, all that is outside blocks, and the largest block recomputed."""
    total = largest = 0
    for _, members in groupby(walk, key=lambda step: step.operator.block):
        block = list(members)
        kept = sum(step.kept for step in block)
        if _is_block(block[0].operator):
            total += block[-1].bytes
            largest = max(largest, kept)
        else:
            total += kept
    return total + largest


def _is_block(operator: Operator) -> bool:
    return "." in operator.block


def _training_excess(walk: list[Step]) -> int:
    """The most, over the backward pass, by which gradients of maps exceed the kept maps that are free again by then."""
    worst = freed = 0
    for step in reversed(walk):
        shortcut = step.bytes if _is_block(step.operator) and step.operator.kind != "add" else 0
        worst = max(worst, 2 * step.bytes + shortcut - freed)
        freed += step.kept
    return worst


def _largest(walk: list[Step]) -> int:
    """The largest sum of maps alive at once in a forward pass without gradients, in bytes."""
    sizes = {step.storage: step.bytes for step in walk}
    born: dict[str, int] = {}
    last: dict[str, int] = {}
    ends = {step.operator.stage: index for index, step in enumerate(walk)}
    starts = {step.operator.stage: index for index, step in reversed(list(enumerate(walk)))}
    begin = 0
    for _, members in groupby(walk, key=lambda step: step.operator.block):
        block = list(members)
        for index, step in enumerate(block, start=begin):
            born.setdefault(step.storage, index)
            last[step.storage] = index
            for name in step.inputs:
                # A block's caller holds its input to the end, a stage's likewise; a convolution's lives until its BN and
                # ReLU are done.
                outer = _is_block(step.operator) and born.get(name, begin) < begin
                held = begin + len(block) - 1 if outer else index + 2 * (step.operator.kind == "conv")
                if outer and born.get(name, begin) < starts[step.operator.stage]:
                    held = ends[step.operator.stage]
                last[name] = max(last.get(name, 0), held)
        begin += len(block)
    change = [0] * (begin + 4)
    for name, size in sizes.items():
        change[born[name]] += size
        change[last[name] + 1] -= size
    return max(accumulate(change))
