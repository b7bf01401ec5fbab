"""Panels to play with. They only arrange plots: every picture comes from `plots`.

Pictures are shown in image widgets rather than output widgets, so that a slider's change redraws at
once and nothing waits for a kernel message. Run headless, a panel shows its figure once.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from semcal_utils import plots

HEADLESS_VARIABLE = "SEMCAL_HEADLESS"


def is_headless() -> bool:
    """Tell whether nobody is there to drag a slider (the notebooks run by `regenerate`)."""
    return os.environ.get(HEADLESS_VARIABLE, "") not in ("", "0")


def panel(draw: Callable[..., Figure], sliders: Mapping[str, Any], *, describe: str) -> None:
    """Show a figure that follows sliders, or its static twin when run headless.

    Args:
        draw: Called with one keyword per slider; returns a new figure.
        sliders: Value widgets by keyword.
        describe: What the picture shows, in words.
    """
    values = {name: slider.value for name, slider in sliders.items()}
    if is_headless():
        draw(**values)
        plt.show()
        names = ", ".join(slider.description for slider in sliders.values())
        print(f"In JupyterLab this figure follows sliders: {names}.")
        return
    picture = ipywidgets.Image(value=as_png(draw(**values)), format="png")
    picture.layout.max_width = "100%"
    spoken = ipywidgets.HTML(f"<small>{describe}</small>")

    def redraw(_: object) -> None:
        picture.value = as_png(draw(**{name: slider.value for name, slider in sliders.items()}))

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    display(ipywidgets.VBox([*sliders.values(), picture, spoken]))


def as_png(figure: Figure) -> bytes:
    """Return a figure as PNG bytes and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def coin_panel(*, seed: int = 0) -> None:
    """Show the coin of the first notebook with sliders for the stream, the world and the bound.

    Args:
        seed: Flips the coins; the same coins for every setting of the sliders.
    """

    def share(text: str, value: float, low: float, high: float) -> Any:
        return ipywidgets.FloatSlider(
            value,
            min=low,
            max=high,
            step=0.01,
            description=text,
            readout_format=".0%",
            layout=ipywidgets.Layout(width="560px"),
            style={"description_width": "210px"},
        )

    def draw(general_heads: float, real_heads: float, share_of_bound: float) -> Figure:
        rng = np.random.default_rng(seed)
        return plots.draw_coin_filter(general_heads, real_heads, share_of_bound, rng=rng)

    panel(
        draw,
        {
            "general_heads": share("heads in the stream", 0.8, 0.02, 0.98),
            "real_heads": share("heads in the world", 0.5, 0.02, 0.98),
            "share_of_bound": share("share of the exact log bound", 1.0, 0.0, 1.0),
        },
        describe="Bars: heads and tails in the stream, in the world and in what is kept. "
        "Dots: coins of the stream, hollow where dropped.",
    )
