"""Which GPUs there are for processes of their own, without touching any: none is opened here."""

from __future__ import annotations

import os


def gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES would call each GPU that this process may use; empty where there is none."""
    import torch

    if torch.version.cuda is None:
        return ()
    count = torch.cuda.device_count()  # asks the driver; a process that opened a GPU would keep memory of it
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    words = [word.strip() for word in named.split(",")] if named else [str(number) for number in range(count)]
    return tuple(words[:count])
