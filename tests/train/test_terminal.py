"""The terminal phase is reached, lost and regained."""

from __future__ import annotations

import pytest

from caltrop.train import TerminalPhase


def after(*errors: int) -> TerminalPhase:
    phase = TerminalPhase()
    for epoch, count in enumerate(errors, start=1):
        phase.update(epoch, count)
    return phase


@pytest.mark.parametrize(
    ("errors", "first", "since", "lost"),
    [
        ((), None, None, 0),
        ((5, 1), None, None, 0),
        ((5, 0), 2, 2, 0),
        ((5, 0, 0, 0), 2, 2, 0),
        ((0, 0, 1), 1, None, 1),
        ((5, 0, 2, 0, 0), 2, 4, 1),
        ((0, 1, 0, 3, 2, 0), 1, 6, 2),
    ],
)
def test_first_and_since_follow_the_errors(errors, first, since, lost):
    phase = after(*errors)
    assert (phase.first, phase.since, phase.lost) == (first, since, lost)
    assert phase.reached == (since is not None)


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        ((), "was not measured"),
        ((5, 1), "never reached zero: 1 errors remain after epoch 2"),
        ((5, 0, 0), "truly zero since epoch 2 and stayed so to epoch 3"),
        ((5, 0, 3), "zero first after epoch 2, but did not stay there: 3 errors after epoch 3"),
        ((0, 2, 0), "without a break since epoch 3 (first after epoch 1, lost 1 times"),
    ],
)
def test_the_sentence_says_what_happened(errors, sentence):
    assert sentence in after(*errors).sentence()


def test_epochs_must_increase():
    with pytest.raises(ValueError, match="epoch 2 comes after epoch 2"):
        after(3, 2).update(2, 0)


def test_negative_errors_are_refused():
    with pytest.raises(ValueError, match="-1 errors are impossible"):
        TerminalPhase().update(0, -1)
