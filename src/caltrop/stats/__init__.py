"""Features to statistics: anchored accumulators that close to frozen, mergeable moments."""

from caltrop.stats.accumulator import ClassAccumulator, MeanAccumulator
from caltrop.stats.class_moments import ClassMoments
from caltrop.stats.decisions import CentreDecisions, HeadDecisions
from caltrop.stats.head import Head
from caltrop.stats.labels import IGNORED, Labels, check_range, read_labels, refuse_identifiers
from caltrop.stats.pairs import Pairs
from caltrop.stats.second_look import SecondLook, Seen
from caltrop.stats.span import Span, SpanMoments, SpreadMoments
from caltrop.stats.spectrum import TotalSpectrum
from caltrop.stats.spool import ResidualSpool
from caltrop.stats.ways import Look, Way, choose_way

__all__ = [
    "IGNORED",
    "CentreDecisions",
    "ClassAccumulator",
    "ClassMoments",
    "Head",
    "HeadDecisions",
    "Labels",
    "Look",
    "MeanAccumulator",
    "Pairs",
    "ResidualSpool",
    "SecondLook",
    "Seen",
    "Span",
    "SpanMoments",
    "SpreadMoments",
    "TotalSpectrum",
    "Way",
    "check_range",
    "choose_way",
    "read_labels",
    "refuse_identifiers",
]
