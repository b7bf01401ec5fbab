"""A picture that follows its controls.

Pictures are markup in an HTML widget rather than output of a cell, so that a control's change
redraws at once and nothing waits for a kernel message. Drawings are made by other modules.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from IPython.display import display

from semcal_utils.show.svg import Drawing

HEADLESS_VARIABLE = "SEMCAL_HEADLESS"


def is_headless() -> bool:
    """Tell whether nobody is there to drag a slider (the notebooks run by `regenerate`)."""
    return os.environ.get(HEADLESS_VARIABLE, "") not in ("", "0")


def panel(
    draw: Callable[..., Drawing], controls: Mapping[str, Any], *, above: Any | None = None
) -> None:
    """Show a drawing that follows controls, or its static twin when run headless.

    Args:
        draw: called with one keyword per control; the same function draws the twin.
        controls: value widgets by keyword.
        above: how the controls are laid out; one below the other if omitted.
    """

    def drawing() -> Drawing:
        return draw(**{name: control.value for name, control in controls.items()})

    if is_headless():
        display(drawing())
        names = ", ".join(control.description for control in controls.values())
        print(f"In JupyterLab this picture follows controls: {names}.")
        return
    picture = ipywidgets.HTML(drawing().html)

    def redraw(_: object) -> None:
        picture.value = drawing().html

    for control in controls.values():
        control.observe(redraw, names="value")
    display(ipywidgets.VBox([above or ipywidgets.VBox([*controls.values()]), picture]))


def slider(
    text: str,
    value: float,
    low: float,
    high: float,
    step: float = 0.01,
    form: str = ".0%",
    *,
    width: str = "520px",
    text_width: str = "210px",
) -> Any:
    """Return a slider.

    Args:
        text: what it sets.
        value: where it stands at first.
        low: its lower end.
        high: its upper end.
        step: the least change.
        form: how its number is written.
        width: of the whole, as CSS.
        text_width: of what stands before it.
    """
    return ipywidgets.FloatSlider(
        value, min=low, max=high, step=step, description=text, readout_format=form,
        layout={"width": width, "max_width": "100%"}, style={"description_width": text_width},
    )  # fmt: skip
