"""What all tests share."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import settings

# Side by side, each with one thread: OpenMP's threads wait busily, so that two programs with two threads each on two processors
# slow one another down several times. What a test starts inherits it. Read when torch is loaded, and not before.
if "PYTEST_XDIST_WORKER" in os.environ:
    assert "torch" not in sys.modules
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadlines: the machines that run this are shared. In CI the same examples every time: a change is judged, not chance.
settings.register_profile("rescli", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rescli")

# A suite started in the background of a shell, or under nohup, inherits signals that are ignored, and rescli rightly goes on
# ignoring them; what is tested here is a run that can be stopped.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `gpu` are skipped where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
