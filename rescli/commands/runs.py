"""`rescli runs`: run stores, one file a run."""

from __future__ import annotations

import csv
import io
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from rescli import console
from rescli.commands.formats import print_plot
from rescli.commands.options import Debug, Json, Run, option
from rescli.errors import UsageError

app = typer.Typer(no_args_is_help=True)


class Format(str, Enum):
    """Of exported metrics."""

    csv = "csv"
    json = "json"


@app.callback()
def runs() -> None:
    """List, show, verify, watch, export and restore runs."""


@app.command("list", short_help="The runs below a folder.")
def list_(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Folder to look in, with all below it. Default: runs.", show_default=False),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """The runs below a folder. Reads only headers: `rescli runs verify` reads every byte."""
    from rescli.store.listing import list_runs

    if directory is None:  # before the first run the default folder is not there, which is no mistake
        directory = Path("runs")
        listed = list_runs(directory) if directory.exists() else []
    else:
        listed = list_runs(directory)
    if json:
        console.emit(
            [
                {
                    **one.summary,
                    "path": str(one.path),
                    "status": one.status,
                    "error": one.error or None,
                    "held_by": str(one.holder) if one.holder else None,
                }
                for one in listed
            ]
        )
        return
    if not listed:
        console.note(f"There are no runs below {directory}")
        return
    rows = [
        (one.path, one.error or one.status, *_figures(one.summary), str(one.holder) if one.holder else "")
        for one in listed
    ]
    console.table(
        ["run", "status", "net", "data", "seed", "iteration", "train error (last row)", "test error", "held by"],
        rows,
        right=(4, 5, 6, 7),
    )


def _figures(summary: Any) -> tuple[Any, ...]:
    from rescli.store.listing import number, progress

    if "iteration" not in summary:
        return ("",) * 6
    held_out = number(summary, "val_error")
    tested = console.percent(number(summary, "test_error"))
    return (
        " ".join(str(part) for part in (summary.get("network"), summary.get("shortcut")) if part),
        summary.get("dataset"),
        summary.get("seed"),
        progress(summary),
        console.percent(number(summary, "train_error")),
        tested or (f"{held_out:.2f} % (val)" if held_out is not None else ""),
    )


@app.command(short_help="What a run is and where it stands.")
def show(run: Run, json: Json = False, debug: Debug = False) -> None:
    """What a run is and where it stands: recipe, last metrics, sessions, environment."""
    from rescli.store.reader import read_standing

    record, status = read_standing(run)
    last = {
        split: {name: values[-1].item() for name, values in columns.items() if len(values)}
        for split, columns in record.metrics.items()
    }
    document: dict[str, Any] = {
        "path": str(run),
        "status": status,
        "summary": record.summary,
        "progress": record.progress,
        "recipe": record.recipe,
        "metrics": last,
        "rows": {split: _rows(columns) for split, columns in record.metrics.items()},
        "sessions": list(record.sessions),
        "environment": record.environment,
    }
    if json:
        console.emit(document)
        return
    console.say(f"{run}: {', '.join(str(part) for part in (record.summary.get('network'), status) if part)}")
    for title in ("summary", "recipe", "environment"):
        console.say(f"\n{title}")
        console.pairs({f"  {name}": value for name, value in document[title].items()})
    for split, row in last.items():
        count = document["rows"][split]
        which = {0: "no rows", 1: "the only row"}.get(count, f"the last of {count} rows")
        console.say(f"\n{split}, {which}")
        console.pairs(
            {f"  {name}": f"{value:,}" if isinstance(value, int) else f"{value:g}" for name, value in row.items()}
        )
    for session in record.sessions:
        console.say(f"\nsession of {session.get('started')}")
        console.pairs({f"  {name}": value for name, value in session.items() if name != "started"})


def _rows(columns: Any) -> int:
    """How many there are of a split."""
    return max(map(len, columns.values()), default=0)


@app.command(short_help="Read every byte and check it against digest and schema.")
def verify(run: Run, json: Json = False, debug: Debug = False) -> None:
    """Read every byte of a run store, check it against its digest and the schema; exit 4 if anything is amiss."""
    from rescli.store.reader import verify as check

    found = check(run)
    previous = found.previous
    if json:
        console.emit(
            {
                "path": str(run),
                "intact": True,
                "schema": found.header.schema,
                "bytes": found.bytes,
                "sha256": found.digest,
                "datasets": found.datasets,
                "tensors": found.tensors,
                "non_finite": list(found.non_finite),
                "iteration": found.header.summary.get("iteration"),
                "previous": previous
                and {"path": str(previous.path), "intact": previous.intact, "state": previous.description},
            }
        )
        return
    console.say(f"{run}: intact, {found.header.generation}")
    console.pairs(
        {
            "  schema": found.header.schema,
            "  bytes": f"{found.bytes:,}",
            "  sha256": f"{found.digest} (of the HDF5 part)",
            "  contents": f"{found.datasets} datasets, {found.tensors} of them weights and momentum",
            "  NaN or infinity": ", ".join(found.non_finite) or "none",
            "  previous": f"{'intact' if previous.intact else 'damaged'}, {previous.description}"
            if previous
            else "none",
        }
    )


@app.command(short_help="Put the previous generation of a damaged run back.")
def restore(run: Run, json: Json = False, debug: Debug = False) -> None:
    """Put the previous generation of a damaged run store back; the damaged file is kept as RUN.h5.damaged."""
    from rescli.store.restore import restore as put_back

    header = put_back(run)
    if json:
        console.emit({"path": str(run), "restored": dict(header.summary)})
    else:
        console.say(f"{run}: restored, {header.generation}")


@app.command(short_help="Follow a run from a second process until it ends.")
def watch(
    run: Run,
    interval: Annotated[float, option(min=0.1, max=86_400, help="Seconds between looks.")] = 2.0,
    curve: Annotated[
        bool | None, option("--curve/--no-curve", help="Draw the errors so far.", default="on a terminal")
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Follow a run from a second process until it ends: the curve and a line, anew for every checkpoint of the other one."""
    from rescli.analysis.watch import follow

    if json and curve:
        raise UsageError("--json draws nothing", "Leave --curve out.")
    drawn = console.on_terminal() if curve is None else curve
    last: dict[str, Any] = {}
    for moment in follow(run, interval=interval):
        last = moment.to_dict()
        if not json:
            if drawn:
                _draw(run)
            console.say(moment.line())
    if json:
        console.emit(last)


def _draw(run: Path) -> None:
    """The run's curves, in place of what the terminal showed."""
    from rescli.analysis.curves import curves
    from rescli.analysis.run import read

    found = read(run)
    console.clear()
    if found.has_curve:
        print_plot(curves([found]))


@app.command(short_help="All metrics of a run as CSV or JSON.")
def export(
    run: Run,
    to: Annotated[
        Format | None, option(help="Format.", default="as --out ends; else csv, json with --json to stdout")
    ] = None,
    out: Annotated[Path | None, option(help="File to write.", default="stdout")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """All metrics of a run: iteration, loss (nats), error (%), learning rate, seconds, for train and test."""
    from rescli.store.reader import read_run
    from rescli.store.target import check_target, put

    to_stdout = out is None
    if json and to_stdout and to is Format.csv:
        raise UsageError("--json writes no CSV to stdout", "Leave out --json or --to, or name a file with --out.")
    if out is not None:
        check_target(out)
        to = _format(out, to)
    record = read_run(run, tensors=False)
    text = _as_json(record.metrics) if to is Format.json or (json and to_stdout) else _as_csv(record.metrics)
    if out is None:
        console.say(text)
    else:
        put(out, f"{text}\n".encode())
        if json:
            console.emit({"path": str(run), "written": str(out)})
        else:
            console.note(f"Written to {out}.")


def _format(out: Path, to: Format | None) -> Format:
    """Of a file: what its name says, unless that says nothing. Raises `UsageError` where --to says otherwise."""
    ends = out.suffix.lower().removeprefix(".")
    named = Format(ends) if ends in set(Format) else None
    if to is not None and named not in (None, to):
        raise UsageError(
            f"{out} ends as {ends} does, and --to says {to.value}", "Leave out --to, or name another file."
        )
    return to or named or Format.csv


COLUMNS = ("iteration", "loss", "error", "learning_rate", "seconds")


def _as_json(metrics: Any) -> str:
    return console.dumps(
        {split: {name: values.tolist() for name, values in columns.items()} for split, columns in metrics.items()}
    )


def _as_csv(metrics: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("split", *COLUMNS))
    for split, columns in metrics.items():
        for row in range(_rows(columns)):
            writer.writerow((split, *(columns[name][row].item() if name in columns else "" for name in COLUMNS)))
    return text.getvalue().removesuffix("\n")
