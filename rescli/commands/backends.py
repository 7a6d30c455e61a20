"""`rescli backends`: where training can run."""

from __future__ import annotations

import warnings
from typing import Any

from rescli import console
from rescli.commands.options import Debug, Json


def backends(json: Json = False, debug: Debug = False) -> None:
    """Which backends there are, which work here, and why the others don't."""
    from rescli.backends.registry import BackendWarning, available

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BackendWarning)  # the reason stands in the table
        listed = available()
    documents: list[dict[str, Any]] = []
    for one in listed:
        device = one.device
        documents.append(
            {
                "name": one.name,
                "from": one.source,
                "works": device is not None,
                "reason": one.unavailable,
                "device": device.name if device else None,
                "memory_total": device.memory_total if device else None,
                "memory_free": device.memory_free if device else None,
                "details": dict(device.details) if device else {},
            }
        )
    if json:
        console.emit(documents)
        return
    rows = [
        (doc["name"], "yes" if doc["works"] else "no", doc["device"] or doc["reason"], _details(doc), doc["from"])
        for doc in documents
    ]
    console.table(["backend", "works", "device, or why not", "details", "from"], rows)


def _details(document: dict[str, Any]) -> str:
    if not document["works"]:
        return ""
    memory = f"{document['memory_free'] / 1e9:.0f} of {document['memory_total'] / 1e9:.0f} GB free"
    return ", ".join([memory, *(f"{name} {value}" for name, value in document["details"].items())])
