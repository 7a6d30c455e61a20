"""What differs from the paper in a number of runs, and what of the paper they do not cover: counted, not typed in."""

from __future__ import annotations

from collections.abc import Sequence

from rescli.analysis.recipes import differences, word
from rescli.analysis.run import Run
from rescli.reproduce.element import Net
from rescli.reproduce.elements import CIFAR, ELEMENTS
from rescli.reproduce.elsewhere import NO_RUNS
from rescli.reproduce.settings import marks_of


def differing(runs: Sequence[Run]) -> list[str]:
    """Every fork and difference with the number of runs that have it."""
    found: dict[str, int] = {}
    for run in runs:
        both = {**run.differences(), **run.forks()}
        own = the_papers_own(run)
        for name, (paper, ours) in ((name, pair) for name, pair in both.items() if name not in own):
            text = f"{name} is {word(ours)}; the paper's is {word(paper)}"
            found[text] = found.get(text, 0) + 1
    unfinished = sum(not run.finished for run in runs)
    lines = [f"- In {count} of {len(runs)} runs {text}." for text, count in found.items()]
    lines += [f"- {unfinished} of {len(runs)} runs are not finished."] if unfinished else []
    return lines or [f"- Nothing that rescli knows of, in {len(runs)} runs."]


def the_papers_own(run: Run) -> set[str]:
    """What the paper has done otherwise with this very net than its recipe says: without the warm-up, in footnote 5."""
    net = next((net for element in CIFAR for net in element.nets if net.is_of(run.recipe)), None)
    return set() if net is None else set(differences(net.recipe().resolved()))


def not_run(runs: Sequence[Run]) -> list[str]:
    """What is lacking of the paper's own recipe and schedule, and the elements that no study runs."""
    papers = [run for run in runs if run.finished and not marks_of(run.recipe.dataset, run.recipe.iterations)]
    reasons: dict[str, list[str]] = {}
    for net, most in _wanted():
        if (there := _seeds(net, papers)) < most:
            why = f"{there or 'none'} of {most} run{'s' if most > 1 else ''} of the paper's length"
            reasons.setdefault(why, []).append(net.label)
    for one in ELEMENTS.values():
        if one.why and one.why != NO_RUNS:
            reasons.setdefault(one.why, []).append(one.where)
    return [f"- {', '.join(what)}: {why}." for why, what in reasons.items()]


def _wanted() -> list[tuple[Net, int]]:
    """Every net of a study once, with the most runs that the paper has of it."""
    found: dict[Net, int] = {}
    for net in (net for element in CIFAR for net in element.nets):
        found[net] = max(found.get(net, 0), net.runs)
    return sorted(found.items(), key=lambda item: (not item[0].plain, item[0].depth, item[0].warmup is False))


def _seeds(net: Net, papers: Sequence[Run]) -> int:
    """How many runs there are, as the paper counts them: of a seed each."""
    return len({run.recipe.seed for run in papers if net.is_of(run.recipe) and not net.beyond(run.recipe)})
