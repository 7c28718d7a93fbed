"""The spool, and the rule that chooses between the ways."""

from __future__ import annotations

import os

import pytest
import torch

from caltrop.stats import Head, Look, ResidualSpool, Way, choose_way

FORMATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def rows_of(dtype, count=23, dim=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, dim, generator=generator, dtype=torch.float64).to(dtype)


def read(spool):
    rows, labels, predictions = zip(*spool.read(), strict=True)
    return torch.cat(rows), torch.cat(labels), None if predictions[0] is None else torch.cat(predictions)


@pytest.mark.parametrize("memory", [1, 64, 2**20])
@pytest.mark.parametrize("dtype", FORMATS)
def test_what_was_written_is_read_bit_by_bit(monkeypatch, dtype, memory):
    """In memory, and on disk beyond a limit of one byte or 64."""
    monkeypatch.setattr("caltrop.stats.spool.MEMORY_BYTES", memory)
    monkeypatch.setattr("caltrop.stats.spool.CHUNK_ROWS", 4)
    rows, labels = rows_of(dtype), torch.arange(23)
    with ResidualSpool(3, dtype) as spool:
        for part in torch.tensor_split(torch.arange(23), 5):
            spool.write(rows[part], labels[part], 2 * labels[part])
        assert spool._file._rolled == (memory < 2**20)
        found = read(spool)
    assert torch.equal(found[0], rows)
    assert found[0].dtype == dtype
    assert torch.equal(found[1], labels)
    assert torch.equal(found[2], 2 * labels)


def test_a_spool_may_be_read_twice_and_without_predictions():
    with ResidualSpool(3, torch.float32) as spool:
        spool.write(rows_of(torch.float32), torch.arange(23))
        first, second = read(spool), read(spool)
    assert torch.equal(first[0], second[0])
    assert first[2] is None


def test_an_empty_block_and_an_empty_spool_hold_nothing():
    with ResidualSpool(3, torch.float32) as spool:
        assert list(spool.read()) == []
        spool.write(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))
        assert list(spool.read()) == []


def test_rows_in_any_layout_are_written_in_order():
    rows = rows_of(torch.float32)
    with ResidualSpool(3, torch.float32) as spool:
        spool.write(rows.T.contiguous().T, torch.arange(23))
        assert torch.equal(read(spool)[0], rows)


def test_closing_frees_the_file_also_after_an_error(monkeypatch):
    monkeypatch.setattr("caltrop.stats.spool.MEMORY_BYTES", 1)
    spool = ResidualSpool(3, torch.float32)

    def interrupted():
        with spool:
            spool.write(rows_of(torch.float32), torch.arange(23))
            raise KeyboardInterrupt("while writing")

    with pytest.raises(KeyboardInterrupt, match="while writing"):
        interrupted()
    assert spool._file.closed


def test_a_spool_on_disk_has_no_name(monkeypatch, tmp_path):
    monkeypatch.setattr("caltrop.stats.spool.MEMORY_BYTES", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ResidualSpool(3, torch.float32) as spool:
        spool.write(rows_of(torch.float32), torch.arange(23))
        assert os.listdir(tmp_path) == []


# the rule

STREAM = {"dim": 512, "num_samples": 1000, "in_hand": False, "storage": torch.float32}
PLAIN, DECIDED = Look(decisions=False), Look()


@pytest.mark.parametrize(
    ("look", "change", "way"),
    [
        (DECIDED, {"in_hand": True}, Way.TWO_PASSES),
        (PLAIN, {"in_hand": True}, Way.TWO_PASSES),
        (PLAIN, {}, Way.SPOOL),
        (PLAIN, {"dim": 513}, Way.SPOOL),
        (Look(spread=False, span=False, decisions=False), {"dim": 10**6}, Way.ONE_PASS),
        (Look(spread=False, span=False, decisions=False), {"in_hand": True}, Way.ONE_PASS),
        (Look(span=False, decisions=False), {"dim": 10**6, "num_samples": None}, Way.ONE_PASS),
        (PLAIN, {"dim": 513, "num_samples": None}, Way.TWO_PASSES),
        (PLAIN, {"num_samples": None}, Way.ONE_PASS),
        (DECIDED, {}, Way.SPOOL),
        (Look(span=False), {}, Way.SPOOL),
        (DECIDED, {"num_samples": None}, Way.TWO_PASSES),
        (DECIDED, {"budget": 4 * 512 * 1000}, Way.SPOOL),
        (DECIDED, {"budget": 4 * 512 * 1000 - 1}, Way.TWO_PASSES),
        (DECIDED, {"budget": 4 * 512 * 1000, "storage": torch.float64}, Way.TWO_PASSES),
        (DECIDED, {"budget": 2 * 512 * 1000, "storage": torch.float16}, Way.SPOOL),
        (PLAIN, {"dim": 10**5, "num_samples": 10**6}, Way.TWO_PASSES),
    ],
)
def test_the_way_follows_the_stated_rule(look, change, way):
    assert choose_way(look, **{**STREAM, **change}) is way


# heads


def test_a_head_is_a_copy_in_double_precision():
    weights = torch.ones(3, 2, dtype=torch.bfloat16, requires_grad=True)
    head = Head.of(weights)
    with torch.no_grad():
        weights += 1
    assert head.weights.dtype == torch.float64
    assert head.weights.sum() == 6
    assert not head.weights.requires_grad


@pytest.mark.parametrize("shape", [(), (3,), (3, 2, 1)])
def test_weights_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"head weights have shape .* expected \[classes, dim\]"):
        Head.of(torch.zeros(shape))


def test_one_bias_for_each_row_is_asked_for():
    with pytest.raises(ValueError, match="3 weight rows but 2 biases"):
        Head.of(torch.zeros(3, 2), torch.zeros(2))


@pytest.mark.parametrize("shape", [(), (3, 1), (1, 3)])
def test_a_bias_of_another_shape_is_refused_and_not_broadcast(shape):
    with pytest.raises(ValueError, match=r"bias has shape .* expected \[classes\]"):
        Head.of(torch.zeros(3, 2), torch.zeros(shape))


def test_selecting_classes_takes_rows_and_biases():
    head = Head.of(torch.arange(6.0).reshape(3, 2), torch.arange(3.0)).select(torch.tensor([2, 0]))
    assert head.weights.tolist() == [[4, 5], [0, 1]]
    assert head.bias.tolist() == [2, 0]
