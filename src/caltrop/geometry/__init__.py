"""Ideal configurations, and distances to them."""

from caltrop.geometry.frames import flatness, flatness_floor, orthogonal_frame, simplex_etf, welch_bound

__all__ = ["flatness", "flatness_floor", "orthogonal_frame", "simplex_etf", "welch_bound"]
