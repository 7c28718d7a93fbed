"""Ideal configurations, distances to them, and the names of arrangements of classes."""

from caltrop.geometry.arrangement import Block, Structure, name_arrangement, rank_of, structure_counts, without_classes
from caltrop.geometry.frames import flatness, flatness_floor, orthogonal_frame, simplex_etf, welch_bound
from caltrop.geometry.matching import ClassLogits, deviation_from, order_of
from caltrop.geometry.shapes import Shape, shapes_of

__all__ = [
    "Block",
    "ClassLogits",
    "Shape",
    "Structure",
    "deviation_from",
    "flatness",
    "flatness_floor",
    "name_arrangement",
    "order_of",
    "orthogonal_frame",
    "rank_of",
    "shapes_of",
    "simplex_etf",
    "structure_counts",
    "welch_bound",
    "without_classes",
]
