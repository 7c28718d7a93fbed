"""What was aimed at, and whether a record reaches it: every line is a number of the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]
SMALL, MEDIUM, LONG, WIDE = (50_000, 512, 10), (10_000, 2048, 100), (50_000, 2048, 100), (4_000, 4096, 1000)
CLASSES, FLAT = (20_000, 1024, 30_000), (5_000, 100_000, 10)


@dataclass(frozen=True)
class Target:
    """One line: what, the bar, how the record is read, and whether more or less is wanted."""

    what: str
    bar: float
    read: Callable[[Record], float | None]
    at_least: bool = True
    unit: str = "×"

    def verdict(self, record: Record) -> tuple[float | None, bool | None]:
        """The number, and whether it reaches the bar; None where it was not measured."""
        value = self.read(record)
        if value is None:
            return None, None
        return value, value >= self.bar if self.at_least else value <= self.bar


def entry(record: Record, size: tuple[int, int, int], scheme: str) -> dict[str, Any] | None:
    """The row of a size and scheme that was measured, or None."""
    for row in record.get("rows", []):
        if (row["samples"], row["dim"], row["classes"]) == size and row["scheme"] == scheme:
            return row if row["cpu_s"] is not None else None
    return None


def _ratio(size: tuple[int, int, int], slow: str, fast: str, field: str = "cpu_s") -> Callable[[Record], float | None]:
    def read(record: Record) -> float | None:
        above, below = entry(record, size, slow), entry(record, size, fast)
        if above is None or below is None or not above[field] or not below[field]:
            return None
        return float(above[field] / below[field])

    return read


def _limit(size: tuple[int, int, int]) -> Callable[[Record], float | None]:
    def read(record: Record) -> float | None:
        row = entry(record, size, "two passes")
        return None if row is None else float(row["times_limit"])

    return read


def _gram(size: tuple[int, int, int]) -> Callable[[Record], float | None]:
    def read(record: Record) -> float | None:
        row = entry(record, size, "one pass")
        if row is None:
            return None
        samples, dim, _ = size
        return float(200 * samples * dim**2 / 1e9 / row["cpu_s"] / record["ceilings"]["syrk_f32_gflops"])

    return read


def _memory(size: tuple[int, int, int], scheme: str, per_square: int) -> Callable[[Record], float | None]:
    """Measured above the formula (per_square·d² + 16·K·d + 8 bytes for each value of a block + 30 MiB), in MiB."""

    def read(record: Record) -> float | None:
        row = entry(record, size, scheme)
        if row is None or row["extra_mib"] is None:
            return None
        _, dim, classes = size
        room = (per_square * dim**2 + 16 * classes * dim + 8 * max(2**20, dim)) / 2**20 + 30
        return float(row["extra_mib"] / room)

    return read


def _doubled(field: str) -> Callable[[Record], float | None]:
    def read(record: Record) -> float | None:
        found = [one[field] for one in record.get("memory", [])]
        return None if len(found) != 2 or None in found else float(found[1] - found[0])

    return read


def _error(record: Record) -> float | None:
    errors = [
        error
        for cell in record.get("accuracy", [])
        for way, error in cell["errors"].items()
        if cell["dtype"] == "float32" and way != "raw moments" and error is not None
    ]
    return max(errors) if errors else None


def _share(pool: str, field: str) -> Callable[[Record], float | None]:
    def read(record: Record) -> float | None:
        for one in record.get("in_situ", []):
            if one["network"] == "resnet" and one["pool"] == pool and one.get(field) is not None:
                return float(100 * one[field])
        return None

    return read


def _scan(record: Record) -> float | None:
    found = record.get("large_classes")
    return None if found is None else float(found["scan_cpu_s"] / found["simplex_cpu_s"])


TARGETS = (
    Target(
        "10000×2048, K=100, streamed in two passes: times faster than stored features (SciPy's pinv)",
        10,
        _ratio(MEDIUM, "stored features", "two passes"),
    ),
    Target(
        "the same, against the fastest ready-made pseudo-inverse (torch, symmetric)",
        10,
        _ratio(MEDIUM, "stored features, torch", "two passes"),
    ),
    Target("the same, hoped for against a notebook", 45, _ratio(MEDIUM, "stored features", "two passes")),
    Target(
        "the same: memory, times less than stored features",
        5,
        _ratio(MEDIUM, "stored features", "two passes", "extra_mib"),
    ),
    Target(
        "10000×2048, K=100: times faster than a streamed textbook (d×d, float32, pinv)",
        25,
        _ratio(MEDIUM, "streamed textbook", "two passes"),
    ),
    Target("50000×512, K=10: the same", 6, _ratio(SMALL, "streamed textbook", "two passes")),
    Target(
        "50000×512, K=10: memory, times less than a streamed textbook",
        1,
        _ratio(SMALL, "streamed textbook", "two passes", "extra_mib"),
    ),
    Target(
        "50000×2048, K=100: two passes, times faster than stored features (torch)",
        12,
        _ratio(LONG, "stored features, torch", "two passes"),
    ),
    Target("the same, one pass", 2.5, _ratio(LONG, "stored features, torch", "one pass")),
    Target(
        "4000×4096, K=1000: two passes, times faster than stored features (torch)",
        12,
        _ratio(WIDE, "stored features, torch", "two passes"),
    ),
    Target("the same, one pass", 8, _ratio(WIDE, "stored features, torch", "one pass")),
    Target("50000×512, K=10: two passes, times the limit", 2.5, _limit(SMALL), at_least=False),
    Target("10000×2048, K=100: two passes, times the limit", 2.5, _limit(MEDIUM), at_least=False),
    Target("50000×2048, K=100: two passes, times the limit", 2.5, _limit(LONG), at_least=False),
    Target("4000×4096, K=1000: two passes, times the limit", 3.5, _limit(WIDE), at_least=False),
    Target("50000×2048, K=100: one pass, share of the symmetric-product ceiling", 75, _gram(LONG), unit="%"),
    Target(
        "overhead of a pooled residual network, one pass, all blocks, of its forward pass",
        1,
        _share("mean", "one_pass_share"),
        at_least=False,
        unit="%",
    ),
    Target("the same, flattened, first pass", 3, _share("flatten", "first_pass_share"), at_least=False, unit="%"),
    Target("the same, flattened, second pass", 3, _share("flatten", "second_pass_share"), at_least=False, unit="%"),
    Target(
        "memory of two passes over a formula (16·K·d + block + 30 MiB), 10000×2048, K=100",
        1,
        _memory(MEDIUM, "two passes", 0),
        at_least=False,
    ),
    Target("the same, 4000×4096, K=1000", 1, _memory(WIDE, "two passes", 0), at_least=False),
    Target("the same, 20000×1024, K=30000", 1, _memory(CLASSES, "two passes", 0), at_least=False),
    Target("the same, 5000×100000, K=10", 1, _memory(FLAT, "two passes", 0), at_least=False),
    Target(
        "memory of one pass over a formula (12·d² + 16·K·d + block + 30 MiB), 10000×2048, K=100",
        1,
        _memory(MEDIUM, "one pass", 12),
        at_least=False,
    ),
    Target(
        "N doubled, two passes over a stream: growth of the peak",
        2,
        _doubled("streamed_mib"),
        at_least=False,
        unit=" MiB",
    ),
    Target(
        "N doubled, two passes over a mapped file: growth of the peak",
        2,
        _doubled("mapped_mib"),
        at_least=False,
        unit=" MiB",
    ),
    Target(
        "worst relative error of NC1, float32 features, NC1 1e-2 to 1e-10, offset up to 1000, every way",
        1e-6,
        _error,
        at_least=False,
        unit="",
    ),
    Target("30000 classes in 1024 dimensions: simplex distance, times cheaper than a scan of all pairs", 10, _scan),
)
