"""What of the paper a study does not run: the networks themselves, ImageNet, detection. Each with its commands."""

from __future__ import annotations

from typing import Any

from rescli.profiling.cost import cost
from rescli.profiling.paper import CLASSES
from rescli.recipes.imagenet import PAPER_ITERATIONS, ImageNetRecipe
from rescli.reproduce.element import Element

NO_RUNS = "nothing is trained for it: the command answers at once"
IMAGES = "needs ILSVRC 2012 and GPUs for days: 1.28 million images; the commands are there, a study does not run them"
NO_DETECTION = "detection is not part of rescli yet: the networks are, their Faster R-CNN is not"


LONGER = "3x"


def macs_of(net: str) -> int:
    """Of training a net, by the name it has here: forwards once, backwards twice that, for every image."""
    model, option, iterations = _parts(net)
    recipe = ImageNetRecipe(model=model, shortcut=option, iterations=iterations)
    return 3 * cost(recipe.spec(classes=CLASSES)).macs * recipe.batch_size * iterations


def _parts(net: str) -> tuple[str, Any, int]:
    """Model, shortcut option and iterations."""
    model, _, rest = net.partition("-")
    return model, rest if rest in ("A", "B", "C") else None, (3 if rest == LONGER else 1) * PAPER_ITERATIONS


def _train(*nets: str) -> tuple[str, ...]:
    """A run for each net ("resnet34-B" with its option, "plain34-3x" three times as long)."""
    lines = []
    for net in nets:
        model, option, iterations = _parts(net)
        choice = f" --shortcut {option}" if option else ""
        choice += f" --iterations {iterations}" if iterations != PAPER_ITERATIONS else ""
        choice += " --lr 0.01" if model.startswith("vgg") else ""  # no BN: 0.1 is too much
        lines.append(f"rescli train imagenet --model {model}{choice} --out imagenet/{net}.h5 --resume")
    return tuple(lines)


def _test(how: str, *nets: str) -> tuple[str, ...]:
    return tuple(f"rescli eval imagenet/{net}.h5 {how} --save" for net in nets)


TEN, SEVERAL = "--crops 10", "--scales 224,256,384,480,640"
SHALLOW = ("plain18", "plain34", "resnet18-A", "resnet34-A")
SINGLE = ("plain34", "resnet34-A", "resnet34-B", "resnet34-C", "resnet50", "resnet101", "resnet152")
DENSE = ("resnet34-B", "resnet34-C", "resnet50", "resnet101", "resnet152")

NETWORKS: tuple[Element, ...] = (
    Element(
        name="table1",
        title="architectures for ImageNet and their cost",
        where="Table 1",
        commands=("rescli profile table1",),
        why=NO_RUNS,
    ),
    Element(
        name="fig3",
        title="VGG-19, plain-34 and ResNet-34 side by side",
        where="Figs. 2, 3 and 5",
        commands=(
            "rescli build vgg19 --graph vgg19.svg",
            "rescli build plain34 --graph plain34.svg",
            "rescli build resnet34 --graph resnet34.svg",
            "rescli build resnet50 --graph resnet50.svg",
        ),
        why=NO_RUNS,
    ),
)

JUDGED = "rescli analyze report imagenet/ --out imagenet.html"
"""A page with a verdict for each claim."""

IMAGENET: tuple[Element, ...] = (
    Element(
        name="table2",
        title="plain and residual nets with 18 and 34 layers, 10 crops",
        where="Table 2",
        claims=(
            "the 34-layer plain net has higher validation error than the 18-layer one",
            "ResNet-34 has lower validation error than ResNet-18",
            "ResNet-34 has lower validation error than plain-34",
        ),
        trains=SHALLOW,
        commands=(*_train(*SHALLOW), *_test(TEN, *SHALLOW), "rescli analyze table2 imagenet/", JUDGED),
        why=IMAGES,
    ),
    Element(
        name="fig4",
        title="training on ImageNet: plain and residual nets with 18 and 34 layers",
        where="Fig. 4",
        claims=("the 34-layer plain net has higher training error than the 18-layer one",),
        trains=SHALLOW,
        commands=(
            *_train(*SHALLOW),
            "rescli analyze curves imagenet/plain18.h5 imagenet/plain34.h5 --plot fig4-left.pdf",
            "rescli analyze curves imagenet/resnet18-A.h5 imagenet/resnet34-A.h5 --plot fig4-right.pdf",
            JUDGED,
        ),
        why=IMAGES,
    ),
    Element(
        name="longer",
        title="plain-34 still degrades with three times the iterations",
        where="Sec. 4.1, footnote 3",
        trains=("plain18", f"plain34-{LONGER}"),
        commands=(
            *_train("plain18", f"plain34-{LONGER}"),
            *_test(TEN, "plain18", f"plain34-{LONGER}"),
            "rescli analyze table2 imagenet/",
            JUDGED,
        ),
        why=IMAGES,
    ),
    Element(
        name="table3",
        title="single networks, 10 crops",
        where="Table 3",
        claims=(
            "option B is slightly better than option A",
            "option C is marginally better than option B",
            "from 34 to 50, 101 and 152 layers residual nets become more accurate",
        ),
        trains=SINGLE,
        commands=(*_train(*SINGLE), *_test(TEN, *SINGLE), "rescli analyze table3 imagenet/", JUDGED),
        why=IMAGES,
    ),
    Element(
        name="table4",
        title="single networks, several scales",
        where="Table 4",
        claims=("from 34 to 50, 101 and 152 layers residual nets become more accurate",),
        trains=DENSE,
        commands=(*_train(*DENSE), *_test(SEVERAL, *DENSE), "rescli analyze table4 imagenet/", JUDGED),
        why=IMAGES,
    ),
    Element(
        name="table5",
        title="ensembles",
        where="Table 5",
        claims=("an ensemble is more accurate than the best single model",),
        trains=DENSE,
        commands=(
            *_train(*DENSE),
            *_test(SEVERAL, *DENSE),
            f"rescli eval ensemble {' '.join(f'imagenet/{net}.h5' for net in DENSE)} {SEVERAL} "
            "--predictions imagenet/ensemble-scores.h5",
            "rescli analyze table5 imagenet/",
            JUDGED,
        ),
        why=IMAGES,
    ),
)


def _detection(number: int, title: str, *nets: str) -> Element:
    """Tables from 9 on are in the appendix of the version on arXiv."""
    return Element(
        name=f"table{number}",
        title=title,
        where=f"Table {number}" + (" (arXiv)" if number > 8 else ""),
        trains=nets,
        commands=_train(*nets),
        why=NO_DETECTION,
    )


DETECTION: tuple[Element, ...] = (
    _detection(7, "detection on PASCAL VOC 2007 and 2012, VGG-16 and ResNet-101", "vgg16", "resnet101"),
    _detection(8, "detection on COCO, VGG-16 and ResNet-101", "vgg16", "resnet101"),
    _detection(9, "detection on COCO with improvements, ResNet-101", "resnet101"),
    _detection(10, "detection on PASCAL VOC 2007 with improvements, ResNet-101", "resnet101"),
    _detection(11, "detection on PASCAL VOC 2012 with improvements, ResNet-101", "resnet101"),
    _detection(12, "detection on ImageNet, 200 classes, ResNet-101", "resnet101"),
    _detection(13, "localization on ImageNet, validation, VGG-16 and ResNet-101", "vgg16", "resnet101"),
    _detection(14, "localization on ImageNet beside other methods, ResNet-101", "resnet101"),
)
