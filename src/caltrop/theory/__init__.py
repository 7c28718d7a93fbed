"""Theoretical models of collapse: problems, each with what is provably optimal."""

from caltrop.theory.deep_ufm_cross_entropy import DeepUfmCrossEntropy
from caltrop.theory.deep_ufm_mse import DeepUfmMse
from caltrop.theory.edge_graphs import best_graph
from caltrop.theory.optimum import Optimum, Params, Penalised, Problem
from caltrop.theory.registry import get, names, problem, problems
from caltrop.theory.ufm_convex import UfmConvex
from caltrop.theory.ufm_cross_entropy import UfmCrossEntropy
from caltrop.theory.ufm_mse import UfmMse

__all__ = [
    "DeepUfmCrossEntropy",
    "DeepUfmMse",
    "Optimum",
    "Params",
    "Penalised",
    "Problem",
    "UfmConvex",
    "UfmCrossEntropy",
    "UfmMse",
    "best_graph",
    "get",
    "names",
    "problem",
    "problems",
]
