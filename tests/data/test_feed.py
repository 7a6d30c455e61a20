"""Batches: held bit for bit against a naive numpy implementation and against torchvision."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from rescli.data.dataset import Images
from rescli.data.feed import ResidentImages
from rescli.data.mean import mean_image
from rescli.data.order import EpochPlan, Order

N = 64
_random = np.random.Generator(np.random.PCG64(1))
IMAGES = Images(_random.integers(0, 256, (N, 32, 32, 3)).astype(np.uint8), np.arange(N, dtype=np.int64) % 10)
MEAN = mean_image(IMAGES.images)
FEED = ResidentImages(IMAGES, MEAN)


def naive(index: int, dy: int, dx: int, flip: bool) -> npt.NDArray[np.float32]:
    """One image [3, 32, 32], the slow way."""
    x = IMAGES.images[index].astype(np.float32) / np.float32(255) - MEAN
    x = np.pad(x, ((4, 4), (4, 4), (0, 0)))[dy : dy + 32, dx : dx + 32]
    x = (x[:, ::-1] if flip else x).transpose(2, 0, 1)
    return np.ascontiguousarray(x)


def by_torchvision(index: int, dy: int, dx: int, flip: bool) -> torch.Tensor:
    x: torch.Tensor = torch.from_numpy(IMAGES.images[index]).permute(2, 0, 1) / 255 - torch.from_numpy(MEAN).permute(
        2, 0, 1
    )
    x = TF.crop(TF.pad(x, [4]), dy, dx, 32, 32)
    return TF.hflip(x) if flip else x


ROWS = st.lists(
    st.tuples(st.integers(0, N - 1), st.integers(0, 8), st.integers(0, 8), st.booleans()), min_size=1, max_size=12
)


def tensors(rows: list[tuple[int, int, int, bool]]) -> list[torch.Tensor]:
    index, dy, dx, flip = (np.array(column) for column in zip(*rows, strict=True))
    return list(FEED.plan_tensors(EpochPlan(index, dy, dx, flip)))


@given(ROWS)
def test_bit_for_bit(rows: list[tuple[int, int, int, bool]]) -> None:
    x, y = FEED(*tensors(rows))
    np.testing.assert_array_equal(x.numpy(), np.stack([naive(*row) for row in rows]))
    assert torch.equal(x, torch.stack([by_torchvision(*row) for row in rows]))
    assert y.tolist() == [IMAGES.labels[row[0]] for row in rows]


def test_every_offset_both_ways() -> None:
    rows = [(i % N, dy, dx, flip) for i, dy in enumerate(range(9)) for dx in range(9) for flip in (False, True)]
    np.testing.assert_array_equal(FEED(*tensors(rows))[0].numpy(), np.stack([naive(*row) for row in rows]))


def test_the_single_original_view() -> None:
    index = torch.tensor([3, 3, 63, 0])
    x, y = FEED(index)
    np.testing.assert_array_equal(x.numpy(), np.stack([naive(int(i), 4, 4, False) for i in index]))
    centred = torch.full((4,), 4)
    assert torch.equal(FEED(index, centred, centred, torch.zeros(4, dtype=torch.bool))[0], x)
    assert y.dtype == torch.int64


def test_the_padding_is_zero_after_the_mean_is_subtracted() -> None:
    x, _ = FEED(*tensors([(0, 0, 0, False)]))
    assert (x[0, :, :4] == 0).all()
    assert (x[0, :, :, :4] == 0).all()
    assert (x[0, :, 4:, 4:] != 0).any()


@pytest.mark.parametrize("augmented", [False, True])
def test_memory_is_channels_last(augmented: bool) -> None:
    plan = FEED.plan_tensors(Order(N, 0).epoch(0))
    x, _ = FEED(*(plan if augmented else plan[:1]))
    assert x.shape == (N, 3, 32, 32)
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_a_module_without_parameters_or_state() -> None:
    feed = ResidentImages(IMAGES, MEAN)
    assert len(feed) == N
    assert not feed.state_dict()
    assert not list(feed.parameters())
    assert {name for name, _ in feed.named_buffers()} >= {"images", "labels", "mean"}
    assert feed.images.data_ptr() == IMAGES.images.ctypes.data, "the images are not copied"
    assert {buffer.device.type for buffer in feed.to("meta").buffers()} == {"meta"}


def test_images_that_are_read_only_or_a_slice() -> None:
    frozen = IMAGES.images[::-1]
    frozen.flags.writeable = False
    x, _ = ResidentImages(Images(frozen, IMAGES.labels), MEAN)(torch.tensor([0]))
    np.testing.assert_array_equal(x[0].numpy(), naive(N - 1, 4, 4, False))


@pytest.mark.parametrize("given", [{"dy"}, {"dy", "dx"}, {"flip"}])
def test_half_a_plan_is_refused(given: set[str]) -> None:
    some: dict[str, Any] = {name: torch.zeros(1, dtype=torch.int64) for name in given}
    with pytest.raises(AssertionError):
        FEED(torch.tensor([0]), **some)


def test_nothing_waits_for_the_host() -> None:
    """Tensors without values refuse whatever a CUDA graph would: reading a value, or a shape that depends on one."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        plan = FEED.plan_tensors(Order(N, 0).epoch(0))
        x, y = FEED(*(torch.empty_like(part) for part in plan))
    assert x.shape == (N, 3, 32, 32)
    assert y.shape == (N,)


@pytest.mark.gpu
def test_on_cuda_in_a_graph() -> None:
    feed = ResidentImages(IMAGES, MEAN).to("cuda")
    static = [part.cuda() for part in FEED.plan_tensors(Order(N, 0).epoch(0))]
    feed(*static)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x, y = feed(*static)
    for epoch in (1, 2):
        plan = FEED.plan_tensors(Order(N, 0).epoch(epoch))
        for target, part in zip(static, plan, strict=True):
            target.copy_(part)
        graph.replay()
        expected = FEED(*plan)
        assert torch.equal(x.cpu(), expected[0])
        assert torch.equal(y.cpu(), expected[1])
