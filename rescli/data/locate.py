"""Where the files of a data set are. Loads neither torch nor numpy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rescli.data.names import DatasetInfo, info
from rescli.errors import DataError, UsageError

VARIABLE = "RESCLI_DATA"


def cache() -> Path:
    """The per-user folder that data sets are downloaded into where the user names no other."""
    import platformdirs  # asked only where nothing names a folder: machines that are lent may lack it

    return platformdirs.user_cache_path("rescli") / "data"


def places(data: Path | None = None) -> Iterator[tuple[str, Path]]:
    """The folders that may hold data sets, in the order in which they are looked at, each with what named it.

    A folder given by the user (`data`, the option --data) is decisive: no other is looked at.
    """
    if data is not None:
        yield "--data", _home(data)
        return
    if variable := os.environ.get(VARIABLE):
        yield VARIABLE, _home(Path(variable))
    yield "the cache", cache()


def _home(path: Path) -> Path:
    """With `~` as the folder it means."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise DataError(f"{path}: {error}", "Write the folder out.") from error


def find(name: str, data: Path | None = None) -> Path:
    """The folder that holds the published folder of data set `name` (`cifar-10-batches-py` for cifar10).

    Every place may also be that published folder itself. Whether the files in it are complete is for `read` to say.
    Raises `DataError` listing the places where it was not found, and `UsageError` for a name without files.
    """
    wanted = with_files(name)
    looked = []
    for origin, place in places(data):
        found, why_not = _look(wanted, place)
        if found is not None:
            return found
        looked.append(f"{place} ({origin}: {why_not})")
    raise DataError(f"{wanted.title} was not found in {', nor in '.join(looked)}", _hint(wanted, data))


def photographs(data: Path | None = None, trained_on: str | None = None) -> Path:
    """Where ImageNet's images are: as given, where a run has had them, or `imagenet` or `imagenet.h5` in RESCLI_DATA.

    Raises `DataError` where there is none of these.
    """
    if data is not None:
        return _home(data)
    if trained_on is not None and _there(Path(trained_on)):
        return Path(trained_on)
    variable = os.environ.get(VARIABLE)
    for name in ("imagenet", "imagenet.h5") if variable else ():
        place = _home(Path(str(variable))) / name
        if _there(place):
            return place
    if trained_on is not None:
        raise DataError(f"the images were in {trained_on}, which is gone", "Say where they are now: --data PATH.")
    raise DataError(
        "ImageNet's images are needed, and nobody said where they are",
        "Name the folder of train/ and val/, or a file of packed images: --data PATH.",
    )


def training_photographs(data: Path | None = None) -> Path:
    """Where ImageNet's images are to be trained on: a folder of train/ and val/, or one file with both.

    Raises `DataError` where they are not.
    """
    root = photographs(data)
    if not _there(root):
        raise DataError(f"{root}: there is no such folder", "Name the folder of train/ and val/: --data DIR.")
    missing = [name for name in ("train", "val") if root.is_dir() and not (root / name).is_dir()]
    if missing:
        raise DataError(f"{root}: holds no folder {missing[0]}", "Name the folder of train/ and val/: --data DIR.")
    return root


def _there(path: Path) -> bool:
    """Raises `DataError` where that cannot be found out: in a folder that may not be entered, say."""
    try:
        return path.exists()
    except OSError as error:
        raise DataError(f"{path}: cannot be looked at: {error.strerror}", "Name another place: --data PATH.") from error


def with_files(name: str) -> DatasetInfo:
    """The facts of a data set that has files. Raises `UsageError` for one that has none, or an unknown name."""
    wanted = info(name)
    if wanted.needs_files:
        return wanted
    raise UsageError(f"{name} is built in and has no files", f"Use it as it is: --dataset {name}.")


def _look(wanted: DatasetInfo, place: Path) -> tuple[Path | None, str]:
    """The root that `place` stands for, or why there is none."""
    try:
        for root in _roots(wanted, place):
            if (root / str(wanted.folder)).is_dir():
                return root, ""
        return None, _why(wanted, place)
    except OSError as error:  # a folder that may not be entered
        return None, error.strerror or str(error)


def _roots(wanted: DatasetInfo, place: Path) -> Iterator[Path]:
    yield place
    target = place.resolve()  # `.` or a link may hide the name
    if target.name == wanted.folder:
        yield target.parent


def _why(wanted: DatasetInfo, place: Path) -> str:
    if not place.exists():
        return "no such folder"
    if not place.is_dir():
        return "not a folder"
    return f"it holds no folder {wanted.folder}"


def _hint(wanted: DatasetInfo, data: Path | None) -> str:
    if data is not None:
        return f"Give the folder that holds {wanted.folder} with --data, or `rescli data fetch {wanted.name} --data {data}`."
    return (
        f"`rescli data fetch {wanted.name}` downloads it. Or set {VARIABLE} to the folder that holds {wanted.folder}."
    )
