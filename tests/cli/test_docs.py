"""Help for everything, and a page that says the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from rescli import errors
from rescli.cli import app, command
from tests.cli.conftest import Rescli
from tools.cli_docs import CODES, PAGE, is_argument, leaves, page

COMMANDS = {" ".join(path[1:]): leaf for path, leaf in leaves()}


def groups(tree: Any) -> Iterator[Any]:
    """All groups of commands, the root first."""
    yield tree
    for child in tree.commands.values():
        if hasattr(child, "commands"):
            yield from groups(child)


def test_what_people_do_first_stands_first() -> None:
    assert list(command().commands)[:3] == ["train", "eval", "build"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str, rescli: Rescli) -> None:
    leaf = COMMANDS[name]
    shown = rescli(*name.split(), "--help")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Usage: rescli {name} ")
    assert leaf.help.strip()
    for parameter in leaf.params:
        assert (parameter.help or "").strip(), parameter.name
        assert parameter.help.endswith("."), parameter.name
        assert (parameter.metavar if is_argument(parameter) else parameter.opts[0]) in shown.out
    assert {"json", "debug"} <= {parameter.name for parameter in leaf.params}


def test_a_list_of_commands_says_whole_sentences(rescli: Rescli) -> None:
    for group in groups(command()):
        path = "" if group.name == "rescli" else str(group.name)
        shown = rescli(*path.split(), "--help").out
        for name, child in group.commands.items():
            assert re.search(rf"^  {name} +\S.*(?<!\.\.)\.$", shown, re.MULTILINE), f"{path} {name}: cut off"
            assert child.help.strip()


def test_the_help_of_a_group_is_what_it_says_of_itself(rescli: Rescli) -> None:
    said = {
        "analyze": "files, folders and patterns of run stores in",
        "bench": "side by side in one process, in turns",
        "profile": "`rescli profile resnet34 --by block`",
        "reproduce": "a study is a folder of runs",
    }
    for name, words in said.items():
        assert words in " ".join(rescli(name, "--help").out.split())


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/cli.md is old. `python -m tools.cli_docs` writes it anew."


def test_the_page_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERMINAL_WIDTH", "40")
    assert page() == PAGE.read_text(encoding="utf-8")


def test_the_page_has_every_option() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, leaf in COMMANDS.items():
        section = text.partition(f"## rescli {name}\n")[2].partition("\n## ")[0]
        for parameter in leaf.params:
            if parameter.name not in ("json", "debug") and not is_argument(parameter) and parameter.metavar:
                assert f" {parameter.metavar}`".replace("|", "\\|") in section
            if parameter.name not in ("json", "debug"):
                assert f"`{parameter.metavar if is_argument(parameter) else parameter.opts[0]}" in section


def test_the_exit_codes_are_all_there_are(rescli: Rescli) -> None:
    kinds: list[type[errors.RescliError]] = [errors.RescliError, *errors.RescliError.__subclasses__()]
    assert {kind.exit_code for kind in kinds} <= set(CODES)
    epilog = " ".join(str(app.info.epilog).split())
    assert [int(code) for code in re.findall(r"(?:^|, |: )(\d+) ", epilog)] == list(CODES)
