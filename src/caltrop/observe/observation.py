"""An Observation: tidy rows that answer questions, print themselves and become a page."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from caltrop import measures as registry
from caltrop.observe.pictures import aligned
from caltrop.report import html_table, text_table, write_page
from caltrop.rows import ClassValues, Picture, Row, Rows, Study, to_json

Step = int | float | None


class Observation:
    """Rows of one or several layers, splits and steps, with per-class values and pictures behind them.

    `seen[layer, measure]` is the value at the last step, of the first split there is;
    `seen[layer, measure, split]` of that split. Accuracy belongs to the whole model and is found under the
    empty layer as well as under the layer that feeds the head.
    """

    def __init__(
        self,
        rows: Iterable[Row] = (),
        class_values: Iterable[ClassValues] = (),
        pictures: Iterable[Picture] = (),
        *,
        missing: dict[tuple[str, str], str] | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        self.rows: list[Row] = list(rows)
        self.class_values: list[ClassValues] = list(class_values)
        self.pictures: list[Picture] = list(pictures)
        self.notes: tuple[str, ...] = tuple(notes)
        self._missing = dict(missing or {})

    @classmethod
    def merged(cls, observations: Iterable[Observation]) -> Observation:
        """All rows of several observations, in order; a note is kept once."""
        whole = cls()
        for seen in observations:
            whole.rows += seen.rows
            whole.class_values += seen.class_values
            whole.pictures += seen.pictures
            whole._missing.update(seen._missing)
            whole.notes = tuple(dict.fromkeys((*whole.notes, *seen.notes)))
        return whole

    def __getitem__(self, key: tuple[str, str] | tuple[str, str, str]) -> float:
        if not isinstance(key, tuple) or len(key) not in (2, 3):
            raise TypeError("an observation is read as seen[layer, measure] or seen[layer, measure, split].")
        layer, measure, *split = key
        return self._last(layer, measure, split[0] if split else None).value

    def at(self, layer: str, measure: str, step: Step, *, split: str | None = None) -> float:
        """The value at one step; KeyError names the steps there are."""
        rows = self._find(layer, measure, split)
        for row in reversed(rows):
            if row.step == step:
                return row.value
        steps = [row.step for row in rows]
        raise KeyError(f"'{measure}' of layer '{layer}' was not measured at step {step}; steps are {steps}.")

    def series(self, layer: str, measure: str, *, split: str | None = None) -> list[tuple[Step, float]]:
        """(step, value) at every step, in the order measured."""
        return [(row.step, row.value) for row in self._find(layer, measure, split)]

    def row(self, layer: str, measure: str, *, split: str | None = None) -> Row:
        """The whole row at the last step: half-width, resolution, reason and note included."""
        return self._last(layer, measure, split)

    def per_class(self, layer: str, measure: str, *, split: str | None = None) -> dict[int, float]:
        """Per-class values by label at the last step; KeyError where the measure has none."""
        row = self._last(layer, measure, split)
        for entry in reversed(self.class_values):
            same = (entry.layer, entry.measure, entry.split, entry.step)
            if same == (row.layer, row.measure, row.split, row.step):
                return dict(entry.values)
        raise KeyError(f"'{measure}' has no per-class values at layer '{layer}'.")

    @property
    def layers(self) -> list[str]:
        """Layers with rows, in order; whole-model numbers (the empty layer) are left out."""
        return list(dict.fromkeys(row.layer for row in self.rows if row.layer))

    @property
    def splits(self) -> list[str]:
        """Splits with rows, in order."""
        return list(dict.fromkeys(row.split for row in self.rows))

    @property
    def missing(self) -> dict[tuple[str, str], str]:
        """By layer and measure: why a measure that was wanted has no row."""
        return dict(self._missing)

    def table(self) -> str:
        """The rows as plain text."""
        return text_table(self.rows)

    def to_pandas(self) -> Any:
        """The rows as a tidy pandas DataFrame, one column for each field of a row; absent numbers are NaN.

        Raises:
            ImportError: pandas is not installed.
        """
        return Rows.of(self.rows).to_pandas()

    def to_json(self) -> str:
        """Strict JSON: {"rows": [...], "per_class": {split: {layer: {measure: {label: value}}}}, "notes": [...]}.

        Per-class values are those of the last step.
        """
        nested: dict[str, Any] = {}
        for entry in self.class_values:
            values = nested.setdefault(entry.split, {}).setdefault(entry.layer, {})
            values[entry.measure] = {str(label): value for label, value in entry.values.items()}
        rows = [row.as_dict() for row in self.rows]
        return to_json({"rows": rows, "per_class": nested, "notes": list(self.notes)})

    def study(
        self,
        *,
        title: str = "Neural collapse",
        clock: str | None = None,
        notes: Sequence[str] = (),
        provenance: dict[str, Any] | None = None,
    ) -> Study:
        """Everything a page or a record needs; pictures of one layer are turned alike along the steps."""
        return Study(
            rows=tuple(self.rows),
            per_class=tuple(self.class_values),
            pictures=tuple(aligned(self.pictures)),
            title=title,
            clock=clock,
            notes=(*notes, *self.notes),
            provenance=dict(provenance or {}),
            glosses=registry.glosses(row.measure for row in self.rows),
        )

    def report(self, path: str | Path, **study: Any) -> Path:
        """Write the self-contained page; keyword arguments as for `study`."""
        return write_page(self.study(**study), Path(path))

    def _repr_html_(self) -> str:
        return html_table(self.rows)

    def __repr__(self) -> str:
        steps = len({row.step for row in self.rows})
        return f"<Observation: {len(self.rows)} rows, layers {self.layers}, splits {self.splits}, {steps} step(s)>"

    def _last(self, layer: str, measure: str, split: str | None) -> Row:
        return self._find(layer, measure, split)[-1]

    def _find(self, layer: str, measure: str, split: str | None) -> list[Row]:
        rows = [row for row in self.rows if row.measure == measure and row.layer == layer]
        if not rows:  # whole-model numbers are found under the empty layer and under a real one
            whole = [row for row in self.rows if row.measure == measure and row.layer == ""]
            rows = whole if layer in self.layers else []
        if not rows and not layer and registry.get(measure).is_whole_model:
            rows = [row for row in self.rows if row.measure == measure]
        if not rows:
            raise KeyError(self._why_missing(layer, measure))
        wanted = rows[0].split if split is None else split
        found = [row for row in rows if row.split == wanted]
        if not found:
            raise KeyError(f"no split is called '{split}'; splits are {self.splits}.")
        return found

    def _why_missing(self, layer: str, measure: str) -> str:
        if (layer, measure) in self._missing:
            return f"'{measure}' has no row at layer '{layer}': {self._missing[layer, measure]}"
        if layer and layer not in self.layers:
            nearest = difflib.get_close_matches(layer, self.layers, n=3, cutoff=0.3)
            return f"no layer is called '{layer}'; " + (f"nearest: {nearest}" if nearest else f"layers: {self.layers}")
        registry.get(measure)  # an unknown name raises KeyError with the nearest ones
        return f"'{measure}' was not measured at layer '{layer}'; ask for it with measures=[...]"
