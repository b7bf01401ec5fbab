"""The frames of the animated stream: one moment each, with the newest items as cards."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semcal_utils.media.readers import UnusableItem, read_picture
from semcal_utils.rejection.stream_replay import StreamMoment, StreamReplay
from semcal_utils.show.animation import PICTURES_SHOWN, Card, Frame, frame_places
from semcal_utils.show.escaping import escaped, visible_text

if TYPE_CHECKING:
    from datasets import Dataset

CARD_PIXELS = 84


def stream_frames(
    replay: StreamReplay, *, items: Dataset | None = None, count: int = 48
) -> list[Frame]:
    """Return the frames of a stream that flows through its filter.

    Args:
        replay: the stream under its filter.
        items: a stream with item_id and, if it has pictures, image; only shown ones are read.
        count: how many frames at most.

    Returns:
        Frames for `plots.save_stream_animation`.

    Raises:
        ValueError: if the stream holds no item.
    """
    if not len(replay):
        raise ValueError("the stream holds no item to animate; look at its acceptance table.")
    places = frame_places(len(replay), count)
    shown = [_newest(replay.decisions, place) for place in places]
    pictures = _pictures(items, {one for rows in shown for one in rows["item_id"]})
    return [
        _frame(replay.moment(place), rows, pictures)
        for place, rows in zip(places, shown, strict=True)
    ]


def moving_picture_html(path: Path, told: str) -> str:
    """Return an animation as an element that holds it, so that a page needs no file beside it.

    Args:
        path: a GIF.
        told: what it shows, in words.

    Returns:
        HTML, escaped.
    """
    held = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<img alt="{escaped(told)}" src="data:image/gif;base64,{held}" '
        'style="width:100%;max-width:880px;height:auto;background:white">'
    )


def _newest(decisions: pd.DataFrame, place: int) -> pd.DataFrame:
    return decisions[max(0, place - PICTURES_SHOWN) : place][::-1]


def _frame(moment: StreamMoment, rows: pd.DataFrame, pictures: Mapping[Any, np.ndarray]) -> Frame:
    told = moment.report["deception_reduction"]
    cards = [
        Card(visible_text(str(caption)), bool(accepted), pictures.get(item_id))
        for item_id, caption, accepted in zip(
            rows["item_id"], rows["caption"], rows["accepted"], strict=True
        )
    ]
    return Frame(
        items=moment.items,
        accepted=moment.accepted,
        frequencies=moment.frequencies.rename(index=visible_text),
        reduction=told.value,
        low=told.low,
        high=told.high,
        cards=cards,
    )


def _pictures(items: Dataset | None, wanted: set[Any]) -> dict[Any, np.ndarray]:
    if items is None or "image" not in items.column_names:
        return {}
    found: dict[Any, np.ndarray] = {}
    column = items.select_columns("image")
    for place, item_id in enumerate(items["item_id"]):
        if item_id in wanted:
            try:
                picture = read_picture(column[place]["image"])
            except UnusableItem:
                # Its caption is shown instead.
                continue
            found[item_id] = np.asarray(picture.convert("RGB").resize((CARD_PIXELS, CARD_PIXELS)))
    return found
