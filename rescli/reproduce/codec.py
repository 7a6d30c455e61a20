"""Runs, responses and gradients as JSON and back: what figures, tables and verdicts need, without weights, hosts and paths."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.analysis.gradients import Gradients
from rescli.analysis.gradients import Layer as GradientLayer
from rescli.analysis.points import Point, points, weighted
from rescli.analysis.responses import Layer as ResponseLayer
from rescli.analysis.responses import Responses
from rescli.analysis.run import Run
from rescli.data.names import info
from rescli.errors import StoreError, UsageError
from rescli.recipes.cifar import CifarRecipe

SCHEMA = 1
VERSIONS = ("rescli", "python", "torch", "torchvision", "numpy", "h5py")
SESSION = (
    *("started", "first_iteration", "last_iteration", "status", "backend", "device", "threads", "deterministic"),
    *("processes", "compile", *VERSIONS),
)
"""What is kept of a session: where it ran, in general. Not the host, the command line with its paths, the process."""
MOST_ITERATIONS = 2**62
"""More than this, and arithmetic with the iterations of a curve overflows."""
CURVE = ("iteration", "error")
RESPONSES = (*("label", "network", "dataset", "split", "images", "iteration", "precision", "statistics", "weights"),)
NUMBERS = ("images", "iteration", "batches", "batch_size")
GRADIENTS = (*("label", "network", "dataset", "split", "batches", "batch_size", "iteration", "precision"),)


def run_to_dict(run: Run) -> dict[str, Any]:
    """A run without weights; its name is that of its file. Curves keep iterations and errors (%), every row."""
    return {
        "schema": SCHEMA,
        "name": run.path.stem,
        "status": run.status,
        "recipe": run.recipe.to_dict(),
        "iteration": run.iteration,
        "seconds": run.seconds,
        "warmup_ended": run.warmup_ended,
        "environment": {name: run.environment[name] for name in (*VERSIONS, "source") if name in run.environment},
        "sessions": [{name: one[name] for name in SESSION if name in one} for one in run.sessions],
        "metrics": {
            split: {name: columns[name].tolist() for name in CURVE if name in columns}
            for split, columns in run.metrics.items()
        },
    }


def run_from_dict(values: Mapping[str, Any]) -> Run:
    """The run of `run_to_dict`'s values."""
    recipe = CifarRecipe.from_dict(values["recipe"])
    if recipe.iterations > MOST_ITERATIONS:
        raise ValueError(f"a recipe of {recipe.iterations} iterations")
    classes = info(recipe.dataset).classes
    return Run(
        path=Path(f"{values['name']}.h5"),
        status=str(values["status"]),
        recipe=recipe,
        spec=recipe.spec(classes=classes),
        iteration=int(values["iteration"]),
        seconds=_finite(values["seconds"]),
        warmup_ended=None if values["warmup_ended"] is None else int(values["warmup_ended"]),
        metrics={split: _curve(columns) for split, columns in values["metrics"].items()},
        environment=dict(values["environment"]),
        sessions=tuple(_session(one) for one in values["sessions"]),
    )


def _session(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name in ("threads", "first_iteration", "last_iteration"):
        if not isinstance(found.get(name), (int, type(None))):
            raise ValueError(f"{name} of a session is {found[name]!r}")
    return found


def responses_to_dict(found: Responses) -> dict[str, Any]:
    """Without what is known of single channels."""
    return {
        **{name: getattr(found, name) for name in RESPONSES},
        "layers": [layer.point.layer for layer in found.layers],
        "mean": [layer.mean for layer in found.layers],
        "std": [layer.std for layer in found.layers],
    }


def responses_from_dict(values: Mapping[str, Any], run: Run) -> Responses:
    """The responses of `run`."""
    none = np.zeros(0)
    rows = zip(_places(values, points(run.spec)), values["mean"], values["std"], strict=True)
    layers = tuple(
        ResponseLayer(point=place, mean=float(mean), std=float(std), channel_mean=none, channel_std=none)
        for place, mean, std in rows
    )
    return Responses(what=str(run.path), layers=layers, saved=True, **_facts(values, RESPONSES))


def gradients_to_dict(found: Gradients) -> dict[str, Any]:
    """Norms of every batch, layer by layer."""
    return {
        **{name: getattr(found, name) for name in GRADIENTS},
        "layers": [layer.point.layer for layer in found.layers],
        "weight": [layer.weight.tolist() for layer in found.layers],
        "output": [layer.output.tolist() for layer in found.layers],
        "variance": [layer.variance for layer in found.layers],
    }


def gradients_from_dict(values: Mapping[str, Any], run: Run) -> Gradients:
    """The gradients of `run`."""
    columns = values["weight"], values["output"], values["variance"]
    layers = tuple(
        GradientLayer(point=place, weight=_norms(weight), output=_norms(output), variance=float(variance))
        for place, weight, output, variance in zip(_places(values, weighted(run.spec)), *columns, strict=True)
    )
    return Gradients(what=str(run.path), layers=layers, **_facts(values, GRADIENTS))


def dumps(document: Mapping[str, Any]) -> bytes:
    """As JSON with a line for each key: small, and a change shows where it is."""
    lines = (f" {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in document.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def no_number(word: str) -> float:
    """For `json.loads(parse_constant=...)`: NaN and Infinity are no results. Raises `ValueError`."""
    raise ValueError(f"{word} is no number")


@contextmanager
def reading(path: Path, what: str, hint: str = "") -> Iterator[None]:
    """Raises `StoreError` naming the file where what is read from it in here is not `what`."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise StoreError(f"{path}: not {what}: it has no {error}", hint) from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, UsageError) as error:
        raise StoreError(f"{path}: not {what}: {error}", hint) from error


def _places(values: Mapping[str, Any], places: tuple[Point, ...]) -> tuple[Point, ...]:
    if values["layers"] != [place.layer for place in places]:
        raise ValueError("its layers are not those of the run's net")
    return places


def _facts(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Of what was measured: numbers where there have to be numbers, words elsewhere."""
    return {name: int(values[name]) if name in NUMBERS else str(values[name]) for name in names}


def _curve(columns: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    iterations, errors = np.array(columns["iteration"], np.int64), _norms(columns["error"])
    if iterations.shape != errors.shape:
        raise ValueError("a curve needs an error for every iteration")
    return {"iteration": iterations, "error": errors}


def _norms(values: Any) -> npt.NDArray[np.float64]:
    found = np.array(values, np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError("a row of finite numbers is needed")
    return found


def _finite(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"{value} is not finite")
    return found
