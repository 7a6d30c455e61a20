"""Every command line in README and docs is one: its subcommand, options and values are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescli.cli import command

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
ENDS = {"|", ">", "2>", "&&", ";", "||", "&"}
"""What ends a command in a shell."""

DEFAULTS = {"profile": "net", "reproduce": "run"}
"""Subcommands whose names may be left out."""


def examples() -> Iterator[tuple[str, list[str]]]:
    """Where it stands, and the words behind `rescli`; of blocks of shell. Lines with an ellipsis are none that run."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```(sh|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [
            line
            for kind, block in blocks
            for line in block.replace("\\\n", " ").splitlines()
            if kind == "sh" or line.startswith("$ ")
        ]
        for line in lines:
            if (words := after_rescli(line)) and "..." not in words:
                yield f"{page.name}: {line.strip()}", words


def after_rescli(line: str) -> list[str]:
    """The words of a command line of ours, variables of the shell replaced by a number; none if it is not one."""
    words = shlex.split(re.sub(r"\$\{?\w+\}?", "1", line.removeprefix("$ ")), comments=True)
    if "rescli" not in words:
        return []
    words = words[words.index("rescli") + 1 :]
    end = next((number for number, word in enumerate(words) if word in ENDS), len(words))
    return [word.rstrip(";") for word in words[:end]]


EXAMPLES = dict(examples())


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_command_line_of_the_docs_is_understood(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r110.toml").write_text("depth = 110\n")
    tree, words = command(), list(EXAMPLES[example])
    while words and words[0] in getattr(tree, "commands", {}):
        tree = tree.commands[words.pop(0)]
    default = DEFAULTS.get(tree.name) if words else None
    tree = tree.commands[default] if default else tree
    assert not hasattr(tree, "commands"), f"{tree.name} has no {words}"
    tree.make_context(tree.name, words)  # raises a click exception for what it does not know


def test_examples_are_found() -> None:
    assert len(EXAMPLES) > 100
