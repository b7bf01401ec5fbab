"""Captioners turn media into text, and a table holds what they said of a whole dataset."""

from semcal_utils.captioning.captioners import (
    Captioner,
    TextPassThrough,
    load_captioner,
    resolve_model,
)
from semcal_utils.captioning.tables import CAPTION_COLUMNS, caption_table, uncaptioned

__all__ = [
    "CAPTION_COLUMNS",
    "Captioner",
    "TextPassThrough",
    "caption_table",
    "load_captioner",
    "resolve_model",
    "uncaptioned",
]
