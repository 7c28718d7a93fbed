"""How a network is trained, and when it is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from caltrop.train.objective import PLAIN, Objective


@dataclass(frozen=True)
class TrainConfig:
    """Stochastic gradient descent on an objective, with a learning rate that is cut twice.

    The learning rate is multiplied by `cut_factor` once each share of the epochs in `cuts` has passed.
    Weight decay λ adds λ/2‖θ‖² over all parameters, or those the objective names. It acts within about 1/(η λ) steps,
    η = learning_rate/(1 − momentum): far fewer steps than that reach zero training error, not collapse.
    `seed` decides the order of the samples and any randomness inside the network.
    """

    epochs: int = 120
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-3
    batch_size: int = 128
    cuts: tuple[float, ...] = (0.6, 0.85)
    cut_factor: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs={self.epochs} and batch_size={self.batch_size} must both be at least 1.")
        if not (self.learning_rate > 0 and 0 <= self.momentum < 1 and self.weight_decay >= 0):
            raise ValueError(
                f"learning_rate={self.learning_rate} must be positive, momentum={self.momentum} in [0, 1), "
                f"weight_decay={self.weight_decay} at least 0."
            )

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate during `epoch` = 1, …, epochs."""
        passed = sum(epoch > cut * self.epochs for cut in self.cuts)
        return self.learning_rate * self.cut_factor**passed

    def weight_decay_time(self, epoch: int, steps_per_epoch: int) -> float:
        r"""Weight-decay time $\sum_t \eta_t\lambda/(1-\beta)$ over all steps $t$ to the end of `epoch`.

        Without gradients the weights would have shrunk by about exp(-time). Below about 5, features that have not
        collapsed only show that it is too early.
        """
        rate = sum(self.learning_rate_at(number) for number in range(1, epoch + 1))
        return rate / (1 - self.momentum) * self.weight_decay * steps_per_epoch

    def describe(self, objective: Objective = PLAIN) -> str:
        """The recipe in one line, for records."""
        cuts = ", ".join(f"{cut:.0%}" for cut in self.cuts)
        return (
            f"SGD on {objective.describe()}, {self.epochs} epochs, batch {self.batch_size}, "
            f"momentum {self.momentum:g}, weight decay {self.weight_decay:g}{objective.where_decayed()}, learning rate "
            f"{self.learning_rate:g}, times {self.cut_factor:g} after {cuts or 'none'} of the epochs"
        )


def log_spaced(last: int, points: int) -> tuple[int, ...]:
    """`points` steps from 0 over 1 to `last`, strictly increasing, evenly spaced in the logarithm from 1 on.

    Small steps, where the logarithm asks for fractions, are taken one by one, and the rest is spaced anew.
    Fewer than `points` come back only where there are fewer, `last + 1`.
    Raises ValueError unless last ≥ 1 and points ≥ 3 (or ≥ 2 where last is 1).
    """
    fewest = min(3, last + 1)
    if last < 1 or points < fewest:
        raise ValueError(
            f"log_spaced(last={last}, points={points}) is impossible: last must be at least 1, "
            f"and 0, 1 and last need points ≥ {max(fewest, 2)}."
        )
    steps = [0, 1]
    for left in range(min(points, last + 1) - 2, 0, -1):
        here = steps[-1]
        steps.append(max(here + 1, round(here * (last / here) ** (1 / left))))
    return tuple(steps)
