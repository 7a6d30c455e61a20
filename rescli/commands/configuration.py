"""Where a command's options come from: a configuration file, then the environment, then flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from rescli.commands.options import plain
from rescli.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NOT_IN_A_FILE = {"config", "print_config", "dry_run", "resume", "json", "debug", "help"}
# By the type's name, which is another one in click than in a Typer that brings its own.
TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("int", "integer"), ((int,), "a whole number")),
    "float": ((int, float), "a number"),
    **dict.fromkeys(("bool", "boolean"), ((bool,), "true or false")),
}
TEXT: tuple[tuple[type, ...], str] = ((str,), "text")


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Callback of `--config`: make the file's keys the defaults of the command's options.

    Raises `UsageError` for a file that cannot be read, unknown keys, and values of a wrong type.
    """
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    options = {option.name: option for option in context.command.params if option.name not in NOT_IN_A_FILE}
    for key, value in values.items():
        if key not in options:
            near = _meant(key, options.values())
            hint = f"Did you mean {near}?" if near else f"Known: {', '.join(sorted(filter(None, options)))}."
            raise UsageError(f"{path}: unknown key {key!r}", hint)
        _check_type(path, key, value, options[key])
    context.default_map = values
    return path


def check_environment(context: typer.Context) -> None:
    """Raises `UsageError` for a variable that looks like an option of this command and is none."""
    prefix = _variable(context, "")
    known = {_variable(context, option.name) for option in context.command.params if option.name}
    for name in sorted(os.environ):
        if name.startswith(prefix) and name not in known:
            near = _meant(name.removeprefix(prefix).lower(), context.command.params)
            raise UsageError(
                f"the environment variable {name} is no option of `{context.command_path}`",
                f"Did you mean {prefix}{near.upper()}?" if near else "Unset it.",
            )


def origin(context: Any, option: Any) -> str:
    """Where the value of an option stands that was not typed on the command line, in words that can end a message."""
    source = _source(context, option.name) if context is not None and option is not None else ""
    if source == "ENVIRONMENT":
        return f" (from the environment variable {_variable(context, option.name)})"
    return " (from the configuration file)" if source == "DEFAULT_MAP" else ""


def given(context: typer.Context) -> dict[str, Any]:
    """The options that were set on purpose, by a flag, the environment or the file, with their plain values."""
    return {name: plain(value) for name, value in context.params.items() if _source(context, name) != "DEFAULT"}


def _variable(context: Any, name: str) -> str:
    return f"{context.command_path.replace(' ', '_')}_{name}".upper()


def _meant(word: str, options: Iterable[Any]) -> str | None:
    """The name of the option that `word` resembles; the names of its flags count too (lr: learning_rate)."""
    spelled = {
        flag.lstrip("-").replace("-", "_"): option.name
        for option in options
        for flag in (f"--{option.name}", *option.opts)
        if option.name not in NOT_IN_A_FILE
    }
    near = get_close_matches(word.replace("-", "_"), spelled, n=1)
    return spelled[near[0]] if near else None


def _source(context: typer.Context, name: str) -> str:
    source = context.get_parameter_source(name)
    return "DEFAULT" if source is None else source.name


def _check_type(path: Path, key: str, value: Any, option: Any) -> None:
    several = option.multiple
    if several and not isinstance(value, list):
        raise UsageError(f"{path}: {key} = {value!r} must be a list")
    allowed, words = TYPES.get(option.type.name.removesuffix(" range"), TEXT)
    for item in value if several else [value]:
        if not isinstance(item, allowed) or (isinstance(item, bool) and bool not in allowed):
            raise UsageError(f"{path}: {key} = {item!r} must be {words}")


def as_toml(values: Mapping[str, Any]) -> str:
    """Flat keys as TOML, in their order; what is None is left out, as TOML has no such value."""
    lines = (f"{key} = {_toml(value)}" for key, value in values.items() if value is not None)
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)
