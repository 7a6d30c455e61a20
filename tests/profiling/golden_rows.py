"""The rows of golden.csv: every net of the paper with every fork that its cost depends on.

`python -m tests.profiling.golden_rows` writes the file anew; what its figures are held against is in test_golden.py.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rescli.models.cifar import PAPER_DEPTHS
from rescli.models.names import network
from rescli.models.spec import Spec
from rescli.profiling.cost import cost

FILE = Path(__file__).with_name("golden.csv")
COLUMNS = ("network", "shortcut", "stride_in", "input", "parameters", "macs", "activations")


def forks() -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and options."""
    for depth in (18, 34):
        yield f"plain{depth}", {}
        yield from ((f"resnet{depth}", {"shortcut": option}) for option in "ABC")
    for depth in (50, 101, 152):
        for stride in ("1x1", "3x3"):
            yield f"plain{depth}", {"stride_in": stride}
            yield from ((f"resnet{depth}", {"shortcut": option, "stride_in": stride}) for option in "ABC")
    yield from ((f"vgg{depth}", {}) for depth in (16, 19))
    for depth in PAPER_DEPTHS:
        yield f"cifar-plain{depth}", {}
        yield from ((f"cifar-resnet{depth}", {"shortcut": option}) for option in ("ABC" if depth < 1000 else "A"))


def row(name: str, options: dict[str, Any], spec: Spec) -> dict[str, Any]:
    """One row of the file."""
    counts = cost(spec)
    return {
        "network": name,
        "shortcut": options.get("shortcut", ""),
        "stride_in": options.get("stride_in", ""),
        "input": spec.input_size,
        "parameters": counts.parameters,
        "macs": counts.macs,
        "activations": counts.activations,
    }


def main() -> None:
    with FILE.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row(name, options, network(name, **options)) for name, options in forks())


if __name__ == "__main__":
    main()
