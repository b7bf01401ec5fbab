"""How models learn: losses and held-out measures."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above, percent


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
