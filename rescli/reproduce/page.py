"""docs/reproduction.md: the paper beside what came out, generated from summaries alone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import quote

from rescli.analysis.groups import Group, group
from rescli.analysis.recipes import word
from rescli.analysis.run import Run
from rescli.analysis.table import Footnotes, Table, spread
from rescli.analysis.table6 import paper_error
from rescli.errors import UsageError
from rescli.recipes.cifar import PAPER_ITERATIONS
from rescli.reproduce.chapters import Chapter, chapters
from rescli.reproduce.lacking import differing, not_run, the_papers_own
from rescli.reproduce.results import Result
from rescli.reproduce.settings import PAPER_DATASET, Settings
from rescli.reproduce.summaries import Summaries
from rescli.words import duration, markdown_row

COLUMNS = ("element", "command", "net", "paper", "ours", "differs", "device", "time of a run")


def page(found: Summaries, summaries: Path, out: Path) -> str:
    """The page as Markdown, to stand at `out`, with the figures in the folder `summaries`."""
    folder = Path(os.path.relpath(summaries, out.parent)).as_posix()
    link = quote(folder)
    made_by = shlex.join(["rescli", "reproduce", "page", summaries.as_posix(), "--out", out.as_posix()])
    more = {
        name: f"[{name}]({name})" if (out.parent / name).exists() else name for name in ("analysis.md", "results.md")
    }
    parts = [
        "# The paper's CIFAR results, from our own runs",
        f"Written by `{made_by}` from the summaries in "
        f"[{folder}]({link}), which `rescli reproduce summarize` has made of the run stores: nothing here is typed in. "
        "A command trains at least the runs in its rows: all its nets with all its seeds. Errors are in %; a result is the "
        "mean±standard deviation of the sample over n seeds. Test errors are of the last "
        "evaluation of a run, training errors the mean over its last 1/64. Times are the clock's, whatever else there was to "
        f"do. {more['analysis.md']} says how verdicts come about, {more['results.md']} what else was measured.",
    ]
    for chapter in chapters(found.runs, found.layers):
        parts += _chapter(chapter, link)
    parts += ["## What differs from the paper", "\n".join(differing(found.runs))]
    parts += ["## What has not been run", "\n".join(not_run(found.runs))]
    return "\n\n".join(parts) + "\n"


def _chapter(chapter: Chapter, folder: str) -> list[str]:
    notes = Footnotes()
    rows = [row for one in chapter.results for row in _rows(one, chapter, notes)]
    table = "\n".join([markdown_row(COLUMNS), "|" + "---|" * len(COLUMNS), *map(markdown_row, rows)])
    remarks = "\n".join(f"- {line}" for line in notes.lines())
    said = tuple(mark for run in chapter.runs if run.finished for mark in run.marks())
    parts = [f"## {chapter.title}", table, *([remarks] if remarks else [])]
    for one in chapter.results:
        figure = f"{folder}/{chapter.figure(one.element)}"
        parts.append(one.markdown(figure, heading="###", said=said, tables=False).rstrip())
    return parts


def _rows(one: Result, chapter: Chapter, notes: Footnotes) -> list[tuple[str, ...]]:
    """A row for each net of an element that there are runs of, finished ones if there are any."""
    rows: list[tuple[str, ...]] = []
    made_by = command(one, chapter)
    for net in one.element.nets:
        groups = group(run for run in one.runs if net.is_of(run.recipe))
        for these in [found for found in groups if found.first.finished] or groups[:1]:
            by_study = made_by is None or not net.strays(these.first.recipe)
            rows.append(
                (
                    "" if rows else one.element.where,
                    _command(made_by) if by_study and not any(row[1] for row in rows) else "",
                    net.label,
                    _paper(one, these),
                    _ours(one, these),
                    notes.mark(_differences(these.runs)),
                    ", ".join(dict.fromkeys(devices(run) for run in these.runs)),
                    duration(sum(run.seconds for run in these.runs) / len(these.runs)),
                )
            )
    return rows


def _command(made_by: str | None) -> str:
    return "no study: trained by hand" if made_by is None else f"`{made_by}`"


def command(one: Result, chapter: Chapter) -> str | None:
    """What makes this element as far as it is there: at least these runs; None where no study would train them."""
    try:
        Settings(dataset=chapter.dataset, scale=chapter.iterations / PAPER_ITERATIONS)
    except UsageError:
        return None
    runs = {
        net: [run for run in one.runs if net.is_of(run.recipe) and not net.strays(run.recipe)]
        for net in one.element.nets
    }
    there = [net for net, these in runs.items() if these]
    if not there:
        return None
    words = ["rescli reproduce", one.element.name]
    if len(there) < len(one.element.nets):
        words += [f"--depth {depth}" for depth in dict.fromkeys(net.depth for net in there)]
    these = [run for net in there for run in runs[net]]
    first = min(run.recipe.seed for run in these)
    needed = {net: max(run.recipe.seed for run in runs[net]) - first + 1 for net in there}
    seeds, usual = max(needed.values()), sum(net.runs for net in there)
    if any(needed[net] > net.runs for net in there) or usual > seeds * len(there):
        words.append(f"--seeds {seeds}")
    words += [f"--seed {first}"] if first else []
    if chapter.iterations != PAPER_ITERATIONS:
        words.append(f"--scale {chapter.iterations / PAPER_ITERATIONS:g}")
    precisions = {run.recipe.precision for run in these}
    words += [f"--precision {precision}" for precision in precisions if len(precisions) == 1]
    if chapter.dataset != PAPER_DATASET:
        words.append(f"--dataset {chapter.dataset}")
    several = len({run.recipe.precision for run in chapter.runs if run.finished}) > 1
    apart = f"-{precisions.pop()}" if several and len(precisions) == 1 else ""  # a study is of one precision
    words += [f"--out {chapter.study}{apart}"] if chapter.marks or apart else []
    return " ".join(words)


def _paper(one: Result, these: Group) -> str:
    if {"responses", "gradients"} & set(one.element.shows):
        return "no number"
    return paper_error(these) or "no number"


def _ours(one: Result, these: Group) -> str:
    """The test error; of layers, what the figure shows of them in one number."""
    if one.table is None:
        return "not measured"
    if "responses" in one.element.shows:
        medians = [row["median_std"] for row in _of(these, one.table)]
        return f"median std {fmean(medians):.3f} (n = {len(medians)})" if medians else "not measured"
    if "gradients" in one.element.shows:
        smallest = [row["of_the_largest"] for row in _of(these, one.table)]
        return f"smallest {min(smallest):.2g} of the largest (n = {len(smallest)})" if smallest else "not measured"
    return f"{spread(these.errors)} (n = {len(these.errors)})" if these.errors else "no test yet"


def _of(these: Group, table: Table) -> list[dict[str, Any]]:
    """The rows of these runs."""
    paths = {str(run.path) for run in these.runs}
    return [row for row in table.exact if row["run"] in paths]


def _differences(runs: Sequence[Run]) -> list[str]:
    """What of these runs is not the paper's: marks, and forks of the implementation."""
    forks = [
        f"{name} {word(ours)} (paper: {word(paper)})" for run in runs for name, (paper, ours) in run.forks().items()
    ]
    marks = [mark for run in runs for mark in run.marks() if mark.split(" ")[0] not in the_papers_own(run)]
    return list(dict.fromkeys(marks + forks))


def devices(run: Run) -> str:
    """Where a run was trained: "NVIDIA H100 up to iteration 3,724, then AMD EPYC, 2 threads"."""
    ends: list[tuple[str, int]] = []
    # A session begins with a checkpoint: one that was killed at once has left nothing but that.
    lasting = [one for one in run.sessions if one.get("last_iteration") is None or _trained(one)]
    for session in lasting or run.sessions[-1:]:
        device, last = _device(session), session.get("last_iteration")
        last = run.iteration if last is None else int(last)
        if ends and ends[-1][0] == device:
            ends.pop()
        ends.append((device, last))
    parts = [f"{device} up to iteration {last:,}" for device, last in ends[:-1]]
    return ", then ".join([*parts, ends[-1][0]]) if ends else "unknown"


def _trained(session: Mapping[str, Any]) -> bool:
    return bool(session["last_iteration"] != session.get("first_iteration"))


def _device(session: Mapping[str, Any]) -> str:
    threads = session.get("threads")
    return str(session.get("device", "unknown")) + (
        f", {threads} thread{'s' if threads > 1 else ''}" if threads else ""
    )
