"""One plain sentence for each measure, so that a reader need not know the literature."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = {
    "signs": "The signs of collapse",
    "variability": "Spread within the classes",
    "rank": "Rank and resolution",
    "means": "Arrangement of the class means",
    "head": "Arrangement of the last layer",
    "decisions": "Duality, decisions and bias",
    "many": "Many classes",
    "training": "Training, and what the features model predicts",
    "other": "Further measures",
}


@dataclass(frozen=True)
class Entry:
    """How one measure is called and explained; `family` is a key of `FAMILIES`."""

    family: str
    title: str
    sentence: str


GLOSSARY: dict[str, Entry] = {
    "within_class_variability": Entry(
        "signs",
        "Within-class variability",
        "How far features scatter around their own class mean, compared with how far apart the class means are.",
    ),
    "simplex_distance": Entry(
        "signs",
        "Distance of the class means from a simplex",
        "How far the class means are from pointing in maximally different directions with equal lengths.",
    ),
    "self_duality_gap": Entry(
        "signs",
        "Gap between last layer and class means",
        "How far the rows of the last layer are from being the class means, up to one common scale.",
    ),
    "nearest_centre_disagreement": Entry(
        "signs",
        "Disagreement with the nearest class mean",
        "Share of samples that the network decides differently from the rule “take the nearest class mean”.",
    ),
    "accuracy": Entry("signs", "Accuracy", "Share of samples that the network labels correctly."),
    "loss": Entry("signs", "Loss", "The training objective, averaged over samples."),
    "training_error": Entry(
        "training",
        "Training error",
        "Share of training samples that the network misclassifies in evaluation mode; zero marks the terminal phase.",
    ),
    "weight_decay_time": Entry(
        "training",
        "Weight-decay time",
        "Learning rate over one minus momentum, times weight decay, summed over steps: how often weight decay could "
        "have acted. Below about 5, missing collapse only means that it is too early.",
    ),
    "penalised_loss": Entry("training", "Loss with penalties", "The loss plus the penalties on weights and features."),
    "head_norm": Entry("training", "Norm of the last layer", "Length of all weights of the last layer together."),
    "feature_norm": Entry(
        "training",
        "Norm of the features",
        "Root mean square distance of the last layer's features from their mean.",
    ),
    "logit_scale": Entry(
        "training",
        "Scale of the logits",
        "How far the right class's logit stands above the mean of the others, averaged over samples.",
    ),
    "fitted_feature_decay": Entry(
        "training",
        "Fitted feature penalty",
        "The feature penalty that weight decay implies, from the balance of head and features at the end of training.",
    ),
    "within_class_variability_resolved": Entry(
        "variability",
        "Within-class variability, resolved directions",
        "Within-class variability over only those directions in which the class means stand above sampling noise.",
    ),
    "variability_ratio": Entry(
        "variability",
        "Variability ratio",
        "Total scatter within classes divided by total scatter between class means; needs no matrix inverse.",
    ),
    "class_distance_normalized_variance": Entry(
        "variability",
        "Variance over class distance",
        "For each pair of classes, their scatter divided by the squared distance of their means; averaged over pairs.",
    ),
    "means_rank": Entry(
        "rank",
        "Rank of the class means",
        "Number of directions that the class means span; classes minus one where they form a simplex.",
    ),
    "means_rank_resolved": Entry(
        "rank",
        "Resolved rank of the class means",
        "Number of directions in which the class means stand clearly above sampling noise.",
    ),
    "variability_noise_floor": Entry(
        "rank",
        "Noise floor",
        "Share of the scatter between class means that finite sampling alone would produce.",
    ),
    "effective_rank": Entry(
        "rank",
        "Effective rank",
        "Number of directions over which the features as a whole are spread, counted by entropy.",
    ),
    "stable_rank": Entry(
        "rank",
        "Stable rank",
        "Total scatter of the features divided by their scatter in the strongest direction.",
    ),
    "norm_deviation": Entry(
        "means",
        "Spread of lengths",
        "How unequal the lengths of the centred class means are, relative to their average.",
    ),
    "angle_deviation": Entry(
        "means",
        "Deviation of angles",
        "How far the cosines between centred class means are from the equal cosine of a simplex, on average.",
    ),
    "orthogonal_frame_distance": Entry(
        "means",
        "Distance from an orthogonal frame",
        "How far the class means, not centred, are from being orthogonal and of equal length.",
    ),
    "head_norm_deviation": Entry(
        "head",
        "Spread of row lengths",
        "How unequal the lengths of the last layer's rows are, relative to their average.",
    ),
    "head_angle_deviation": Entry(
        "head",
        "Deviation of row angles",
        "How far the cosines between rows of the last layer are from the equal cosine of a simplex, on average.",
    ),
    "head_simplex_distance": Entry(
        "head",
        "Distance of the last layer from a simplex",
        "How far the centred rows of the last layer are from a simplex: equal lengths, equal and widest angles.",
    ),
    "head_orthogonal_frame_distance": Entry(
        "head",
        "Distance of the last layer from an orthogonal frame",
        "How far the rows of the last layer, not centred, are from being orthogonal and of equal length.",
    ),
    "duality_simplex_distance": Entry(
        "decisions",
        "Distance of the class logits from a simplex",
        "How far the products of last-layer rows and class means are from the pattern of a simplex.",
    ),
    "nearest_centre_accuracy": Entry(
        "decisions",
        "Accuracy of the nearest class mean",
        "Share of samples whose own class mean is the nearest one: what these features alone would decide.",
    ),
    "bias_collapse": Entry(
        "decisions",
        "Spread of effective biases",
        "How unequal the classes' outputs are at the average feature; 0 where bias and mean cancel out.",
    ),
    "minority_merge": Entry(
        "decisions",
        "Largest cosine between rows",
        "Cosine of the two most similar rows of the last layer; near 1 where two classes have merged.",
    ),
    "coherence": Entry(
        "many",
        "Coherence",
        "Largest absolute cosine between two centred class means: the most similar or most opposed pair.",
    ),
    "welch_gap": Entry(
        "many",
        "Gap to the Welch bound",
        "How far the coherence is above the least that this many classes in this many directions allow.",
    ),
    "uniformity": Entry(
        "many",
        "Uniformity",
        "How evenly the directions of the class means cover the sphere; the average of log(1/distance).",
    ),
}

_ORDER = {name: place for place, name in enumerate(GLOSSARY)}
_FAMILIES = {name: place for place, name in enumerate(FAMILIES)}


def entry(measure: str) -> Entry:
    """The glossary's entry; an unknown measure keeps its own name and gets no sentence."""
    return GLOSSARY.get(measure) or Entry("other", measure, "")


def badge(symbol: str, measure: str) -> str:
    """The paper's letter, where it says more than the title does."""
    return "" if symbol.lower() in entry(measure).title.lower() else symbol


def place(measure: str) -> tuple[int, int]:
    """Sort key: family first, then the order of this file; unknown measures last."""
    return _FAMILIES[entry(measure).family], _ORDER.get(measure, len(_ORDER))
