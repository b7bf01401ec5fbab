"""Sources of media items: pictures, sounds and texts, each as a ``datasets.Dataset``.

Every source yields the same columns: ``item_id``, ``part``, ``label``, ``fine_label``,
``reference_caption`` and one of ``image``, ``audio`` or ``text``.
"""

from semcal_utils.media.sources import (
    EMBEDDED,
    HUB,
    Modality,
    load_items,
    load_lessons,
    load_stream,
    local_source,
    modality,
    source_state,
    undecoded,
)

__all__ = [
    "EMBEDDED",
    "HUB",
    "Modality",
    "load_items",
    "load_lessons",
    "load_stream",
    "local_source",
    "modality",
    "source_state",
    "undecoded",
]
