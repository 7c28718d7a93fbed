"""Renders `docs/papers.md` and the README's table of verdicts from code and committed records.

python docs/_data/render_papers.py
"""

from __future__ import annotations

from pathlib import Path

from caltrop.papers import Experiment, JudgedRecord, experiments
from caltrop.papers.experiment import SCALES, plain
from caltrop.record import RunFolder
from caltrop.report.verdicts import SIGNS, measured
from caltrop.rows import OUTCOMES

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "results"
BEGIN, END = "<!-- verdicts: rendered -->", "<!-- end of verdicts -->"

HEAD = """\
# Papers

Each paper is an experiment: a configuration for three scales, a run, and claims that rows can reproduce or contradict.
The verdicts below are judged from the records in `results/`, not written by hand; `caltrop check results` judges them
again. Claims are in our words; thresholds are ours unless they say otherwise, and each says why. What is a range in
brackets is the 95 % interval over seeds; a claim whose interval straddles its threshold is inconclusive. How claims are
judged stands in [Experiments](experiments.md).
"""


def judged(experiment: Experiment) -> JudgedRecord | None:
    """The committed desk record, if there is one."""
    folder = RESULTS / experiment.name / "desk"
    return JudgedRecord(RunFolder(folder).read(), folder) if (folder / "run.json").is_file() else None


def cell(text: str) -> str:
    """Text that cannot end a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def page() -> str:
    """docs/papers.md."""
    return "\n".join([HEAD, *(part for experiment in experiments().values() for part in _paper(experiment))])


def table() -> str:
    """The README's table: a line for each paper."""
    lines = ["| paper | claims reproduced | contradicted | inconclusive |", "|---|---|---|---|"]
    for experiment in experiments().values():
        found = judged(experiment)
        outcomes = [verdict.outcome for verdict in found.verdicts] if found else []
        counts = " | ".join(str(outcomes.count(outcome)) if found else "not run" for outcome in OUTCOMES)
        lines.append(f"| [{experiment.name}](docs/papers.md#{experiment.name}) | {counts} |")
    return "\n".join(lines)


def readme(text: str) -> str:
    """The README with its table as it should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _paper(experiment: Experiment) -> list[str]:
    found = judged(experiment)
    seeds = "" if found is None else ", ".join(str(cell.seed) for cell in found.record.cells)
    record = "There is no record yet." if found is None else f"Record: `results/{experiment.name}/desk`, seeds {seeds}."
    lines = [f"## {experiment.name}", "", f"{experiment.citation}.", "", record, ""]
    lines += ["| claim | verdict | measured | expected |", "|---|---|---|---|"]
    verdicts = {} if found is None else {verdict.claim: verdict for verdict in found.verdicts}
    for claim in experiment.claims:
        verdict = verdicts.get(claim.id)
        outcome = f"{SIGNS[verdict.outcome]} {verdict.outcome}" if verdict else "–"
        value = measured(verdict) if verdict else "–"
        lines.append(f"| {cell(claim.says)} | {outcome} | {cell(value)} | {cell(str(claim.expected))} |")
    lines += ["", *experiment.remarks, "", "What the claims mean:", ""]
    for claim in experiment.claims:
        requires = "; ".join(precondition.says for precondition in claim.requires) or "nothing"
        lines.append(
            f"- `{claim.id}` ({claim.where}): {claim.computes}. Expected {claim.expected} ({claim.threshold}). "
            f"Requires: {requires}."
        )
    lines += ["", "| scale | cost | seeds | configuration |", "|---|---|---|---|"]
    for scale in SCALES:
        fields = ", ".join(f"{name}={value}" for name, value in plain(experiment.configs[scale]).items())
        lines.append(
            f"| {scale} | {experiment.cost[scale]} | {' '.join(map(str, experiment.seeds[scale]))} | {cell(fields)} |"
        )
    return [*lines, ""]


if __name__ == "__main__":
    (ROOT / "docs" / "papers.md").write_text(page(), encoding="utf-8")
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8")), encoding="utf-8")
