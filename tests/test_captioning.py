"""Facts about loading captioners, the table they fill, and how captions are measured."""

from __future__ import annotations

import io
import json
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Audio, Dataset, Features, Value
from datasets import Image as Picture
from huggingface_hub import constants
from PIL import Image

from semcal_utils.captioning import (
    CAPTION_COLUMNS,
    Captioner,
    TextPassThrough,
    caption_table,
    load_captioner,
    resolve_model,
    uncaptioned,
)
from semcal_utils.captioning.quality import caption_quality, names_label
from semcal_utils.media.readers import UnusableItem

TEXT = Value("string")
FACTS = ("item_id", "part", "label", "fine_label", "reference_caption")


class ColourNamer:
    """A captioner whose truth is known: it names the colour of a picture's first pixel."""

    modality = "image"
    name = "colours"

    def __init__(self) -> None:
        self.seen = 0
        self.stop_after: int | None = None

    def caption(
        self, items: Sequence[Any], *, batch_size: int = 8, progress: bool = True
    ) -> list[str]:
        if self.stop_after is not None and self.seen + len(items) > self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(items)
        return [f"level {item.getpixel((0, 0))[0]}" for item in items]


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (3, 3), (level, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def facts(count: int) -> dict[str, list[str]]:
    return {name: [f"{name} {row}" for row in range(count)] for name in FACTS}


def pictures(files: list[bytes]) -> Dataset:
    media = [{"bytes": data, "path": None} for data in files]
    features = Features({**dict.fromkeys(FACTS, TEXT), "image": Picture()})
    return Dataset.from_dict({**facts(len(files)), "image": media}, features=features)


def texts(rows: list[str]) -> Dataset:
    return Dataset.from_dict({**facts(len(rows)), "text": rows})


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("shard_size", [2, 7, 100])
def test_every_item_gets_its_own_caption_whatever_the_batches(tmp_path, batch_size, shard_size):
    table = caption_table(
        pictures([png(level) for level in range(11)]),
        ColourNamer(),
        batch_size=batch_size,
        shard_folder=tmp_path,
        shard_size=shard_size,
        progress=False,
    )
    assert tuple(table.columns) == CAPTION_COLUMNS
    assert table["caption"].tolist() == [f"level {level}" for level in range(11)]
    assert table["item_id"].tolist() == [f"item_id {row}" for row in range(11)]
    assert set(table["reason"]) == {""}


def test_a_text_is_its_own_caption():
    words = texts(["One.", " Zwei. ", "三。"])
    table = caption_table(words, load_captioner("text"), progress=False)
    assert table["caption"].tolist() == ["One.", "Zwei.", "三。"]


def test_corrupt_pictures_stay_in_the_table_with_a_reason_and_are_listed_at_the_end():
    files = [png(level) for level in range(9)]
    files[2], files[5], files[6] = b"", files[5][:40], b"no picture"
    with pytest.warns(UserWarning, match=r"3 of 9 items have no caption:\n  item_id 2: .*empty"):
        table = caption_table(pictures(files), ColourNamer(), batch_size=4, progress=False)
    assert table.loc[[2, 5, 6], "caption"].tolist() == ["", "", ""]
    assert uncaptioned(table)["item_id"].tolist() == ["item_id 2", "item_id 5", "item_id 6"]
    assert (table.loc[[0, 1, 3, 4, 7, 8], "reason"] == "").all()
    assert table.loc[8, "caption"] == "level 8"


def test_a_batch_of_nothing_but_corrupt_pictures_is_survived():
    with pytest.warns(UserWarning, match="2 of 2 items"):
        table = caption_table(pictures([b"x", b"y"]), ColourNamer(), progress=False)
    assert table["caption"].tolist() == ["", ""]


def test_a_long_list_of_uncaptioned_items_is_cut_and_says_so():
    with pytest.warns(UserWarning, match="and 5 more; see the column reason"):
        caption_table(texts([""] * 25), TextPassThrough(), progress=False)


def test_a_captioner_that_refuses_one_item_captions_the_rest_of_its_batch():
    class Picky(ColourNamer):
        def caption(self, items, *, batch_size=8, progress=True):
            if any(item.getpixel((0, 0))[0] == 2 for item in items):
                raise UnusableItem("I do not like this level.")
            return super().caption(items)

    with pytest.warns(UserWarning, match="item_id 2: I do not like this level"):
        table = caption_table(pictures([png(n) for n in range(4)]), Picky(), progress=False)
    assert table["caption"].tolist() == ["level 0", "level 1", "", "level 3"]


def test_an_empty_caption_has_a_reason():
    class Mute(TextPassThrough):
        def caption(self, items, *, batch_size=8, progress=True):
            return [" "] * len(items)

    with pytest.warns(UserWarning, match="said nothing"):
        table = caption_table(texts(["a"]), Mute(), progress=False)
    assert table["reason"].tolist() == ["The captioner said nothing."]


@pytest.mark.parametrize("stop_after", [0, 5, 8, 19])
def test_a_killed_run_goes_on_where_it_stopped_and_ends_with_the_same_table(tmp_path, stop_after):
    files = [png(level) for level in range(20)]
    files[9] = b"broken"
    captioner = ColourNamer()
    with pytest.warns(UserWarning, match="1 of 20"):
        whole = caption_table(pictures(files), captioner, batch_size=3, progress=False)
    options = {"batch_size": 3, "shard_folder": tmp_path / "shards", "shard_size": 4}
    captioner.seen, captioner.stop_after = 0, min(stop_after, 18)
    with pytest.raises(KeyboardInterrupt):
        caption_table(pictures(files), captioner, progress=False, **options)
    finished = sum(len(pd.read_parquet(path)) for path in tmp_path.glob("shards/*"))
    # Item 9 cannot be read, so the captioner never saw it.
    assert finished == captioner.seen + (finished > 9)
    captioner.seen, captioner.stop_after = 0, None
    with pytest.warns(UserWarning, match="1 of 20"):
        resumed = caption_table(pictures(files), captioner, progress=False, **options)
    pd.testing.assert_frame_equal(resumed, whole)
    assert captioner.seen == 20 - finished - (finished <= 9)
    captioner.seen = 0
    with pytest.warns(UserWarning, match="1 of 20"):
        again = caption_table(pictures(files), captioner, progress=False, **options)
    pd.testing.assert_frame_equal(again, whole)
    assert captioner.seen == 0


def test_an_unfinished_shard_file_is_ignored(tmp_path):
    (tmp_path / ".captions-00000000.parquet.123").write_bytes(b"half a tab")
    table = caption_table(texts(["a"]), TextPassThrough(), shard_folder=tmp_path, progress=False)
    assert table["caption"].tolist() == ["a"]


def test_shards_of_other_items_or_another_captioner_are_refused(tmp_path):
    items = pictures([png(1), png(2)])
    caption_table(items, ColourNamer(), shard_folder=tmp_path, progress=False)
    other = ColourNamer()
    other.name = "other colours"
    with pytest.raises(ValueError, match=r"another captioner \(colours\); delete the folder"):
        caption_table(items, other, shard_folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match="other items"):
        caption_table(items.select([1, 0]), ColourNamer(), shard_folder=tmp_path, progress=False)


def test_no_more_pictures_are_decoded_at_a_time_than_a_batch_holds():
    class Remembering(ColourNamer):
        def __init__(self) -> None:
            super().__init__()
            self.handed: list[weakref.ref] = []
            self.most = 0

        def caption(self, items, *, batch_size=8, progress=True):
            self.handed += [weakref.ref(item) for item in items]
            self.most = max(self.most, sum(item() is not None for item in self.handed))
            return super().caption(items)

    captioner = Remembering()
    caption_table(pictures([png(7)] * 64), captioner, batch_size=8, progress=False)
    assert len(captioner.handed) == 64
    assert captioner.most <= 16


def test_a_captioner_of_another_modality_is_refused():
    with pytest.raises(ValueError, match="puts image into words, the items are text"):
        caption_table(texts(["a"]), ColourNamer(), progress=False)


def test_missing_columns_and_repeated_ids_are_named():
    with pytest.raises(ValueError, match="lack the column 'part'"):
        caption_table(texts(["a"]).remove_columns("part"), TextPassThrough(), progress=False)
    twice = texts(["a", "b"]).select([0, 0])
    with pytest.raises(ValueError, match="'item_id 0' occurs twice"):
        caption_table(twice, TextPassThrough(), progress=False)
    with pytest.raises(ValueError, match="at least 1"):
        caption_table(texts(["a"]), TextPassThrough(), batch_size=0, progress=False)


def test_sounds_reach_the_captioner_as_samples_and_their_rate():
    class Listener:
        modality = "audio"

        def caption(self, items, *, batch_size=8, progress=True):
            return [f"{len(item['array'])} at {item['sampling_rate']}" for item in items]

    features = Features({**dict.fromkeys(FACTS, TEXT), "audio": {"bytes": Value("binary")}})
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(np.arange(8_000)), 8_000, format="WAV")
    media = [{"bytes": buffer.getvalue()}, {"bytes": b"noise"}]
    items = Dataset.from_dict({**facts(2), "audio": media}, features=features)
    with pytest.warns(UserWarning, match="1 of 2 items"):
        table = caption_table(items, Listener(), progress=False)
    assert table["caption"].tolist() == ["16000 at 16000", ""]
    hub_like = items.remove_columns("audio").add_column(
        "audio", [{"bytes": buffer.getvalue(), "path": None}] * 2
    )
    hub_like = hub_like.cast_column("audio", Audio(decode=False))
    table = caption_table(hub_like, Listener(), progress=False)
    assert table["caption"].tolist() == ["16000 at 16000"] * 2


def test_captioners_answer_to_one_interface():
    assert isinstance(TextPassThrough(), Captioner)
    assert isinstance(ColourNamer(), Captioner)


def test_legacy_florence_ids_lead_to_their_converted_copies(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    # Nothing listens on the discard port of this machine.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="the model florence-community/Florence-2-large"):
        resolve_model("microsoft/Florence-2-large")


@pytest.mark.parametrize("ref", ["./nowhere", "/no/such/model", "blip", "a/b/c"])
def test_a_model_that_is_no_folder_and_no_id_is_refused(ref):
    with pytest.raises(FileNotFoundError, match="neither a folder nor a model id"):
        load_captioner(ref)


def test_a_folder_without_a_model_or_with_an_unknown_one_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        load_captioner(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match=r"type 'llama'.*florence2, qwen2_audio, blip or"):
        load_captioner(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(FileNotFoundError, match="Cannot read the configuration"):
        load_captioner(Path(tmp_path))


def described(captions: list[str], labels: list[str], references: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"caption": captions, "label": labels, "reference_caption": references})


@pytest.mark.parametrize(
    ("caption", "label", "named"),
    [
        ("Two DOGS by the sea.", "dog", True),
        ("a dogma", "dog", False),
        ("a hot-dog stand", "dog", True),
        ("a fire truck", "fire_truck", True),
        ("three buses", "bus", True),
        ("C++ code", "c++", True),
        ("", "dog", False),
    ],
)
def test_a_label_is_named_by_its_word_in_singular_or_plural(caption, label, named):
    assert names_label(caption, label) is named


def test_quality_by_hand():
    found = caption_quality(
        described(
            ["a dog barks at us", "", "a cat"], ["dog", "dog", "cow"], ["a dog barks at us", "", ""]
        )
    )
    assert found == {"keyword_accuracy": pytest.approx(1 / 3), "bleu": pytest.approx(100)}


def test_without_references_there_is_no_bleu():
    assert set(caption_quality(described(["a"], ["a"], [" "]))) == {"keyword_accuracy"}


def test_a_grammar_may_say_what_a_caption_is_about():
    found = caption_quality(
        described(["woof", "miaow"], ["dog", "dog"], ["", ""]), {"woof": "dog", "miaow": "cat"}.get
    )
    assert found == {"keyword_accuracy": 0.5}
