"""Packed images beside the folder that they came from: both read by our own threads, in turns.

    python -m benchmarks.pack --data DIR --pack FILE [--batch-size 64] [--batches 60] [--pairs 5] [--cold] [--json]

`rescli bench data` measures either beside a DataLoader. With --cold the page cache forgets the contents of all files before
each sample; names and sizes it keeps, so the folder is still better off than in an epoch that is larger than memory.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from rescli.bench.pairs import duel
from rescli.bench.photographs import SIZE, our_batches, seconds_of
from rescli.data.listing import list_images


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--pack", type=Path, required=True)
    options.add_argument("--batch-size", type=int, default=64)
    options.add_argument("--batches", type=int, default=60)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--cold", action="store_true")
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    mean = torch.full((SIZE, SIZE, 3), 0.45)
    packed, folder = (
        our_batches(list_images(root, "train"), asked.batch_size, asked.workers, mean)
        for root in (asked.pack, asked.data)
    )
    found = duel(
        lambda: seconds_of(packed, asked.batches, asked.pack if asked.cold else None),
        lambda: seconds_of(folder, asked.batches, asked.data if asked.cold else None),
        pairs=asked.pairs,
    )
    ours, theirs = found.rates(asked.batches * asked.batch_size)
    ratio = found.ratio()
    if asked.json:
        print(json.dumps({"pack": ours.to_dict(), "folder": theirs.to_dict(), "ratio": ratio.to_dict()}))
        return
    print(f"packed {ours.median:,.0f} images/s, folder {theirs.median:,.0f} images/s")
    print(f"ratio {ratio.median:.3f} (quartiles {ratio.low:.3f} to {ratio.high:.3f}, {ratio.n} pairs)")


if __name__ == "__main__":
    main()
