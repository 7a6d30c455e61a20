"""What the paper shows, as literal data."""

from __future__ import annotations

import pytest

from rescli.analysis.claims import claims
from rescli.analysis.claims_imagenet import claims_imagenet
from rescli.analysis.evidence import Evidence
from rescli.errors import UsageError
from rescli.profiling.paper import TABLE6
from rescli.recipes.cifar import CifarRecipe
from rescli.reproduce.element import Net
from rescli.reproduce.elements import CIFAR, ELEMENTS, element

P, R = True, False
NETS = {
    "fig1": [(20, P), (56, P)],
    "fig6-left": [(20, P), (32, P), (44, P), (56, P)],
    "fig6-middle": [(20, R), (32, R), (44, R), (56, R), (110, R)],
    "fig6-right": [(110, R), (1202, R)],
    "table6": [(20, R), (32, R), (44, R), (56, R), (110, R), (1202, R)],
    "fig7": [(20, P), (56, P), (20, R), (56, R), (110, R)],
    "plain-110": [(110, P)],
    "warmup": [(110, R), (110, R)],
}


@pytest.mark.parametrize("name", NETS)
def test_the_nets_of_the_paper(name: str) -> None:
    assert [(net.depth, net.plain) for net in element(name).nets] == NETS[name]


def test_table6_is_all_of_table_6_and_the_110_layer_net_five_times() -> None:
    nets = element("table6").nets
    assert {net.depth for net in nets} == set(TABLE6)
    assert [(net.depth, net.runs) for net in nets if net.runs > 1] == [(110, 5)]


def test_every_table_and_figure_with_results_is_there() -> None:
    tables = {f"table{number}" for number in range(1, 15)}  # 9 to 14: the appendix on arXiv
    assert tables | {"fig1", "fig3", "fig4", "fig6-left", "fig6-middle", "fig6-right", "fig7"} <= set(ELEMENTS)


def test_every_claim_is_one_that_is_computed_and_every_computed_one_is_there() -> None:
    computed = [one.claim for one in (*claims([]), *claims_imagenet(Evidence(entries=())))]
    named = [claim for one in ELEMENTS.values() for claim in one.claims]
    assert set(named) == set(computed)


def test_an_element_is_run_or_says_why_not_and_what_does() -> None:
    for one in ELEMENTS.values():
        assert one.runnable != bool(one.why), one.name
        assert one.runnable != bool(one.commands), one.name
        assert bool(one.shows) == one.runnable, one.name
    assert all(one.runnable for one in CIFAR)


def test_a_net_knows_its_runs() -> None:
    deep = Net(depth=110)
    assert deep.is_of(CifarRecipe(depth=110, seed=3, iterations=400))
    assert not deep.is_of(CifarRecipe(depth=110, plain=True))
    assert not deep.is_of(CifarRecipe(depth=110, shortcut="B"))
    assert not deep.is_of(CifarRecipe(depth=110, warmup=False))
    assert Net(depth=110, warmup=False).is_of(CifarRecipe(depth=110, warmup=False))
    assert (deep.label, Net(depth=20, plain=True).label) == ("ResNet-110", "plain-20")
    assert Net(depth=110, warmup=False).word == "resnet110-nowarmup"


def test_a_mistyped_name_is_answered() -> None:
    with pytest.raises(UsageError, match="fig6") as caught:
        element("Fig. 6 left")
    assert "fig6-left" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        element("Fig. 6")
    assert caught.value.hint.startswith("Did you mean fig6-left or fig6-middle or fig6-right?")
