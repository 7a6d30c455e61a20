"""How far the predicted memory of training and inference is from what PyTorch's allocator hands out.

    OMP_NUM_THREADS=1 python -m benchmarks.memory

Each case runs in a process of its own: two steps under the profiler, whose record of allocations gives the peak above what was
alive before; parameters, statistics and momentum, which were, are added. Also prints the rise of the
peak resident memory, which includes what libraries take. On CUDA the allocator's own figure is used. Prints JSON lines.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from typing import Any

from rescli.models.cifar import cifar_spec
from rescli.models.imagenet import imagenet_spec
from rescli.models.spec import Spec
from rescli.profiling.memory import inference_memory, training_memory

BATCH = 8
MODES = ("training", "checkpointed", "inference")


def named(name: str) -> Spec:
    """The spec of `name`: resnet18 and resnet50 at 64 pixels, or a CIFAR depth."""
    return imagenet_spec(int(name[6:]), size=64) if name in ("resnet18", "resnet50") else cifar_spec(int(name[6:]))


def measure(name: str, mode: str, precision: str) -> dict[str, Any]:
    """Predicted and measured bytes, in this process."""
    import torch
    import torch.nn.functional as F
    from torch.profiler import profile
    from torch.utils.checkpoint import checkpoint

    from rescli.backends.base import Sgd
    from rescli.backends.sgd import MomentumSgd
    from rescli.models.blocks import PlainBlock
    from rescli.models.build import build

    spec = named(name)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    net = build(spec).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.train(mode != "inference")
    if mode == "checkpointed":
        for module in net.modules():
            if isinstance(module, PlainBlock):
                plain = module.forward
                module.forward = lambda x, plain=plain: checkpoint(plain, x, use_reentrant=False)  # type: ignore
    sgd = (
        None
        if mode == "inference"
        else MomentumSgd(net, Sgd(momentum=0.9, momentum_form="pytorch", weight_decay=1e-4, decay="all"))
    )

    def step() -> None:
        x = torch.zeros(BATCH, 3, spec.input_size, spec.input_size, device=device)
        x = x.to(memory_format=torch.channels_last)
        with (
            torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"),
            torch.set_grad_enabled(sgd is not None),
        ):
            logits = net(x)
        if sgd is not None:
            loss = F.cross_entropy(logits.float(), torch.zeros(BATCH, dtype=torch.int64, device=device))
            sgd.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            sgd.step(0.1)

    state = sum(4 * tensor.numel() for tensor in (*net.parameters(), *net.buffers()))
    if sgd is not None:
        state += sum(4 * tensor.numel() for tensor in net.parameters())  # momentum
    if device == "cuda":
        step()
        torch.cuda.reset_peak_memory_stats()
        step()
        measured = torch.cuda.max_memory_allocated()
    else:
        # Both steps: the profiler does not see that memory is freed which was allocated before it began, as gradients are.
        with profile(profile_memory=True) as recorded:
            step()
            step()
        events = recorded.profiler.kineto_results.events()
        total = highest = 0
        for event in sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()):
            total += event.nbytes()
            highest = max(highest, total)
        measured = state + highest
    memory: Any = inference_memory if sgd is None else training_memory
    options = {} if sgd is None else {"checkpoint_activations": mode == "checkpointed"}
    predicted = memory(spec, batch=BATCH, precision=precision, **options).peak
    rise = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident)
    case = {"net": name, "mode": mode, "precision": precision, "device": device}
    return {**case, "predicted": predicted, "measured": measured, "ratio": predicted / measured, "resident": rise}


def main() -> None:
    """Measure each case in a fresh process, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    nets = ["resnet20", "resnet56", "resnet110", "resnet18", "resnet50"]
    parser.add_argument("--net", nargs="+", default=nets)
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--here", choices=MODES, help="measure one case in this process")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.net[0], options.here, options.precision[0])))
        return
    for net in options.net:
        for mode in MODES:
            for precision in options.precision:
                case = ["--here", mode, "--net", net, "--precision", precision]
                command = [sys.executable, "-m", "benchmarks.memory", *case]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                print(done.stdout.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
