"""Training as people watch it: a bar on a terminal, a plain line now and then in a log. All of it on stderr."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

from rescli.console import note, percent
from rescli.words import duration

if TYPE_CHECKING:
    from rich.progress import Progress

Clock = Callable[[], float]


class Rate:
    """Images per second over the last ten minutes: a run that was paused, or had company, is judged by how it does now."""

    WINDOW = 600.0
    """Seconds. Longer than most evaluations, which count."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.iteration = self.iterations = self._batch = 0
        self._marks: deque[tuple[float, int]] = deque([(clock(), 0)])

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        """Start to measure: what happened before does not count."""
        self.iteration, self.iterations, self._batch = iteration, iterations, batch
        self._marks = deque([(self._clock(), iteration)])

    def step(self, iteration: int) -> None:
        """So many iterations are done."""
        now = self._clock()
        if now - self._marks[-1][0] >= self.WINDOW / 60:
            self._marks.append((now, iteration))
            while self._marks[1][0] <= now - self.WINDOW:
                self._marks.popleft()
        self.iteration = iteration

    def images_per_second(self) -> float:
        """0 before the first iteration."""
        start, first = self._marks[0]
        elapsed = self._clock() - start
        return (self.iteration - first) * self._batch / elapsed if elapsed > 0 else 0.0

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
        self._told = False

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        """Start to measure."""
        self._rate.begin(iteration, iterations, batch)
        self._before = self._clock()
        self._told = False

    def step(self, iteration: int) -> None:
        """Counts; where nothing else tells how far it is, that becomes a line now and then."""
        self._rate.step(iteration)
        now = self._clock()
        if not self._told and now - self._before >= self._every:
            self._before = now
            done = f"{iteration:,}/{self._rate.iterations:,}"
            self._write(f"{done}  {self._rate.images_per_second():,.0f} images/s  {self._rate.left()} left")

    def row(self, split: str, row: Mapping[str, float]) -> None:
        """A training row becomes a line if the last line is old enough; an evaluation always does."""
        self._told = True
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
    """For a terminal: one line that moves, with time left and error; where there is room also rate, loss, learning rate."""

    WIDE = 110
    """Columns of a terminal that has room for all."""

    LEAST = 10
    """Columns that the bar itself has at least."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._rate = Rate(clock)
        self._clock = clock
        self._progress: Progress | None = None
        self._drawn = clock()
        self._rows: dict[str, Mapping[str, float]] = {}

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        """Draw the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        self._rate.begin(iteration, iterations, batch)
        self._progress = Progress(
            BarColumn(bar_width=None, table_column=Column(min_width=self.LEAST)),
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
        self._rate.step(iteration)
        now = self._clock()
        if now - self._drawn >= 0.1:
            self._drawn = now
            self._draw()

    def row(self, split: str, row: Mapping[str, float]) -> None:
        """Keep the newest figures of training and evaluation."""
        self._rows[split] = row
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
            figures = self._figures(self._progress.console.width)
            self._progress.update(self._progress.task_ids[0], completed=self._rate.iteration, figures=figures)
            self._progress.refresh()

    def _figures(self, width: int) -> str:
        """What a terminal has room for beside the bar and the count, the most wanted first."""
        wide = width >= self.WIDE
        figures = [f"{self._rate.images_per_second():,.0f} images/s"] if wide else []
        figures.append(f"{self._rate.left()} left")
        for split in sorted(self._rows, reverse=True):  # train before test and val
            row = self._rows[split]
            figures.append(f"{split} {percent(row['error'])}")
            if wide and "learning_rate" in row:
                figures += [f"loss {row['loss']:.3f}", f"lr {row['learning_rate']:g}"]
        count = f"{self._rate.iteration:,}/{self._rate.iterations:,}"
        while figures and self.LEAST + len(count) + len("  ".join(figures)) + 3 > width:
            figures.pop()
        return "  ".join(figures)


def watch() -> Bar | Lines:
    """A bar if stderr is a terminal, else lines."""
    return Bar() if sys.stderr.isatty() else Lines()
