"""The real sub-samples that the paper published beside its streams, as severities of a stream."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from semcal_utils.media.hub import CACHE_FOLDER, describe, load_splits
from semcal_utils.media.hub_columns import HubColumns, columns_of, guessed
from semcal_utils.media.parts import GENERAL_TRAIN

if TYPE_CHECKING:
    from datasets import Dataset

_PREFIX = "real_"


def published_splits(
    ref: str | Path,
    items: Dataset,
    *,
    severities: tuple[str, ...],
    columns: HubColumns,
    configuration: str | None = None,
    cache_folder: Path = CACHE_FOLDER,
) -> pd.DataFrame:
    """Find which items of a stream each published sub-sample ``real_<severity>`` holds.

    The published rows carry no identifier, but each is a copy of a row of ``general_train``: rows
    are matched by caption and labels, each item at most once per severity.

    Args:
        ref: Dataset id or local folder, as given to `stream`.
        items: The whole stream of texts that `stream` returned for it.
        severities: Names of the severities; each needs a split ``real_<severity>``.
        columns: As given to `stream`, with ``caption`` set.
        configuration: As given to `stream`.
        cache_folder: As given to `stream`.

    Returns:
        ``item_id`` and ``severity``, one row per membership.

    Raises:
        ValueError: The stream is not one of texts, or a published row is not in it.
    """
    if "text" not in items.column_names:
        raise ValueError(
            "Published splits are matched by caption; load the stream with a caption column."
        )
    facts = items.to_pandas()
    facts = facts[facts["part"] == GENERAL_TRAIN].sort_values("item_id")
    wanted = columns_of(str(ref), columns)
    names = tuple(_PREFIX + severity for severity in severities)
    splits = load_splits(ref, names, configuration=configuration, cache_folder=cache_folder)
    members = []
    for severity in severities:
        rows = splits[_PREFIX + severity]
        used = guessed(wanted, rows.features, str(ref))
        table = describe(rows, used, severity, severity)
        table["text"] = list(rows[used.media])
        members += [(item_id, severity) for item_id in _matches(table, facts, severity)]
    return pd.DataFrame(members, columns=["item_id", "severity"])


def _matches(published: pd.DataFrame, facts: pd.DataFrame, severity: str) -> list[str]:
    key = ["text", "label", "fine_label"]
    free = defaultdict(list)
    for *row, item_id in facts[[*key, "item_id"]].itertuples(index=False):
        free[tuple(row)].append(item_id)
    found = []
    for row in published[key].itertuples(index=False):
        if not free[tuple(row)]:
            raise ValueError(
                f"The published split real_{severity} holds {row.text[:60]!r} ({row.label}), "
                "which the stream's general_train does not; load the whole stream."
            )
        found.append(free[tuple(row)].pop(0))
    return found
