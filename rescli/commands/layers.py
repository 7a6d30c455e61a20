"""Where a command's options come from: a configuration file, then the environment, then flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
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
TYPES: Mapping[str, tuple[type, ...]] = {"integer": (int,), "float": (int, float), "boolean": (bool,)}


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
            near = get_close_matches(key, [name for name in options if name])
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(filter(None, options)))}."
            raise UsageError(f"{path}: unknown key {key!r}", hint)
        _check_type(path, key, value, options[key])
    context.default_map = values
    return path


def check_environment(context: typer.Context) -> None:
    """Raises `UsageError` for a variable that looks like an option of this command and is none."""
    prefix = f"{context.command_path.replace(' ', '_').upper()}_"
    known = {f"{prefix}{option.name.upper()}" for option in context.command.params if option.name}
    for name in sorted(os.environ):
        if name.startswith(prefix) and name not in known:
            near = get_close_matches(name, known)
            raise UsageError(
                f"the environment variable {name} is no option of `{context.command_path}`",
                f"Did you mean {near[0]}?" if near else "Unset it.",
            )


def given(context: typer.Context) -> dict[str, Any]:
    """The options that were set on purpose, by a flag, the environment or the file, with their plain values."""
    return {name: plain(value) for name, value in context.params.items() if _source(context, name) != "DEFAULT"}


def _source(context: typer.Context, name: str) -> str:
    source = context.get_parameter_source(name)
    return "DEFAULT" if source is None else source.name


def _check_type(path: Path, key: str, value: Any, option: Any) -> None:
    several = option.multiple
    if several and not isinstance(value, list):
        raise UsageError(f"{path}: {key} = {value!r} must be a list")
    allowed = TYPES.get(option.type.name.removesuffix(" range"), (str,))
    for item in value if several else [value]:
        if not isinstance(item, allowed) or (isinstance(item, bool) and bool not in allowed):
            raise UsageError(f"{path}: {key} = {item!r} is not of type {option.type.name}")


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
