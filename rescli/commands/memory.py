"""`rescli profile NET --memory`: does it fit on my card?"""

from __future__ import annotations

from typing import Any

from rescli import console
from rescli.commands.formats import show
from rescli.models.names import describe, title
from rescli.models.spec import Spec
from rescli.profiling.fits import CARDS, GIB, RESERVE, fits


def print_memory(spec: Spec, batch: int, card: float | None, *, json: bool, csv: bool, markdown: bool) -> None:
    """A row for each way to train or run it, in GiB; exact bytes in the machine formats."""
    found = fits(spec, batch=batch, card=card)
    columns = [
        "use",
        "precision",
        "checkpointing",
        "weights",
        "gradients",
        "optimizer",
        "activations",
        "working",
        "peak",
    ]
    last = "smallest card (GiB)" if card is None else f"fits in {card:g} GiB"
    exact: list[tuple[Any, ...]] = []
    for one in found:
        m = one.memory
        answer = one.card if card is None else one.fits
        parts = (m.weights, m.gradients, m.optimizer, m.activations, m.working, m.peak)
        exact.append((one.use, one.precision, one.checkpointed, *parts, answer))
    document = {
        **describe(spec),
        "title": title(spec),
        "batch": batch,
        "unit": "bytes",
        "card_gib": card,
        "reserve": RESERVE,
        "ways": [one.to_dict() for one in found],
    }
    if show([*columns, last], exact, document, json=json, csv=csv, markdown=markdown):
        return
    console.say(f"{title(spec)}, {spec.input_size}x{spec.input_size}, batch {batch}; GiB, predicted")
    words = {True: "yes", False: "no", None: f"more than {CARDS[-1]}"}
    rows = [
        (
            use,
            precision,
            "each block" if checkpointed else "",
            *(f"{value / GIB:.3f}" for value in parts),
            words[answer] if answer is None or isinstance(answer, bool) else answer,
        )
        for use, precision, checkpointed, *parts, answer in exact
    ]
    console.table([*columns, last], rows, right=range(3, 10))
    console.say(
        f"A card needs {RESERVE / GIB:g} GiB more for its driver and libraries. docs/memory.md says how good the prediction is."
    )
