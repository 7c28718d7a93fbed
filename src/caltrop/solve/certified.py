"""A certificate: numbers about one point, what they prove, and what they do not."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from caltrop.solve.curvature import Curvature

# Values this close, relative to 1 or the value, are called equal: rounding of a float64 loss and its bound.
EQUAL = 1e-12
# Kinks within this share of a layer's largest pre-activation are exact up to rounding.
EXACT = 1e-12


@dataclass(frozen=True)
class Certificate:
    """What holds at one point. Numbers that are not defined, or were not looked for, are None.

    value
        The loss.
    tol, stationarity, is_stationary
        The largest entry of the gradient, at kinks of the smallest one found over their slopes; whether it is ≤ tol.
    stationarity_floor
        With kinks: no slopes leave less (0 where nothing is excluded). Without, the stationarity.
    kinks, active_kinks, kink_tolerance, kink_reach, kink_clearance
        With ReLU: pre-activations taken for 0; those whose slope matters; up to which share of the largest in their
        layer; the largest of them; the smallest share of those not taken.
    balance_gap, interface_gap, alignment_gap
        Spread of λ‖·‖² over factors; of penalised Grams at interfaces; of their singular vectors (see `alignment`).
    optimal_value, lower_bound, excess
        The infimum where known; the best bound known; value − optimal_value, or − lower_bound where it is unknown.
    duality_gap
        One layer: value minus the dual bound at this point.
    curvature
        Signs of the Hessian's eigenvalues (see `curvature`); None at kinks, and away from stationary points.

    `proves` and `does_not_prove` say it in words.
    """

    value: float
    tol: float
    stationarity: float
    is_stationary: bool
    stationarity_floor: float
    kinks: int
    active_kinks: int
    kink_tolerance: float | None
    kink_reach: float | None
    kink_clearance: float | None
    balance_gap: float | None
    interface_gap: float | None
    alignment_gap: float | None
    optimal_value: float | None
    lower_bound: float
    excess: float
    duality_gap: float | None
    curvature: Curvature | None

    @property
    def negative_curvature(self) -> int | None:
        """Negative eigenvalues of the Hessian."""
        return None if self.curvature is None else self.curvature.negative

    @property
    def nullity(self) -> int | None:
        """Zero eigenvalues of the Hessian."""
        return None if self.curvature is None else self.curvature.nullity

    @property
    def expected_nullity(self) -> int | None:
        """Zero eigenvalues that symmetry makes."""
        return None if self.curvature is None else self.curvature.expected_nullity

    @property
    def proves(self) -> tuple[str, ...]:
        """What holds of this point, each with the number that it rests on."""
        if not math.isfinite(self.value):
            return ()
        said = [self._bounded()]
        said += [self._stationary()] if self.is_stationary else self._excluded()
        if self.curvature is not None:
            said += self._curved(self.curvature)
        return tuple(said)

    @property
    def does_not_prove(self) -> tuple[str, ...]:
        """What must not be read into it, and why."""
        if not math.isfinite(self.value):
            return ("anything: the loss is not a finite number here",)
        said: list[str] = []
        if not self.is_stationary:
            said.append(
                f"that the point is stationary: a gradient of {self.stationarity:.1e} is left, above {self.tol:g}"
            )
            if self.kink_tolerance is not None and self.stationarity_floor <= self.tol:
                said.append(
                    "that it is not stationary either: the slopes at kinks were sought by descent from a few starts, "
                    "and others might leave less"
                )
        elif self.kinks:
            said.append(
                "that it is a local minimum: 0 is a generalised gradient at some saddles and maxima too, and at kinks "
                "there is no Hessian to tell"
            )
            if self.kink_tolerance is not None and self.kink_tolerance > EXACT:
                said.append(
                    f"that an exactly stationary point lies nearby: pre-activations up to {self.kink_reach:.1e} were "
                    "taken for 0"
                )
        elif self.curvature is None:
            said.append("that it is a local minimum: the Hessian was not looked at")
        else:
            said += self._flat(self.curvature)
        if not self._is_global:
            said.append(
                f"that it is a global minimum: lower values are excluded only below {self.lower_bound:.10g}, "
                f"{self.value - self.lower_bound:.1e} lower"
            )
        return tuple(said)

    @property
    def _is_global(self) -> bool:
        return self.value - self.lower_bound <= max(self.tol, EQUAL) * max(1.0, abs(self.value))

    def _bounded(self) -> str:
        if self._is_global:
            return (
                f"global optimality up to {max(self.value - self.lower_bound, 0.0):.1e}: no point lies below "
                f"{self.lower_bound:.12g}"
            )
        return f"that no point lies more than {self.value - self.lower_bound:.3g} below this one"

    def _stationary(self) -> str:
        if not self.kinks:
            return f"a stationary point up to {self.stationarity:.1e} in every entry of the gradient"
        entries = f"{self.stationarity:.1e} in every entry of the gradient"
        if not self.active_kinks:
            return (
                f"a stationary point up to {entries}, whichever slopes ReLU has at its {self.kinks} kinks: nothing "
                "comes back to them"
            )
        return (
            f"an approximate stationary point in Clarke's sense: slopes in [0, 1] at the {self.active_kinks} kinks "
            f"where they matter, chosen jointly, leave at most {entries}; pre-activations there are within "
            f"{self.kink_reach:.1e} of 0"
        )

    def _excluded(self) -> list[str]:
        if self.stationarity_floor <= self.tol:
            return []
        least = f"at least {self.stationarity_floor:.1e} in some entry of the gradient"
        if self.kink_tolerance is None:
            return [f"that it is not a stationary point: {least}"]
        return [f"that it is not a stationary point, and no local minimum: all slopes at its kinks leave {least}"]

    def _curved(self, curvature: Curvature) -> list[str]:
        if curvature.negative:
            least = "at least " if curvature.method == "lanczos" else ""
            return [f"a strict saddle, no local minimum: {least}{curvature.negative} directions of negative curvature"]
        if curvature.nullity is None:
            return []
        if curvature.nullity == curvature.expected_nullity:
            if curvature.nullity == 0:
                return ["a strict local minimum: all curvatures are positive"]
            return [
                f"a strict local minimum up to symmetry: no negative curvature, and the {curvature.nullity} flat "
                "directions are those along which symmetry moves it"
            ]
        return ["no negative curvature: necessary for a local minimum"]

    def _flat(self, curvature: Curvature) -> list[str]:
        if curvature.negative:
            return []
        if curvature.method == "lanczos":
            return [
                "that it is a local minimum: the lowest curvatures were found from one random start (Lanczos), which "
                "shows negative ones but not that there are none"
            ]
        if curvature.nullity and curvature.expected_nullity is None:
            return [f"that it is a strict local minimum: {curvature.nullity} flat directions are not accounted for"]
        if curvature.expected_nullity is not None and curvature.nullity != curvature.expected_nullity:
            return [
                f"that it is a local minimum: {curvature.nullity} flat directions where symmetry makes "
                f"{curvature.expected_nullity}, so that higher derivatives decide"
            ]
        return []

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON: numbers that are not finite are null."""
        plain: dict[str, Any] = {}
        for field in fields(self):
            plain[field.name] = _plain(getattr(self, field.name))
        return {**plain, "proves": list(self.proves), "does_not_prove": list(self.does_not_prove)}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Curvature):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value
