"""The images an experiment trains on: standardised, as many of every class, with what a reader should know."""

from __future__ import annotations

from caltrop.data import ImageSet, load_images


def balanced_images(
    name: str, seed: int, *, per_class: int, test_per_class: int, classes: tuple[int, ...] = ()
) -> tuple[ImageSet, tuple[str, ...]]:
    """`per_class` training images of every class (0, or more than there are: as many as the smallest class has).

    `classes` keeps these labels only, all of them where empty. The notes say where fewer were taken than asked for.
    """
    images = load_images(name)
    if classes:
        images = images.only(classes)
    notes = [images.note] if images.note else []
    fewest = int(images.train_labels.bincount(minlength=images.num_classes).min())
    fewest_test = int(images.test_labels.bincount(minlength=images.num_classes).min())
    if per_class > fewest:
        notes.append(f"Only {fewest} training images per class are used: the smallest class has no more.")
    drawn = images.balanced_subset(
        min(per_class or fewest, fewest), seed, test_per_class=min(test_per_class or fewest_test, fewest_test)
    )
    return drawn.standardised(), tuple(notes)
