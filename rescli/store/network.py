"""Weights without a run, in the same container as a run store: the same header, digest and care in reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import rescli
from rescli.store.decode import decode, text_of
from rescli.store.encode import Builder, assemble, dump_json
from rescli.store.files import open_store, read_up_to
from rescli.store.header import HEADER_BYTES, MAGIC, lost, read_store, with_offer
from rescli.store.problems import DamagedStore, ForeignFile
from rescli.store.reader import arrays_of
from rescli.store.record import JSON

if TYPE_CHECKING:
    from rescli.store.record import Array

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkRecord:
    """A network with weights. `network` is `rescli.models.names.describe`'s, `model` maps tensor names to arrays.

    `preprocessing` and `inputs` (mean and std) say how images become inputs; empty where nobody knows. `origin` says where the
    weights come from.
    """

    network: Mapping[str, JSON]
    model: Mapping[str, Array]
    preprocessing: Mapping[str, JSON]
    inputs: Mapping[str, Array]
    origin: Mapping[str, JSON]


def is_store(path: Path) -> bool:
    """Whether the file at `path` begins as rescli's own do, or has lost that. Raises `StoreError` where it cannot be read."""
    with open_store(path) as file:
        start = read_up_to(path, file, HEADER_BYTES)
    return start.startswith(MAGIC) or lost(path, start)


def holds_network(path: Path) -> bool:
    """Whether one of rescli's own files holds weights without a run. Reads and checks the file."""
    try:
        return decode(path, read_store(path)[1], tensors=False).get("@kind") == "network"
    except DamagedStore as error:
        raise with_offer(error, path) from error


def encode_network(record: NetworkRecord) -> bytes:
    """The complete file. Raises `StoreError` when memory runs out."""

    def fill(builder: Builder, root: object) -> None:
        builder.attribute(root, "schema", SCHEMA)
        builder.attribute(root, "kind", "network")
        builder.attribute(root, "created_by", f"rescli {rescli.__version__}")
        for name in ("network", "preprocessing", "origin"):
            builder.text(root, name, dump_json(getattr(record, name)))
        builder.arrays(builder.group(root, "input"), record.inputs)
        builder.arrays(builder.group(builder.group(root, "checkpoint"), "model"), record.model)

    summary = {"kind": "network", "status": "weights", "network": record.network.get("network")}
    return assemble((record.inputs, record.model), fill, summary)


def read_network(path: Path) -> NetworkRecord:
    """The network in the file at `path`, every byte checked against the digest first. Raises `StoreError`."""
    try:
        tree = decode(path, read_store(path)[1], tensors=True)
        if tree.get("@kind") != "network":
            raise ForeignFile(f"{path}: holds a run, not a network's weights alone", "Commands for runs take it.")
        return NetworkRecord(
            network=text_of(tree, "network"),
            model=arrays_of(tree["checkpoint"]["model"]),
            preprocessing=text_of(tree, "preprocessing"),
            inputs=arrays_of(tree["input"]),
            origin=text_of(tree, "origin"),
        )
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        damaged = DamagedStore(f"{path}: its contents are not those of a network file: {error}")
        raise with_offer(damaged, path) from error
    except DamagedStore as error:
        raise with_offer(error, path) from error
