"""Progress with a clock in hand: rate, time left, and nothing too often."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from rescli.console.progress import Bar, Lines, Rate, watch


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Log:
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)


def row(iteration: int, error: float = 50.0) -> dict[str, float]:
    return {"iteration": iteration, "loss": 1.5, "error": error, "learning_rate": 0.1, "seconds": 1.0}


def test_the_rate_counts_from_where_this_process_began() -> None:
    clock = Clock()
    rate = Rate(clock)
    clock.now += 500  # loading
    rate.begin(1000, 3000, 128)
    assert rate.images_per_second() == 0
    assert rate.left() == "?"
    clock.now += 10
    assert rate.left() == "?", "nothing is known before the first iteration"
    rate.step(1100)
    assert rate.images_per_second() == pytest.approx(1280)
    assert rate.left() == "3:10"
    rate.step(3000)
    assert rate.left() == "0 s"


def test_the_rate_is_that_of_the_last_ten_minutes() -> None:
    clock = Clock()
    rate = Rate(clock)
    rate.begin(0, 64_000, 128)

    def go(seconds: int, per_second: int) -> None:
        for _ in range(seconds):
            clock.now += 1
            rate.step(rate.iteration + per_second)

    go(1000, 2)
    clock.now += 3600  # paused
    go(1, 2)
    assert rate.images_per_second() < 100, "of the hour nothing is known but that little was done"
    go(600, 2)
    assert rate.images_per_second() == pytest.approx(256)
    go(610, 10)
    assert rate.images_per_second() == pytest.approx(1280)
    assert rate.left() == "1:31:10", "54,698 iterations, ten a second"


def test_a_log_gets_a_line_now_and_then() -> None:
    clock, log = Clock(), Log()
    lines = Lines(every_seconds=30, clock=clock, write=log)
    lines.begin(0, 64000, 128)
    for iteration in range(1, 1001):
        clock.now += 0.1
        lines.step(iteration)
        lines.row("train", row(iteration))
    shown = [int(line.split("/")[0]) for line in log.lines]
    assert shown == pytest.approx([300, 600, 900], abs=2)
    assert log.lines[0].startswith("  3")
    assert log.lines[0].endswith("1,280 images/s  1:46:10 left")
    assert "/64000  train error  50.00 %  loss 1.5000  lr 0.1" in log.lines[0]


def test_a_log_of_what_has_no_rows_tells_how_far_it_is() -> None:
    clock, log = Clock(), Log()
    lines = Lines(every_seconds=30, clock=clock, write=log)
    lines.begin(0, 1_281_167, 1)
    for number in range(1, 101):
        clock.now += 1
        lines.step(1200 * number)
    assert log.lines[0] == "36,000/1,281,167  1,200 images/s  17:18 left"
    assert len(log.lines) == 3


def test_a_log_gets_every_evaluation_and_note() -> None:
    clock, log = Clock(), Log()
    lines = Lines(every_seconds=30, clock=clock, write=log)
    lines.note("before")
    lines.begin(0, 100, 128)
    lines.row("test", {"iteration": 7, "loss": 2.25, "error": 8.754, "seconds": 1.0})
    lines.row("train", row(8))
    lines.note("after")
    lines.end()
    assert log.lines == ["before", "  7/100  test  error   8.75 %  loss 2.2500", "after"]


class Screen(io.StringIO):
    """A terminal, as far as a program can tell."""

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())

    @property
    def frames(self) -> int:
        """How often something was drawn."""
        return len(re.findall(r"\r", self.getvalue()))


@pytest.fixture
def open_screen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Screen]:
    """Put a terminal in place of stderr. To be called within the test: pytest's capture sets stderr before it."""

    def open_it() -> Screen:
        screen = Screen()
        monkeypatch.setattr("sys.stderr", screen)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "160")
        return screen

    return open_it


def test_a_bar_shows_the_figures_and_the_time_left(open_screen: Callable[[], Screen]) -> None:
    screen = open_screen()
    clock = Clock()
    bar = Bar(clock=clock)
    bar.note("before it begins")
    bar.begin(100, 1100, 128)
    clock.now += 10
    bar.step(200)
    bar.row("train", row(200, 61.25))
    bar.row("test", {"iteration": 200, "loss": 1.0, "error": 8.754, "seconds": 1.0})
    bar.note("in between")
    bar.end()
    bar.end()
    assert "before it begins" in screen.text
    assert "in between" in screen.text
    assert "200/1,100" in screen.text
    assert "1,280 images/s  1:30 left  train 61.25 %  loss 1.500  lr 0.1  test 8.75 %" in screen.text
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 1


@pytest.mark.parametrize(("columns", "errors"), [(80, "  train 61.25 %  test 8.75 %"), (48, "")])
def test_a_bar_on_a_narrow_terminal_keeps_itself_and_the_time_left(
    columns: int, errors: str, open_screen: Callable[[], Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = open_screen()
    monkeypatch.setenv("COLUMNS", str(columns))
    clock = Clock()
    bar = Bar(clock=clock)
    bar.begin(10_000, 64_000, 128)
    clock.now += 10
    bar.step(12_000)
    bar.row("train", row(12_000, 61.25))
    bar.row("test", {"iteration": 12_000, "loss": 1.0, "error": 8.754, "seconds": 1.0})
    bar.end()
    (last,) = [line for line in screen.text.replace("\r", "\n").splitlines() if line.strip()][-1:]
    assert last.rstrip().endswith(f"12,000/64,000 4:20 left{errors}")
    assert last.count("━") >= 10
    assert len(last) <= columns


def test_a_bar_is_drawn_at_most_ten_times_a_second(open_screen: Callable[[], Screen]) -> None:
    screen = open_screen()
    clock = Clock()
    bar = Bar(clock=clock)
    bar.begin(0, 10_000, 128)
    before = screen.frames
    for iteration in range(1, 1001):
        clock.now += 0.001
        bar.step(iteration)
    drawn = screen.frames - before
    bar.end()
    assert 8 <= drawn <= 10


def test_a_bar_without_colours(open_screen: Callable[[], Screen], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = open_screen()
    monkeypatch.setenv("NO_COLOR", "1")
    bar = Bar(clock=Clock())
    bar.begin(0, 10, 128)
    bar.step(5)
    bar.end()
    colours = [
        int(code) for codes in re.findall(r"\x1b\[([\d;]*)m", screen.getvalue()) for code in codes.split(";") if code
    ]
    assert not [code for code in colours if code >= 30]


def test_a_terminal_that_is_gone_ends_no_training(
    open_screen: Callable[[], Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = open_screen()
    bar = Bar(clock=Clock())
    lines = Lines(clock=Clock(), every_seconds=0)

    def gone(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(screen, "write", gone)
    monkeypatch.setattr(screen, "flush", gone)
    for one in (bar, lines):
        one.begin(0, 10, 128)
        one.row("train", row(5))
        one.note("in between")
        one.end()


def test_who_watches(open_screen: Callable[[], Screen], monkeypatch: pytest.MonkeyPatch) -> None:
    open_screen()
    assert isinstance(watch(), Bar)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(watch(), Lines)
