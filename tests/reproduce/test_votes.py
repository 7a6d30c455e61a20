"""Which runs of a folder speak for an element."""

from __future__ import annotations

from pathlib import Path

from rescli.analysis.measured import Measured
from rescli.reproduce.elements import element
from rescli.reproduce.gather import gather
from rescli.reproduce.lacking import not_run
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
    found = result(element("fig6-left"), gather([tmp_path])[0], Measured(), ())
    assert [one.answer for one in found.verdicts[:2]] == ["yes", "yes"]
    assert [line for line in found.lacking if "not compared" in line] == [
        f"plain-{depth}, seed 0: not compared, computed in bf16 and the others in fp32" for depth in (20, 32)
    ]
    (tmp_path / "56fp32.h5").unlink()
    assert [one.answer for one in result(element("fig6-left"), gather([tmp_path])[0], Measured(), ()).verdicts[:2]] == [
        "yes",
        "yes",
    ]


def test_a_warm_up_that_has_ended_needs_no_finished_run(tmp_path: Path) -> None:
    a_run(tmp_path / "resnet110-seed0.h5", depth=110, done=6400, warmup_ended=400)
    found = result(element("warmup"), gather([tmp_path])[0], Measured(), ())
    assert found.verdicts[0].answer == "yes"


def test_the_precision_of_most_nets_counts_however_many_runs_another_has(tmp_path: Path) -> None:
    for depth, error in ((20, 8.8), (32, 7.5), (44, 7.2), (56, 7.0), (110, 6.6)):
        a_run(tmp_path / f"{depth}.h5", depth=depth, error=error)
    for seed in range(6):
        a_run(tmp_path / f"bf16-{seed}.h5", depth=110, seed=seed, precision="bf16", error=6.5)
    found = result(element("fig6-middle"), gather([tmp_path])[0], Measured(), ())
    assert (found.verdicts[0].answer, len(found.verdicts[0].numbers)) == ("yes", 4)
    assert len(found.lacking) == 6


def test_runs_further_from_the_papers_recipe_have_no_vote(tmp_path: Path) -> None:
    for depth, slow in ((20, 9.0), (56, 9.5)):
        a_run(tmp_path / f"{depth}slow.h5", depth=depth, error=slow, learning_rate=0.001)
    alone = result(element("fig6-middle"), gather([tmp_path])[0], Measured(), ())
    assert alone.verdicts[0].answer == "no", "nearer ones are not there"
    for depth, error in ((20, 8.75), (56, 6.97)):
        a_run(tmp_path / f"{depth}.h5", depth=depth, error=error)
    found = result(element("fig6-middle"), gather([tmp_path])[0], Measured(), ())
    assert found.verdicts[0].answer == "yes"
    assert [line for line in found.lacking if "not compared" in line] == [
        f"ResNet-{depth}, seed 0: not compared, learning_rate 0.001 (paper: 0.1)" for depth in (20, 56)
    ]


def test_the_net_without_warm_up_is_as_near_as_the_one_with_it(tmp_path: Path) -> None:
    a_run(tmp_path / "warm.h5", depth=110, error=6.5, warmup_ended=400)
    a_run(tmp_path / "cold.h5", depth=110, error=6.6, warmup=False)
    found = result(element("warmup"), gather([tmp_path])[0], Measured(), ())
    assert [one.answer for one in found.verdicts] == ["yes", "yes"]


def test_only_the_papers_recipe_is_the_papers_run(tmp_path: Path) -> None:
    def lacking() -> str:
        """The first line: nets of which one run is wanted and none is there."""
        return not_run(gather([tmp_path])[0])[0]

    a_run(tmp_path / "other.h5", depth=20, augment=False)
    assert lacking() == (
        "- plain-20, plain-32, plain-44, plain-56, plain-110, ResNet-20, ResNet-32, ResNet-44, ResNet-56, "
        "ResNet-110 without warm-up, ResNet-1202: none of 1 run of the paper's length."
    )
    a_run(tmp_path / "r20.h5", depth=20)
    assert "ResNet-20," not in lacking()


def test_nets_that_lack_the_same_are_named_in_one_line(tmp_path: Path) -> None:
    a_run(tmp_path / "r56.h5", depth=56)
    found = result(element("fig6-middle"), gather([tmp_path])[0], Measured(), ())
    assert found.lacking == ("ResNet-20, ResNet-32, ResNet-44, ResNet-110: no finished run",)
