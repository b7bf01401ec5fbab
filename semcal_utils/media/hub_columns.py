"""Which columns and splits of a hub's dataset say what: known datasets, and guesses for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Features

PAPER = "BeyondDeepFakeDetection/"
"""Owner of the datasets published with the paper."""
_MEDIA_NAMES = ("image", "img", "picture", "audio", "sound", "text", "sentence")
_LABEL_NAMES = ("label", "coarse_label", "category", "class", "target", "fine_label")


@dataclass(frozen=True)
class HubColumns:
    """The columns of a dataset that are used, by name; ``None`` where it is to be guessed.

    Attributes:
        media: The picture, sound or text.
        label: What severities are about.
        fine_label: A finer label; the label itself if there is none.
        caption: An existing caption to use instead of the media.
        reference_caption: What a person wrote about the item.
        label_map: Map that turns fine labels into labels.
        label_from_caption: Whether the fine label is the first noun of the map that the reference
            caption names.
        one_per: Column of which every value gives one item, the first.
        splits: Splits to load.
    """

    media: str | None = None
    label: str | None = None
    fine_label: str | None = None
    caption: str | None = None
    reference_caption: str | None = None
    label_map: str | None = None
    label_from_caption: bool = False
    one_per: str | None = None
    splits: tuple[str, ...] | None = None


_PAPER_SPLITS = ("general_train", "general_test")

KNOWN: dict[str, HubColumns] = {
    f"{PAPER}CIFAR-10": HubColumns(label="label", splits=_PAPER_SPLITS),
    f"{PAPER}CIFAR-100": HubColumns(label="label", fine_label="fine_label", splits=_PAPER_SPLITS),
    "uoft-cs/cifar10": HubColumns(media="img", label="label", splits=("train", "test")),
    "uoft-cs/cifar100": HubColumns(
        media="img", label="coarse_label", fine_label="fine_label", splits=("train", "test")
    ),
    "ashraq/esc50": HubColumns(
        media="audio", fine_label="category", label_map="esc50", splits=("train",)
    ),
    "jxie/coco_captions": HubColumns(
        media="image",
        reference_caption="caption",
        label_map="coco",
        label_from_caption=True,
        one_per="cocoid",
        splits=("validation", "test"),
    ),
    "11hu83/vggsound": HubColumns(fine_label="label", label_map="vggsound", splits=("test",)),
}
"""Column names as their publishers gave them; a column given by the caller takes precedence."""


def columns_of(ref: str, given: HubColumns) -> HubColumns:
    """Complete the columns a caller gave by what is known about the dataset.

    Args:
        ref: Dataset id or folder.
        given: What the caller said.

    Returns:
        The caller's choice where there is one, else the known name, else ``None``.
    """
    known = KNOWN.get(ref, HubColumns(splits=_PAPER_SPLITS if ref.startswith(PAPER) else None))
    if given.label is not None and given.label_map is None:
        # A label named by the caller is meant as it stands, not as something to derive.
        known = replace(known, label_map=None, label_from_caption=False)
    chosen = {name: value for name, value in vars(given).items() if value not in (None, False)}
    return replace(known, **chosen)


def guessed(columns: HubColumns, features: Features, ref: str) -> HubColumns:
    """Fill in media and label from the names and types a dataset has, and check that all exist.

    Args:
        columns: What is known so far.
        features: The columns of the dataset.
        ref: Dataset id or folder, for messages.

    Returns:
        Columns with ``media`` set, and ``label`` unless it is derived from a map.

    Raises:
        ValueError: A named column does not exist, or nothing looks like media or a label.
    """
    named = ("media", "label", "fine_label", "caption", "reference_caption", "one_per")
    for name in named:
        column = getattr(columns, name)
        if column is not None and column not in features:
            raise ValueError(
                f"The dataset {ref} has no column {column!r} (asked for as {name}); "
                f"it has {', '.join(features)}."
            )
    media = columns.caption or columns.media or _media_column(features)
    if media is None:
        raise ValueError(
            f"No column of the dataset {ref} looks like pictures, sounds or texts; name one as "
            f"media: {', '.join(features)}."
        )
    label = columns.label
    if label is None and columns.label_map is None:
        label = _first(_LABEL_NAMES, features)
        if label is None:
            raise ValueError(
                f"No column of the dataset {ref} looks like labels; name one as label: "
                f"{', '.join(features)}."
            )
    return replace(columns, media=media, label=label)


def kind_of(feature: Any) -> str:
    """Name the modality of a column.

    Args:
        feature: Its type.

    Returns:
        ``"image"``, ``"audio"`` or ``"text"``.

    Raises:
        ValueError: The type is none of the three.
    """
    from datasets import Audio, Image, Value

    if isinstance(feature, Image):
        return "image"
    if isinstance(feature, Audio):
        return "audio"
    if isinstance(feature, Value) and feature.dtype in ("string", "large_string"):
        return "text"
    raise ValueError(f"A column of type {feature} holds no pictures, sounds or texts.")


def _media_column(features: Features) -> str | None:
    from datasets import Audio, Image

    typed = [name for name, feature in features.items() if isinstance(feature, Image | Audio)]
    return typed[0] if typed else _first(_MEDIA_NAMES, features)


def _first(names: Sequence[str], features: Features) -> str | None:
    return next((name for name in names if name in features), None)
