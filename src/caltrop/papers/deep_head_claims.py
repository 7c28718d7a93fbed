"""What both papers on deep features models claim of a real network with a deep head under the models' penalties."""

from __future__ import annotations

from caltrop.papers.claim import Claim, at_least, at_most
from caltrop.papers.estimate import over_seeds
from caltrop.papers.preconditions import TRAINED
from caltrop.rows import Chart, Rows

HEAD_CHARTS = (
    Chart(
        "penalised_loss",
        says="Penalised loss of the network, beside that of collapse at the same penalties",
        about="head",
    ),
    Chart(
        "vanished_rank_share",
        says="Share of the head's layers of rank below K−1, with a cut of 1e-6",
        about="head",
    ),
    Chart(
        "low_rank_share",
        says="The same with a cut of 1e-2, under which a start may not have vanished yet",
        about="head",
    ),
)
HEAD_GLOSSES = {
    "loss_over_dnc": "Penalised loss of the network over the closed form of deep neural collapse at its penalties.",
    "vanished_rank_share": "Share of the head's layers whose class means have a rank below K−1, with a cut of 1e-6.",
    "low_rank_share": "Share of the head's layers whose class means have a rank below K−1, with a cut of 1e-2.",
    "low_rank_share_pre": "The same before ReLU.",
    "fit": "Mean loss over the training images, without penalties.",
    "weight_cost": "Penalty on the head's matrices.",
    "feature_cost": "Penalty on the features that enter the head.",
    "balance_gap": "How unequal the penalties of the factors are; 0 at every stationary point.",
    "factor_cost": "Penalty of one factor, twice.",
    "means_rank_visible": "Singular values of the centred class means above a hundredth of the largest.",
}


def head_claims(paper: str, where: str) -> tuple[Claim, Claim]:
    """The network ends below deep neural collapse, and low ranks are what it has."""
    return (
        Claim(
            id=f"{paper}/network-beats-collapse",
            says="A real network with a deep head, penalised like the model, ends below deep neural collapse.",
            where=where,
            quantity=over_seeds(Rows.last, measure="loss_over_dnc", origin="trained", split="train"),
            computes="penalised training loss at the end over DNC's closed form at the same penalties",
            expected=at_most(1.0),
            threshold="the closed form itself",
            origin="trained",
            requires=TRAINED,
            charts=(("", "penalised_loss"),),
            about="head",
        ),
        Claim(
            id=f"{paper}/network-has-low-rank",
            says="In at least half of the head's layers the class means of that network have a rank below K−1.",
            where=where,
            quantity=over_seeds(Rows.last, measure="vanished_rank_share", origin="trained", split="train"),
            computes="share of the head's layers whose class means have a rank below K−1 at the end",
            expected=at_least(0.5),
            threshold="ours: half of the layers; the cut of 1e-6 is that of garrod2025persistence, which weight decay "
            "may need more time to reach than was trained",
            origin="trained",
            requires=TRAINED,
            charts=(("", "vanished_rank_share"),),
            about="head",
        ),
    )
