"""The recipes by name, and the table in which notebook 03 keeps what each makes of every item."""

from __future__ import annotations

import pandas as pd

from semcal_utils.runs import Run

RECIPES = {
    "paper": "clipped, as published",
    "item_calibrated": "calibrated, no labels",
    "label_matched": "labels of general_train",
}
"""What each recipe is, in a few words."""

FORMER_NAMES = {"item": "item_calibrated", "stream": "label_matched"}

COLUMNS = ("item_id", "world", "recipe", "log_ratio", "log_bound", "accept_probability")
TABLE = "acceptance.parquet"


def check_recipe(name: str) -> str:
    """Return the name of a recipe if there is such a recipe.

    Raises:
        ValueError: there is none; the message gives the choices, and the new name of an old one.
    """
    if name in FORMER_NAMES:
        raise ValueError(f"The recipe {name!r} is now called {FORMER_NAMES[name]!r}; write that.")
    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name!r}; choose from {', '.join(RECIPES)}.")
    return name


def load_recipes(run: Run, *, recipe: str | None = None, part: str | None = None) -> pd.DataFrame:
    """Read what the recipes made of a run's items, with the label and the part of each item.

    Args:
        run: one that notebook 03 has finished.
        recipe: only this one.
        part: only items of this part, such as `general_test`.

    Returns:
        One row per item, world and recipe: item_id, part, label, world, recipe, log_ratio and
        log_bound (nats), accept_probability.

    Raises:
        MissingArtefact: there is no such table yet; the message names the notebook.
        ValueError: an unknown recipe, or a table that lacks a column.
    """
    table = run.load_table(TABLE)
    if lacking := [name for name in COLUMNS if name not in table]:
        raise ValueError(
            f"{TABLE} of {run.dataset} lacks {', '.join(lacking)}: run 03_acceptance_probabilities "
            "again."
        )
    if recipe is not None:
        table = table[table["recipe"] == check_recipe(recipe)]
    about = run.load_table("captions.parquet")[["item_id", "part", "label"]]
    rows = table[[*COLUMNS]].merge(about, on="item_id", validate="many_to_one")
    rows = rows[["item_id", "part", "label", *COLUMNS[1:]]]
    return rows if part is None else rows[rows["part"] == part].reset_index(drop=True)
