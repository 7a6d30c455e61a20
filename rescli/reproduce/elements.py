"""The paper's tables, figures and statements about its CIFAR nets (Secs. 1, 4.1 and 4.2), and all others by name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from rescli.errors import UsageError
from rescli.reproduce.element import Element, Net, plain, residual
from rescli.reproduce.elsewhere import DETECTION, IMAGENET, NETWORKS

PLAIN_TRAINING = "deeper plain nets have higher training error"
PLAIN_TEST = "deeper plain nets have higher test error"
PLAIN_110 = "the plain net with 110 layers stays above 60 % error"
RESIDUAL_TEST = "deeper residual nets have lower test error"
COUNTERPART = "a residual net has lower test error than its plain counterpart"
CLOSE = "test errors with up to 110 layers are Table 6's within 0.5 points"
OVERFITS = "the 1202-layer net has higher test error than the one with 110 layers"
FITS = "the 1202-layer net fits the training set (training error < 0.1 %)"
WARM_UP = "a learning rate of 0.01 brings the training error of very deep nets below 80 % after about 400 iterations"
NO_WARM_UP = "without the warm-up ResNet-110 reaches similar test error (within 0.5 points)"
RESPONSES_PLAIN = "residual nets have smaller responses than their plain counterparts"
RESPONSES_DEPTH = "the deeper a residual net, the smaller the responses of its layers"
GRADIENTS = "the gradients of plain nets with BN do not vanish"

CIFAR: tuple[Element, ...] = (
    Element(
        name="fig1",
        title="plain nets with 20 and 56 layers",
        where="Fig. 1",
        nets=plain(20, 56),
        shows=("curves",),
        claims=(PLAIN_TRAINING, PLAIN_TEST),
    ),
    Element(
        name="fig6-left",
        title="plain nets",
        where="Fig. 6 left",
        nets=plain(20, 32, 44, 56),
        shows=("curves",),
        claims=(PLAIN_TRAINING, PLAIN_TEST),
    ),
    Element(
        name="fig6-middle",
        title="residual nets",
        where="Fig. 6 middle",
        nets=residual(20, 32, 44, 56, 110),
        shows=("curves",),
        claims=(RESIDUAL_TEST,),
    ),
    Element(
        name="fig6-right",
        title="residual nets with 110 and 1202 layers",
        where="Fig. 6 right",
        nets=residual(110, 1202),
        shows=("curves",),
        claims=(FITS, OVERFITS),
    ),
    Element(
        name="table6",
        title="classification error on the CIFAR-10 test set",
        where="Table 6",
        nets=(*residual(20, 32, 44, 56), Net(depth=110, runs=5), Net(depth=1202)),
        shows=("table6",),
        claims=(CLOSE, RESIDUAL_TEST, OVERFITS),
    ),
    Element(
        name="fig7",
        title="standard deviations of layer responses",
        where="Fig. 7",
        nets=(*plain(20, 56), *residual(20, 56, 110)),
        shows=("responses",),
        claims=(RESPONSES_PLAIN, RESPONSES_DEPTH),
    ),
    Element(
        name="gradients",
        title="gradients and forward variance of plain nets, residual nets beside them",
        where="Sec. 4.1",
        nets=(*plain(20, 56), *residual(20, 56)),
        shows=("gradients",),
        claims=(GRADIENTS,),
    ),
    Element(
        name="degradation",
        title="error against depth, with and without shortcuts",
        where="Secs. 1 and 4.2",
        nets=(*plain(20, 32, 44, 56), *residual(20, 32, 44, 56, 110)),
        shows=("errors",),
        claims=(PLAIN_TRAINING, PLAIN_TEST, RESIDUAL_TEST, COUNTERPART),
    ),
    Element(
        name="plain-110",
        title="the plain net with 110 layers",
        where="Fig. 6 left, caption",
        nets=plain(110),
        shows=("curves",),
        claims=(PLAIN_110,),
    ),
    Element(
        name="warmup",
        title="ResNet-110 with and without warm-up",
        where="Sec. 4.2, footnote 5",
        nets=(Net(depth=110), Net(depth=110, warmup=False)),
        shows=("curves",),
        claims=(WARM_UP, NO_WARM_UP),
    ),
)

ELEMENTS: Mapping[str, Element] = {one.name: one for one in (*CIFAR, *NETWORKS, *IMAGENET, *DETECTION)}
"""By name: what a study can run first."""


def element(name: str) -> Element:
    """The element called `name`. Raises `UsageError` with suggestions for an unknown name."""
    if name in ELEMENTS:
        return ELEMENTS[name]
    plainly = name.lower().replace(".", "").replace(" ", "")
    parts = [one for one in ELEMENTS if plainly and one.startswith(f"{plainly}-")]
    near = parts or get_close_matches(plainly, ELEMENTS, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(f"nothing in the paper is called {name!r} here", f"{meant}`rescli reproduce list` shows them all.")
