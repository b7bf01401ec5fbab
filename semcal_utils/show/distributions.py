"""Labels, ratios and acceptance: what the stream holds and what the filter lets through."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above


def plot_log_ratio_histogram(
    log_ratio: np.ndarray, is_over_represented: np.ndarray, *, ax: Axes | None = None
) -> Axes:
    """Draw log ratios of items whose label is over- and under-represented in the stream.

    Args:
        log_ratio: Nats, shape (items,).
        is_over_represented: True where the item's label is more frequent in the stream than in the
            world, shape (items,).
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    low, high = np.quantile(log_ratio, [0.002, 0.998])
    bins = np.linspace(low, high, 60).tolist()
    for mask, colour, name in (
        (is_over_represented, COLOURS["general"], "label over-represented in the stream"),
        (~is_over_represented, COLOURS["real"], "label under-represented"),
    ):
        ax.hist(log_ratio[mask], bins=bins, color=colour, alpha=0.62, label=name)
    ax.axvline(0, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    ax.set(xlabel="log ratio log r(c), nats", ylabel="items")
    legend_above(ax)
    return ax


def plot_acceptance_by_label(
    acceptance: pd.DataFrame, expected: pd.Series, *, ax: Axes | None = None
) -> Axes:
    """Draw the spread of acceptance probabilities within each label, beside the label oracle's.

    Args:
        acceptance: Columns `label` and `accept_probability`.
        expected: The label oracle's acceptance probability, by label; sets the order of labels.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, height=4.2)
    order = expected.sort_values().index
    for place, label in enumerate(order):
        values = acceptance.loc[acceptance["label"] == label, "accept_probability"].to_numpy()
        if len(values):
            low, q1, median, q3, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
            ax.hlines(place, low, high, color=COLOURS["filtered"], linewidth=1.4)
            ax.hlines(place, q1, q3, color=COLOURS["filtered"], linewidth=7)
            ax.plot(median, place, "o", color="white", markersize=4.2)
            ax.plot(values.mean(), place, "D", color=COLOURS["real"], markersize=5.5)
        ax.plot(expected[label], place, "|", color=COLOURS["ink"], markersize=15, markeredgewidth=2)
    ax.set_yticks(range(len(order)), order)
    ax.set(xlabel="acceptance probability", xlim=(-0.02, 1.03))
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    handles = [
        Patch(color=COLOURS["filtered"], label="captions: middle half, 5–95 %"),
        ax.plot([], [], "D", color=COLOURS["real"], markersize=5.5, label="their mean")[0],
        ax.plot([], [], "|", color=COLOURS["ink"], markersize=12, label="label oracle")[0],
    ]
    legend_above(ax, handles=handles)
    return ax
