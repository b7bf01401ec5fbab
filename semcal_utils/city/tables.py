"""The city's items as tables: pictures and sounds with what is known about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from datasets import Dataset, Features, Image, Value, concatenate_datasets
from tqdm.auto import tqdm

from semcal_utils.city.grammar import LESSONS, PICTURES, SOUNDS, STREAM, Grammar, Utterance
from semcal_utils.city.pictures import draw, png_bytes
from semcal_utils.city.sounds import synthesise, wav_bytes

CHUNK = 500  # items: media exist twice while a table is filled, but only so many at a time


@dataclass(frozen=True)
class Medium:
    """How one embedded dataset is spoken, made and stored."""

    grammar: Grammar
    column: str
    feature: Any
    render: Callable[[Utterance], bytes]


MEDIA = {
    "city_pictures": Medium(PICTURES, "image", Image(), lambda said: png_bytes(draw(said))),
    # Plain bytes: the Audio feature needs a decoder that is not installed everywhere.
    "city_sounds": Medium(
        SOUNDS,
        "audio",
        {"bytes": Value("binary"), "path": Value("string")},
        lambda said: wav_bytes(synthesise(said)),
    ),
}


def utterances(dataset: str, items: int, seed: int, *, part: int = STREAM) -> list[Utterance]:
    """Return what a stream, or the lessons of a captioner, say.

    Args:
        dataset: one of `MEDIA`.
        items: how many.
        seed: decides every one; item i is the same in a longer stream of the same seed.
        part: `STREAM` or `LESSONS`; no lesson is in a stream, whatever its seed.
    """
    grammar = MEDIA[dataset].grammar
    return [grammar.at(index, seed, part=part) for index in range(items)]


def table_of(
    dataset: str, said: Sequence[Utterance], parts: Sequence[str], *, part: int, progress: bool
) -> Dataset:
    """Draw pictures or make sounds of what was said.

    Args:
        dataset: one of `MEDIA`.
        said: (n,) what `utterances` returned.
        parts: (n,) `general_train`, `general_test` or `captioner_train`.
        part: as given to `utterances`.
        progress: whether to show a bar.

    Returns:
        (n,) rows of item_id, part, label (topic), fine_label (first noun or event),
        reference_caption, and image or audio, stored as `{"bytes", "path"}`.
    """
    medium = MEDIA[dataset]
    texts: dict[str, Sequence[str]] = {
        "item_id": medium.grammar.item_ids(len(said), part=part),
        "part": parts,
        "label": [one.topic for one in said],
        "fine_label": [one.fine_label for one in said],
        "reference_caption": [one.caption for one in said],
    }
    features = Features({name: Value("string") for name in texts} | {medium.column: medium.feature})
    title = "Making " + ("lessons" if part == LESSONS else dataset.replace("_", " "))
    bar = tqdm(said, desc=title, unit="item", disable=not progress)
    files = ({"bytes": medium.render(one), "path": None} for one in bar)
    chunks = []
    for start in range(0, len(said), CHUNK):
        rows: dict[str, list[Any]] = {
            name: list(column[start : start + CHUNK]) for name, column in texts.items()
        }
        rows[medium.column] = list(islice(files, CHUNK))
        chunks.append(Dataset.from_dict(rows, features=features))
    return concatenate_datasets(chunks)
