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
    import numpy as np
    import torch
    from torch.profiler import profile

    from rescli.backends.base import Job, Sgd
    from rescli.backends.registry import choose
    from rescli.backends.worker import TorchWorker
    from rescli.data.dataset import Images
    from rescli.data.feed import ResidentImages
    from rescli.models.build import build

    spec = named(name)
    size = spec.input_size
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    training = mode != "inference"
    images = Images(np.zeros((BATCH, size, size, 3), np.uint8), np.zeros(BATCH, np.int64))
    job = Job(
        network=build(spec),
        feeds={"train": ResidentImages(images, np.zeros((size, size, 3), np.float32))},
        classes=spec.classes,
        precision=precision,
        sgd=Sgd(momentum=0.9, momentum_form="pytorch", weight_decay=1e-4, decay="all") if training else None,
        checkpoint_activations=mode == "checkpointed",
        compile=False,  # what is predicted is the net as it is written
    )
    worker = choose("auto").start(job)
    assert isinstance(worker, TorchWorker)
    device = worker.device.type
    net, x = worker.network, torch.zeros(BATCH, 3, size, size, device=worker.device)
    worker.begin_epoch([torch.arange(BATCH)])

    def step() -> None:
        if training:
            worker.train_step(0, 0, BATCH, 0.1)
        else:
            net.eval()
            with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
                net(x.contiguous(memory_format=torch.channels_last))

    state = sum(4 * tensor.numel() for tensor in (*net.parameters(), *net.buffers()))
    if worker.step is not None:  # momentum, gradients, and the copy in bf16
        flat = worker.step.flat
        state += 8 * len(flat.values) + sum(2 * leaf.numel() for leaf in flat.leaves if leaf.dtype == torch.bfloat16)
    if device == "cuda":
        step()
        torch.cuda.reset_peak_memory_stats()
        step()
        measured = torch.cuda.max_memory_allocated()
    else:
        # Both steps: the profiler does not see that memory is freed which was allocated before it began.
        with profile(profile_memory=True) as recorded:
            step()
            step()
        events = recorded.profiler.kineto_results.events()
        total = highest = 0
        for event in sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()):
            total += event.nbytes()
            highest = max(highest, total)
        measured = state + highest
    memory: Any = inference_memory if not training else training_memory
    options = {} if not training else {"checkpoint_activations": mode == "checkpointed"}
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
