"""The prediction of what autograd keeps against what it does keep."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.imagenet import imagenet_spec
from rescli.models.spec import Spec, VggSpec
from rescli.profiling.memory import inference_memory, training_memory

NETS: list[Spec] = [
    cifar_spec(20),
    cifar_spec(20, shortcut="B"),
    cifar_spec(20, shortcut="C"),
    cifar_spec(20, shortcut=None),
    imagenet_spec(18, size=64),
    imagenet_spec(50, size=64, stride_in="1x1"),
    imagenet_spec(50, size=64, stride_in="3x3"),
    VggSpec(name="vgg", input_size=64, classes=10, stages=((4, 4), (8,), (8,), (8,), (8,)), hidden=(16, 16)),
]


def saved(spec: Spec, batch: int, precision: str) -> int:
    """Bytes of the storages that autograd keeps, each once; parameters and running statistics apart."""
    net = build(spec).train()
    own = {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), *net.buffers())}
    alive: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        alive[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    x, y = torch.randn(batch, 3, spec.input_size, spec.input_size), torch.zeros(batch, dtype=torch.int64)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = net(x)
        loss = F.cross_entropy(logits.float(), y)
    kept = sum(tensor.untyped_storage().nbytes() for key, tensor in alive.items() if key not in own)
    del loss
    return kept - y.nbytes - 4  # the loss also keeps the labels and its own divisor


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("number", range(len(NETS)))
def test_what_autograd_keeps(number: int, precision: Literal["fp32", "bf16"]) -> None:
    spec = NETS[number]

    assert training_memory(spec, batch=3, precision=precision).activations == saved(spec, 3, precision)


def test_memory_of_the_1202_layer_net() -> None:
    """11.5M outputs an image, each kept twice in 2 bytes: 5.9 GB for 128 images, and 0.23 GB of parameters."""
    memory = training_memory(cifar_spec(1202), batch=128, precision="bf16")

    assert 5.9e9 < memory.peak < 6.5e9
    assert training_memory(cifar_spec(1202), batch=128, precision="bf16", checkpoint_activations=True).peak < 2.5e9


def test_inference_holds_five_maps_in_a_basic_block() -> None:
    """In a second convolution's BN: the stage's input, the block's input, the convolution's, its output, and BN's."""
    memory = inference_memory(cifar_spec(20), batch=2, precision="fp32")

    assert memory.working == 2 * 4 * (5 * 16 * 32 * 32 + 3 * 32 * 32)
