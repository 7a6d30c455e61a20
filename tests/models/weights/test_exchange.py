"""Weights of others, in and out: the same logits."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import torchvision

from rescli.engine.networks import fresh, inputs_of, open_network, save_network
from rescli.errors import DataError, RescliError, UsageError
from rescli.models.build import bare, build
from rescli.models.names import network
from rescli.models.operators import operators
from rescli.models.weights.onnx import onnx_bytes
from rescli.models.weights.read import module_of, read_weights, shapes
from rescli.models.weights.write import pth_bytes, safetensors_bytes
from tests.models.weights.others import CaffeNet, OtherCifarNet, as_timm_vgg, randomized


def save(path: Path, data: object) -> Path:
    torch.save(data, path)
    return path


@torch.no_grad()
def logits(net: torch.nn.Module, size: int) -> torch.Tensor:
    out: torch.Tensor = net(torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1)))
    return out


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvisions_models_both_ways(tmp_path: Path, name: str) -> None:
    theirs = randomized(getattr(torchvision.models, name)())
    bundle = read_weights(save(tmp_path / "theirs.pth", theirs.state_dict()), name=name)

    assert torch.allclose(logits(module_of(bundle), 64), logits(theirs, 64), atol=1e-5)
    assert bundle.preprocessing is not None
    assert bundle.preprocessing.source == "imagenet"
    (tmp_path / "ours.pth").write_bytes(pth_bytes(bundle))
    back = getattr(torchvision.models, name)(weights=None)
    back.load_state_dict(torch.load(tmp_path / "ours.pth", weights_only=True))
    assert torch.equal(logits(back.eval(), 64), logits(theirs, 64))


def test_timms_vgg_nets(tmp_path: Path) -> None:
    theirs = torchvision.models.vgg16(num_classes=1000, init_weights=False).eval()
    state = as_timm_vgg(theirs.state_dict())
    assert state["pre_logits.fc1.weight"].shape == (4096, 512, 7, 7)

    bundle = read_weights(save(tmp_path / "vgg16.pth", state))

    assert bundle.spec == network("vgg16")
    assert bundle.preprocessing is not None
    assert bundle.preprocessing.source == "imagenet"
    assert torch.equal(logits(module_of(bundle), 64), logits(theirs, 64))


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vgg16", "vgg19"])
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)()
    spec = network(name, shortcut="B") if name in ("resnet18", "resnet34") else network(name)

    expected = {key: tuple(value.shape) for key, value in theirs.state_dict().items() if "num_batches" not in key}
    assert shapes(spec) == expected


@pytest.mark.parametrize("name", ["resnet20", "plain20", "resnet18", "plain50", "resnet50-c", "vgg16"])
def test_shapes_are_those_of_the_module(name: str) -> None:
    spec = network(name)
    with torch.device("meta"):
        net = bare(spec)

    assert shapes(spec) == {key: tuple(value.shape) for key, value in net.state_dict().items()}


@pytest.mark.parametrize("project", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_common_cifar_reimplementation(tmp_path: Path, project: bool, wrapped: bool) -> None:
    theirs = randomized(OtherCifarNet(3, project=project))
    state = {k: v for k, v in theirs.state_dict().items() if not wrapped or "num_batches_tracked" not in k}
    data = {"state_dict": {f"module.{k}": v for k, v in state.items()}, "best_prec1": 91.7} if wrapped else state
    path = save(tmp_path / "resnet20.th", data)

    bundle = read_weights(path, name="cifar-resnet20")

    assert torch.allclose(logits(module_of(bundle), 32), logits(theirs, 32), atol=1e-5)
    assert inputs_of(path, bundle).std == pytest.approx([0.229, 0.224, 0.225])
    if not project:
        with pytest.raises(RescliError, match="padding = both, not append"):
            read_weights(path, forks={"padding": "append"})


@pytest.mark.parametrize("form", ["{layer}/{index}", "data/{layer}/{index}", "{layer}_{index}"])
def test_the_original_nets_from_a_dump(tmp_path: Path, form: str) -> None:
    net = CaffeNet()
    if form.startswith("data/"):
        path = tmp_path / "net.h5"
        with h5py.File(path, "w") as file:
            for key, blob in net.dump(form).items():
                file.create_dataset(key, data=blob)
    else:
        path = tmp_path / "net.npz"
        np.savez(path, **net.dump(form))  # type: ignore[arg-type]

    bundle = read_weights(path, name="resnet50")

    assert bundle.spec == network("resnet50", pool="ceil", stem_bias=True)
    inputs = inputs_of(path, bundle)
    pixels = torch.rand(2, 3, 65, 65, generator=torch.Generator().manual_seed(2)) * 255
    x = (pixels / inputs.divisor - torch.from_numpy(inputs.mean)[:, None, None]) / torch.from_numpy(inputs.std)[
        :, None, None
    ]
    with torch.no_grad():
        ours, theirs = module_of(bundle)(x), net.forward(x.flip(1))
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


@pytest.mark.parametrize(
    "name", ["resnet8", "plain8", "resnet8-b", "resnet8-c", "resnet18", "resnet50-v1.5", "resnet50-c"]
)
@pytest.mark.parametrize("format_", ["pth", "safetensors", "h5"])
def test_our_own_files_carry_every_fork(tmp_path: Path, name: str, format_: str) -> None:
    bundle = fresh(network(name), 3)
    path = tmp_path / f"net.{format_}"
    if format_ == "h5":
        save_network(path, bundle)
    else:
        path.write_bytes(pth_bytes(bundle) if format_ == "pth" else safetensors_bytes(bundle))

    again = open_network(path)

    assert again.spec == bundle.spec
    assert all(np.array_equal(again.tensors[key], value) for key, value in bundle.tensors.items())
    with pytest.raises(DataError, match="normalize"):
        inputs_of(path, again)
    assert inputs_of(path, open_network(path, normalize="cifar10")).source == "cifar10"


@pytest.mark.parametrize("format_", ["pth", "safetensors", "h5"])
@pytest.mark.parametrize(("name", "other"), [("resnet50", "3x3"), ("resnet50-v1.5", "1x1")])
def test_the_two_stride_placements_are_never_mixed_up(tmp_path: Path, format_: str, name: str, other: str) -> None:
    bundle = fresh(network(name), 0)
    path = tmp_path / f"net.{format_}"
    if format_ == "h5":
        save_network(path, bundle)
    else:
        path.write_bytes(pth_bytes(bundle) if format_ == "pth" else safetensors_bytes(bundle))

    with pytest.raises(RescliError, match="stride_in") as error:
        open_network(path, name="resnet50", forks={"stride_in": other})
    assert error.value.exit_code == 1
    assert open_network(path, name="resnet50").spec == network(name)


def test_torchvisions_stride_is_not_taken_for_the_originals(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", torchvision.models.resnet50().state_dict())

    with pytest.raises(RescliError, match="stride_in = 3x3, not 1x1"):
        read_weights(path, forks={"stride_in": "1x1"})
    taken = read_weights(path, layout="rescli", forks={"stride_in": "1x1", "pool": "padded"})
    assert taken.spec == network("resnet50")
    with pytest.raises(RescliError, match="nothing says which"):
        read_weights(path, layout="rescli", forks={"pool": "padded"})


def test_what_nobody_states_is_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", dict(build(network("resnet8")).state_dict()))

    with pytest.raises(RescliError, match="a plain net"):
        read_weights(path)
    with pytest.raises(RescliError, match="padding"):
        read_weights(path, name="resnet8")
    assert read_weights(path, name="resnet8", forks={"padding": "both"}).spec == network("resnet8", padding="both")
    assert read_weights(path, name="plain8").spec == network("plain8")
    assert read_weights(path, name="plain8").preprocessing is None


def test_padding_on_both_sides_is_another_function() -> None:
    append, both = (build(network("resnet8", padding=padding), seed=1).eval() for padding in ("append", "both"))

    assert all(torch.equal(a, b) for a, b in zip(append.parameters(), both.parameters(), strict=True))
    assert not torch.allclose(logits(append, 32), logits(both, 32))


def test_onnx_gives_the_same_logits() -> None:
    import onnx
    import onnxruntime

    bundle = fresh(network("resnet8"), 0)
    data = onnx_bytes(bundle)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    x = torch.randn(5, 3, 32, 32)
    with torch.no_grad():
        assert np.allclose(session.run(None, {"images": x.numpy()})[0], module_of(bundle)(x).numpy(), atol=1e-4)
    assert {entry.key for entry in onnx.load_from_string(data).metadata_props} >= {"rescli"}


@pytest.mark.parametrize("pool", ["padded", "ceil"])
@pytest.mark.parametrize("size", [33, 64, 97, 113])
def test_sizes_at_any_input(size: int, pool: str) -> None:
    spec = network("resnet18", input_size=size, pool=pool)  # type: ignore[arg-type]
    with torch.device("meta"):
        net = bare(spec)
        last = net.features(torch.empty(2, 3, size, size))

    listed = [operator for operator in operators(spec) if operator.kind == "conv"]
    assert last.shape[2] == listed[-1].size


@pytest.mark.parametrize(
    ("name", "other"),
    [("resnet50-v1", "resnet50-v1.5"), ("resnet18-c", "resnet18-b"), ("cifar100-resnet20", "resnet20")],
)
@pytest.mark.parametrize("format_", ["h5", "pth"])
def test_what_a_name_says_beside_the_network_counts(tmp_path: Path, name: str, other: str, format_: str) -> None:
    bundle = fresh(network(other, input_size=32), 0)
    path = tmp_path / f"net.{format_}"
    if format_ == "h5":
        save_network(path, bundle)
    else:
        path.write_bytes(pth_bytes(bundle))
    with pytest.raises(RescliError, match=r"are for|say"):
        open_network(path, name=name)
    assert open_network(path, name=other).spec == bundle.spec


def test_a_name_and_an_option_that_differ(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", torchvision.models.resnet50(weights=None).state_dict())
    with pytest.raises(RescliError, match="stride_in = 3x3, not 1x1"):
        open_network(path, name="resnet50-v1")
    with pytest.raises(UsageError, match=r"resnet50-v1\.5 says stride_in = 3x3, the option 1x1"):
        open_network(path, name="resnet50-v1.5", forks={"stride_in": "1x1"})
    named = open_network(path, name="resnet50-v1.5", forks={"pool": "padded"}, layout="rescli")
    assert named.spec == open_network(path).spec


def test_a_plain_net_of_the_common_cifar_code(tmp_path: Path) -> None:
    """What that code does to option A's new channels is nothing to a net without shortcuts."""
    bundle = fresh(network("plain20"), 0)
    tensors = {name.replace("fc.", "linear."): torch.from_numpy(value.copy()) for name, value in bundle.tensors.items()}
    assert open_network(save(tmp_path / "plain.pth", tensors), name="plain20").spec == bundle.spec


def test_wrappers_in_any_order(tmp_path: Path) -> None:
    bundle = fresh(network("resnet8-b"), 0)
    for number, prefix in enumerate(("_orig_mod.module.", "module._orig_mod.")):
        tensors = {prefix + name: torch.from_numpy(value.copy()) for name, value in bundle.tensors.items()}
        assert open_network(save(tmp_path / f"{number}.pth", tensors), name="resnet8").spec.name == bundle.spec.name
