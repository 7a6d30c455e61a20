"""`rescli` with one element more: "small", a net with 8 layers that a test can train."""

from __future__ import annotations

import sys

from rescli.reproduce import elements
from rescli.reproduce.element import Element, plain

SMALL = Element(
    name="small",
    title="the plain net with 8 layers",
    where="no figure",
    nets=plain(8),
    shows=("curves",),
    claims=(elements.PLAIN_TEST,),
)


def main() -> None:
    """The command line."""
    elements.ELEMENTS = {**elements.ELEMENTS, "small": SMALL}
    from rescli.cli import main as run

    run()


if __name__ == "__main__":
    sys.argv[0] = "rescli"
    main()
