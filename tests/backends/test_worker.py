"""The step that the built-in backends share, on the CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rescli.backends.base import Job, Look
from rescli.backends.cpu import CpuBackend, has_bf16
from rescli.backends.scores import Scorer
from rescli.data.mean import mean_image
from rescli.data.order import Order
from rescli.data.pixels import Normalized, PhotographFeed
from rescli.errors import BackendError, StoreError
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.spec import VggSpec
from tests.backends.jobs import job, steps


def test_sums_do_not_depend_on_when_somebody_looks(images: Any) -> None:
    curious, patient = (CpuBackend().start(job(images)) for _ in range(2))
    for step in range(3):
        steps(curious, images, step, step + 1)
        curious.totals()
        curious.evaluate("test")
        curious.state()
    steps(patient, images)

    assert curious.totals() == patient.totals()
    assert curious.totals().images == 96
    assert all(np.array_equal(value, patient.state().model[name]) for name, value in curious.state().model.items())


def test_a_state_is_a_copy(images: Any) -> None:
    worker = CpuBackend().start(job(images))
    steps(worker, images, 0, 1)
    state = worker.state()
    before = {name: value.copy() for name, value in {**state.model, **state.momentum}.items()}

    steps(worker, images, 1, 3)

    assert all(np.array_equal(value, before[name]) for name, value in {**state.model, **state.momentum}.items())
    assert state.model["layer1.0.conv1.weight"].flags.c_contiguous
    assert worker.network.get_parameter("layer1.0.conv1.weight").is_contiguous(memory_format=torch.channels_last)


def test_states_of_other_networks_are_refused(images: Any) -> None:
    worker = CpuBackend().start(job(images))
    deeper = CpuBackend().start(job(images, network=build(cifar_spec(14)))).state()
    projecting = CpuBackend().start(job(images, network=build(cifar_spec(8, classes=100)))).state()

    with pytest.raises(StoreError, match="not known"):
        worker.load(deeper)
    with pytest.raises(StoreError, match=r"fc.* is \(100"):
        worker.load(projecting)


def test_the_first_bad_iteration_is_kept(images: Any) -> None:
    worker = CpuBackend().start(job(images))
    steps(worker, images, 0, 1)
    assert worker.totals().first_bad is None
    with torch.no_grad():
        worker.network.get_parameter("fc.bias").fill_(float("nan"))

    steps(worker, images, 1, 3)

    assert worker.totals().first_bad == 1


def test_an_evaluation_can_be_stopped(images: Any) -> None:
    worker = CpuBackend().start(job(images))

    assert worker.evaluate("test", lambda: True) is None


def test_an_evaluation_counts_each_image_of_each_class(images: Any) -> None:
    worker = CpuBackend().start(job(images))
    tally = worker.evaluate("test")

    assert tally is not None
    assert tally.images.tolist() == np.bincount(images[1].labels, minlength=10).tolist()
    assert (tally.errors <= tally.images).all()


def test_weights_and_statistics_stay_fp32_in_bf16(images: Any) -> None:
    worker = CpuBackend().start(job(images, precision="bf16"))
    steps(worker, images)
    state = worker.state()

    assert {value.dtype for value in (*state.model.values(), *state.momentum.values())} == {np.dtype(np.float32)}


def test_bf16_computes_something_else(images: Any) -> None:
    exact, rough = (CpuBackend().start(job(images, precision=precision)) for precision in ("fp32", "bf16"))
    steps(exact, images, 0, 1)
    steps(rough, images, 0, 1)

    loss, other = exact.totals().loss, rough.totals().loss
    assert loss != other
    assert loss == pytest.approx(other, rel=2e-2)


def test_precisions_of_a_processor() -> None:
    backend = CpuBackend()

    assert backend.precision("auto") == ("bf16" if has_bf16() else "fp32")
    assert backend.precision("fp32") == "fp32"
    with pytest.raises(BackendError, match="no tf32"):
        backend.precision("tf32")


def test_a_batch_in_parts_is_bn_over_groups(images: Any) -> None:
    """Gradients, statistics and sums of batches of 32 and 31 images in two parts are those of `bn_groups=2`."""
    groups = CpuBackend().start(job(images, network=build(cifar_spec(8), bn_groups=2)))
    parts = CpuBackend().start(job(images, accumulate=2))
    for worker in (groups, parts):
        worker.begin_epoch(worker.feeds["train"].plan_tensors(Order(96, 0).epoch(0)))  # type: ignore[operator]
        worker.train_step(0, 0, 32, 0.02)
        worker.train_step(1, 32, 63, 0.02)

    ours, theirs = parts.state(), groups.state()
    for name, value in theirs.momentum.items():
        # A ReLU that rounding flips is worth up to 2e-3; halves that counted as halves, not as 16 and 15 of 31, 3e-2.
        assert np.linalg.norm(ours.momentum[name] - value) <= 5e-3 * np.linalg.norm(value), name
    for name in (name for name in theirs.model if "running" in name):
        np.testing.assert_allclose(ours.model[name], theirs.model[name], rtol=1e-4, atol=1e-6)
    assert ours.totals.images == theirs.totals.images == 63
    assert ours.totals.loss == pytest.approx(theirs.totals.loss, rel=1e-5)


def test_one_part_alone_is_the_whole_bit_for_bit(images: Any) -> None:
    plain, one = CpuBackend().start(job(images)), CpuBackend().start(job(images, accumulate=1))
    steps(plain, images)
    steps(one, images)
    assert all(np.array_equal(value, one.state().model[name]) for name, value in plain.state().model.items())


VGG = VggSpec(name="vgg", input_size=32, classes=10, stages=((8,), (8,)), hidden=(16, 16))


@pytest.mark.parametrize("compiled", [False, True])
def test_dropout_follows_from_seed_and_iteration(images: Any, compiled: bool) -> None:
    """A worker that goes on from a state draws what the one before would have drawn, whatever was drawn in between."""
    whole, first, other = (
        CpuBackend().start(job(images, network=build(VGG), seed=seed, compile=compiled)) for seed in (5, 5, 6)
    )
    steps(whole, images)
    steps(other, images)
    steps(first, images, 0, 2)
    torch.rand(7)
    rest = CpuBackend().start(job(images, network=build(VGG, seed=1), seed=5, compile=compiled))
    rest.load(first.state())
    steps(rest, images, 2, 3)

    assert all(np.array_equal(value, rest.state().model[name]) for name, value in whole.state().model.items())
    assert not np.array_equal(whole.state().model["classifier.6.weight"], other.state().model["classifier.6.weight"])


def test_images_that_are_brought_are_tested_like_those_that_lie_there(images: Any) -> None:
    train, test = images
    mean = mean_image(train.images)
    network = build(cifar_spec(8))
    resident = CpuBackend().start(job(images, network=network))
    brought = CpuBackend().start(
        Job(network=build(cifar_spec(8)), feeds={"test": PhotographFeed(mean, 20)}, classes=10, precision="fp32")
    )
    pixels, labels = torch.from_numpy(test.images), torch.from_numpy(test.labels)
    plans = [(pixels[at : at + 20], labels[at : at + 20]) for at in range(0, 50, 20)]

    found, expected = brought.evaluate("test", plans=plans), resident.evaluate("test")
    assert found is not None
    assert expected is not None
    assert np.array_equal(found.images, expected.images)
    assert np.array_equal(found.errors, expected.errors)
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    assert brought.evaluate("test", stop=lambda: True, plans=plans) is None


def test_averaged_statistics_are_put_back_if_somebody_says_stop(images: Any) -> None:
    worker = CpuBackend().start(job(images))
    steps(worker, images)
    before = worker.state().model
    answers = iter([False, True])
    plan = tuple(rows[:32] for rows in worker.feeds["train"].plan_tensors(Order(96, 0).epoch(1)))  # type: ignore[operator]

    assert not worker.average_statistics([plan, plan], lambda: next(answers))
    assert all(np.array_equal(value, before[name]) for name, value in worker.state().model.items())
    assert worker.average_statistics([plan])
    after = worker.state().model
    assert not np.array_equal(after["bn1.running_mean"], before["bn1.running_mean"])
    assert np.array_equal(after["fc.weight"], before["fc.weight"])


def test_a_mean_image_is_not_mirrored_with_the_picture() -> None:
    random = np.random.default_rng(0)
    feed = Normalized(random.random((16, 16, 3), np.float32), np.ones(3, np.float32), 255.0)
    scorer = Scorer(build(cifar_spec(8), seed=1), bf16=False, device=torch.device("cpu"), finish=lambda net: net)
    pixels = random.integers(0, 256, (2, 1, 3, 16, 16), np.uint8)
    look = Look(average="logits", pooling=None, mirrored=False)
    both = (scorer(feed, pixels, look) + scorer(feed, pixels[..., ::-1], look)) / 2
    assert np.array_equal(scorer(feed, pixels, replace(look, mirrored=True)), both)
