"""What a run ran on: versions, machine, state of the source. Stored with every run."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import rescli

PACKAGES = ("torch", "torchvision", "numpy", "h5py")


def describe() -> dict[str, Any]:
    """Versions, operating system and source state, as plain JSON values."""
    return {**versions(), "system": platform.platform(), "source": source_state()}


def versions() -> dict[str, str | None]:
    """Of rescli, Python and the libraries that do the work; None for one that is not installed."""
    return {
        "rescli": rescli.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def source_state(folder: Path | None = None) -> str | None:
    """The commit this code is, with "+changes" where files differ from it; None outside a checkout of rescli."""
    root = folder or Path(rescli.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit, changes = (
            subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, timeout=10, check=True).stdout
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.strip() + ("+changes" if changes.strip() else "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
