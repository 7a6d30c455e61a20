"""Footnote 5: ResNet-110 with its warm-up and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from rescli.analysis.claims_warmup import warm_up_claims
from rescli.analysis.collect import collect
from rescli.analysis.curves import curves
from tests.analysis.runs import a_run


@pytest.mark.parametrize(("cold", "held"), [(6.9, "yes"), (7.2, "no")])
def test_both_sentences_of_footnote_5(cold: float, held: str, tmp_path: Path) -> None:
    a_run(tmp_path / "warm.h5", depth=110, error=6.5, warmup_ended=400)
    a_run(tmp_path / "cold.h5", depth=110, error=cold, warmup=False)
    ends, without = warm_up_claims(collect([tmp_path]).runs)
    assert (ends.answer, ends.numbers) == ("yes", ("ResNet-110, seed 0: after 400 iterations (yes: at most 800)",))
    assert without.answer == held
    assert without.numbers == (f"with 6.50 %, without {cold:.2f} % ({cold - 6.5:+.2f} points, n = 1)",)
    assert without.caveats == ()  # the rule is what the claim is about


def test_a_warm_up_that_never_ends_is_a_no(tmp_path: Path) -> None:
    a_run(tmp_path / "never.h5", depth=110, iterations=4000)
    a_run(tmp_path / "late.h5", depth=110, iterations=4000, seed=1, warmup_ended=810)
    a_run(tmp_path / "going.h5", depth=110, iterations=4000, seed=2, done=9)
    ends, _ = warm_up_claims(collect([tmp_path]).runs)
    assert ends.answer == "no"
    assert set(ends.numbers) == {
        "ResNet-110, seed 0: never in 4,000 iterations (yes: at most 800)",
        "ResNet-110, seed 1: after 810 iterations (yes: at most 800)",
    }


def test_the_rate_is_the_same_in_a_short_run_and_so_is_the_number_of_iterations(tmp_path: Path) -> None:
    a_run(tmp_path / "short.h5", depth=110, iterations=4000, warmup_ended=400)
    a_run(tmp_path / "too short to tell.h5", depth=110, iterations=640, seed=1)
    ends, _ = warm_up_claims(collect([tmp_path]).runs)
    assert (ends.answer, ends.numbers) == (
        "yes",
        ("ResNet-110, seed 0: after 400 iterations (yes: at most 800)",),
    )


def test_runs_of_other_recipes_are_not_compared(tmp_path: Path) -> None:
    a_run(tmp_path / "warm.h5", depth=110, error=6.5)
    a_run(tmp_path / "cold.h5", depth=110, error=6.5, warmup=False, iterations=4000)
    a_run(tmp_path / "shallow.h5", depth=56, error=6.5)
    assert warm_up_claims(collect([tmp_path]).runs)[1].answer == "cannot tell"


def test_their_curves_have_names_of_their_own(tmp_path: Path) -> None:
    a_run(tmp_path / "warm.h5", depth=110)
    a_run(tmp_path / "cold.h5", depth=110, warmup=False)
    assert {line.group for line in curves(collect([tmp_path]).runs).panels[0].lines} == {
        "ResNet-110",
        "ResNet-110, no warm-up",
    }
    a_run(tmp_path / "warm.h5", depth=20)
    (tmp_path / "cold.h5").unlink()
    assert {line.group for line in curves(collect([tmp_path]).runs).panels[0].lines} == {"ResNet-20"}


def test_other_rules_and_shallow_nets_say_nothing_of_footnote_5(tmp_path: Path) -> None:
    a_run(tmp_path / "r20.h5", depth=20, warmup=True, warmup_ended=100)
    a_run(tmp_path / "fast.h5", depth=110, error=9.0, warmup_lr=0.05, warmup_ended=100)
    a_run(tmp_path / "early.h5", depth=110, error=9.0, warmup_error=95.0, warmup_ended=100)
    a_run(tmp_path / "cold.h5", depth=110, error=6.9, warmup=False)
    assert [one.answer for one in warm_up_claims(collect([tmp_path]).runs)] == ["cannot tell", "cannot tell"]
    a_run(tmp_path / "a warm one.h5", depth=110, error=6.5, warmup_ended=400)
    assert [one.answer for one in warm_up_claims(collect([tmp_path]).runs)] == ["yes", "yes"]
