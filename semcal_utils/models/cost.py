"""How long fine-tuning should take on one accelerator: computed from sizes, never measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semcal_utils import worlds

if TYPE_CHECKING:
    from semcal_utils.models.grid import ModelSettings


@dataclass(frozen=True)
class Assumptions:
    """What a computed duration rests on.

    Attributes:
        items: Captions of general_train per dataset.
        tokens: Tokens per caption, its end among them.
        parameters: Weights of the model (GPT-2: 124 million).
        operations_per_second: Of the accelerator in bfloat16 (312 T: A100, dense, data sheet).
        utilisation: Share of them that training reaches once batches are large.
        seconds_per_step: Least time of an optimiser step, however small: the kernels' launches.
        labels: K, which with the target of a world decide how much of the stream it keeps.
    """

    items: int = 20_000
    tokens: int = 64
    parameters: float = 124e6
    operations_per_second: float = 312e12
    utilisation: float = 0.4
    seconds_per_step: float = 0.04
    labels: int = 10


def typical_share(target_kl: float, labels: int) -> float:
    """Return |R|/|G| of a made world: the mean over a hundred draws from equally frequent labels.

    The largest sub-sample of n items with frequencies R has n·min_k G_k/R_k; a target of zero is a
    random half.
    """
    if target_kl == 0:
        return 0.5
    general = np.full(labels, 1 / labels)
    drawn = [
        worlds.target_frequencies(general, target_kl, np.random.default_rng(seed))
        for seed in range(100)
    ]
    return float(np.mean([(general / real).min() for real in drawn]))


def training_seconds(texts: float, epochs: float, batch_size: int, given: Assumptions) -> float:
    """Return how long one model should take.

    Args:
        texts: Texts it is trained on.
        epochs: Passes over them.
        batch_size: Texts per step.
        given: Assumptions.

    Returns:
        Steps times the longer of arithmetic (6 operations per weight and token, of which forward
        takes 2) and the least time of a step, in seconds.
    """
    operations = 6 * given.parameters * batch_size * given.tokens
    step = max(
        operations / (given.operations_per_second * given.utilisation), given.seconds_per_step
    )
    return epochs * texts / batch_size * step


def cost_lines(
    settings: Mapping[str, ModelSettings], given: Assumptions | None = None
) -> list[str]:
    """Return the computed minutes per dataset, their sum and the assumptions, a line each."""
    given = given or Assumptions()
    lines, total, models = [], 0.0, 0
    for dataset, of in settings.items():
        texts = given.items * (1 - of.calibration_share) * 0.9
        epochs = of.real_epochs if of.real_starts_from == "general" else of.fresh_epochs
        seconds = training_seconds(texts, of.epochs, of.batch_size, given)
        for target in of.worlds.values():
            share = typical_share(target, given.labels)
            seconds += training_seconds(texts * share, epochs, of.batch_size, given)
        lines.append(f"{dataset}: {1 + len(of.worlds)} models, {seconds / 60:.0f} minutes")
        total, models = total + seconds, models + 1 + len(of.worlds)
    lines.append(f"computed, not measured: {models} models in {total / 3600:.1f} hours, if")
    lines.append(
        f"  {given.items:,} captions of general_train per dataset, {given.tokens} tokens each, "
        f"{given.labels} labels, {given.parameters / 1e6:.0f} M weights;"
    )
    lines.append(
        f"  a step takes 6 operations per weight and token at {given.utilisation:.0%} of "
        f"{given.operations_per_second / 1e12:.0f} TFLOP/s, or {given.seconds_per_step * 1e3:.0f} "
        "ms if that is longer."
    )
    return lines
