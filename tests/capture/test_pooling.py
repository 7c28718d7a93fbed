"""From maps and tokens to one row per sample, or per position."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from caltrop.capture import Probe
from capture.networks import (
    CLASSES,
    SAMPLES,
    TOKENS,
    Recurrent,
    ResidualNetwork,
    Returning,
    Tagger,
    Transformer,
    convolutional,
    perceptron,
)


def only(probe, batch):
    (captured,) = probe.read([batch])
    return captured


@pytest.fixture
def mask():
    kept = torch.ones(SAMPLES, TOKENS, dtype=torch.long)
    kept[:3, 3:] = 0
    return kept


def hidden(model, ids):
    return torch.tanh(model.mix(model.embed(ids)))


@pytest.mark.parametrize(
    ("pool", "said", "reduce"),
    [
        ("auto", "mean over 6×6 positions", lambda x: x.mean((2, 3))),
        ("mean", "mean over 6×6 positions", lambda x: x.mean((2, 3))),
        ("flatten", "flattened 5×6×6", lambda x: x.flatten(1)),
    ],
)
def test_maps_are_averaged_or_flattened(pool, said, reduce, images, labels):
    model = convolutional(pool_first=True)
    probe = Probe(model, (images, labels), layers="0", pool=pool)
    assert probe.poolings == {"0": said}
    expected = reduce(model[0](images))
    # sums of 36 float32 numbers in another order
    torch.testing.assert_close(only(probe, (images, labels)).features["0"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("conv", "shape", "said"),
    [
        (nn.Conv3d(2, 5, 2), (SAMPLES, 2, 3, 4, 5), "mean over 2×3×4 positions"),
        (nn.Conv1d(2, 5, 2), (SAMPLES, 2, 8), "mean over 7 positions"),
    ],
)
def test_volumes_and_signals_are_maps_too(conv, shape, said, labels):
    x = torch.randn(shape)
    probe = Probe(nn.Sequential(conv, nn.ReLU()), (x, labels), layers=["0", "1"])
    assert probe.poolings == {"0": said, "1": said}
    expected = conv(x).flatten(2).mean(2)
    # sums of up to 24 float32 numbers in another order
    torch.testing.assert_close(only(probe, (x, labels)).features["0"], expected, rtol=1e-5, atol=1e-6)


def test_vectors_stay_as_they_are(vectors, labels):
    assert Probe(perceptron(), (vectors, labels), layers="3").poolings == {"3": "vector"}


@pytest.mark.parametrize(
    ("pool", "said", "reduce"),
    [
        ("auto", "mean over tokens", lambda h: h.mean(1)),
        ("first", "first token", lambda h: h[:, 0]),
        ("last", "last token", lambda h: h[:, -1]),
        ("flatten", f"flattened {TOKENS}×8", lambda h: h.flatten(1)),
    ],
)
def test_tokens_are_pooled_as_asked(pool, said, reduce, ids, labels):
    model = Tagger(pick="mean")
    probe = Probe(model, (ids, labels), layers="mix", pool=pool)
    assert probe.poolings == {"mix": said}
    torch.testing.assert_close(only(probe, (ids, labels)).features["mix"], reduce(model.mix(model.embed(ids))))


@pytest.mark.parametrize(
    ("key", "flip"),
    [("attention_mask", False), ("mask", False), ("padding_mask", True), ("src_key_padding_mask", True)],
)
def test_padding_does_not_enter_the_mean(key, flip, ids, labels, mask):
    model = Tagger(pick="mean")
    batch = {"input_ids": ids, "labels": labels, key: mask == 0 if flip else mask}
    probe = Probe(model, batch, layers="mix")
    assert probe.poolings == {"mix": "mean over tokens, padding masked"}
    assert any(f"'{key}'" in note for note in probe.notes)
    tokens = model.mix(model.embed(ids))
    features = only(probe, batch).features["mix"]
    torch.testing.assert_close(features[0], tokens[0, :3].mean(0))
    torch.testing.assert_close(features[5], tokens[5].mean(0))


def test_nan_in_padding_does_no_harm(ids, labels, mask):
    class Broken(Tagger):
        def forward(self, input_ids, attention_mask=None):
            return self.tag(self.mix(self.embed(input_ids).masked_fill(attention_mask[..., None] == 0, float("nan"))))

    batch = {"input_ids": ids, "labels": labels, "attention_mask": mask}
    assert bool(only(Probe(Broken(), batch, layers="mix"), batch).features["mix"].isfinite().all())


@pytest.mark.parametrize(("pool", "at"), [("first", 1), ("last", 2)])
def test_first_and_last_skip_padding(pool, at, ids, labels):
    kept = torch.zeros(SAMPLES, TOKENS, dtype=torch.bool)
    kept[:, 1:3] = True
    model, batch = Tagger(pick="mean"), {"input_ids": ids, "labels": labels, "attention_mask": kept}
    features = only(Probe(model, batch, layers="mix", pool=pool), batch).features["mix"]
    torch.testing.assert_close(features, model.mix(model.embed(ids))[:, at])


def test_a_sample_of_nothing_but_padding_is_named(ids, labels, mask):
    model, batch = Tagger(pick="mean"), {"input_ids": ids, "labels": labels, "attention_mask": mask}
    probe = Probe(model, batch, layers="mix")
    bad = mask.clone()
    bad[4] = 0
    with pytest.raises(ValueError, match="sample 4 of the batch has no token outside its padding"):
        only(probe, {**batch, "attention_mask": bad})


def test_an_additive_mask_is_refused(ids, labels, mask):
    batch = {"input_ids": ids, "labels": labels, "attention_mask": (1.0 - mask) * -1e9}
    with pytest.raises(ValueError, match="'attention_mask' holds values other than 0 and 1"):
        Probe(Tagger(pick="mean"), batch)


def test_labels_of_tokens_make_every_token_a_sample(ids, mask):
    model, batch = Tagger(), {"input_ids": ids, "labels": ids % CLASSES, "attention_mask": mask}
    probe = Probe(model, batch)
    captured = only(probe, batch)
    assert probe.poolings["tag:input"] == "every token, padding dropped"
    assert captured.labels.tolist() == [int(v) % CLASSES for v in ids[mask.bool()]]
    torch.testing.assert_close(captured.features["tag:input"], hidden(model, ids)[mask.bool()])
    assert torch.equal(captured.predictions, model(ids)[mask.bool()].argmax(-1))


def test_every_token_without_padding_keeps_all(ids):
    captured = only(Probe(Tagger(), (ids, ids % CLASSES)), (ids, ids % CLASSES))
    assert captured.labels.tolist() == (ids % CLASSES).flatten().tolist()
    assert len(captured.predictions) == SAMPLES * TOKENS


def test_tokens_that_the_model_flattens_itself_still_match_their_labels(ids):
    model, batch = Tagger(flatten=True), (ids, ids % CLASSES)
    probe = Probe(model, batch, layers="tag:input")
    torch.testing.assert_close(only(probe, batch).features["tag:input"], hidden(model, ids).flatten(0, 1))


def test_tokens_flattened_in_another_order_are_refused(ids):
    class Turned(Tagger):
        def forward(self, input_ids):
            return self.tag(self.mix(self.embed(input_ids)).transpose(0, 1).reshape(-1, 8))

    with pytest.raises(ValueError, match="not recognisably in the order of labels"):
        Probe(Turned(), (ids, ids % CLASSES), layers="tag:input")


def test_one_hot_labels_are_not_labels_of_tokens(labels):
    ids = torch.randint(1, 11, (SAMPLES, CLASSES))
    one_hot = nn.functional.one_hot(labels, CLASSES)
    captured = only(Probe(Tagger(pick="mean"), (ids, one_hot)), (ids, one_hot))
    assert torch.equal(captured.labels, one_hot)
    assert captured.features["tag:input"].shape == (SAMPLES, 8)


def test_every_position_needs_labels_of_positions(ids, labels):
    with pytest.raises(ValueError, match=r"pool='every' .* labels have shape \[6\]"):
        Probe(Tagger(), (ids, labels), pool="every")


def test_layers_that_cannot_match_labels_of_tokens_are_refused_when_asked_for(ids):
    class Mixed(Tagger):
        def __init__(self):
            super().__init__()
            self.summary = nn.Linear(8, 8)

        def forward(self, input_ids):
            self.summary(self.embed(input_ids).mean(1))
            return super().forward(input_ids)

    with pytest.raises(ValueError, match="labels name 5 positions per sample, but layer 'summary' has no positions"):
        Probe(Mixed(), (ids, ids % CLASSES), layers=["mix", "summary"])
    probe = Probe(Mixed(), (ids, ids % CLASSES))
    assert "summary" not in probe.layers
    assert "tag:input" in probe.layers


def test_pixels_are_samples_where_labels_name_pixels(images):
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, CLASSES, 1))
    pixels = torch.randint(0, CLASSES, (SAMPLES, 8, 8))
    probe = Probe(model, (images, pixels), pool="every")
    captured = only(probe, (images, pixels))
    assert probe.poolings["2:input"] == "every one of 8×8 positions"
    assert torch.equal(captured.labels, pixels.flatten())
    torch.testing.assert_close(captured.features["2:input"], model[:2](images).movedim(1, -1).flatten(0, 2))
    assert torch.equal(captured.predictions, model(images).argmax(1).flatten())


def test_pixels_of_another_size_than_the_layer_are_refused(images):
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, CLASSES, 1))
    with pytest.raises(ValueError, match="labels name 8×8 positions per sample, but layer '2:input' has 6×6"):
        Probe(model, (images, torch.zeros(SAMPLES, 8, 8, dtype=torch.long)), layers="2:input")


def test_labels_of_pixels_do_not_go_with_one_row_per_sample(images):
    with pytest.raises(ValueError, match="name every position, but pool='mean'"):
        Probe(convolutional(pool_first=False), (images, torch.zeros(SAMPLES, 8, 8, dtype=torch.long)), pool="mean")


@pytest.mark.parametrize("model", [Transformer(batch_first=False), Recurrent()])
def test_tokens_first_are_transposed_and_named(model, ids, labels):
    layer = "encoder.layers.1" if isinstance(model, Transformer) else "lstm"
    probe = Probe(model, (ids, labels), layers=layer)
    assert only(probe, (ids, labels)).features[layer].shape[0] == SAMPLES
    assert any("was transposed" in note for note in probe.notes)


def test_tokens_first_are_recognised_where_samples_and_tokens_are_as_many(labels):
    ids = torch.randint(1, 11, (SAMPLES, SAMPLES))
    model = Recurrent()
    features = only(Probe(model, (ids, labels), layers="lstm"), (ids, labels)).features["lstm"]
    torch.testing.assert_close(features, model.lstm(model.embed(ids).transpose(0, 1))[0].mean(0))


def test_both_orders_of_tokens_give_the_same_features(ids, labels, mask):
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    rows = []
    for batch_first in (True, False):
        torch.manual_seed(3)
        model = Transformer(batch_first=batch_first)
        rows.append(only(Probe(model, batch, layers="encoder.layers.1"), batch).features["encoder.layers.1"])
    # float32 attention over tokens in another memory order
    torch.testing.assert_close(rows[0], rows[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pick", ["mean", "last"])
def test_the_head_is_pooled_as_the_model_pools_its_scores(pick, ids, labels):
    model = Tagger(pick=pick)
    probe = Probe(model, (ids, labels))
    captured = only(probe, (ids, labels))
    assert probe.poolings["tag:input"].startswith(pick)
    assert torch.equal(captured.predictions, model(ids).argmax(1))


def test_attention_returns_a_tuple_and_its_features_come_first(labels):
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, CLASSES)

        def forward(self, x):
            return self.head(self.attend(x, x, x)[0].mean(1))

    x = torch.randn(SAMPLES, TOKENS, 8)
    model = Attending().eval()
    probe = Probe(model, (x, labels), layers="attend")
    assert any("'[0]' is measured" in note for note in probe.notes)
    torch.testing.assert_close(only(probe, (x, labels)).features["attend"], model.attend(x, x, x)[0].mean(1))


@pytest.mark.parametrize(
    ("pack", "entry"),
    [("dict", "last_hidden_state"), ("model output", "last_hidden_state"), ("dataclass", "logits"), ("tuple", "[0]")],
)
def test_the_entry_of_a_packed_output_is_named(pack, entry, vectors, labels):
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.out = Returning(pack), nn.Linear(12, CLASSES)

        def forward(self, x):
            self.inner(x)
            return self.out(x)

    probe = Probe(Outer(), (vectors, labels), layers="inner")
    assert any(f"{entry!r} is measured" in note for note in probe.notes)
    expected = 8 if entry == "last_hidden_state" else CLASSES
    assert only(probe, (vectors, labels)).features["inner"].shape == (SAMPLES, expected)


def test_channels_are_recognised_behind_a_squeeze_and_excite_layer(labels):
    class Excited(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gate = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 6)

        def forward(self, x):
            x = self.conv(x)
            return x * self.gate(x.mean((2, 3)))[..., None, None].sigmoid()

    model = nn.Sequential(Excited(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES))
    x = torch.randn(SAMPLES, 3, 6, 6)  # as many columns as channels: nothing but the modules can tell
    features = only(Probe(model, (x, labels), layers="0"), (x, labels)).features["0"]
    # sums of 36 float32 numbers in another order
    torch.testing.assert_close(features, model[0](x).mean((2, 3)), rtol=1e-5, atol=1e-6)


def test_maps_with_channels_last_are_averaged_over_positions(labels):
    model = nn.Sequential(nn.Linear(3, 7), nn.LayerNorm(7), nn.GELU())
    x = torch.randn(SAMPLES, 4, 5, 3)
    probe = Probe(model, (x, labels), layers="2")
    assert probe.poolings == {"2": "mean over 4×5 positions"}
    # sums of 20 float32 numbers in another order
    torch.testing.assert_close(only(probe, (x, labels)).features["2"], model(x).mean((1, 2)), rtol=1e-5, atol=1e-6)


def test_patches_of_a_convolution_turned_into_tokens_are_tokens(images, labels):
    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.cut, self.keep = nn.Conv2d(3, 7, 4, 4), nn.Identity()

        def forward(self, x):
            return self.keep(self.cut(x).flatten(2).transpose(1, 2))

    model = Patches()
    probe = Probe(model, (images, labels), layers="keep")
    assert probe.poolings == {"keep": "mean over tokens"}
    assert only(probe, (images, labels)).features["keep"].shape == (SAMPLES, 7)


def test_first_and_last_are_for_tokens_and_maps_say_so(images, labels):
    probe = Probe(ResidualNetwork(), (images, labels), layers="layer1", pool="first")
    assert probe.poolings == {"layer1": "mean over 8×8 positions"}
    assert any("pool='first' does not apply to layer layer1" in note for note in probe.notes)


def test_an_unknown_pool_offers_the_known_ones(vectors, labels):
    with pytest.raises(ValueError, match="pool='max' is not known; choose from 'auto', 'mean'"):
        Probe(perceptron(), (vectors, labels), pool="max")


def test_widths_that_change_between_batches_are_refused(ids, labels):
    probe = Probe(Tagger(pick="mean"), (ids, labels), layers="mix", pool="flatten")
    with pytest.raises(ValueError, match=r"'mix' has 32 features in this batch .* but 40 before"):
        list(probe.read([(ids, labels), (ids[:, :4], labels)]))
