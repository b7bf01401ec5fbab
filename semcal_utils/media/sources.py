"""Where items come from: the embedded datasets, your own folder or table, the hub.

Every source yields the same columns: ``item_id``, ``part``, ``label``, ``fine_label``,
``reference_caption`` and one of ``image``, ``audio`` or ``text``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datasets import Dataset

Modality = Literal["image", "audio", "text"]

EMBEDDED = ("city_pictures", "city_sounds", "library_docs")
HUB = "hub:"
"""What a source in the hub's layout begins with."""


def load_stream(
    dataset: str, *, items: int, seed: int, test_share: float = 0.25, progress: bool = True
) -> Dataset:
    """Load the stream of an embedded dataset: same name, same sizes, same seed, same items.

    Args:
        dataset: One of ``EMBEDDED``.
        items: Number of items in the stream, both parts together.
        seed: Decides which items are made or chosen and how they are divided.
        test_share: Share of the items, in [0, 1), that goes to ``general_test``.
        progress: Whether to show a bar.

    Returns:
        ``items`` rows with columns ``item_id``, ``part`` (``general_train`` or ``general_test``),
        ``label``, ``fine_label``, ``reference_caption`` and ``image``, ``audio`` or ``text``.

    Raises:
        ValueError: The dataset is unknown, or it cannot provide that many items.
    """
    _check_asked(dataset, items)
    if dataset == "library_docs":
        from semcal_utils.media import documents

        return documents.stream(items, seed, test_share, progress=progress)
    from semcal_utils import city
    from semcal_utils.media.parts import assign_parts

    said = city.utterances(dataset, items, seed)
    parts = assign_parts([one.topic for one in said], test_share=test_share, seed=seed)
    return city.table_of(dataset, said, parts, part=city.STREAM, progress=progress)


def load_items(
    dataset: str,
    *,
    source: str = "",
    items: int = 0,
    seed: int,
    text: str = "text",
    label: str = "label",
    caption: str = "",
    root: Path = Path(),
) -> Dataset:
    """Load the stream of an embedded dataset, of your own folder or table, or of the hub.

    Args:
        dataset: One of ``EMBEDDED`` where there is no source; otherwise only a name.
        source: ``""`` for the embedded dataset, ``"hub:<id>"`` or ``"hub:<folder>"`` for one in the
            hub's layout, else the path of a folder of pictures or sounds, or of a table of texts.
        items: Most items to take; 0 takes all that a source has.
        seed: Decides which items are taken and how they are divided.
        text: Column of a table that holds the texts.
        label: Column that holds the labels.
        caption: Column of a hub dataset that already holds captions, to skip captioning.
        root: Where relative paths start, and where tables of the hub are kept, in ``data/hub``.

    Returns:
        Rows as in ``load_stream``.

    Raises:
        ValueError: The dataset is unknown, or the source cannot be used.
    """
    if not source:
        return load_stream(dataset, items=items, seed=seed)
    place = local_source(source, root)
    if not source.startswith(HUB):
        from semcal_utils.media import folder

        own = place or root / source
        return folder.stream(own, seed=seed, items=items or None, text=text, label=label)
    from semcal_utils.media import hub
    from semcal_utils.media.hub_columns import HubColumns

    columns = HubColumns(label=label if label != "label" else None, caption=caption or None)
    return hub.stream(
        place or source.removeprefix(HUB),
        seed=seed,
        items=items or None,
        columns=columns,
        cache_folder=root / "data" / "hub",
    )


def local_source(source: str, root: Path = Path()) -> Path | None:
    """Find a source on this machine.

    Args:
        source: As for ``load_items``.
        root: Where relative paths start.

    Returns:
        The folder or file; ``None`` for an embedded dataset, for a dataset id, or if there is none.
    """
    path = root / Path(source.removeprefix(HUB)).expanduser()
    return path if source and path.exists() else None


def source_state(source: str, root: Path = Path()) -> str:
    """Return a digest that changes when a file that is read of a source on this machine does.

    Args:
        source: As for ``load_items``, or the folder of a model.
        root: Where relative paths start.

    Returns:
        A digest of the names, sizes and times of those files; ``""`` where there are none.
    """
    from semcal_utils.media.folder import files_read
    from semcal_utils.runs.files import state_of_files

    path = local_source(source, root)
    if path is None:
        return ""
    return state_of_files(files_read(path))


def load_lessons(dataset: str, *, items: int, seed: int, progress: bool = True) -> Dataset:
    """Load the items a captioner of an embedded dataset learns from, none of them in the stream.

    Args:
        dataset: One of ``EMBEDDED`` that has something to caption, so not a text dataset.
        items: Number of lessons.
        seed: Decides which lessons are made.
        progress: Whether to show a bar.

    Returns:
        ``items`` rows with the columns of the stream and ``part`` = ``captioner_train``.

    Raises:
        ValueError: The dataset is unknown, or it is text and needs no captioner.
    """
    _check_asked(dataset, items)
    if dataset == "library_docs":
        raise ValueError(
            "library_docs is text: it passes through captioning unchanged and has no lessons; "
            "choose city_pictures or city_sounds."
        )
    from semcal_utils import city

    said = city.utterances(dataset, items, seed, part=city.LESSONS)
    parts = ["captioner_train"] * items
    return city.table_of(dataset, said, parts, part=city.LESSONS, progress=progress)


def modality(items: Dataset) -> Modality:
    """Name what an item is: the one of ``image``, ``audio`` and ``text`` the table has as a column.

    Args:
        items: A stream or lessons.

    Returns:
        ``"image"``, ``"audio"`` or ``"text"``.

    Raises:
        ValueError: The table has none of the three columns, or more than one.
    """
    kinds: tuple[Modality, ...] = ("image", "audio", "text")
    present = [kind for kind in kinds if kind in items.column_names]
    if len(present) != 1:
        raise ValueError(
            "A table of items has exactly one of the columns image, audio and text; "
            f"this one has the columns {', '.join(items.column_names)}."
        )
    return present[0]


def undecoded(items: Dataset, kind: Modality) -> Dataset:
    """Return the items with pictures and sounds as bytes or paths, so that reading them is safe.

    A damaged file raises when the table decodes it, together with the good ones of its batch;
    read one by one, as ``read_picture`` and ``read_sound`` do, it can be named.

    Args:
        items: A table of items.
        kind: The column to leave undecoded.

    Returns:
        The same table; nothing is copied.
    """
    from datasets import Audio, Image

    feature = items.features[kind]
    if isinstance(feature, Image | Audio):
        return items.cast_column(kind, type(feature)(decode=False))
    return items


def _check_asked(dataset: str, items: int) -> None:
    if dataset not in EMBEDDED:
        raise ValueError(f"Unknown dataset {dataset!r}; choose one of {', '.join(EMBEDDED)}.")
    if items < 1:
        raise ValueError(f"items is {items}; ask for at least one item.")
