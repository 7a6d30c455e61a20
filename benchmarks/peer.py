"""Training and evaluation beside a well-known public trainer of these nets, in turns, in one process.

    git clone https://github.com/akamaster/pytorch_resnet_cifar10 peer
    python -m benchmarks.peer --repo peer --depth 20 56

The peer's own `train` and `validate` run, with its own network, optimizer and transforms; only the number of batches is
limited. What newer Pythons and PyTorches do not know in its source is replaced on the way in (`async=True`, `loss.data[0]`,
`prec1[0]`, `volatile=True`), and where there is no GPU `.cuda()` leaves a tensor where it is. Prints JSON lines.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch.utils.data import DataLoader
from torchvision import transforms

from rescli.backends.registry import choose
from rescli.bench.pairs import duel
from rescli.bench.plain import Pictures, endless, usual_arithmetic
from rescli.bench.run import Setting, evaluating, training, worker_for
from rescli.data.read import load
from rescli.engine.prepare import precision_of
from rescli.models.cifar import cifar_spec


class Peer:
    """The trainer at `repo`, on `device`."""

    def __init__(self, repo: Path, depth: int, images: Any, tests: Any, *, workers: int, device: str) -> None:
        self.device = device
        if device == "cpu":
            for kind in (torch.Tensor, torch.nn.Module):
                kind.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
        nets, self.trainer = _module(repo, "resnet"), _module(repo, "trainer")
        self.trainer.args = types.SimpleNamespace(half=False, print_freq=50)  # type: ignore[attr-defined]
        self.model = torch.nn.DataParallel(getattr(nets, f"resnet{depth}")())
        self.model.cuda()
        torch.backends.cudnn.benchmark = True
        self.criterion = torch.nn.CrossEntropyLoss().cuda()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
        normalize = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
        augment = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(32, 4)]
        options: dict[str, Any] = {"num_workers": workers, "pin_memory": device == "cuda", "persistent_workers": True}
        train = Pictures(images, transforms.Compose([*augment, transforms.ToTensor(), normalize]))
        test = Pictures(tests, transforms.Compose([transforms.ToTensor(), normalize]))
        self.loader = DataLoader(train, batch_size=128, shuffle=True, drop_last=True, **options)
        self.tests = DataLoader(test, batch_size=128, **options)
        self.batches = endless(self.loader)

    def steps(self, count: int) -> float:
        """Seconds of so many steps of its `train`."""
        return self._timed(
            lambda: self.trainer.train(_First(self, count), self.model, self.criterion, self.optimizer, 0)
        )

    def evaluate(self) -> float:
        """Seconds of its `validate`."""
        with torch.no_grad():  # what `volatile` was
            return self._timed(lambda: self.trainer.validate(self.tests, self.model, self.criterion))

    def _timed(self, work: Any) -> float:
        with contextlib.redirect_stdout(io.StringIO()), usual_arithmetic(self.device):
            start = perf_counter()
            work()
            return perf_counter() - start


class _First:
    """The next so many batches, looking like a loader."""

    def __init__(self, peer: Peer, count: int) -> None:
        self.peer, self.count = peer, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        return (next(self.peer.batches) for _ in range(self.count))


def _module(repo: Path, name: str) -> types.ModuleType:
    source = (repo / f"{name}.py").read_text()
    source = source.replace("async=True", "non_blocking=True").replace("loss.data[0]", "loss.item()")
    source = source.replace(", volatile=True", "").replace("prec1[0]", "prec1.item()")
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, str(repo / f"{name}.py"), "exec"), module.__dict__)
    return module


def main() -> None:
    """Measure each net, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a checkout of the peer")
    parser.add_argument("--depth", type=int, nargs="+", default=[20, 56])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    data, backend = load("synthetic"), choose("auto")
    device = "cuda" if backend.name == "cuda" else "cpu"
    precision = precision_of(backend, "auto")
    tests = data.test[:2000]
    for depth in options.depth:
        peer = Peer(options.repo, depth, data.train, tests, workers=options.workers, device=device)
        for what, images in (("train", data.train), ("eval", tests)):
            setting = Setting(what=what, steps=options.steps)
            worker = worker_for(cifar_spec(depth), images, setting, precision)
            ours = training(worker, images, setting, device) if what == "train" else evaluating(worker, device)
            theirs = (lambda loop=peer: loop.steps(options.steps)) if what == "train" else peer.evaluate
            found, amount = duel(ours, theirs, pairs=options.pairs), 128 * options.steps if what == "train" else 2000
            rates = [rate.to_dict() for rate in found.rates(amount)]
            case = {"net": f"resnet{depth}", "what": what, "precision": precision, "backend": backend.name}
            print(
                json.dumps({**case, "ours": rates[0], "peer": rates[1], "ratio": found.ratio().to_dict()}), flush=True
            )


if __name__ == "__main__":
    main()
