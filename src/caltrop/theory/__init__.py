"""Theoretical models of collapse: problems, each with what is provably optimal."""

from caltrop.theory.optimum import Optimum, Params, Problem
from caltrop.theory.registry import get, names, problem, problems
from caltrop.theory.ufm_cross_entropy import UfmCrossEntropy
from caltrop.theory.ufm_mse import UfmMse

__all__ = ["Optimum", "Params", "Problem", "UfmCrossEntropy", "UfmMse", "get", "names", "problem", "problems"]
