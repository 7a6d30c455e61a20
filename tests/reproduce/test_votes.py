"""Which runs of a folder speak for an element."""

from __future__ import annotations

from pathlib import Path

from rescli.reproduce.elements import element
from rescli.reproduce.gather import gather
from rescli.reproduce.measuring import Layers
from rescli.reproduce.results import result
from tests.analysis.runs import a_run


def test_runs_of_the_rarer_precision_have_no_vote(tmp_path: Path) -> None:
    """Nor has one of two as frequent ones: the paper's has it then."""
    for precision, errors in (("fp32", (9.4, 10.0, 12.5)), ("bf16", (9.5, 9.1))):
        for depth, error in zip((20, 32, 56), errors, strict=False):
            a_run(
                tmp_path / f"{depth}{precision}.h5",
                depth=depth,
                plain=True,
                error=error,
                train_error=error,
                precision=precision,
            )
    found = result(element("fig6-left"), gather([tmp_path])[0], Layers(), ())
    assert [one.answer for one in found.verdicts[:2]] == ["yes", "yes"]
    assert [line for line in found.lacking if "not compared" in line] == [
        f"plain-{depth}, seed 0: not compared, computed in bf16 and the others in fp32" for depth in (20, 32)
    ]
    (tmp_path / "56fp32.h5").unlink()
    assert [one.answer for one in result(element("fig6-left"), gather([tmp_path])[0], Layers(), ()).verdicts[:2]] == [
        "yes",
        "yes",
    ]


def test_a_warm_up_that_has_ended_needs_no_finished_run(tmp_path: Path) -> None:
    a_run(tmp_path / "resnet110-seed0.h5", depth=110, done=6400, warmup_ended=400)
    found = result(element("warmup"), gather([tmp_path])[0], Layers(), ())
    assert found.verdicts[0].answer == "yes"
