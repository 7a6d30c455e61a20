"""One thing that we do beside the same thing done the usual way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rescli.bench.pairs import Duel


@dataclass(frozen=True, kw_only=True)
class Versus:
    """Samples of both in turns; each does `amount` of something counted in `unit`."""

    what: str
    amount: float
    unit: str
    rival: str
    duel: Duel
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        ours, theirs = self.duel.rates(self.amount)
        return {
            "what": self.what,
            "unit": self.unit,
            "rate": ours.to_dict(),
            "rival": self.rival,
            "rival_rate": theirs.to_dict(),
            "ratio": self.duel.ratio().to_dict(),
            "seconds": {"ours": list(self.duel.ours), "rival": list(self.duel.theirs)},
            **self.extra,
        }
