"""A dataset from the hub, or from a folder in the hub's layout, as a stream of items."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semcal_utils.media.hub_access import HubUnreachable, require_hub
from semcal_utils.media.hub_columns import HubColumns, columns_of, guessed, kind_of
from semcal_utils.media.label_maps import label_map as read_label_map
from semcal_utils.media.own_items import require_labels, warn_of_one_label
from semcal_utils.media.parts import GENERAL_TEST, GENERAL_TRAIN, assign_parts, draw_stratified

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

CACHE_FOLDER = Path("data") / "hub"


def stream(
    ref: str | Path,
    *,
    seed: int,
    items: int | None = None,
    test_share: float = 0.25,
    columns: HubColumns | None = None,
    configuration: str | None = None,
    cache_folder: Path = CACHE_FOLDER,
) -> Dataset:
    """Load a dataset by id or from a folder; pictures and sounds stay on disk until they are read.

    Where the dataset has the splits ``general_train`` and ``general_test``, they are the parts;
    otherwise its splits are joined and parts are assigned label by label.

    Args:
        ref: Dataset id (``"uoft-cs/cifar10"``) or a local folder in the hub's layout (Parquet,
            CSV or JSON files, or pictures, with the splits in their names).
        seed: Decides which items are taken, if not all, their order, and their parts.
        items: Most items to take, drawn label by label in proportion; all by default.
        test_share: Share of the items, in [0, 1), that goes to ``general_test`` where the dataset
            does not say.
        columns: Names of columns where the known ones or the guess are not wanted. With
            ``HubColumns(caption="florence_caption")`` the stream is one of texts, the existing
            captions, and captioning is skipped.
        configuration: Name of the dataset's configuration, if it has several.
        cache_folder: Where the library keeps its tables.

    Returns:
        Rows of ``item_id``, ``part``, ``label``, ``fine_label``, ``reference_caption`` and
        ``image``, ``audio`` (``{"bytes", "path"}``) or ``text``.

    Raises:
        HubUnreachable: The dataset is not on this machine and the hub does not answer.
        FileNotFoundError: There is no such dataset, or it may not be read.
        ValueError: A column or split does not exist, or an item has no label.
    """
    from datasets import Dataset, concatenate_datasets

    if items is not None and items < 1:
        raise ValueError(f"items is {items}; ask for at least one item.")
    wanted = columns_of(str(ref), columns or HubColumns())
    splits = load_splits(ref, wanted.splits, configuration=configuration, cache_folder=cache_folder)
    first = next(iter(splits.values()))
    used = guessed(wanted, first.features, str(ref))
    kind = kind_of(first.features[used.media])
    table = pd.concat(
        [describe(rows, used, f"{_short_name(ref)}-{name}", name) for name, rows in splits.items()],
        ignore_index=True,
    )
    own = table[~table.pop("repeats")]
    require_labels(own, "name another column as label, or leave such rows out of the dataset")
    published = {GENERAL_TRAIN, GENERAL_TEST} <= set(splits)
    strata = own["split"] + "/" + own["label"] if published else own["label"]
    chosen = draw_stratified(strata.tolist(), count=items, seed=seed)
    order = own.index.to_numpy()[np.random.default_rng(seed).permutation(chosen)]
    labels = table["label"].iloc[order].tolist()
    warn_of_one_label(labels)
    table["part"] = table.pop("split")
    if not published:
        table.loc[order, "part"] = assign_parts(labels, test_share=test_share, seed=seed)
    facts = Dataset.from_dict({name: table[name].tolist() for name in table})
    media = [_media(rows, str(used.media), kind) for rows in splits.values()]
    # Rows are chosen last, by position, so that no picture or sound is copied.
    return concatenate_datasets([facts, concatenate_datasets(media)], axis=1).select(order)


def load_splits(
    ref: str | Path,
    names: tuple[str, ...] | None,
    *,
    configuration: str | None = None,
    cache_folder: Path = CACHE_FOLDER,
) -> DatasetDict:
    """Load splits of a dataset without decoding anything.

    Args:
        ref: Dataset id or local folder.
        names: Splits to load; by default all, or only the two parts of a stream if it has them.
        configuration: Name of the dataset's configuration, if it has several.
        cache_folder: Where the library keeps its tables.

    Returns:
        The splits by name.

    Raises:
        HubUnreachable: The dataset is not on this machine and the hub does not answer.
        FileNotFoundError: There is no such dataset, or it may not be read.
        ValueError: A split does not exist, or the files cannot be read.
    """
    from datasets import DatasetDict, load_dataset
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import constants

    folder = Path(ref).expanduser()
    local = folder.is_dir()
    if not local and not re.fullmatch(r"\w[\w.-]*/[\w.-]+", str(ref)):
        raise FileNotFoundError(
            f"There is no dataset {str(ref)!r}: it is neither a folder nor an id such as "
            "'uoft-cs/cifar10'."
        )
    if not local and not constants.HF_HUB_OFFLINE:
        require_hub(f"the dataset {ref}")
    place = str(folder) if local else str(ref)
    try:
        loaded = load_dataset(
            place,
            configuration,
            split=list(names) if names else None,
            cache_dir=str(cache_folder),
        )
    except DatasetNotFoundError as error:
        raise FileNotFoundError(f"The dataset {ref} cannot be loaded: {_line(error)}") from error
    except ConnectionError as error:
        raise HubUnreachable(
            f"Cannot load the dataset {ref}: it was not downloaded before and the hub is not "
            "available; go online, or give the path of a local folder."
        ) from error
    except Exception as error:
        # The builders of the many formats raise as many kinds of errors about damaged files.
        reason = _line(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        advice = " A folder of plain sounds is read by media.folder." if local else ""
        raise ValueError(f"The dataset {ref} cannot be read: {reason}{advice}") from error
    splits = DatasetDict(zip(names, loaded, strict=True)) if names else loaded
    if not names and {GENERAL_TRAIN, GENERAL_TEST} <= set(splits):
        splits = DatasetDict({name: splits[name] for name in (GENERAL_TRAIN, GENERAL_TEST)})
    return splits


def describe(rows: Dataset, columns: HubColumns, prefix: str, split: str) -> pd.DataFrame:
    """Say what each row of a split is, without touching its media.

    Args:
        rows: The split.
        columns: Which column says what.
        prefix: Start of the item_ids.
        split: Name of the split.

    Returns:
        ``item_id``, ``split``, ``label``, ``fine_label``, ``reference_caption``, and whether the
        row ``repeats`` an item that an earlier row stands for.

    Raises:
        ValueError: A fine label is not in the label map.
    """
    captions = _strings(rows, columns.reference_caption)
    if columns.label_map is None:
        labels = _strings(rows, columns.label)
        fine_labels = _strings(rows, columns.fine_label) if columns.fine_label else labels
    else:
        coarse = read_label_map(columns.label_map)
        if columns.label_from_caption:
            fine_labels = [first_noun(caption, coarse) for caption in captions]
            coarse = {**coarse, "other": "other"}
        else:
            fine_labels = _strings(rows, columns.fine_label or columns.label)
        unknown = sorted({label for label in fine_labels if label not in coarse})
        if unknown:
            raise ValueError(
                f"The label map {columns.label_map} has no coarse label for {unknown[0]!r} "
                f"({len(unknown)} such labels); add them to a map of your own."
            )
        labels = [coarse[label] for label in fine_labels]
    repeats = pd.Series(_strings(rows, columns.one_per)).duplicated()
    return pd.DataFrame(
        {
            "item_id": [f"{prefix}-{row:06d}" for row in range(len(rows))],
            "split": split,
            "label": labels,
            "fine_label": fine_labels,
            "reference_caption": captions,
            "repeats": repeats if columns.one_per else False,
        }
    )


def first_noun(caption: str, nouns: dict[str, str]) -> str:
    """Find the noun of a list that a caption names first, in the singular or the plural.

    Args:
        caption: A sentence.
        nouns: Singular nouns, as keys.

    Returns:
        The noun, or ``"other"``.
    """
    longest_first = sorted(nouns, key=len, reverse=True)
    pattern = "|".join(re.escape(noun) for noun in longest_first)
    found = re.search(rf"\b({pattern})(?:e?s)?\b", caption.lower())
    return found.group(1) if found else "other"


def _strings(rows: Dataset, column: str | None) -> list[str]:
    from datasets import ClassLabel

    if column is None:
        return [""] * len(rows)
    values: list[Any] = list(rows[column])
    feature = rows.features[column]
    if isinstance(feature, ClassLabel):
        # Unlabelled rows of a published dataset carry -1.
        return [
            feature.names[value] if value is not None and value >= 0 else "" for value in values
        ]
    firsts = [value[0] if isinstance(value, list) and value else value for value in values]
    return ["" if value is None or value == [] else str(value) for value in firsts]


def _media(rows: Dataset, column: str, kind: str) -> Dataset:
    from datasets import Audio, Value

    rows = rows.select_columns([column]).rename_columns({column: kind} if column != kind else {})
    if kind == "audio":
        return rows.cast_column(kind, Audio(decode=False))
    if kind == "text" and rows.features[kind] != Value("string"):
        return rows.cast_column(kind, Value("string"))
    return rows


def _short_name(ref: str | Path) -> str:
    return Path(str(ref)).name.lower()


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
