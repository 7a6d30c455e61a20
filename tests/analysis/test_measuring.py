"""Responses and gradients against independent computations in float64."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from rescli.analysis import measured as page
from rescli.analysis.collect import collect
from rescli.analysis.gradients import gradients, gradients_plot
from rescli.analysis.points import points, weighted
from rescli.analysis.responses import responses, save
from rescli.analysis.subject import Wishes, open_subject
from rescli.backends.probes import ResponseProbe
from rescli.commands.analyze.measuring import measured
from rescli.data.read import load
from rescli.engine.networks import fresh, open_network, save_network
from rescli.errors import DataError, RescliError, StoreError, UsageError
from rescli.models.names import network
from rescli.models.weights.bundle import NORMALIZATIONS, Bundle
from rescli.store.lock import RunLock
from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.analysis.runs import a_run
from tests.models.weights.others import randomized

SOME = Wishes(images=48)


def a_net(path: Path, *, depth: int = 20, plain: bool = False) -> str:
    return str(a_run(path, dataset="synthetic", depth=depth, plain=plain, iterations=100, weights=True))


def test_as_many_points_as_the_paper_draws() -> None:
    assert {depth: len(points(network(f"cifar-resnet{depth}"))) for depth in (20, 32, 44, 56, 110, 1202)} == {
        20: 19,
        32: 31,
        44: 43,
        56: 55,
        110: 109,
        1202: 1201,
    }
    assert [len(points(network(name))) for name in ("plain20", "plain56")] == [19, 55]
    assert len(points(network("cifar-resnet20", shortcut="C"))) == 19  # projections do not count
    assert len(points(network("resnet34"))) == 32  # nor does the 7x7 layer
    assert len(points(network("resnet50"))) == 16  # nor do 1x1 layers
    assert len(points(network("vgg16"))) == 13
    assert len(weighted(network("cifar-resnet20", shortcut="C"))) == 20 + 9


def test_the_response_is_taken_behind_bn_where_there_is_one() -> None:
    first, second, *_ = points(network("plain20"))
    assert (first.layer, first.output) == ("conv1", "bn1")
    assert (second.layer, second.output) == ("layer1.0.conv1", "layer1.0.bn1")
    assert {point.output == point.layer for point in points(network("vgg16"))} == {True}


def independent(path: str, images: int) -> dict[str, Tensor]:
    """Every 3x3 layer's response, written out from the paper in float64: [N, C, H, W] by the name of the convolution."""
    record = read_run(path)
    weights = {name: torch.from_numpy(value).double() for name, value in record.model.items()}
    plain = record.recipe["plain"]
    pixels = load("synthetic").test.images[:images].astype(np.float64) / 255 - record.inputs["mean_image"].astype(float)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    found: dict[str, Tensor] = {}

    def layer(x: Tensor, name: str, stride: int = 1) -> Tensor:
        bn = name.replace("conv", "bn")
        y = F.conv2d(x, weights[f"{name}.weight"], stride=stride, padding=1)
        mean, var = weights[f"{bn}.running_mean"], weights[f"{bn}.running_var"]
        scale = weights[f"{bn}.weight"] / torch.sqrt(var + 1e-5)
        found[name] = y = (y - mean.view(-1, 1, 1)) * scale.view(-1, 1, 1) + weights[f"{bn}.bias"].view(-1, 1, 1)
        return y

    x = layer(x, "conv1").relu()
    for stage in (1, 2, 3):
        for block in range((record.recipe["depth"] - 2) // 6):
            stride = 2 if stage > 1 and block == 0 else 1
            name = f"layer{stage}.{block}"
            y = layer(layer(x, f"{name}.conv1", stride).relu(), f"{name}.conv2")
            if not plain:
                shortcut = x[:, :, ::stride, ::stride]
                y = y + F.pad(shortcut, (0, 0, 0, 0, 0, y.shape[1] - x.shape[1]))
            x = y.relu()
    return found


@pytest.mark.parametrize("plain", [False, True])
def test_responses_equal_an_independent_float64_computation(tmp_path: Path, plain: bool) -> None:
    path = a_net(tmp_path / "run.h5", plain=plain)
    expected = independent(path, 48)

    found = responses(path, SOME)

    assert [layer.point.layer for layer in found.layers] == list(expected)
    assert found.images == 48
    for layer in found.layers:
        values = expected[layer.point.layer].numpy()
        assert layer.std == pytest.approx(values.std(), rel=1e-6)
        assert layer.mean == pytest.approx(values.mean(), rel=1e-5, abs=1e-6)
        np.testing.assert_allclose(layer.channel_std, values.std((0, 2, 3)), rtol=1e-5)


def test_bf16_is_near_and_the_default_is_exact(tmp_path: Path) -> None:
    path = a_net(tmp_path / "run.h5")
    exact = np.array([values.numpy().std() for values in independent(path, 48).values()])

    default, rough = responses(path, SOME), responses(path, replace(SOME, precision="bf16"))

    assert default.precision == "fp32"
    np.testing.assert_allclose(default.std, exact, rtol=1e-6)
    np.testing.assert_allclose(rough.std, exact, rtol=1e-2)


@given(
    offset=st.sampled_from([0.0, 1e3, -1e6]),
    cuts=st.lists(st.integers(1, 19), max_size=4, unique=True),
    seed=st.integers(0, 99),
)
def test_moments_do_not_depend_on_batches_and_stand_large_means(offset: float, cuts: list[int], seed: int) -> None:
    x = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + offset
    net = nn.Sequential(nn.Identity())
    probe = ResponseProbe(net, ["0"])
    for part in torch.tensor_split(x, sorted(cuts)):
        net(part)

    moments = probe.read()["0"]

    values = x.numpy()
    mean, std = moments.pooled()
    assert moments.count == 20 * 16
    assert mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-9)
    assert std == pytest.approx(values.std(), rel=1e-8)
    np.testing.assert_allclose(moments.by_channel(), values.std((0, 2, 3)), rtol=1e-8)


def test_an_initial_net_has_responses_of_one(tmp_path: Path) -> None:
    found = responses("cifar-resnet20", replace(SOME, dataset="synthetic", seed=3))
    assert (found.label, found.statistics, found.iteration) == ("ResNet-20 at initialization", "batch", None)
    np.testing.assert_allclose(found.std, 1.0, atol=1e-3)
    other = responses("cifar-resnet20", replace(SOME, dataset="synthetic", seed=4))
    assert found.weights != other.weights


def test_weights_without_a_run(tmp_path: Path) -> None:
    path = a_net(tmp_path / "run.h5")
    net = tmp_path / "net.h5"
    save_network(net, open_network(Path(path)))
    assert responses(str(net), replace(SOME, dataset="synthetic")).std.tolist() == responses(path, SOME).std.tolist()
    for what in (str(net), path):
        with pytest.raises(UsageError, match="synthetic is built in"):
            responses(what, replace(SOME, data=tmp_path))


def test_a_folder_for_some_runs_of_a_page_does_not_concern_the_others(tmp_path: Path) -> None:
    run = collect([a_net(tmp_path / "run.h5")]).runs[0]
    found = page.measure([replace(run, status="finished")], replace(SOME, data=tmp_path))
    assert (len(found.responses), found.notes) == (1, ())


def test_an_imagenet_net_on_images_in_folders(tmp_path: Path) -> None:
    from PIL import Image

    numbers = np.random.default_rng(0)
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / "val" / name).mkdir(parents=True)
        for index, shape in enumerate(((60, 80), (70, 50))):
            pixels = numbers.integers(0, 255, (*shape, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "val" / name / f"{number}{index}.png")

    found = responses("resnet18", Wishes(data=tmp_path, images=3, forks={"input_size": 64}))

    assert (len(found.layers), found.images) == (16, 3)
    np.testing.assert_allclose(found.std, 1.0, atol=1e-2)
    with pytest.raises(UsageError, match="needs images"):
        responses("resnet18", Wishes())
    with pytest.raises(DataError, match="no images in folders"):
        responses("resnet18", Wishes(data=tmp_path / "val" / "cat"))


def test_photographs_have_the_numbers_of_the_nets_own_classes(tmp_path: Path) -> None:
    from PIL import Image

    for split, names in (("val", ("n02",)), ("train", ("n02", "n03", "n04"))):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(np.full((40, 40, 3), 9, np.uint8)).save(tmp_path / split / name / "a.png")
    spec = network("resnet18", input_size=32, classes=2)
    bundle = replace(fresh(spec, 0), preprocessing=NORMALIZATIONS["none"])
    save_network(tmp_path / "knows.h5", replace(bundle, origin={"classes": ["n01", "n02"]}))
    save_network(tmp_path / "does not.h5", bundle)
    save_network(tmp_path / "never said.h5", fresh(spec, 0))
    with pytest.raises(DataError, match="nothing says how the inputs of these weights were normalized"):
        responses(str(tmp_path / "never said.h5"), Wishes(data=tmp_path))
    with pytest.raises(UsageError, match="is an ImageNet net, and synthetic is not"):
        responses("resnet18", Wishes(dataset="synthetic"))
    knows, does_not = str(tmp_path / "knows.h5"), str(tmp_path / "does not.h5")
    where = Wishes(data=tmp_path, split="val")
    feed = open_subject(knows, where).feed
    assert feed(torch.tensor([0]))[1].tolist() == [1]
    assert responses(does_not, where).images == 1, "no labels are needed for it"
    assert responses(does_not, replace(where, split="test")).split == "val", "of ImageNet nobody has the others"
    for name in ("cat", "dog"):
        (tmp_path / "others" / "val" / name).mkdir(parents=True)
        shutil.copy(tmp_path / "val" / "n02" / "a.png", tmp_path / "others" / "val" / name)
    flat, truth = tmp_path / "flat" / "val", tmp_path / "truth.txt"
    flat.mkdir(parents=True)
    shutil.copy(tmp_path / "val" / "n02" / "a.png", flat)
    trained = {"classes": ["n01", "n02"], "data": str(flat.parent), "truth": str(truth)}
    save_network(tmp_path / "flat.h5", replace(bundle, origin=trained))
    truth.write_text("a.png n02\n")
    assert responses(str(tmp_path / "flat.h5"), Wishes()).images == 1
    truth.write_text("a.png bird\n")
    with pytest.raises(UsageError, match="the class bird is not one of the 2"):
        responses(str(tmp_path / "flat.h5"), Wishes())
    others = Wishes(data=tmp_path / "others", split="val")
    assert responses(knows, others).images == 2
    with pytest.raises(UsageError, match="its classes are not those of"):
        gradients(knows, others, batches=1, batch_size=1)
    with pytest.raises(UsageError, match=r"tells 2 classes apart; .*val has 1"):
        gradients(does_not, where, batches=1, batch_size=1)
    with pytest.raises(UsageError, match=r"tells 2 classes apart; .*train has 3"):
        responses(does_not, Wishes(data=tmp_path, split="train"))


def test_saved_responses_are_used_again_but_not_for_other_weights(tmp_path: Path) -> None:
    path = Path(a_net(tmp_path / "run.h5"))
    found = responses(str(path), SOME)
    save(path, found)
    before = read_run(path)

    again = responses(str(path), SOME)
    assert again.saved
    assert again.std.tolist() == found.std.tolist()
    assert [layer.channel_std.tolist() for layer in again.layers] == [
        layer.channel_std.tolist() for layer in found.layers
    ]
    assert before.analysis["responses"]["@schema"] == 2
    assert before.model.keys() == read_run(path).model.keys()
    assert not responses(str(path), SOME, reuse=False).saved
    assert not responses(str(path), replace(SOME, images=47)).saved

    model = {name: value * np.float32(1.5) for name, value in before.model.items()}
    write_run(path, replace(before, model=model))
    changed = responses(str(path), SOME)
    assert not changed.saved
    assert changed.std.tolist() != found.std.tolist()


def test_saving_keeps_everything_else_and_asks_for_the_lock(tmp_path: Path) -> None:
    path = Path(a_net(tmp_path / "run.h5"))
    before, found = read_run(path), responses(str(path), SOME)
    with RunLock(path), pytest.raises(StoreError, match="in use"):
        save(path, found)
    save(path, found)
    after = read_run(path)
    assert after.recipe == before.recipe
    assert all((after.model[name] == before.model[name]).all() for name in before.model)
    net = tmp_path / "net.h5"
    save_network(net, open_network(path))
    with pytest.raises(StoreError, match="not a run store"):
        save(net, found)


def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    path = Path(a_net(tmp_path / "run.h5"))
    with pytest.raises(UsageError, match="neither a file nor a network"):
        open_subject("resnet57", Wishes())
    with pytest.raises(StoreError, match="nosuch"):
        open_subject(str(tmp_path / "nosuch.h5"), Wishes())
    with pytest.raises(UsageError, match="no effect"):
        open_subject(str(path), Wishes(seed=1))
    with pytest.raises(UsageError, match="trained on synthetic"):
        open_subject(str(path), Wishes(dataset="cifar10"))
    with pytest.raises(UsageError, match="no split 'val'"):
        open_subject(str(path), Wishes(split="val"))
    with pytest.raises(UsageError, match="synthetic has 10"):
        open_subject("cifar100-resnet20", Wishes(dataset="synthetic"))
    record = read_run(path)
    model = {**record.model, "conv1.weight": np.full_like(record.model["conv1.weight"], np.nan)}
    write_run(path, replace(record, model=model))
    with pytest.raises(RescliError, match="conv1 are not finite"):
        responses(str(path), SOME)


def test_gradients_equal_autograds(tmp_path: Path) -> None:
    path = a_net(tmp_path / "run.h5", depth=8)
    subject = open_subject(path, Wishes(split="train"))
    net = randomized(subject.module()).double().train()
    net.load_state_dict(subject.module().state_dict())
    plan = subject.epoch()
    # A ReLU near zero may fall to the other side in fp32: a thousandth is as near as two precisions get.
    expected: dict[str, list[float]] = {}
    outputs: dict[str, list[float]] = {}
    kept: dict[str, Tensor] = {}
    for place in weighted(subject.spec):
        net.get_submodule(place.output).register_forward_hook(
            # A copy, because ReLU overwrites the output of BN.
            lambda _module, _inputs, output, name=place.layer: kept.setdefault(name, output).clone()
        )
    for start in (0, 16):
        kept.clear()
        x, y = subject.feed(*(rows[start : start + 16] for rows in plan))
        loss = F.cross_entropy(net(x.double()), y)
        weights = {place.layer: net.get_submodule(place.layer).weight for place in weighted(subject.spec)}
        both = torch.autograd.grad(loss, [*weights.values(), *(kept[name] for name in weights)])  # type: ignore[arg-type]
        for name, one, other in zip(weights, both, both[len(weights) :], strict=False):
            expected.setdefault(name, []).append(float(one.norm()))
            outputs.setdefault(name, []).append(float(other.norm()))

    found = gradients(path, Wishes(split="train"), batches=2, batch_size=16)

    for layer in found.layers:
        np.testing.assert_allclose(layer.weight, expected[layer.point.layer], rtol=5e-3)
        np.testing.assert_allclose(layer.output, outputs[layer.point.layer], rtol=5e-3)
    assert found.healthy
    assert len(gradients_plot([found]).panels[0].lines[0].x) == 7


def test_a_layer_without_a_gradient_is_found(tmp_path: Path) -> None:
    path = Path(a_net(tmp_path / "run.h5", depth=8, plain=True))
    record = read_run(path)
    scale = np.full_like(record.model["layer3.0.bn2.weight"], 1e-9)
    write_run(path, replace(record, model={**record.model, "layer3.0.bn2.weight": scale}))

    found = gradients(str(path), Wishes(split="train"), batches=1, batch_size=16)

    assert not found.healthy
    assert found.smallest[1] < 1e-3
    with pytest.raises(UsageError, match="there are 10,000"):
        gradients(str(path), Wishes(split="train"), batches=100, batch_size=128)


def test_the_bundle_of_a_run_knows_its_recipe(tmp_path: Path) -> None:
    bundle: Bundle = open_network(Path(a_net(tmp_path / "run.h5")))
    assert bundle.origin["recipe"]["dataset"] == "synthetic"


def test_a_network_may_have_a_dot_in_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs images"):
        responses("resnet50-v1.5", SOME)
    with pytest.raises(UsageError, match="100 classes") as refused:
        responses("cifar100-resnet20", replace(SOME, dataset="synthetic"))
    assert "--dataset" in refused.value.hint


def test_a_net_that_is_too_large_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several in `analyze responses` and on the page of a report; alone it is an error."""

    def look(what: str) -> str:
        if "big" in what:
            raise RuntimeError("CUDA error: out of memory")
        return what

    found, (skipped,) = measured(["resnet20", "big", "resnet56"], look, strict=False)
    assert (found, skipped.path.name, skipped.why) == (["resnet20", "resnet56"], "big", "out of memory")
    for nets, strict in ((["big"], False), (["resnet20", "big"], True)):
        with pytest.raises(RuntimeError, match="out of memory"):
            measured(nets, look, strict=strict)
    with pytest.raises(RescliError, match="none of these"):
        measured(["big", "bigger"], look, strict=False)

    for depth in (20, 56):
        a_run(tmp_path / f"{depth}.h5", depth=depth)
    monkeypatch.setattr(page, "responses", lambda what, _: look(what.replace("56", "big")))
    monkeypatch.setattr(page, "gradients", lambda what, *_, **__: what)
    whole = page.measure(collect([tmp_path]).runs, Wishes())
    assert (len(whole.responses), whole.notes) == (1, ("ResNet-56 was not measured: out of memory",))
