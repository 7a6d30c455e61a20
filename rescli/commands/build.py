"""`rescli build`: what a network is, its drawing, and its weights in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rescli import console
from rescli.commands.networks import (
    Classes,
    Input,
    Layout,
    Normalize,
    Padding,
    Pool,
    Shortcut,
    StrideIn,
    complete_network,
    spec_of,
)
from rescli.commands.options import Debug, Json, option, plain
from rescli.errors import UsageError
from rescli.models.names import describe, names, title
from rescli.models.spec import Spec
from rescli.profiling.cost import cost
from rescli.profiling.figure_file import FORMATS
from rescli.profiling.summary import stages

DRAWINGS = tuple(f".{known}" for known in FORMATS)
EXPORTS = (".safetensors", ".pth", ".pt", ".onnx")


def build(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NET",
            help="resnet152, plain34, vgg16, cifar-resnet56, ...; with --weights, what they say.",
            show_default=False,
            autocompletion=complete_network,
        ),
    ] = None,
    listed: Annotated[bool, option("--list", help="List the networks of the paper.")] = False,
    # The forks
    shortcut: Shortcut = None,
    stride_in: StrideIn = None,
    padding: Padding = None,
    pool: Pool = None,
    classes: Classes = None,
    input_size: Input = None,
    # Weights
    weights: Annotated[
        Path | None,
        option(
            metavar="FILE", help="A run, or weights: .pth, .safetensors, .npz, .h5.", default="initialized from --seed"
        ),
    ] = None,
    seed: Annotated[int | None, option(min=0, help="Of the initialization.", default="0")] = None,
    normalize: Normalize = None,
    layout: Layout = None,
    # What to write
    out: Annotated[
        Path | None, option(metavar="NET.h5", help="Write the network with its weights.", default="none")
    ] = None,
    export: Annotated[
        list[Path] | None,
        option(metavar="FILE", help="Write the weights as .safetensors, .pth or .onnx; repeatable.", default="none"),
    ] = None,
    graph: Annotated[
        Path | None, option(metavar="FILE", help="Draw it as Fig. 3 does: .svg, .png or .pdf.", default="none")
    ] = None,
    overwrite: Annotated[bool, option("--overwrite", help="Replace files that are there.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """What a network is: stages, shapes, counts. Also its drawing, and its weights from and for elsewhere."""
    forks: dict[str, Any] = {"shortcut": shortcut, "stride_in": stride_in, "padding": padding, "pool": pool}
    forks |= {"classes": classes, "input_size": input_size}
    if listed:
        others = (name, weights, out, export, graph, overwrite, normalize, layout)
        if any(others) or seed is not None or any(value is not None for value in forks.values()):
            raise UsageError("--list shows all networks; it goes with nothing else", "Leave the rest out.")
        _list(json)
        return
    _check(name, weights, seed, normalize, layout, out, export or [])
    writing = _writing(out, export or [], graph, overwrite)
    bundle: Any = None
    if weights is not None:
        from rescli.engine.networks import open_network

        stated = {key: plain(value) for key, value in forks.items()}
        bundle = open_network(
            weights, name=name, forks=stated, normalize=plain(normalize), layout=plain(layout) or "auto"
        )
    elif out or export:
        from rescli.engine.networks import fresh

        bundle = fresh(spec_of(str(name), **forks), seed or 0)
    spec: Spec = bundle.spec if bundle else spec_of(str(name), **forks)
    for path in [*([out] if out else []), *(export or [])]:
        from rescli.engine.export import export as write

        write(path, bundle)
    if graph is not None:
        from rescli.engine.export import save_drawing

        save_drawing(graph, spec)
    document = _document(spec, bundle, writing)
    if json:
        console.emit(document)
        return
    _show(spec, document)


def _check(
    name: str | None,
    weights: Path | None,
    seed: int | None,
    normalize: Any,
    layout: Any,
    out: Path | None,
    export: list[Path],
) -> None:
    """Raises `UsageError` for options that would have no effect."""
    if name is None and weights is None:
        raise UsageError(
            "which network?", "`rescli build NET`, `rescli build --weights FILE`, or `rescli build --list`."
        )
    if weights is None and (normalize or layout):
        raise UsageError("--normalize and --layout are about weights, and there are none", "Name them: --weights FILE.")
    if seed is not None and (weights or not (out or export)):
        why = "the weights come from a file" if weights else "no weights are written"
        raise UsageError(f"--seed has no effect: {why}", "Leave it out, or write weights with --out or --export.")


def _writing(out: Path | None, export: list[Path], graph: Path | None, overwrite: bool) -> list[Path]:
    """The files to write, looked at before any work is done."""
    if overwrite and not (out or export or graph):
        raise UsageError("--overwrite has no effect: nothing is written", "Leave it out.")
    if not (out or export or graph):
        return []
    from rescli.engine.export import check_target

    asked = [(out, (".h5",)), *((path, EXPORTS) for path in export), (graph, DRAWINGS)]
    for path, kinds in asked:
        if path is not None:
            check_target(path, overwrite=overwrite, kinds=kinds)
    files = [path for path, _ in asked if path is not None]
    if len({path.resolve() for path in files}) < len(files):
        raise UsageError("one file is to be written twice", "Give each its own name.")
    return files


def _document(spec: Spec, bundle: Any, written: list[Path]) -> dict[str, Any]:
    counts = cost(spec)
    inputs = bundle.preprocessing if bundle else None
    return {
        **describe(spec),
        "title": title(spec),
        "layers": spec.depth,
        "parameters": counts.parameters,
        "macs": counts.macs,
        "activations": counts.activations,
        "unit": "multiply-adds of convolutions and fc",
        "stages": [
            {"name": row.name, "what": row.what, "size": row.size, "parameters": row.parameters, "macs": row.macs}
            for row in stages(spec)
        ],
        "weights": dict(bundle.origin) if bundle else None,
        "inputs": inputs.source if inputs else None,
        "written": [str(path) for path in written],
    }


def _show(spec: Spec, document: dict[str, Any]) -> None:
    console.say(
        f"{document['title']}: {spec.depth} layers, {spec.classes} classes, {spec.input_size}x{spec.input_size} images"
    )
    console.table(
        ["stage", "layers", "output", "parameters", "multiply-adds"],
        [
            (row["name"], row["what"], f"{row['size']}x{row['size']}", f"{row['parameters']:,}", f"{row['macs']:,}")
            for row in document["stages"]
        ],
        right=(2, 3, 4),
    )
    console.say(f"{document['macs']:,} multiply-adds · {document['parameters']:,} parameters")
    if document["weights"]:
        console.say(
            "weights: " + ", ".join(f"{key} {value}" for key, value in document["weights"].items() if key != "recipe")
        )
        console.say(f"inputs: {document['inputs'] or 'not known (--normalize says it)'}")
    for path in document["written"]:
        console.say(f"written: {path}")


def _list(json: bool) -> None:
    specs = [spec_of(name) for name in names()]
    rows = [(spec, cost(spec)) for spec in specs]
    if json:
        console.emit(
            [{**describe(spec), "layers": spec.depth, "parameters": c.parameters, "macs": c.macs} for spec, c in rows]
        )
        return
    console.table(
        ["network", "images", "parameters", "multiply-adds"],
        [(title(spec), f"{spec.input_size}x{spec.input_size}", f"{c.parameters:,}", f"{c.macs:,}") for spec, c in rows],
        right=(2, 3),
    )
    console.say(
        "CIFAR nets also at every other depth 6n+2; cifar-resnet50 and cifar-resnet152 are those of that depth."
    )
    console.say(
        "Each with options A, B, C (--shortcut); bottlenecks with the stride in the 1x1 or the 3x3 (--stride-in)."
    )
