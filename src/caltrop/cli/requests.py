"""What `caltrop measure` was asked for, and whether that makes sense, before anything heavy loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NOT_MEASURED = {"ordinal": "ordinal measuring", "regression": "regression measuring"}


@dataclass(frozen=True)
class Request:
    """The options of `caltrop measure`; one of `features` and `model` is given."""

    features: Path | None = None
    labels_file: Path | None = None
    head_file: Path | None = None
    model: str | None = None
    data: str | None = None
    checkpoints: tuple[Path, ...] = ()
    layers: tuple[str, ...] = ()
    head: str | None = None
    task: str | None = None
    pool: str | None = None
    device: str | None = None
    num_classes: int | None = None
    ignore_index: tuple[int, ...] | None = None
    measures: tuple[str, ...] = ()
    ordinal: bool = False

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            ValueError: with what is missing or too much.
        """
        self._check_task()
        self._check_doors()
        if self.num_classes is not None and self.num_classes < 2:
            raise ValueError(f"--num-classes {self.num_classes} is too few; collapse needs 2 classes or more.")
        if self.model is None and self.head is not None and self.head_file is None:
            raise ValueError("--head names a layer of --model or of --head-file; give one of them.")

    def _check_task(self) -> None:
        task = "ordinal" if self.ordinal else self.task
        if task in NOT_MEASURED:
            raise ValueError(f"{NOT_MEASURED[task]} is not part of this version; it measures classification.")
        if task not in (None, "auto", "classification"):
            raise ValueError(f"--task {task} is unknown; give auto or classification.")

    def _check_doors(self) -> None:
        if self.features is not None and self.model is not None:
            raise ValueError("FEATURES and --model were both given; measure one of them at a time.")
        if self.features is None and self.model is None:
            raise ValueError(self._why_nothing_to_measure())
        if self.model is not None and self.data is None:
            raise ValueError("--model needs --data pkg.mod:make_loader, the data that the model reads.")
        misplaced = self._misplaced()
        if misplaced:
            door = "FEATURES" if self.model is None else "--model"
            verb = "do" if len(misplaced) > 1 else "does"
            raise ValueError(f"{' and '.join(misplaced)} {verb} not go with {door}; see caltrop measure --help.")

    def _misplaced(self) -> list[str]:
        given: dict[str, object]
        if self.model is not None:
            given = {"--labels-file": self.labels_file, "--head-file": self.head_file}
        else:
            given = {
                "--data": self.data,
                "--checkpoint": self.checkpoints or None,
                "--pool": self.pool,
                "--device": self.device,
            }
        return [name for name, value in given.items() if value is not None]

    def _why_nothing_to_measure(self) -> str:
        # a file after --layers or --measures reads as one more of their values
        swallowed = next((name for name in (*self.layers, *self.measures) if Path(name).is_file()), None)
        if swallowed is not None:
            return f"{swallowed} was read as a value of the option before it; write FEATURES first."
        if self.data is not None or self.checkpoints:
            return "--data and --checkpoint need --model pkg.mod:make_model."
        return "nothing to measure: give FEATURES, or --model and --data; see caltrop measure --help."
