"""`rescli analyze table6`, `compare` and `degradation`."""

from __future__ import annotations

from rescli.commands.analyze.output import Latex, Sources, Strict, gathered, show_table
from rescli.commands.formats import Csv, Markdown, say_verdicts
from rescli.commands.options import Debug, Json
from rescli.errors import UsageError


def table6(
    runs: Sources,
    strict: Strict = False,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    latex: Latex = False,
    debug: Debug = False,
) -> None:
    """Table 6 from runs: error (%), best (mean ± std) over seeds of equal recipes, beside the paper's.

    Runs that are unfinished, or trained otherwise than in the paper, have rows of their own, with a note.
    """
    from rescli.analysis.collect import only_cifar
    from rescli.analysis.table6 import table6 as tabulate

    found = gathered(runs, strict=strict, refuse=only_cifar)
    table = tabulate(found.runs)
    document = {**table.to_dict(), "skipped": [one.to_dict() for one in found.skipped]}
    show_table(table, document, json=json, csv=csv, markdown=markdown, latex=latex)


def compare(
    runs: Sources,
    strict: Strict = False,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    latex: Latex = False,
    debug: Debug = False,
) -> None:
    """Runs side by side: what differs in their recipes, their errors, parameters, time and devices."""
    from rescli.analysis.compare import compare as side_by_side

    found = gathered(runs, strict=strict)
    if len(found.runs) < 2:
        raise UsageError("a comparison needs two runs", "`rescli runs show RUN.h5` shows one.")
    table = side_by_side(found.runs)
    document = {
        **table.to_dict(),
        "runs": [str(run.path) for run in found.runs],
        "skipped": [one.to_dict() for one in found.skipped],
    }
    show_table(table, document, json=json, csv=csv, markdown=markdown, latex=latex)


def degradation(
    runs: Sources,
    strict: Strict = False,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    latex: Latex = False,
    debug: Debug = False,
) -> None:
    """Does error grow with depth for plain nets, and fall for residual ones? With the numbers, of CIFAR and ImageNet runs."""
    from rescli.analysis.degradation import degradation as judge
    from rescli.analysis.degradation import degradation_table

    found = gathered(runs, strict=strict)
    table, verdicts = degradation_table(found.runs), judge(found.runs)
    document = {
        **table.to_dict(),
        "verdicts": [verdict.to_dict() for verdict in verdicts],
        "skipped": [one.to_dict() for one in found.skipped],
    }
    show_table(table, document, json=json, csv=csv, markdown=markdown, latex=latex)
    if json or csv or markdown or latex:
        return
    say_verdicts(verdicts)
