"""What all tests share."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# No deadlines: the machines that run this are shared. In CI the same examples every time: a change is judged, not chance.
settings.register_profile("rescli", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rescli")

# A suite started in the background of a shell, or under nohup, inherits signals that are ignored, and rescli rightly goes on
# ignoring them; what is tested here is a run that can be stopped.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)
