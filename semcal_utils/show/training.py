"""How models learn: losses, held-out measures, confusions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import (
    COLOURS,
    SEQUENTIAL,
    frame_or_new,
    legend_above,
    percent,
    readable_on,
)


def plot_loss_curves(
    history: pd.DataFrame, *, ax: Axes | None = None, title: str = "", legend: bool = True
) -> Axes:
    """Draw training and held-out loss over steps; the kept checkpoint is marked and named.

    Args:
        history: Columns `step`, `split` (`train` or `held_out`) and `loss` (nats per token).
        ax: Frame to draw in.
        title: Name of the model.
        legend: Whether to show one.
    """
    ax = frame_or_new(ax)
    for split, colour, name in (
        ("train", COLOURS["rejected"], "training"),
        ("held_out", COLOURS["real"], "held out"),
    ):
        part = history[history["split"] == split]
        marker = "o" if split == "held_out" else None
        ax.plot(part["step"], part["loss"], color=colour, label=name, marker=marker, markersize=3.5)
    held_out = history[history["split"] == "held_out"]
    if len(held_out):
        best = held_out.loc[held_out["loss"].idxmin()]
        ax.plot(best["step"], best["loss"], "o", color=COLOURS["real"], markersize=7)
        ax.text(
            1,
            0.96,
            f"{best['loss']:.2f}",
            transform=ax.transAxes,
            ha="right",
            va="top",
            color=COLOURS["real"],
            fontweight="bold",
        )
        # The first steps start at log(vocabulary) and would flatten everything after them.
        low, high = history["loss"].min(), held_out["loss"].max()
        ax.set_ylim(low - 0.1 * (high - low) - 0.02, high + 0.25 * (high - low) + 0.05)
    ax.locator_params(axis="x", nbins=3)
    ax.set(xlabel="step", ylabel="loss, nats per token", title=title)
    if legend:
        ax.legend(loc="upper right", bbox_to_anchor=(1, 0.9))
    return ax


def plot_captioner_progress(
    history: pd.DataFrame, *, things: str = "items", ax: Axes | None = None
) -> Axes:
    """Draw how the captioner's held-out accuracy rises with training.

    Args:
        history: Column `step` and held-out shares `topic_accuracy` and `meaning_accuracy`.
        things: What is captioned, in the plural.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    for column, colour, name in (
        ("topic_accuracy", COLOURS["real"], "topic right"),
        ("meaning_accuracy", COLOURS["filtered"], "the whole meaning right"),
    ):
        part = history.dropna(subset=[column])
        ax.plot(part["step"], part[column], color=colour, marker="o", markersize=3.5, label=name)
        if len(part):
            last = part.iloc[-1]
            ax.annotate(
                f"{last[column]:.1%}",
                (last["step"], last[column]),
                xytext=(6, 1 if column == "topic_accuracy" else -9),
                textcoords="offset points",
                color=colour,
                fontsize=9.5,
            )
    ax.set(xlabel="step", ylabel=f"share of held-out {things}", ylim=(0, 1.04))
    ax.margins(x=0.09)
    percent(ax)
    legend_above(ax)
    return ax


def plot_confusion(confusion: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a row-normalised confusion: true label down, label read from the caption across.

    Args:
        confusion: Shares, rows sum to 1.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 6.2, 5.2)
    values = confusion.to_numpy()
    ax.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(values >= 0.01):
        share = values[row, column]
        ax.text(
            column,
            row,
            f"{share:.0%}",
            ha="center",
            va="center",
            fontsize=8,
            color=readable_on(SEQUENTIAL(share)),
        )
    ax.set_xticks(range(confusion.shape[1]), confusion.columns, rotation=40, ha="right")
    ax.set_yticks(range(len(confusion)), confusion.index)
    ax.set(xlabel="label read from the caption", ylabel="true label")
    ax.grid(visible=False)
    return ax


def plot_relative_table(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a table of positive numbers, each column coloured relative to its lowest.

    Args:
        table: Numbers where less is better, such as perplexities.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 6.4, 3.4)
    values = table.to_numpy(float)
    excess = values / values.min(axis=0) - 1
    shade = 0.75 * np.exp(-excess / max(float(np.median(excess[excess > 0], axis=None)), 1e-9))
    ax.imshow(shade, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        best = row == int(np.argmin(values[:, column]))
        ax.text(
            column,
            row,
            f"{value:.2f}",
            ha="center",
            va="center",
            color=readable_on(SEQUENTIAL(shade[row, column])),
            fontweight="bold" if best else "normal",
        )
    ax.set_xticks(range(table.shape[1]), table.columns)
    ax.set_yticks(range(len(table)), table.index)
    ax.grid(visible=False)
    return ax
