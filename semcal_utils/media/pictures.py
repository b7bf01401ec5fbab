"""City pictures: captioned scenes drawn from OpenMoji pictograms, the same for the same seed.

`stream` and `lessons` return tables of pictures; `draw_scene` draws any one scene at any size. The
pictograms are OpenMoji's (https://openmoji.org, CC BY-SA 4.0).
"""

from __future__ import annotations

import io

from datasets import Dataset
from datasets import Image as ImageFeature
from PIL import Image
from tqdm.auto import tqdm

from semcal_utils.media import grammars
from semcal_utils.media.drawing import PICTURE_SIZE, draw_scene
from semcal_utils.media.parts import CAPTIONER_TRAIN, assign_parts
from semcal_utils.media.scenes import (
    Meaning,
    Scene,
    caption_meaning,
    caption_topic,
    grade_captions,
    random_scene,
    same_meaning,
    scene_at,
)
from semcal_utils.media.tables import captioned_table

__all__ = [
    "PICTURE_SIZE",
    "Meaning",
    "Scene",
    "caption_meaning",
    "caption_topic",
    "draw_scene",
    "grade_captions",
    "lessons",
    "random_scene",
    "same_meaning",
    "scene_of",
    "stream",
]


def stream(
    items: int,
    seed: int,
    test_share: float = 0.25,
    *,
    size: int = PICTURE_SIZE,
    progress: bool = True,
) -> Dataset:
    """Draw the city's stream of pictures, its topics uniform in both of its parts.

    Args:
        items: number of pictures.
        seed: decides every scene; scene i is the same in a longer stream of the same seed.
        test_share: share of each topic that goes to general_test.
        size: width and height of a picture, in pixels.
        progress: whether to show a progress bar.

    Returns:
        Rows of item_id, part, label (topic), fine_label (first noun), reference_caption, image;
        part is general_train or general_test.
    """
    scenes = [scene_at(index, seed) for index in range(items)]
    labels = [scene.topic for scene in scenes]
    parts = assign_parts(labels, test_share=test_share, seed=seed)
    ids = grammars.item_ids("city_pictures", items, part=grammars.STREAM)
    return _table(ids, parts, scenes, size, progress)


def lessons(items: int, seed: int, *, size: int = PICTURE_SIZE, progress: bool = True) -> Dataset:
    """Draw the pictures a captioner learns from; none of them is in a stream, whatever its seed.

    Args:
        items: number of pictures.
        seed: decides every scene.
        size: width and height of a picture, in pixels.
        progress: whether to show a progress bar.

    Returns:
        Rows as in `stream`, with part ``captioner_train``.
    """
    scenes = [scene_at(index, seed, part=grammars.LESSONS) for index in range(items)]
    ids = grammars.item_ids("city_pictures", items, part=grammars.LESSONS)
    return _table(ids, [CAPTIONER_TRAIN] * items, scenes, size, progress)


def scene_of(item_id: str, seed: int) -> Scene:
    """Return the scene behind an item, to draw it again at another size.

    Args:
        item_id: an item_id of `stream` or `lessons`.
        seed: the seed that they were drawn with.

    Returns:
        The scene.

    Raises:
        ValueError: if the item_id is not one of a city picture.
    """
    index, part = grammars.place_of(item_id, "city_pictures")
    return scene_at(index, seed, part=part)


def _table(
    ids: list[str], parts: list[str], scenes: list[Scene], size: int, progress: bool
) -> Dataset:
    drawn = tqdm(scenes, desc="Drawing city pictures", unit="picture", disable=not progress)
    texts = grammars.facts_of(scenes, ids, parts)
    files = (_png(draw_scene(scene, size)) for scene in drawn)
    return captioned_table(texts, "image", ImageFeature(), files)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
