"""Write docs/cli.md from the commands and options themselves.

    python -m tools.cli_docs

Reads nothing but the public attributes of the tree of commands, so that the page depends neither on the width of a terminal
nor on the version of Typer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rescli import errors
from rescli.cli import command

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"

INTRODUCTION = """\
# The command line

This page is written by `python -m tools.cli_docs` from the commands themselves; a test holds it against them. On the command
line `--help` says the same.

stdout has the result, stderr the progress, notes and errors. Every command takes `--json`, which makes the result one JSON
document and nothing else, and an error a document `{"error": ..., "hint": ..., "exit_code": ...}`; and `--debug`, which shows
the traceback of an error. The tables below leave these two out, and `-h`, `--help`.
"""

VARIABLES = """\
## Options from elsewhere

What is not given on the command line is looked for in the environment: `RESCLI_`, the command and the option in capitals,
joined by `_`. `rescli train cifar --batch-size 64` and `RESCLI_TRAIN_CIFAR_BATCH_SIZE=64 rescli train cifar` are the same.
Several values of one option are separated by spaces, several paths as in PATH; a switch is `1` or `0`.

After the environment comes the file given with `--config`, where a command has that option: TOML, each key an option with `_`
for `-`, such as `batch_size = 64`. `rescli train cifar --print-config` prints a file to begin with. Unknown variables of such a
command, unknown keys of the file and options without effect are errors.

Where variable and key go by another name than the option, the table says so in brackets.

`RESCLI_DATA` names the folder that holds the data sets, for all commands; `NO_COLOR` is obeyed.
"""

CODES: dict[int, str] = {
    0: "done",
    errors.RescliError.exit_code: "failed",
    errors.UsageError.exit_code: "bad usage: the command line, the environment or the configuration file makes no sense",
    errors.DataError.exit_code: "a data set is missing or damaged",
    errors.StoreError.exit_code: "a run store cannot be read or written, or another process holds it",
    errors.BackendError.exit_code: "a backend or device is not available, or another process of the job is gone",
    errors.StoppedEarly.exit_code: "stopped early by SIGTERM, SIGUSR1 or SIGHUP, with a checkpoint: the same command with "
    "`--resume` goes on",
    errors.Interrupted.exit_code: "interrupted by Ctrl-C; a training run has written a checkpoint first (a second Ctrl-C "
    "leaves at once)",
}

COMMON = {"json", "debug", "help"}


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, _index(), *(_section(path, leaf) for path, leaf in leaves()), VARIABLES, _codes()]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def leaves(tree: Any = None, path: tuple[str, ...] = ("rescli",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    tree = command() if tree is None else tree
    children = getattr(tree, "commands", None)
    if children is None:
        yield path, tree
        return
    for name, child in children.items():
        yield from leaves(child, (*path, name))


def is_argument(parameter: Any) -> bool:
    """Whether a parameter is told by its place."""
    return bool(parameter.param_type_name == "argument")


def _index() -> str:
    lines = ["| command | |", "| --- | --- |"]
    for path, leaf in leaves():
        name = " ".join(path)
        lines.append(f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(_sentence(leaf.help))} |")
    return "\n".join(lines)


def _section(path: tuple[str, ...], leaf: Any) -> str:
    arguments = [one for one in leaf.params if is_argument(one)]
    options = [one for one in leaf.params if not is_argument(one) and one.name not in COMMON]
    words = [*path, *("[OPTIONS]",), *(one.metavar if one.required else f"[{one.metavar}]" for one in arguments)]
    lines = [f"## {' '.join(path)}", "", "```", " ".join(words), "```", "", *_paragraphs(leaf.help)]
    if arguments:
        lines += ["| argument | meaning |", "| --- | --- |"]
        lines += [f"| `{one.metavar}` | {_cell(one.help)} |" for one in arguments] + [""]
    if options:
        lines += ["| option | meaning | default |", "| --- | --- | --- |"]
        lines += [f"| {_names(one)} | {_cell(one.help)} | {_default(one)} |" for one in options]
    return "\n".join(lines)


def _names(option: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in option.opts)
    if option.secondary_opts:
        flags += " / " + ", ".join(f"`{flag}`" for flag in option.secondary_opts)
    elif not option.is_flag:
        flags = flags.removesuffix("`") + f" {_value(option)}`"
    usual = option.opts[0].removeprefix("--").replace("-", "_") == option.name
    return _cell(flags if usual else f"{flags} (`{option.name}`)")


def _value(option: Any) -> str:
    """What stands for the value of an option."""
    if option.metavar:
        return str(option.metavar)
    choices = getattr(option.type, "choices", None)
    if choices:
        return "|".join(str(getattr(choice, "value", choice)) for choice in choices)
    kind = option.type.name.removesuffix(" range")
    return {"int": "N", "integer": "N", "float": "X", "path": "PATH"}.get(kind, "NAME")


def _default(option: Any) -> str:
    if isinstance(option.show_default, str):  # in words
        return _cell(option.show_default)
    default = getattr(option.default, "value", option.default)
    if option.is_flag:
        return "" if default is None else "on" if default else "off"
    return "" if default is None else f"`{default}`"


def _sentence(text: str) -> str:
    """The first line of a help text."""
    return text.strip().splitlines()[0]


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        lines += [" ".join(paragraph.split()), ""]
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _codes() -> str:
    rows = [f"| {code} | {meaning} |" for code, meaning in CODES.items()]
    return "\n".join(["## Exit codes", "", "| code | meaning |", "| --- | --- |", *rows])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
