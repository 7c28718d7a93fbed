"""What the two papers on deep features models claim alike: quantities over the cases of `deep_features`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from caltrop.papers.claim import Claim, at_least, at_most
from caltrop.papers.deep_features import DNC
from caltrop.papers.estimate import Estimate, share_estimate
from caltrop.papers.evidence import Evidence
from caltrop.papers.preconditions import Precondition
from caltrop.rows import Rows

# relative; closed forms are exact to 1e-15 and a solver's value, being that of explicit parameters, is too
BEATEN = 1e-6
MOSTLY = 0.9


def best_of_case(rows: Rows) -> dict[str, float]:
    """The numbers of the seed with the lowest value: its gap, its gains and its ranks."""
    gaps = rows.where(measure="gap_to_dnc", layer="").per("seed", Rows.last)
    if not gaps:
        raise LookupError("no point other than deep neural collapse was found")
    seed = min(gaps, key=lambda one: gaps[one])
    mine = rows.where(seed=seed, layer="", origin="solved")
    wanted = ("gap_to_dnc", "fit_gain", "penalty_gain", "rank_above_dnc", "mean_rank", "logit_rank")
    return {measure: mine.where(measure=measure).last() for measure in wanted}


def each_case(evidence: Evidence) -> dict[str | None, dict[str, float]]:
    """`best_of_case` of every case."""
    found = {case: best_of_case(rows) for case, rows in evidence.rows.split_by("case").items()}
    if not found:
        raise LookupError("no case was run")
    return found


def over_cases(
    number: Callable[[dict[str, float]], float], pick: Callable[[Iterable[float]], float]
) -> Callable[[Evidence], float]:
    """The least or the greatest, over cases, of a number of each case's best point."""
    return lambda evidence: pick(number(case) for case in each_case(evidence).values())


def _gap(case: dict[str, float]) -> float:
    return case["gap_to_dnc"]


def _penalty_share(case: dict[str, float]) -> float:
    """The share of the gain that is penalty; more than 1 where the fit is worse."""
    gain = case["fit_gain"] + case["penalty_gain"]
    if gain <= 0:
        raise LookupError("nothing is gained over deep neural collapse, so nothing can be said of why")
    return case["penalty_gain"] / gain


def dnc_is_beaten(paper: str, says: str, where: str) -> Claim:
    """In every case "beaten, …" a point lies below deep neural collapse."""
    return Claim(
        id=f"{paper}/collapse-is-beaten",
        says=says,
        where=where,
        quantity=over_cases(_gap, max),
        computes="(best value found − value of DNC)/value of DNC, the greatest over the cases",
        expected=at_most(-BEATEN),
        threshold="ours: a millionth is a thousand million times the rounding of either value",
        origin="solved",
        charts=(("", "gap_to_dnc"),),
        about="beaten",
    )


def control(paper: str, says: str, where: str) -> Claim:
    """In every case "control, …" nothing that was found lies below deep neural collapse."""
    return Claim(
        id=f"{paper}/control",
        says=says,
        where=where,
        quantity=over_cases(_gap, min),
        computes="(best value found − value of DNC)/value of DNC, the least over the cases",
        expected=at_least(-1e-9),
        threshold="ours: rounding, far below the millionth that counts as beaten",
        origin="solved",
        charts=(("", "gap_to_dnc"),),
        about="control",
    )


def culprit(paper: str, where: str) -> tuple[Claim, Claim]:
    """What beats collapse gains it in the penalties, and has a lower rank."""
    return (
        Claim(
            id=f"{paper}/gain-is-penalty",
            says="What beats deep neural collapse gains it in the penalties, not in the fit.",
            where=where,
            quantity=over_cases(_penalty_share, min),
            computes="share of the gain over DNC that is penalty, the least over the cases",
            expected=at_least(MOSTLY),
            threshold="ours: nine tenths is nearly all; above 1 the fit is even worse",
            origin="solved",
            charts=(("", "penalty_gain"),),
            about="beaten",
        ),
        Claim(
            id=f"{paper}/lower-rank",
            says="What beats deep neural collapse has a lower rank.",
            where=where,
            quantity=over_cases(lambda case: case["rank_above_dnc"], max),
            computes="rank before activation, summed over layers, less that of DNC; the greatest over the cases",
            expected=at_most(-1.0),
            threshold="a rank is an integer: one lower in one layer; singular values under 1/1000 do not count",
            origin="solved",
            charts=(("", "rank_above_dnc"),),
            about="beaten",
        ),
    )


def _widths(evidence: Evidence) -> dict[int, Rows]:
    """Rows of the narrowest and the widest case."""
    by_width = {int(config["dim"]): case for case, config in evidence.cases.items()}
    if len(by_width) < 2:
        raise LookupError("two widths or more are needed")
    return {width: evidence.rows.where(case=by_width[width]) for width in (min(by_width), max(by_width))}


def structures(rows: Rows) -> Counter[str]:
    """How many starts of all seeds ended in which structure."""
    counts: Counter[str] = Counter()
    for row in rows.where(measure="starts"):
        counts[row.layer.removeprefix("structure ")] += int(row.value)
    return counts


def _share(rows: Rows) -> Estimate:
    counts = structures(rows)
    return share_estimate(sum(counts[name] for name in DNC.values()), sum(counts.values()), "starts")


def _rise(evidence: Evidence) -> Estimate:
    """P(DNC) at the widest less that at the narrowest, between the extremes that the two intervals allow."""
    narrow, wide = (_share(rows) for rows in _widths(evidence).values())
    assert narrow.interval is not None
    assert wide.interval is not None
    interval = (wide.interval[0] - narrow.interval[1], wide.interval[1] - narrow.interval[0])
    return Estimate(wide.value - narrow.value, interval, (), f"narrowest {narrow.how}; widest {wide.how}")


def _lead(evidence: Evidence) -> Estimate:
    """Among starts at the widest that end in DNC or in the commonest other named structure, the share in DNC."""
    counts = structures(_widths(evidence)[max(_widths(evidence))])
    dnc = sum(counts[name] for name in DNC.values())
    rival = max((count for name, count in counts.items() if name not in DNC.values() and is_named(name)), default=0)
    if dnc + rival == 0:
        raise LookupError("no start ended in a structure that has a name")
    return share_estimate(dnc, dnc + rival, "starts")


def is_named(structure: str) -> bool:
    """Whether a structure has a name of its own: not unknown, diverged or zero."""
    return not structure.startswith(("unknown", "diverged", "zero", "not finite"))


def prevalence(paper: str, where: str) -> tuple[Claim, Claim]:
    """Wider models end in deep neural collapse more often, and at the widest it is the commonest named structure."""
    return (
        Claim(
            id=f"{paper}/width-favours-collapse",
            says="The wider the model, the more often gradient descent ends in deep neural collapse.",
            where=where,
            quantity=_rise,
            computes="P(DNC) at the widest less that at the narrowest, with the extremes that both intervals allow",
            expected=at_least(1e-9),
            threshold="ours: above 0, so that the exact binomial intervals are disjoint; overlapping, nothing is said",
            origin="solved",
            charts=(("", "dnc_share"),),
            about="prevalence",
        ),
        Claim(
            id=f"{paper}/collapse-is-common-when-wide",
            says="In the widest model deep neural collapse is the commonest of the structures that have a name.",
            where=where,
            quantity=_lead,
            computes="share in DNC among the starts that end in it or in the commonest other named structure",
            expected=at_least(0.5),
            threshold="one half: as many as in the other; the interval is exact binomial",
            origin="solved",
            charts=(("", "dnc_share"),),
            about="prevalence",
        ),
    )


def _none_known(evidence: Evidence) -> str | None:
    found = each_case(evidence)
    open_cases = [str(case) for case, numbers in found.items() if numbers["gap_to_dnc"] > -BEATEN]
    if not open_cases:
        return None
    return f"{', '.join(open_cases)}: nothing below DNC was found, which does not show that there is nothing"


A_LOWER_POINT = Precondition("a point below deep neural collapse is known", _none_known)
