"""Training as people watch it: a bar on a terminal, a plain line now and then in a log. All of it on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

from rescli.console import note, percent
from rescli.words import duration

if TYPE_CHECKING:
    from rich.progress import Progress

Clock = Callable[[], float]


class Rate:
    """Images per second, over the time since `begin`, without what happened before it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock()
        self._first = self.iteration = self.iterations = self._batch = 0

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        """Start to measure."""
        self._start = self._clock()
        self._first = self.iteration = iteration
        self.iterations = iterations
        self._batch = batch

    def images_per_second(self) -> float:
        """0 before the first iteration."""
        elapsed = self._clock() - self._start
        return (self.iteration - self._first) * self._batch / elapsed if elapsed > 0 else 0.0

    def left(self) -> str:
        """Time left at this rate, or ? before there is one."""
        rate = self.images_per_second()
        return duration((self.iterations - self.iteration) * self._batch / rate) if rate else "?"


class Lines:
    """For a log: a line every so many seconds, and one for every evaluation."""

    def __init__(
        self, *, every_seconds: float = 30.0, clock: Clock = time.monotonic, write: Callable[[str], None] = note
    ):
        self._every = every_seconds
        self._clock = clock
        self._write = write
        self._rate = Rate(clock)
        self._before = clock()

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        """Start to measure."""
        self._rate.begin(iteration, iterations, batch)
        self._before = self._clock()

    def step(self, iteration: int) -> None:
        """Only counts."""
        self._rate.iteration = iteration

    def row(self, split: str, row: Mapping[str, float]) -> None:
        """A training row becomes a line if the last line is old enough; an evaluation always does."""
        now = self._clock()
        if split == "train" and now - self._before < self._every:
            return
        if split == "train":
            self._before = now
        self._write(self._line(split, row))

    def note(self, text: str) -> None:
        """A line of its own."""
        self._write(text)

    def end(self) -> None:
        """Nothing to close."""

    def _line(self, split: str, row: Mapping[str, float]) -> str:
        total = self._rate.iterations
        parts = [f"{int(row['iteration']):>{len(str(total))}}/{total}", f"{split:<5} error {row['error']:6.2f} %"]
        parts.append(f"loss {row['loss']:.4f}")
        if "learning_rate" in row:
            parts.append(f"lr {row['learning_rate']:g}")
        if split == "train":
            parts.append(f"{self._rate.images_per_second():,.0f} images/s")
            parts.append(f"{self._rate.left()} left")
        return "  ".join(parts)


class Forgiving:
    """A stream that drops what it cannot write: a terminal that is gone must not end the training it showed."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As streams do."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As streams do."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Bar:
    """For a terminal: one line that moves, with error, loss, learning rate, images/s and time left."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._rate = Rate(clock)
        self._clock = clock
        self._progress: Progress | None = None
        self._drawn = clock()
        self._train = self._test = ""

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        """Draw the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._rate.begin(iteration, iterations, batch)
        self._progress = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.completed:,}/{task.total:,}"),
            TextColumn("{task.fields[figures]}"),
            console=Console(file=cast("IO[str]", Forgiving(sys.stderr)), highlight=False, emoji=False, markup=False),
            auto_refresh=False,
            expand=True,
        )
        self._progress.add_task("", total=iterations, completed=iteration, figures="")
        self._progress.start()

    def step(self, iteration: int) -> None:
        """Redraw, at most ten times a second."""
        self._rate.iteration = iteration
        now = self._clock()
        if now - self._drawn >= 0.1:
            self._drawn = now
            self._draw()

    def row(self, split: str, row: Mapping[str, float]) -> None:
        """Keep the newest figures of training and evaluation."""
        if split == "train":
            self._train = f"train {percent(row['error'])}  loss {row['loss']:.3f}  lr {row['learning_rate']:g}"
        else:
            self._test = f"  {split} {percent(row['error'])}"
        self._draw()

    def note(self, text: str) -> None:
        """A line above the bar."""
        if self._progress is None:
            note(text)
        else:
            self._progress.console.print(text)

    def end(self) -> None:
        """Leave the bar as it is and give the terminal back."""
        if self._progress is not None:
            self._draw()
            self._progress.stop()
            self._progress = None

    def _draw(self) -> None:
        if self._progress is not None:
            rate = f"{self._rate.images_per_second():,.0f} images/s  {self._rate.left()} left"
            figures = f"{self._train}{self._test}  {rate}"
            self._progress.update(self._progress.task_ids[0], completed=self._rate.iteration, figures=figures)
            self._progress.refresh()


def watch() -> Bar | Lines:
    """A bar if stderr is a terminal, else lines."""
    return Bar() if sys.stderr.isatty() else Lines()
