"""Models and loaders: three ways to one number, a model left as it was, and loaders that cannot be measured."""

from __future__ import annotations

import copy
import gc
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from caltrop.capture import NotDeterministic
from caltrop.observe import measure, observe
from caltrop.stats import ResidualSpool
from observe.looking import LAYERS, SAMPLES, Failing, K, loader, samples

approx = pytest.approx
NAMES = ["within_class_variability", "within_class_variability_resolved", "variability_ratio"]


def stored(model, layer, inputs):
    """Features of the layer, and the head, by hand."""
    still = copy.deepcopy(model).eval()
    with torch.no_grad():
        return still[: {"1": 2, "4:input": 4}[layer]](inputs)


def state(model):
    """Everything that measuring must leave alone."""
    return (
        [module.training for module in model.modules()],
        [(value.requires_grad, value.grad) for value in model.parameters()],
        [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()],
        {name: value.clone() for name, value in model.state_dict().items()},
        torch.get_rng_state().clone(),
        np.random.get_state()[1].copy(),  # noqa: NPY002 - the legacy generator is the one loaders use
        torch.is_grad_enabled(),
    )


def assert_untouched(model, before):
    after = state(model)
    for old, new in zip(before, after, strict=True):
        if isinstance(old, dict):
            assert all(torch.equal(old[name], new[name]) for name in old)
        elif isinstance(old, torch.Tensor | np.ndarray):
            assert np.array_equal(old, new)
        else:
            assert old == new


# three ways

WAYS = {"residual spool": {"budget": 2**31}, "two passes": {"budget": 0}, "one pass": {"measures": NAMES}}


@contextmanager
def forced(monkeypatch, way):
    """The arguments of observe under which this way is chosen."""
    options = dict(WAYS[way])
    monkeypatch.setattr("caltrop.observe.models.SPOOL_BYTES", options.pop("budget", 0))
    yield options


@pytest.mark.parametrize("batch_size", [7, 32, SAMPLES])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layer", LAYERS)
def test_every_way_gives_what_the_stored_features_give(monkeypatch, model, layer, way, batch_size):
    inputs, labels = samples()
    with forced(monkeypatch, way) as options:
        seen = observe(model, loader(batch_size), layers=[layer], progress=False, **options)
    expected = measure(stored(model, layer, inputs), labels)
    assert way in seen.row(layer, NAMES[0]).note
    for name in NAMES:
        # forwards of other batch sizes round differently: 1e-7 of the features, the same of the spread about
        assert seen[layer, name] == approx(expected["features", name], rel=1e-6 if batch_size != 32 else 3e-7)


def exact(model):
    """In float64 the forward itself does not blur the comparison."""
    return model.double(), [(inputs.double(), labels) for inputs, labels in loader()]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layer", LAYERS)
def test_in_double_precision_every_way_is_right_to_the_stated_digits(monkeypatch, model, layer, way):
    model, batches = exact(model)
    inputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    with forced(monkeypatch, way) as options:
        seen = observe(model, batches, layers=[layer], progress=False, **options)
    expected = measure(stored(model, layer, inputs), labels)
    for name in NAMES:
        assert seen[layer, name] == approx(expected["features", name], rel=1e-12)
    if way != "one pass":  # means, to 1e-12, and decisions
        for row in seen.rows:
            if row.layer == layer and expected_has(expected, row.measure):
                assert row.value == approx(expected["features", row.measure], rel=1e-11, abs=1e-12)


def expected_has(seen, name):
    return name in [row.measure for row in seen.rows]


@pytest.mark.parametrize("way", ["residual spool", "two passes", "one pass"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_as_stored_whatever_the_way(monkeypatch, model, dtype, way):
    """One batch, so that the forward rounds alike; residuals rounded to 16 bits were off by 6e-4."""
    model = model.to(dtype).eval()
    inputs, labels = samples()
    with forced(monkeypatch, way) as options:
        seen = observe(model, [(inputs.to(dtype), labels)], layers=["1"], progress=False, **options)
    expected = measure(stored(model, "1", inputs.to(dtype)), labels)
    for name in NAMES:
        row = seen.row("1", name)
        assert row.value == approx(expected["features", name], rel=1e-7)
        assert row.resolution == approx(expected.row("features", name).resolution, rel=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_shuffling_changes_no_number(monkeypatch, model, way):
    """In float64: what is left is the order of sums."""
    inputs, labels = samples()
    shuffled = DataLoader(TensorDataset(inputs.double(), labels), batch_size=16, shuffle=True)
    ordered = DataLoader(TensorDataset(inputs.double(), labels), batch_size=16)
    with forced(monkeypatch, way) as options:
        first, second = (
            observe(model.double(), one, layers=LAYERS, progress=False, **options) for one in (ordered, shuffled)
        )
    for name in NAMES:
        assert second["4:input", name] == approx(first["4:input", name], rel=1e-12)
    assert any("shuffles" in note for note in second.notes)


def test_head_measures_belong_to_the_layer_that_feeds_it_and_accuracy_to_the_model(model):
    inputs, labels = samples()
    seen = observe(model, loader(), layers=LAYERS, progress=False)
    expected = measure(stored(model, "4:input", inputs), labels, weights=model[4].weight, bias=model[4].bias)
    for name in ("self_duality_gap", "nearest_centre_disagreement", "bias_collapse", "head_norm_deviation"):
        assert seen["4:input", name] == approx(expected["features", name], rel=1e-5, abs=1e-7)
    assert seen["", "accuracy"] == expected["features", "accuracy"]
    with pytest.raises(KeyError, match="needs weights="):
        _ = seen["1", "self_duality_gap"]


# spools


@pytest.fixture
def spools(monkeypatch):
    """Every spool that is opened."""
    opened = []
    start = ResidualSpool.__init__

    def noted(self, *arguments):
        start(self, *arguments)
        opened.append(self)

    monkeypatch.setattr(ResidualSpool, "__init__", noted)
    return opened


def test_every_spool_is_freed(model, spools):
    observe(model, loader(), layers=LAYERS, progress=False)
    assert [spool._file.closed for spool in spools] == [True, True]


@pytest.mark.parametrize("way", ["residual spool", "two passes", "one pass"])
def test_batches_are_not_kept(monkeypatch, model, way):
    """Of the inputs of 40 batches no more than two are alive at any time: that drawn and that measured."""
    alive, most = weakref.WeakSet(), []

    class Counting:
        def __iter__(self):
            for number in range(40):
                inputs, labels = samples(20, 0)
                inputs = inputs + number
                alive.add(inputs)
                most.append(len(alive))
                yield inputs, labels

        def __len__(self):
            return 40

    with forced(monkeypatch, way) as options:
        gc.collect()
        observe(model, Counting(), layers=["1"], progress=False, **options)
    assert max(most) <= 3


@pytest.mark.parametrize("way", ["two passes", "one pass"])
def test_memory_does_not_grow_with_the_number_of_batches(monkeypatch, model, way):
    """Tensors alive while the last batch is drawn, of 30 and of 60 batches."""

    def alive_at_the_end(count):
        found = []

        class Batches:
            def __iter__(self):
                for number in range(count):
                    if number == count - 1:
                        found.append(sum(t.numel() for t in gc.get_objects() if type(t) is torch.Tensor))
                    yield samples(64, 0)

            def __len__(self):
                return count

        with forced(monkeypatch, way) as options:
            observe(model, Batches(), layers=["1"], progress=False, **options)
        return max(found)

    monkeypatch.setattr("caltrop.stats.accumulator.GRAM_ROWS", 256)
    monkeypatch.setattr("caltrop.stats.second_look.GRAM_ROWS", 256)
    # buffers of up to 1024 rows of 12 may stand at another level
    assert alive_at_the_end(60) <= alive_at_the_end(30) + 1024 * 13


# the model is left as it was


def test_a_model_is_left_as_it_was(model):
    before = state(model)
    observe(model, {"train": loader(shuffle=True), "test": loader(seed=1)}, progress=False)
    assert_untouched(model, before)


@pytest.mark.parametrize("budget", [0, 2**31])
@pytest.mark.parametrize("error", [KeyboardInterrupt("by hand"), OSError("the disk went away")])
def test_an_interruption_leaves_the_model_as_it_was_and_frees_spools(monkeypatch, model, spools, error, budget):
    monkeypatch.setattr("caltrop.observe.models.SPOOL_BYTES", budget)
    before = state(model)
    with pytest.raises(type(error), match=str(error)):
        observe(model, Failing(error), layers=LAYERS, progress=False)
    gc.collect()
    assert_untouched(model, before)
    assert all(spool._file.closed for spool in spools)
    assert len(spools) == (2 if budget else 0)


def test_an_interrupted_replay_leaves_the_model_as_it_was(monkeypatch, model):
    monkeypatch.setattr("caltrop.observe.models.SPOOL_BYTES", 0)
    failing = Failing(KeyboardInterrupt("in the second pass"), first=4)
    before = state(model)
    with pytest.raises(KeyboardInterrupt, match="in the second pass"):
        observe(model, failing, layers=LAYERS, progress=False)
    assert failing.passes == 5
    assert_untouched(model, before)


# labels


def test_ignored_labels_are_left_out_split_by_split(model):
    inputs, labels = samples()
    some = labels.clone()
    some[::3] = -1
    some[1::9] = -100
    kept = some >= 0
    batches = DataLoader(TensorDataset(inputs, some), batch_size=25)
    seen = observe(model, {"train": batches, "test": loader()}, layers=["1"], progress=False)
    expected = measure(stored(model, "1", inputs)[kept], labels[kept])
    assert seen["1", "variability_ratio", "train"] == approx(expected["features", "variability_ratio"], rel=1e-6)
    assert f"{int((~kept).sum())} ignored labels left out of split 'train'" in seen.notes
    assert not any("'test'" in note for note in seen.notes if "ignored" in note)


@pytest.mark.parametrize("budget", [0, 2**31])
def test_the_heads_decisions_stay_with_their_samples_beside_ignored_ones(monkeypatch, model, budget):
    monkeypatch.setattr("caltrop.observe.models.SPOOL_BYTES", budget)
    inputs, labels = samples()
    some = torch.where(torch.arange(SAMPLES) % 3 == 0, -1, labels)
    seen = observe(model, DataLoader(TensorDataset(inputs, some), batch_size=25), layers=["4:input"], progress=False)
    with torch.no_grad():
        said = copy.deepcopy(model).eval()(inputs).argmax(1)
    assert 0 < seen["", "accuracy"] < 1
    assert seen["", "accuracy"] == approx(float((said == some)[some >= 0].double().mean()), rel=1e-12)


def test_a_batch_of_ignored_labels_only_is_skipped(model):
    inputs, labels = samples()
    batches = [(inputs[:20], torch.full((20,), -100)), (inputs, labels)]
    seen = observe(model, batches, layers=["1"], progress=False)
    expected = observe(model, [(inputs, labels)], layers=["1"], progress=False)
    assert seen["1", "variability_ratio"] == approx(expected["1", "variability_ratio"], rel=1e-6)


HEADLESS = {"layers": ["0"], "progress": False}


@pytest.mark.parametrize("way", WAYS)
def test_without_head_and_number_of_classes_they_grow_with_the_labels(monkeypatch, way):
    """Sorted by label: every batch brings a new class."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(8, 6), nn.Tanh())
    inputs, labels = samples()
    order = labels.argsort(stable=True)
    batches = DataLoader(TensorDataset(inputs[order], 3 * labels[order]), batch_size=7)
    with forced(monkeypatch, way) as options:
        seen = observe(body, batches, **HEADLESS, **options)
    with torch.no_grad():
        expected = measure(body[0](inputs), 3 * labels)
    assert seen.per_class("0", "variability_ratio").keys() == {0, 3, 6, 9}
    assert seen["0", "variability_ratio"] == approx(expected["features", "variability_ratio"], rel=1e-6)
    assert "absent classes left out: 1, 2, 4, 5, 7, 8" in seen.row("0", "variability_ratio").note


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda labels: labels + 1, r"exactly 1\.\.4.*Subtract 1"),
        (lambda labels: labels - 7, "negative and not ignored"),
        (lambda labels: labels * 0, "only class 0 has samples at layer '0'.*at least two"),
        (lambda labels: labels * 0 - 1, "split 'train' has no labelled samples"),
    ],
)
def test_labels_that_are_no_classes_are_refused(change, said):
    inputs, labels = samples()
    body = nn.Sequential(nn.Linear(8, 6), nn.Tanh())
    with pytest.raises(ValueError, match=said):
        observe(body, [(inputs, change(labels))], **HEADLESS)


def test_a_label_beyond_the_head_is_refused(model):
    inputs, labels = samples()
    with pytest.raises(ValueError, match=r"labels span \[0, 6\], but num_classes=4"):
        observe(model, [(inputs, labels * 2)], progress=False)


@pytest.mark.parametrize("known_length", [True, False])
def test_a_number_of_classes_that_no_memory_holds_is_refused_before_any_is_asked_for(known_length):
    batches = [samples()]
    stream = batches if known_length else type("Stream", (), {"__iter__": lambda _: iter(batches)})()
    with pytest.raises(ValueError, match="num_classes=1000000000, but split 'train' has far fewer samples"):
        observe(nn.Sequential(nn.Linear(8, 6), nn.Tanh()), stream, num_classes=10**9, **HEADLESS)


def test_another_number_of_classes_than_the_head_has_is_refused(model):
    with pytest.raises(ValueError, match="num_classes=9, but the head has 4 rows"):
        observe(model, [samples()], num_classes=9, progress=False)


def test_classes_that_the_head_knows_and_the_data_lacks_are_absent(model):
    inputs, labels = samples()
    seen = observe(model, [(inputs, labels % 3)], progress=False)
    assert "absent classes left out: 3" in seen.row("4:input", "variability_ratio").note


# loaders


def test_a_generator_is_refused(model):
    with pytest.raises(ValueError, match=r"can be read only once"):
        observe(model, (batch for batch in loader()), progress=False)


@pytest.mark.parametrize("empty", [[], {"train": []}, (batch for batch in ())])
def test_an_empty_loader_is_refused(model, empty):
    with pytest.raises(ValueError, match="the loader is empty"):
        observe(model, empty, progress=False)


def test_an_empty_dict_of_loaders_is_refused(model):
    with pytest.raises(ValueError, match="loader is an empty dict"):
        observe(model, {}, progress=False)


@pytest.mark.parametrize("task", ["regression", "ordinal"])
def test_another_task_is_refused_in_words(model, task):
    with pytest.raises(ValueError, match=f"task='{task}': this version measures classification"):
        observe(model, loader(), task=task, progress=False)


def test_a_bad_feature_names_layer_sample_and_coordinate(model):
    inputs, labels = samples()
    inputs[77] = np.nan
    batches = DataLoader(TensorDataset(inputs, labels), batch_size=32)
    with pytest.raises(ValueError, match=r"layer '1' are not finite: sample 77 has nan at coordinate 0"):
        observe(model, batches, layers=["1"], progress=False)


def test_an_unknown_layer_offers_the_nearest(model):
    with pytest.raises(ValueError, match="'44'"):
        observe(model, loader(), layers=["44"], progress=False)


class Jittered:
    """The first batch is the same in every pass, later ones are not: as under augmentation of some images."""

    def __init__(self):
        self.passes = 0

    def __iter__(self):
        self.passes += 1
        for number, (inputs, labels) in enumerate(loader()):
            yield inputs + (number > 0) * 0.3 * torch.sin(torch.arange(8) + self.passes), labels

    def __len__(self):
        return 5


def test_data_that_change_between_two_passes_are_refused(monkeypatch, model):
    """The probe looks at the first batch only; the second pass must notice the rest."""
    monkeypatch.setattr("caltrop.observe.models.SPOOL_BYTES", 0)
    with pytest.raises(ValueError, match="the data must not change between the two"):
        observe(model, Jittered(), layers=["1"], progress=False)


def test_dropout_that_never_sleeps_is_refused():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.fc = nn.Linear(8, 6), nn.Linear(6, K)

        def forward(self, inputs):
            return self.fc(nn.functional.dropout(self.body(inputs)))

    with pytest.raises(NotDeterministic, match="dropout"):
        observe(Noisy(), loader(), progress=False)
