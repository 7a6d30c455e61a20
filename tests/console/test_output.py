"""stdout is for data: tables, pairs and JSON, also without a screen."""

from __future__ import annotations

import io
import json
import math
import re

import pytest

from rescli import console
from rescli.console.tables import tex
from rescli.errors import StoreError


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "settings", console.Settings())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1:00"),
        (61, "1:01"),
        (3599.6, "1:00:00"),
        (360_000, "100:00:00"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert console.duration(seconds) == words


def test_percent() -> None:
    assert [console.percent(value) for value in (8.754, 100.0, 0.0, None)] == ["8.75 %", "100.00 %", "0.00 %", ""]


def test_a_table_in_a_file_has_no_margins_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 150
    console.table(["name", "count"], [("a", 5), (long, 1000), (None, None)], right=(1,))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "count"]
    assert set(lines[1]) == {"─"}
    assert lines[2].split() == ["a", "5"]
    assert lines[3].split() == [long, "1000"]
    assert len({len(line) for line in (lines[0], lines[2], lines[3])}) == 1, "the right column ends in one place"
    assert all(line == line.rstrip() for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_a_table_shows_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["run"], [("[red]:smile:[/red].h5",)])
    assert "[red]:smile:[/red].h5" in capsys.readouterr().out


def test_an_empty_table_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["a", "b"], [])
    assert capsys.readouterr().out.splitlines()[0].split() == ["a", "b"]


def test_pairs_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    console.pairs({"a": 1, "long": None})
    console.pairs({})
    assert capsys.readouterr().out == "a     1\nlong  None\n"


def test_json_has_no_nan_and_no_infinity() -> None:
    document = {"a": math.nan, "b": [1.5, -math.inf, (math.inf, 0)], "c": {"d": {"e": math.nan}}, "f": "nan", "g": True}
    found = json.loads(console.dumps(document), parse_constant=lambda name: pytest.fail(name))
    assert found == {"a": None, "b": [1.5, None, [None, 0]], "c": {"d": {"e": None}}, "f": "nan", "g": True}


def test_an_error_is_one_document_and_only_where_none_is_out_yet(capsys: pytest.CaptureFixture[str]) -> None:
    console.settings.begin(["runs", "show", "--json"])
    console.fail(StoreError("it is broken", "Mend it."))
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "it is broken", "hint": "Mend it.", "exit_code": 4}
    assert err == "Error: it is broken\nMend it.\n"
    console.fail(StoreError("again"))
    assert capsys.readouterr() == ("", "Error: again\n")


def test_an_error_without_json_leaves_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    console.settings.begin(["runs", "show", "--", "--json"])
    console.fail(StoreError("it is broken"))
    assert capsys.readouterr() == ("", "Error: it is broken\n")


class Screen(io.StringIO):
    """A terminal, as far as a program can tell."""

    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    console.table(["name", "count"], [("word " * 20, 5)], right=(1,))
    lines = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue()).splitlines()
    assert len(lines) > 3
    assert all(len(line) <= 40 for line in lines)


@pytest.mark.parametrize("columns", [30, 50, 80])
def test_a_terminal_cuts_no_number(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    row = ("ResNet-152 (option B)", 152, "60,192,808", "11,515,691,008", "x" * 30)
    console.table(["network", "layers", "parameters", "paper's multiply-adds", "path"], [row], right=(1, 2, 3))
    shown = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue())
    assert all(f" {number}" in shown for number in row[1:4])
    assert "…" not in shown
    assert shown.count("x") == 30
    assert all(len(line) <= columns for line in shown.splitlines()) or columns < 80


def test_a_terminal_breaks_no_short_word(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    console.table(["run", "status", "error"], [("/folder" * 8, "finished", "9.00 %")] * 2, right=(2,))
    lines = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue()).splitlines()
    assert sum("  finished  9.00 %" in line for line in lines) == 2
    assert all(len(line) <= 60 for line in lines)


def test_paths_of_any_length_are_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [f"/some/long/folder/of/a/user/{'x' * 40}/{number}.h5" for number in range(12)]
    console.table(["", *paths], [("seed", *map(str, range(12)))])
    shown = capsys.readouterr().out
    assert all(path in shown for path in paths)


def test_markdown_has_words_for_truth(capsys: pytest.CaptureFixture[str]) -> None:
    console.markdown(["net", "images", "fits"], [("a", 50_000, True)])
    assert capsys.readouterr().out.splitlines()[-1] == "| a | 50,000 | True |"


def test_text_is_text_in_latex() -> None:
    assert tex("a^b_c <50%>") == r"a\textasciicircum{}b\_c \textless{}50\%\textgreater{}"
