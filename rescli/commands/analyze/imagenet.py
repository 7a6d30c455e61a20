"""`rescli analyze table2`, `table3`, `table4` and `table5`: tests on ImageNet beside the paper's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rescli.commands.analyze.output import Latex, Strict, Tests, gathered, show_table
from rescli.commands.formats import Csv, Markdown
from rescli.commands.options import Debug, Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from rescli.analysis.collect import Refuse
    from rescli.analysis.evidence import Evidence
    from rescli.analysis.table import Table


def table2(
    sources: Tests,
    strict: Strict = False,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    latex: Latex = False,
    debug: Debug = False,
) -> None:
    """Table 2: top-1 error (%) of plain and residual nets with 18 and 34 layers, 10-crop testing, beside the paper's.

    From tests that `rescli eval RUN.h5 --crops 10 --save` has kept in runs, and from files that --predictions wrote.
    """
    _single(2, sources, strict=strict, json=json, csv=csv, markdown=markdown, latex=latex)


def table3(
    sources: Tests,
    strict: Strict = False,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    latex: Latex = False,
    debug: Debug = False,
) -> None:
    """Table 3: top-1 and top-5 error (%) of single networks, 10-crop testing, beside the paper's.

    From tests that `rescli eval RUN.h5 --crops 10 --save` has kept in runs, and from files that --predictions wrote. A run
    without such a test has a row that says so. What is not as in the paper is noted below the table.
    """
    _single(3, sources, strict=strict, json=json, csv=csv, markdown=markdown, latex=latex)


def table4(
    sources: Tests,
    strict: Strict = False,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    latex: Latex = False,
    debug: Debug = False,
) -> None:
    """Table 4: top-1 and top-5 error (%) of single networks, whole images at several scales, beside the paper's.

    From tests that `rescli eval RUN.h5 --scales 224,256,384,480,640 --save` has kept in runs, and from files that --predictions
    wrote. A run without such a test has a row that says so.
    """
    _single(4, sources, strict=strict, json=json, csv=csv, markdown=markdown, latex=latex)


def table5(
    sources: Tests,
    strict: Strict = False,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    latex: Latex = False,
    debug: Debug = False,
) -> None:
    """Table 5: top-5 error (%) of ensembles, beside the paper's, from what `rescli eval ensemble --predictions` wrote."""
    from rescli.analysis.table5 import refused
    from rescli.analysis.table5 import table5 as tabulate

    _tabulated(sources, refused, tabulate, strict=strict, json=json, csv=csv, markdown=markdown, latex=latex)


def _single(number: int, sources: list[str], **how: bool) -> None:
    from rescli.analysis.table234 import single_models
    from rescli.analysis.table234_rules import refused

    _tabulated(sources, partial(refused, number), partial(single_models, number), **how)


def _tabulated(
    sources: list[str], refuse: Refuse, tabulate: Callable[[Evidence], Table], *, strict: bool, **formats: bool
) -> None:
    from rescli.analysis.evidence import evidence

    found = gathered(sources, strict=strict, predictions=True, refuse=refuse)
    table = tabulate(evidence(found))
    show_table(table, {**table.to_dict(), "skipped": [one.to_dict() for one in found.skipped]}, **formats)
