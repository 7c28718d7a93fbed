"""What loaders yield."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn

from caltrop.capture import Probe
from capture.networks import CLASSES, SAMPLES, Returning, Tagger, Transformer, perceptron


def only(probe, batch):
    (captured,) = probe.read([batch])
    return captured


Pair = namedtuple("Pair", "inputs labels")


@pytest.mark.parametrize(
    "pack",
    [
        lambda x, y: (x, y),
        lambda x, y: [x, y],
        lambda x, y: (x, y, torch.arange(SAMPLES), "anything"),
        lambda x, y: Pair(x, y),
        lambda x, y: {"x": x, "labels": y},
        lambda x, y: {"x": x, "label": y, "index": torch.arange(SAMPLES)},
        lambda x, y: {"image": x, "targets": y},
        lambda x, y: {"pixel_values": x, "target": y, "path": ["a"] * SAMPLES},
        lambda x, y: {"anything": x, "y": y},
        lambda x, y: ({"x": x, "other": None}, y),
        lambda x, y: (x, y.tolist()),
        lambda x, y: (x, list(y)),
        lambda x, y: (x.numpy(), y.numpy()),
        lambda x, y: (x.double().numpy(), y.numpy().astype(np.uint8)),
    ],
)
def test_a_batch_is_read_however_it_is_packed(pack, vectors, labels):
    model = Returning()
    captured = only(Probe(model, pack(vectors, labels), layers="body"), pack(vectors, labels))
    assert captured.labels.tolist() == labels.tolist()
    torch.testing.assert_close(captured.features["body"], model.body(vectors), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("batch", "seen"),
    [
        (torch.zeros(6, 12), r"a Tensor \[6, 12\]"),
        ((torch.zeros(6, 12),), r"a tuple of 1 \(Tensor \[6, 12\]\)"),
        ("text", "a str"),
        ([], "a list of 0"),
        ({"x": torch.zeros(6, 12)}, r"a dict with x: Tensor \[6, 12\]: expected one of the keys labels"),
        ({}, "a dict with no keys"),
    ],
)
def test_a_batch_without_labels_names_what_was_seen(batch, seen):
    with pytest.raises(ValueError, match=seen):
        Probe(perceptron(), batch)


@pytest.mark.parametrize("labels", [None, "cat", ["cat"] * 6, {"boxes": 1}])
def test_labels_must_be_numbers(labels, vectors):
    with pytest.raises(ValueError, match="labels are of type"):
        Probe(perceptron(), (vectors, labels))


def test_an_item_of_a_dataset_is_no_batch(vectors):
    with pytest.raises(ValueError, match=r"labels have no batch axis in .* torch\.utils\.data\.DataLoader"):
        Probe(perceptron(), (vectors[0], torch.tensor(3)))


def test_labels_come_as_the_loader_gave_them(vectors, labels):
    column = labels[:, None].to(torch.int16)
    captured = only(Probe(perceptron(), (vectors, column)), (vectors, column))
    assert captured.labels.dtype == torch.int16
    assert captured.labels.shape == (SAMPLES, 1)


def test_keys_that_forward_does_not_take_are_left_out(ids, labels):
    batch = {"input_ids": ids, "labels": labels, "sentence": ["a"] * SAMPLES, "index": labels}
    assert only(Probe(Transformer(), batch), batch).predictions.shape == (SAMPLES,)


def test_a_dict_that_fits_forward_nowhere_names_keys_and_arguments(vectors, labels):
    with pytest.raises(ValueError, match=r"a dict with image: .*, depth: .* does not fit .* forward takes x\."):
        Probe(Returning(), {"image": vectors, "depth": vectors, "labels": labels})


def test_a_forward_with_any_names_gets_all_of_them(vectors, labels):
    class Open(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(12, CLASSES)

        def forward(self, **inputs):
            return self.head(inputs["left"] + inputs["right"])

    batch = {"left": vectors, "right": vectors, "labels": labels}
    torch.testing.assert_close(
        only(Probe(Open(), batch, layers="head:input"), batch).features["head:input"], 2 * vectors
    )


def test_a_forward_that_insists_on_labels_gets_them(vectors, labels):
    class Losing(Returning):
        def forward(self, x, labels):
            logits = super().forward(x)
            return nn.functional.cross_entropy(logits, labels), logits

    batch = {"x": vectors, "labels": labels}
    assert Probe(Losing(), batch).head_name == "head"
    assert Probe(Losing(), (vectors, labels)).head_name == "head"


def test_several_inputs_in_a_tuple_are_several_arguments(vectors, labels):
    class Pairing(Returning):
        def forward(self, left, right):
            return super().forward(left - right)

    batch = ((vectors, vectors.flip(0)), labels)
    model = Pairing()
    features = only(Probe(model, batch, layers="body:input"), batch).features["body:input"]
    torch.testing.assert_close(features, vectors - vectors.flip(0))


def test_a_mask_given_by_position_is_found_by_its_name_in_forward(ids, labels):
    mask = torch.ones_like(ids)
    mask[:, 3:] = 0
    probe = Probe(Tagger(pick="mean"), ((ids, mask), labels), layers="mix")
    assert probe.poolings == {"mix": "mean over tokens, padding masked"}


@pytest.mark.parametrize("cut", [0, 3])
def test_rows_that_do_not_match_the_labels_name_layer_and_counts(cut, vectors, labels):
    class Halving(Returning):
        def forward(self, x):
            return self.head(self.body(x[:3] if cut else torch.cat([x, x])))

    rows = 3 if cut else 12
    with pytest.raises(ValueError, match=rf"layer 'body' gave {rows} rows for 6 labels .*shape \[{rows}, 8\]"):
        Probe(Halving(), (vectors, labels), layers="body")


def test_rows_that_stop_matching_later_are_noticed(vectors, labels):
    class Sometimes(Returning):
        def forward(self, x):
            return self.head(self.body(x[: min(len(x), 6)]))

    probe = Probe(Sometimes(), (vectors, labels), layers="body")
    long = (torch.cat([vectors, vectors]), torch.cat([labels, labels]))
    with pytest.raises(ValueError, match="gave 6 rows for 12 labels") as caught:
        list(probe.read([(vectors, labels), long]))
    assert caught.value.__notes__ == ["This happened in batch 2 of the loader."]


def test_a_packed_sequence_is_refused_with_a_remedy(ids, labels):
    class Packing(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.lstm, self.out = nn.Embedding(11, 8), nn.LSTM(8, 9), nn.Linear(9, CLASSES)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(self.embed(x), torch.tensor([5] * len(x)), batch_first=True)
            return self.out(self.lstm(packed)[1][0][-1])

    assert "lstm" not in Probe(Packing(), (ids, labels)).layers
    with pytest.raises(ValueError, match=r"'lstm' \(LSTM\) returned no tensor with a sample axis"):
        Probe(Packing(), (ids, labels), layers="lstm")


def test_an_empty_loader_is_refused(vectors, labels):
    probe = Probe(perceptron(), (vectors, labels))
    with pytest.raises(ValueError, match="the loader is empty"):
        list(probe.read([]))
    with pytest.raises(ValueError, match="the loader is empty"):
        probe.check_deterministic([])
