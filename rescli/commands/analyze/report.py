"""`rescli analyze report`: one page with everything that some runs can show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rescli import console
from rescli.commands.analyze.measuring import Dataset, wishes_of
from rescli.commands.analyze.output import Sources, Strict, gathered
from rescli.commands.options import Backend, Debug, Json, Threads, option
from rescli.errors import UsageError


def report(
    runs: Sources,
    out: Annotated[Path, option(help="The page to write.")] = Path("report.html"),
    title: Annotated[str, option(help="Heading of the page.")] = "Runs against the paper",
    measure: Annotated[
        bool, option("--measure/--no-measure", help="Measure responses and gradients; else show those curves alone.")
    ] = True,
    images: Annotated[int | None, option(min=1, help="Test images for the responses.", default="all")] = None,
    dataset: Dataset = None,
    backend: Backend = "auto",
    threads: Threads = None,
    strict: Strict = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """A self-contained HTML page: the paper's claims with these runs' verdicts, Table 6, Figs. 1, 6 and 7, provenance.

    Where there are ImageNet runs or saved predictions, Tables 2 to 5 and Fig. 4, too. Responses that were measured with --save
    are taken from the run stores.
    """
    if out.suffix not in (".html", ".htm"):
        raise UsageError(f"{out}: the page is HTML", "Name it so: --out report.html.")
    backends = None if backend == "auto" else backend
    asked = {"--images": images, "--dataset": dataset, "--backend": backends, "--threads": threads}
    if not measure and (idle := [name for name, value in asked.items() if value is not None]):
        raise UsageError(f"{' and '.join(idle)}: no effect with --no-measure", "Leave one of them out.")
    from rescli.store.target import check_target, put

    check_target(out)
    from rescli.analysis.evidence import evidence
    from rescli.analysis.measured import Measured
    from rescli.analysis.measured import measure as look
    from rescli.analysis.report import report as write
    from rescli.analysis.report import verdicts_of

    found = gathered(runs, strict=strict, predictions=True)
    wishes = wishes_of(
        dataset,
        shortcut=None,
        stride_in=None,
        padding=None,
        pool=None,
        images=images,
        backend=backend,
        threads=threads,
    )
    measured = look(found.runs, wishes, console.note) if measure else Measured()
    known = evidence(found)
    put(out, write(found, measured, title=title, known=known).encode(errors="replace"))
    verdicts = verdicts_of(found, measured, known)
    if json:
        console.emit(
            {
                "page": str(out),
                "runs": [str(run.path) for run in found.runs],
                "verdicts": [one.to_dict() for one in verdicts],
                "skipped": [one.to_dict() for one in found.skipped],
                "not_measured": list(measured.notes),
            }
        )
        return
    for note in measured.notes:
        console.note(f"Not measured: {note}")
    console.table(
        ["the paper's claim", "where", "these runs"], [(one.claim, one.where, one.answer) for one in verdicts]
    )
    console.say(f"The page: {out}")
