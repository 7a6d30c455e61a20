"""Studies that nobody trained: stores and measurements with made-up figures, and the plan of a tiny one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rescli.analysis.collect import collect
from rescli.analysis.gradients import Gradients
from rescli.analysis.gradients import Layer as GradientLayer
from rescli.analysis.measured import Measured
from rescli.analysis.points import points, weighted
from rescli.analysis.responses import Layer, Responses
from rescli.analysis.run import Run
from rescli.reproduce.codec import dumps, gradients_to_dict, responses_to_dict
from rescli.reproduce.elements import element
from rescli.reproduce.measuring import known
from rescli.reproduce.plan import Planned, plan
from rescli.reproduce.settings import Settings
from rescli.store.header import read_header
from tests.analysis.runs import a_run

ERRORS = {(20, True): 9.4, (56, True): 12.5, (20, False): 8.75, (56, False): 6.97, (110, False): 6.5}

AS_STUDIED: dict[str, Any] = {"momentum_form": "pytorch", "bn_images": 128}


def a_study(folder: Path, **recipe: int) -> Path:
    """Two seeds of five nets, measured; 110 layers are unfinished."""
    for (depth, plain), error in ERRORS.items():
        for seed in (0, 1):
            name = f"{'plain' if plain else 'resnet'}{depth}-seed{seed}"
            done = 32_000 if depth == 110 and not recipe else None
            values: dict[str, Any] = {"depth": depth, "plain": plain, "seed": seed, **AS_STUDIED, **recipe}
            path = a_run(folder / f"{name}.h5", error=error + seed / 7, train_error=error / 3, done=done, **values)
            if seed == 0 and not recipe and depth < 110:
                measured_by_hand(collect([path]).runs[0])
    return folder


def measured_by_hand(run: Run) -> None:
    """Responses and gradients that nobody measured, beside the store."""
    chance = np.random.default_rng(run.recipe.depth)
    common: dict[str, Any] = {"what": str(run.path), "label": run.label, "network": run.spec.name, "dataset": "cifar10"}
    none = np.zeros(0)
    found = Responses(
        split="test",
        images=10_000,
        iteration=64_000,
        precision="fp32",
        statistics="running",
        weights="0",
        layers=tuple(
            Layer(
                point=point,
                mean=0.1,
                std=chance.uniform(1, 2) * (2 if run.recipe.plain else 1),
                channel_mean=none,
                channel_std=none,
            )
            for point in points(run.spec)
        ),
        **common,
    )
    norms = Gradients(
        split="train",
        batches=2,
        batch_size=8,
        iteration=64_000,
        precision="fp32",
        layers=tuple(
            GradientLayer(point=point, weight=chance.uniform(1, 2, 2), output=chance.uniform(1, 2, 2), variance=1.0)
            for point in weighted(run.spec)
        ),
        **common,
    )
    document = {
        "store": read_header(run.path).digest,
        "responses": responses_to_dict(found),
        "gradients": gradients_to_dict(norms),
    }
    run.path.with_suffix(".measured.json").write_bytes(dumps(document))


def layers_of(runs: tuple[Run, ...]) -> Measured:
    each = [known(run) for run in runs]
    return Measured(
        responses=tuple(one for these in each for one in these.responses),
        gradients=tuple(one for these in each for one in these.gradients),
    )


SMALL = ("--dataset", "synthetic", "--scale", "0.001")

P20, P56 = "synthetic-plain20-64-seed0", "synthetic-plain56-64-seed0"


def planned(folder: Path) -> tuple[Planned, ...]:
    return plan([element("fig1")], Settings(dataset="synthetic", scale=0.001), folder)
