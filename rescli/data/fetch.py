"""Download a data set, so that it is there either completely or not at all."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError
from typing import Any
from urllib.error import HTTPError, URLError

from rescli.data.files import complete, published
from rescli.data.locate import find, places, with_files
from rescli.errors import DataError

_SECONDS = 60.0
"""Without a byte from the server for so long, a download has failed."""


def fetch(name: str, data: Path | None = None, *, note: Callable[[str], None] = lambda _: None) -> Path:
    """Download data set `name` into `data`, or RESCLI_DATA, or the cache; returns the folder that holds its folder.

    A complete copy there is left as it is, a damaged one is replaced, and an archive that was placed there by hand is
    unpacked; `note` is told which. Progress goes to stderr. Raises `DataError` where the network or the disk fails, and
    `UsageError` for a name that has no files.
    """
    title = with_files(name).title
    origin, place = next(places(data))
    root = _present(name, place) or place
    if complete(name, root):
        note(f"{title} is already complete in {root}")
        return root
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _scratch(root) as scratch:
            note(f"fetching {title} into {root}")
            _download(name, root, scratch)
            _put(scratch / published(name).base_folder, root / published(name).base_folder, scratch)
    except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection open
        raise _unreachable(name, root, error) from error
    except OSError as error:
        raise DataError(
            f"{title} cannot be written to {root} ({origin}): {error.strerror or error}",
            "Name another folder with --data.",
        ) from error
    except (RuntimeError, TarError, EOFError) as error:  # an archive that is not the published one
        raise _unreachable(name, root, error) from error
    return root


def _present(name: str, place: Path) -> Path | None:
    """The root that holds a copy, complete or not, where `place` is it or is the published folder itself."""
    try:
        return find(name, place)
    except DataError:
        return None


@contextlib.contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A folder on the same file system, gone afterwards. What a killed download leaves in it is never taken for data."""
    scratch = Path(tempfile.mkdtemp(prefix=".rescli-fetch-", dir=root))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _download(name: str, root: Path, scratch: Path) -> None:
    """Unpack the published archive into `scratch`, from the network or, where somebody placed it there, from `root`."""
    from torchvision.datasets.utils import check_integrity, download_and_extract_archive

    kind: Any = published(name)
    here = root if check_integrity(root / kind.filename, kind.tgz_md5) else scratch
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # some versions of torchvision print; stdout is for data
            download_and_extract_archive(kind.url, here, scratch, filename=kind.filename, md5=kind.tgz_md5)
    finally:
        socket.setdefaulttimeout(patience)
    if not complete(name, scratch):
        raise RuntimeError("the archive does not hold the published files")


def _put(new: Path, target: Path, scratch: Path) -> None:
    """Rename the complete folder to its place; what was there goes into the scratch folder."""
    if target.exists() or target.is_symlink():
        target.replace(scratch / "replaced")
    new.replace(target)


def _unreachable(name: str, root: Path, error: Exception) -> DataError:
    kind = published(name)
    reason: object = error.reason if isinstance(error, URLError) else str(error) or type(error).__name__
    if isinstance(error, (RuntimeError, TarError, EOFError)):
        reason = "what arrived is not the published archive (its md5 differs)"
    return DataError(
        f"{kind.url} could not be fetched: {reason}",
        f"Try again; or fetch it on another machine, put {kind.filename} into {root} and run the same command here.",
    )
