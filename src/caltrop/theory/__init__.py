"""Theoretical models of collapse: problems, each with what is provably optimal."""

from caltrop.theory.optimum import Optimum, Params, Penalised, Problem
from caltrop.theory.registry import get, names, problem, problems
from caltrop.theory.ufm_cross_entropy import UfmCrossEntropy
from caltrop.theory.ufm_mse import UfmMse

__all__ = [
    "Optimum",
    "Params",
    "Penalised",
    "Problem",
    "UfmCrossEntropy",
    "UfmMse",
    "get",
    "names",
    "problem",
    "problems",
]
