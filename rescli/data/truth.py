"""Classes that files of text name: of a network, and of images that lie in no folders of classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rescli.data.devkit import is_devkit, read_devkit
from rescli.errors import DataError, UsageError

UNKNOWN = -1
"""The label of an image whose class nobody said."""

DIGITS = 9
"""A number with more is none of a class, and may not fit the machine's."""

Labels = tuple[npt.NDArray[np.int64], tuple[str, ...]]
"""Labels int64 [N], and the names of the classes that they number; no names where nothing names them."""


def read_classes(path: Path) -> tuple[str, ...]:
    """The first word of each line: names of classes 0, 1, ... as in `synsets.txt`. Raises `DataError`."""
    names = tuple(line.split()[0] for line in _lines(path))
    if not names:
        raise DataError(f"{path}: names no classes", "A line for each class: its folder's name.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: names {twice[0]} twice", "A line for each class: its folder's name.")
    return names


def true_labels(truth: Path, files: Sequence[str], classes: Sequence[str] | None) -> Labels:
    """What `truth` says of `files`: "NAME CLASS" a line, a number of a class from 0 or its name; or ImageNet's development kit.

    `classes` are the names of labels 0, 1, ...; None: those in the file in alphabetical order. Raises `DataError`, and
    `UsageError` for a class that is not among `classes`.
    """
    if is_devkit(truth):
        kit = read_devkit(truth)
        return _named(truth, kit.classes_of(files), kit.classes if classes is None else classes)
    said: dict[str, str] = {}
    for line in _lines(truth):
        words = line.rsplit(None, 1)  # an image's name may have spaces, a class's has none
        if len(words) != 2:
            raise DataError(
                f"{truth}: the line {line!r} is not an image and its class",
                "A line for each image: NAME CLASS. Or name the development kit itself: ILSVRC2012_devkit_t12.tar.gz.",
            )
        if said.setdefault(words[0], words[1]) != words[1]:
            raise DataError(f"{truth}: says two things of {words[0]}: {said[words[0]]} and {words[1]}", "Take one out.")
    missing = [name for name in files if name not in said]
    if missing:
        raise DataError(
            f"{truth}: says nothing of {missing[0]} ({len(missing)} of {len(files)} images)", "Is it the right file?"
        )
    values = [said[name] for name in files]
    if all(
        value.isascii() and value.isdecimal() for value in values
    ):  # how many classes there are, and their names, it does not say
        if beyond := [value for value in values if len(value.lstrip("0")) > DIGITS]:
            raise DataError(f"{truth}: there is no class {beyond[0][:20]}", "Classes are counted from 0.")
        numbers, names = np.array([int(value) for value in values], np.int64), tuple(classes or ())
        for value in sorted(set(values) & set(names)):
            if names.index(value) != int(value):
                raise DataError(
                    f"{truth}: {value} may be the number of a class, or the name of class {names.index(value)}",
                    "Give the folders of classes names that are no numbers.",
                )
        if names and numbers.max() >= len(names):
            raise DataError(f"{truth}: class {numbers.max()} of {len(names)}", "Classes are counted from 0.")
        return numbers, names
    return _named(truth, values, sorted(set(values)) if classes is None else classes)


def _named(truth: Path, values: Sequence[str], names: Sequence[str]) -> Labels:
    """Labels of images whose classes have names."""
    number = {name: label for label, name in enumerate(names)}
    if strange := sorted(set(values) - set(number)):
        raise UsageError(
            f"{truth}: the class {strange[0]} is not one of the {len(names)} that are listed", "Is it the right file?"
        )
    return np.array([number[value] for value in values], np.int64), tuple(names)


def _lines(path: Path) -> list[str]:
    """Without spaces around them, and without empty ones."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows marks such files in front
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}", "Name another."
        ) from error
    return [line for line in map(str.strip, text.splitlines()) if line]
