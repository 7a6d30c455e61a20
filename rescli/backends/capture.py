"""Steps that are recorded once and then replayed without Python: CUDA graphs, and what happens where they fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from rescli.backends.fallback import fall_back

Body = Callable[[int], None]
Recorder = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes what shall be recorded, runs nothing, and returns what replays it. Raises anything where it cannot."""

FIRST_RUNS = 2  # as they are, for real: libraries choose their algorithms and take their memory in them


class Replayed:
    """`body(images)`, recorded for each number of images after two ordinary runs, and replayed from then on.

    Nothing is run for the recording's sake: every call is one step, whether ordinary or replayed. Where recording fails, a
    warning says so once, and all goes on the ordinary way.
    """

    def __init__(self, body: Body, record: Recorder, what: str) -> None:
        self._body, self._record, self._what = body, record, what
        self._runs: Counter[int] = Counter()
        self._replays: dict[int, Callable[[], None]] = {}
        self.failure: str | None = None

    def __call__(self, images: int) -> None:
        """One step."""
        if images not in self._replays and self._runs[images] >= FIRST_RUNS and self.failure is None:
            self._try(images)
        replay = self._replays.get(images)
        if replay is not None:
            replay()
        else:
            self._body(images)
            self._runs[images] += 1

    def forget(self) -> None:
        """Drop all recordings; what comes now runs as it is written."""
        self._replays.clear()
        self.failure = "forgotten"

    @property
    def recorded(self) -> tuple[int, ...]:
        """The numbers of images for which there is a recording."""
        return tuple(self._replays)

    def _try(self, images: int) -> None:
        try:
            self._replays[images] = self._record(partial(self._body, images))
        except Exception as error:
            self.failure = fall_back(f"{self._what} cannot be captured in a CUDA graph, it runs step by step", error)
