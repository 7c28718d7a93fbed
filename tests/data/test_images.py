"""Cutting down and standardising an image set."""

from __future__ import annotations

import pytest
import torch

from caltrop.data import ImageSet


def image_set(train: list[int], test: list[int], channels: int = 1) -> ImageSet:
    random = torch.Generator().manual_seed(0)
    num_classes = max(train + test) + 1
    return ImageSet(
        name="made up",
        source="a test",
        note="",
        train_inputs=torch.rand(len(train), channels, 2, 3, generator=random),
        train_labels=torch.tensor(train),
        test_inputs=torch.rand(len(test), channels, 2, 3, generator=random),
        test_labels=torch.tensor(test),
        class_names=tuple("abcdefgh"[:num_classes]),
    )


def test_standardised_training_pixels_have_mean_zero_and_deviation_one_per_channel():
    made = image_set([0, 1] * 20, [0, 1], channels=3)
    images = made.standardised()
    pixels = images.train_inputs.double().transpose(0, 1).flatten(1)
    # float32 storage: the mean of 240 values of size one is off by 1e-7 at most
    assert pixels.mean(dim=1).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert pixels.std(dim=1, correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def test_test_images_are_standardised_by_the_training_part():
    images = image_set([0, 1] * 20, [0, 1])
    scaled = images.standardised()
    mean = images.train_inputs.mean()
    deviation = images.train_inputs.std(correction=0)
    torch.testing.assert_close(scaled.test_inputs, (images.test_inputs - mean) / deviation)


@pytest.mark.parametrize("level", [0.0, 0.1, 1.0])
def test_a_constant_channel_is_centred_and_stays_finite(level):
    images = image_set([0, 1], [0], channels=2)
    images.train_inputs[:, 1] = level
    images.test_inputs[:, 1] = level
    scaled = images.standardised()
    # 1e-7 of the level is what centring a float32 constant can leave
    assert scaled.train_inputs[:, 1].abs().max().item() <= 1e-7
    assert scaled.test_inputs[:, 1].abs().max().item() <= 1e-7


def test_a_balanced_subset_holds_the_same_number_of_every_class():
    images = image_set([0] * 9 + [1] * 5 + [2] * 7, [0, 1, 2, 2])
    subset = images.balanced_subset(4, seed=0, test_per_class=1)
    assert subset.train_labels.bincount().tolist() == [4, 4, 4]
    assert subset.test_labels.bincount().tolist() == [1, 1, 1]


def test_a_balanced_subset_repeats_no_image_and_keeps_images_with_their_labels():
    images = image_set([0, 1] * 10, [0])
    subset = images.balanced_subset(6, seed=0)
    origins = [int((images.train_inputs == image).flatten(1).all(dim=1).nonzero()) for image in subset.train_inputs]
    assert len(set(origins)) == 12
    assert torch.equal(images.train_labels[origins], subset.train_labels)


def test_a_balanced_subset_depends_on_its_seed_alone():
    images = image_set([0, 1] * 20, [0])
    first = images.balanced_subset(5, seed=1).train_inputs
    torch.manual_seed(99)
    assert torch.equal(images.balanced_subset(5, seed=1).train_inputs, first)
    assert not torch.equal(images.balanced_subset(5, seed=2).train_inputs, first)


@pytest.mark.parametrize(
    ("per_class", "test_per_class", "message"),
    [
        (3, None, "has 2 train images of class b, fewer than the 3 asked for"),
        (1, 2, "has 1 test images of class a"),
        (0, None, "0 train images per class is impossible"),
    ],
)
def test_more_images_than_there_are_is_refused(per_class, test_per_class, message):
    images = image_set([0, 0, 0, 1, 1], [0, 1, 1])
    with pytest.raises(ValueError, match=message):
        images.balanced_subset(per_class, seed=0, test_per_class=test_per_class)


def test_a_subset_holds_as_many_of_each_class_as_asked_for():
    images = image_set([0] * 9 + [1] * 5 + [2] * 7, [0, 1, 2, 2])
    subset = images.subset((6, 1, 3), seed=0, test_per_class=1)
    assert subset.train_labels.bincount().tolist() == [6, 1, 3]
    assert subset.test_labels.bincount().tolist() == [1, 1, 1]
    assert torch.equal(images.subset((6, 1, 3), seed=0, test_per_class=1).train_inputs, subset.train_inputs)
    with pytest.raises(ValueError, match="has 5 train images of class b, fewer than the 6 asked for"):
        images.subset((6, 6, 3), seed=0, test_per_class=1)
    with pytest.raises(ValueError, match="counts has 2 entries; give one for each of 3 classes"):
        images.subset((6, 1), seed=0, test_per_class=1)


def test_only_relabels_in_the_order_given():
    images = image_set([0, 1, 2, 3, 2], [3, 0])
    part = images.only((2, 0))
    assert part.train_labels.tolist() == [1, 0, 0]
    assert part.test_labels.tolist() == [1]
    assert part.class_names == ("c", "a")
    assert torch.equal(part.train_inputs, images.train_inputs[[0, 2, 4]])


@pytest.mark.parametrize("classes", [(), (0, 0), (0, 7), (-1, 0)])
def test_only_refuses_classes_that_are_not_different_labels(classes):
    with pytest.raises(ValueError, match=r"must name different labels of 0\.\.3"):
        image_set([0, 1, 2, 3], [0]).only(classes)


def test_labels_without_a_class_name_are_refused():
    images = image_set([0, 1], [0])
    with pytest.raises(ValueError, match=r"train labels span \[0, 1\], but there are names for 0\.\.0 only"):
        ImageSet(**{**vars(images), "class_names": ("a",)})


def test_counts_of_images_and_labels_must_agree():
    images = image_set([0, 1], [0])
    with pytest.raises(ValueError, match="2 train images come with 1 labels"):
        ImageSet(**{**vars(images), "train_labels": torch.tensor([0])})
