"""From a `RunRecord` to the bytes of a complete run store, built in memory.

The low-level interface of h5py is used because a store of ResNet-1202 has some 9,600 datasets, and creating them this way
takes a third of the time. Nothing in a store is chunked, compressed or time-stamped, and names are sorted: equal records
give equal bytes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5p, h5s, h5t

import rescli
from rescli.errors import StoreError
from rescli.store.header import HEADER_BYTES, SCHEMA, pack_header
from rescli.store.record import STATUSES, UNITS, RunRecord

if TYPE_CHECKING:
    from rescli.store.record import Array

_DATASET_OVERHEAD = 1024  # bytes that HDF5 needs to describe a dataset, at most
_GROW_BY = 32 << 20  # bytes by which the image in memory grows
_NUMBERS = itertools.count()
_TEXT_PARTS = ("recipe", "environment", "progress", "sessions")


def encode(record: RunRecord) -> bytes:
    """The complete store: header and HDF5 image.

    Raises `StoreError` when memory runs out or the summary does not fit into the header, `ValueError` or `TypeError` for
    records that no store can hold (a name with a slash, an array of objects): those are bugs of the caller.
    """
    if record.status not in STATUSES:
        raise ValueError(f"no such status: {record.status!r}")
    groups = (record.inputs, record.model, record.momentum, *record.metrics.values())
    more = _analysis_bytes(record.analysis)
    return assemble(groups, lambda builder, root: builder.fill(root, record), record.summary, more=more)


def assemble(
    groups: Iterable[Mapping[str, Array]],
    fill: Callable[[Builder, Any], None],
    summary: Mapping[str, Any],
    *,
    more: int = 0,
) -> bytes:
    """Header and HDF5 image, which `fill` writes with a builder below the root; `groups` and `more` say how large it gets.

    Raises `StoreError` when memory runs out or the summary does not fit into the header.
    """
    try:
        ask_for_memory(_bytes(groups) + more)
        image = _build_image(fill)
        return b"".join((pack_header(image, _plain(summary)), image))
    except (MemoryError, OSError, RuntimeError) as error:  # what h5py makes of a failed allocation
        reason = "not enough memory" if isinstance(error, MemoryError) else str(error)
        raise StoreError(
            f"the run store could not be built: {reason}; an earlier one stays",
            "A store needs about three times its size in memory while it is built.",
        ) from error


def ask_for_memory(size: int) -> None:
    """Raise `MemoryError` if the memory for building a store of `size` bytes is not to be had.

    HDF5 itself does not survive that: with no memory left in the middle of its work it ends the process (SIGSEGV). Asking
    costs nothing, since memory that is not touched is not really given.
    """
    np.empty(int(2.5 * size) + 3 * _GROW_BY, np.uint8)


def _bytes(groups: Iterable[Mapping[str, Array]]) -> int:
    """About how many bytes these arrays take."""
    return sum(np.asarray(value).nbytes + _DATASET_OVERHEAD for group in groups for value in group.values())


def _analysis_bytes(tree: Mapping[str, Any]) -> int:
    """About how many bytes a subtree of analysis results takes."""
    values = tree.values()
    return sum(
        _analysis_bytes(v) if isinstance(v, Mapping) else np.asarray(v).nbytes + _DATASET_OVERHEAD for v in values
    )


def _build_image(fill: Callable[[Builder, Any], None]) -> bytes:
    """The HDF5 image, without the header."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_core(_GROW_BY, False)
    # The oldest format: every HDF5 program reads it. The newer ones have a checksum in their first block, which HDF5 1.14.2
    # (h5py 3.11) gets wrong when it hands out a file image.
    access.set_libver_bounds(h5f.LIBVER_EARLIEST, h5f.LIBVER_V18)
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_userblock(HEADER_BYTES)
    creation.set_obj_track_times(False)
    # HDF5 knows open files by their names, those in memory too: several runs may write at the same moment.
    file = h5f.create(f"run-{next(_NUMBERS)}.h5".encode(), h5f.ACC_TRUNC, creation, access)
    try:
        fill(Builder(), h5g.open(file, b"/"))
        h5f.flush(file)
        image: bytes = file.get_file_image()
        return image
    finally:
        file.close()


class Builder:
    """Writes groups and datasets; holds the property lists that all of them share."""

    def __init__(self) -> None:
        self._as_group = h5p.create(h5p.GROUP_CREATE)
        self._as_group.set_obj_track_times(False)
        self._as_dataset = h5p.create(h5p.DATASET_CREATE)
        self._as_dataset.set_obj_track_times(False)
        self._as_dataset.set_layout(h5d.CONTIGUOUS)
        self._as_dataset.set_fill_time(h5d.FILL_TIME_NEVER)  # every element is written anyway

    def fill(self, root: Any, record: RunRecord) -> None:
        """Write the whole record below `root`."""
        self.attribute(root, "schema", SCHEMA)
        self.attribute(root, "status", record.status)
        self.attribute(root, "created_by", f"rescli {rescli.__version__}")
        for name in _TEXT_PARTS:
            self.text(root, name, dump_json(getattr(record, name)))
        metrics = self.group(root, "metrics")
        for split, columns in sorted(record.metrics.items()):
            self.columns(self.group(metrics, _plain_name(split)), columns)
        checkpoint = self.group(root, "checkpoint")
        self.arrays(self.group(root, "input"), record.inputs)
        self.arrays(self.group(checkpoint, "model"), record.model)
        self.arrays(self.group(checkpoint, "momentum"), record.momentum)
        self.tree(self.group(root, "analysis"), record.analysis)

    def group(self, parent: Any, name: str) -> Any:
        """A new, empty group."""
        return h5g.create(parent, _checked(name), gcpl=self._as_group)

    def array(self, parent: Any, name: str, value: Array) -> Any:
        """A dataset with the contents and shape of `value` (numbers, truth values, or bytes of fixed length)."""
        value = np.asarray(value, order="C")
        if value.dtype.kind not in "biufS" or value.dtype.itemsize == 0 or value.dtype == np.longdouble:
            raise TypeError(f"{name}: a run store does not hold arrays of {value.dtype}")
        value = value.astype(value.dtype.newbyteorder("<"), copy=False)
        kind = h5t.py_create(value.dtype, logical=True)
        dataset = h5d.create(parent, _checked(name), kind, _space(value.shape), self._as_dataset)
        if value.size:
            dataset.write(h5s.ALL, h5s.ALL, value, h5t.py_create(value.dtype))
        return dataset

    def bytes_to_come(self, parent: Any, name: str, size: int) -> Any:
        """A dataset of `size` bytes, uint8, that has no place in the file until something is written to it."""
        return h5d.create(parent, _checked(name), h5t.STD_U8LE, _space((size,)), self._as_dataset)

    def arrays(self, parent: Any, values: Mapping[str, Array]) -> None:
        """One dataset per entry."""
        for name, value in sorted(values.items()):
            self.array(parent, _plain_name(name), value)

    def columns(self, parent: Any, columns: Mapping[str, Array]) -> None:
        """Metric columns: one-dimensional, of equal length, 64 bits wide, with their units."""
        if len({np.shape(column) for column in columns.values()}) > 1:
            raise ValueError("the columns of a split differ in length")
        for name, column in sorted(columns.items()):
            values = np.asarray(column)
            if values.ndim != 1 or values.dtype.kind not in "iuf":
                raise ValueError(f"{name}: a column is one-dimensional and numeric")
            dataset = self.array(
                parent, _plain_name(name), values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
            )
            if name in UNITS:
                self.attribute(dataset, "units", UNITS[name])

    def tree(self, parent: Any, entries: Mapping[str, Any]) -> None:
        """A subtree of analysis results; see `RunRecord` for its form."""
        made = {"": parent}
        for name, value in sorted(entries.items()):
            if "@" in name:
                continue
            if isinstance(value, Mapping):
                made[name] = self.group(parent, name)
                self.tree(made[name], value)
            else:
                made[name] = (
                    self.text(parent, name, value) if isinstance(value, str) else self.array(parent, name, value)
                )
        for name, value in sorted(entries.items()):
            owner, at, key = name.partition("@")
            if at:
                if isinstance(entries.get(owner), Mapping):
                    raise ValueError(f"{name}: an attribute of a group stands in the group, as '@{key}'")
                self.attribute(made[owner], key, value)

    def text(self, parent: Any, name: str, value: str) -> Any:
        """A scalar dataset of fixed-length UTF-8 text."""
        kind, data = _text(value)
        dataset = h5d.create(parent, _checked(name), kind, h5s.create(h5s.SCALAR), self._as_dataset)
        dataset.write(h5s.ALL, h5s.ALL, data, kind)
        return dataset

    def attribute(self, owner: Any, name: str, value: str | int | float) -> None:
        """A scalar attribute: text, a number or a truth value."""
        if isinstance(value, str):
            kind, data = _text(value)
        else:
            data = np.asarray(value)
            if data.shape or data.dtype.kind not in "biuf":
                raise TypeError(f"{name}: an attribute is text or one number")
            kind = h5t.py_create(data.dtype, logical=True)
        h5a.create(owner, _checked(name), kind, h5s.create(h5s.SCALAR)).write(data)


def dump_json(value: Any) -> str:
    """JSON in ASCII. Floats come back bit for bit; NaN and infinities are spelled as Python's json module does."""
    return json.dumps(_plain(value))


def _plain(value: Any) -> Any:
    """`value` with mappings as dicts, sequences as lists and numpy scalars as Python's own numbers."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("the keys of a run store's JSON are text")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _space(shape: tuple[int, ...]) -> Any:
    return h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)


def _text(value: str) -> tuple[Any, Array]:
    """The HDF5 type of a fixed-length UTF-8 string, and its bytes as a scalar array."""
    data = value.encode()
    if b"\0" in data:
        raise ValueError("text with a zero byte does not fit into a run store")
    dtype = h5py.string_dtype("utf-8", max(1, len(data)))
    return h5t.py_create(dtype, logical=True), np.array(data, dtype=dtype)


def _plain_name(name: str) -> str:
    """A name with an at sign would be read as that of an attribute. Raises `ValueError`."""
    if "@" in name:
        raise ValueError(f"not a name for an entry of a run store: {name!r}")
    return name


def _checked(name: str) -> bytes:
    """A link name that means one level and nothing else to HDF5."""
    if name in ("", ".") or "/" in name or "\0" in name:
        raise ValueError(f"not a name for an entry of a run store: {name!r}")
    return name.encode()
