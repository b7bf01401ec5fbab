"""What streams of people's own items share: labels checked, items drawn, parts assigned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semcal_utils.media.parts import assign_parts, draw_stratified

if TYPE_CHECKING:
    from datasets import Dataset

_LISTED = 5


def item_table(
    table: pd.DataFrame,
    kind: str,
    media: Sequence[Any],
    *,
    items: int | None,
    seed: int,
    test_share: float,
) -> Dataset:
    """Make the stream: draw items if not all are wanted, and assign every item to its part.

    Args:
        table: (n,) ``item_id``, ``label``, ``fine_label``, ``reference_caption``.
        kind: ``"image"``, ``"audio"`` or ``"text"``.
        media: (n,) paths as ``{"bytes": None, "path": ...}``, or texts.
        items: Most items to take; all by default.
        seed: Decides which items are taken and which part each belongs to.
        test_share: Share of the items, in [0, 1), that goes to ``general_test``.

    Returns:
        The stream, in an order drawn from the seed, so that labels arrive mixed.

    Raises:
        ValueError: ``items`` is below one.
    """
    from datasets import Dataset, Features, Value

    if items is not None and items < 1:
        raise ValueError(f"items is {items}; ask for at least one item.")
    chosen = draw_stratified(table["label"].tolist(), count=items, seed=seed)
    order = np.random.default_rng(seed).permutation(chosen)
    drawn = table.iloc[order]
    labels = drawn["label"].tolist()
    warn_of_one_label(labels)
    text = Value("string")
    # Plain paths: a column of the library's own type of pictures is saved with the pictures in it.
    file = {"bytes": Value("binary"), "path": text}
    features = {"image": file, "audio": file, "text": text}
    columns = ("item_id", "part", "label", "fine_label", "reference_caption")
    return Dataset.from_dict(
        {
            "item_id": drawn["item_id"].tolist(),
            "part": assign_parts(labels, test_share=test_share, seed=seed),
            "label": labels,
            "fine_label": drawn["fine_label"].tolist(),
            "reference_caption": drawn["reference_caption"].tolist(),
            kind: [media[position] for position in order],
        },
        features=Features({**dict.fromkeys(columns, text), kind: features[kind]}),
    )


def require_labels(table: pd.DataFrame, remedy: str) -> None:
    """Refuse items without a label.

    Args:
        table: ``item_id`` and ``label``.
        remedy: What to do, as the end of a sentence.

    Raises:
        ValueError: An item has no label; the message names it.
    """
    without = table.loc[table["label"].str.strip() == "", "item_id"].tolist()
    if without:
        number = "1 item has" if len(without) == 1 else f"{len(without)} items have"
        raise ValueError(f"{number} no label ({listed(without)}): {remedy}.")


def warn_of_one_label(labels: Sequence[str]) -> None:
    """Warn if all items share one label: they can be captioned, but not calibrated.

    Args:
        labels: (n,) labels.
    """
    if len(set(labels)) == 1:
        warnings.warn(
            f"All {len(labels)} items have the label {labels[0]!r}: they can be captioned, but "
            "calibration compares labels and needs at least two.",
            stacklevel=4,
        )


def listed(names: Sequence[str]) -> str:
    """Write a few names in a row, and how many more there are.

    Args:
        names: Any number of names.

    Returns:
        The first names, quoted, and the count of the rest.
    """
    shown = ", ".join(repr(name) for name in names[:_LISTED])
    return shown + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
