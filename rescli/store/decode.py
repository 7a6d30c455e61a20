"""From the verified bytes of a store back to plain data. Nothing is believed that has not been checked first.

A digest shows that bytes are those that were written, not that a friend wrote them. So each object is looked at before it is
read: no links that lead out of the file, no storage outside it, no types that need a heap or an unpickler, and never more
bytes than the file has.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5l, h5o, h5s, h5t

from rescli.store.front import Front, open_front
from rescli.store.problems import DamagedStore

if TYPE_CHECKING:
    from rescli.store.record import Array

_MAX_DEPTH = 16
_MAX_OBJECTS = 250_000
_MAX_ATTRIBUTE_BYTES = 64 << 10
_NUMBERS = {h5t.INTEGER, h5t.FLOAT, h5t.ENUM}  # ENUM: HDF5 has no truth values, h5py writes them so


class _Malformed(Exception):
    """The image does not follow the schema; the text says where and how."""


def decode(path: Path, data: bytes, *, tensors: bool) -> dict[str, Any]:
    """All groups and datasets of a store as nested dicts; `path` is for messages only, `data` the verified bytes.

    Without `tensors` the groups below /checkpoint are left out. Raises `DamagedStore` for contents outside the schema.
    """
    reader = _Reader(len(data), skip=() if tensors else ("/checkpoint",))
    return _walked(path, reader, lambda: h5f.open_file_image(data))


def decode_front(path: Path, front: bytearray, size: int, *, elsewhere: tuple[str, ...]) -> dict[str, Any]:
    """As `decode`, of a file of `size` bytes whose first ones, `front`, hold all but the contents of some datasets.

    Those are named by their paths in `elsewhere` ("/train/images"). They are not read: in the tree stands where in the file
    such a dataset begins, and of how many bytes it is. Raises `DamagedStore` as `decode` does.
    """
    reader = _Reader(len(front), elsewhere=elsewhere, whole=size)
    return _walked(path, reader, lambda: open_front(Front(front, size)))


def _walked(path: Path, reader: _Reader, open_file: Callable[[], Any]) -> dict[str, Any]:
    try:
        file = open_file()
        try:
            return reader.group(h5g.open(file, b"/"), "", 0)
        finally:
            file.close()
    except _Malformed as problem:
        raise DamagedStore(f"{path}: its contents are not what they should be: {problem}") from None
    # Everything h5py raises for a malformed image. A MemoryError cannot come from a false size: sizes are checked before.
    except (
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedStore(f"{path}: its contents cannot be read: {text}") from error


def text_of(tree: dict[str, Any], name: str) -> Any:
    """The JSON document in the entry `name`. Raises `KeyError`, `TypeError` or `ValueError` if it is missing or none."""
    if not isinstance(tree[name], str):
        raise TypeError(f"{name} is not text")
    return json.loads(tree[name])


class _Reader:
    """Reads groups within a budget of objects and bytes, both bounded by the size of the file.

    `size` counts the bytes that can be read, `whole` those of the file where they are more (see `decode_front`).
    """

    def __init__(
        self, size: int, *, skip: tuple[str, ...] = (), elsewhere: tuple[str, ...] = (), whole: int | None = None
    ) -> None:
        self._size = size
        self._whole = size if whole is None else whole
        self._elsewhere = elsewhere
        self._bytes_left = self._whole
        self._objects_left = _MAX_OBJECTS
        self._skip = skip

    def group(self, group: Any, where: str, depth: int) -> dict[str, Any]:
        """A group as a dict of its members, with attributes as `"@key"` and `"name@key"`."""
        if depth > _MAX_DEPTH:
            raise _Malformed(f"{where or '/'} is nested too deeply")
        found: dict[str, Any] = {f"@{key}": value for key, value in self.attributes(group, where)}
        for raw in list(self.names(group, where)):
            name = raw.decode()
            place = f"{where}/{name}"
            if place in self._skip:
                continue
            if group.links.get_info(raw).type != h5l.TYPE_HARD:
                raise _Malformed(f"{place} is a link to somewhere else")
            item = h5o.open(group, raw)
            if isinstance(item, h5g.GroupID):
                found[name] = self.group(item, place, depth + 1)
            elif isinstance(item, h5d.DatasetID):
                found[name] = self.dataset(item, place)
                found.update((f"{name}@{key}", value) for key, value in self.attributes(item, place))
            else:
                raise _Malformed(f"{place} is neither a group nor a dataset")
        return found

    def names(self, group: Any, where: str) -> Any:
        """The names in a group, counted against the budget before the list is made."""
        self._objects_left -= group.get_num_objs()
        if self._objects_left < 0:
            raise _Malformed(f"more than {_MAX_OBJECTS} objects at {where or '/'}")
        return group

    def dataset(self, dataset: Any, where: str) -> Array | str | tuple[int, int]:
        """The contents of a dataset: an array, or text for a scalar UTF-8 string; or its place (see `decode_front`)."""
        kind = dataset.get_type()
        dtype = self.checked_type(kind, where)
        space = dataset.get_space()
        if space.get_simple_extent_type() not in (h5s.SCALAR, h5s.SIMPLE):
            raise _Malformed(f"{where} has no shape")
        size = space.get_simple_extent_npoints() * dtype.itemsize
        creation = dataset.get_create_plist()
        if creation.get_layout() != h5d.CONTIGUOUS or creation.get_external_count():
            raise _Malformed(f"{where} is not stored in one piece in this file")
        offset = dataset.get_offset()
        limit = self._whole if where in self._elsewhere else self._size
        if size and (offset is None or dataset.get_storage_size() != size or offset + size > limit):
            raise _Malformed(f"{where} claims {size} bytes, which are not in the file")
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise _Malformed(f"{where} shares its bytes with another dataset")
        if where in self._elsewhere:
            if dtype != np.uint8 or len(space.shape) != 1 or not size:
                raise _Malformed(f"{where} does not hold bytes")
            return offset, size
        values: Array = np.empty(space.shape, dtype)
        if size:
            dataset.read(h5s.ALL, h5s.ALL, values)
        return _as_text(values) if _is_text(kind) and not space.shape else values

    def attributes(self, owner: Any, where: str) -> list[tuple[str, Any]]:
        """The attributes of an object: text and single numbers."""
        found = []
        for index in range(h5a.get_num_attrs(owner)):
            attribute = h5a.open(owner, index=index)
            name = attribute.name.decode()
            kind = attribute.get_type()
            dtype = self.checked_type(kind, f"{where}@{name}")
            if attribute.shape != () or dtype.itemsize > _MAX_ATTRIBUTE_BYTES:
                raise _Malformed(f"attribute {name} of {where or '/'} is not a single value")
            self._objects_left -= 1
            if self._objects_left < 0:
                raise _Malformed(f"too many attributes at {where or '/'}")
            value: Array = np.empty((), dtype)
            attribute.read(value)
            found.append((name, _as_text(value) if _is_text(kind) else value.item()))
        return found

    def checked_type(self, kind: Any, where: str) -> np.dtype[Any]:
        """The numpy type of an HDF5 type, if it is a plain number, a truth value or fixed-length bytes."""
        if kind.get_class() in _NUMBERS or (kind.get_class() == h5t.STRING and not kind.is_variable_str()):
            dtype: np.dtype[Any] = kind.dtype
            if dtype.kind in "biufS" and 0 < dtype.itemsize <= self._size:
                return dtype
        raise _Malformed(f"{where} has a type that a run store does not use")


def _is_text(kind: Any) -> bool:
    return bool(kind.get_class() == h5t.STRING and kind.get_cset() == h5t.CSET_UTF8)


def _as_text(value: Array) -> str:
    data: bytes = value.item()
    return data.decode()
