"""Facts about datasets in the hub's layout, from local folders, and about being offline."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import Audio, ClassLabel, Dataset, Features, Value
from datasets import Image as Picture
from huggingface_hub import constants
from PIL import Image

from semcal_utils.captioning import TextPassThrough, caption_table, load_captioner
from semcal_utils.media import modality
from semcal_utils.media.hub import first_noun, stream
from semcal_utils.media.hub_access import HubUnreachable, require_hub
from semcal_utils.media.hub_columns import KNOWN, PAPER, HubColumns, columns_of
from semcal_utils.media.label_maps import label_map
from semcal_utils.media.published_splits import published_splits
from semcal_utils.media.readers import read_sound

TEXT = Value("string")


def save_split(rows: Dataset, folder: Path, split: str) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    rows.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")


def png(number: int) -> dict:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (number, 0, 0)).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def paper_rows(numbers: list[int]) -> Dataset:
    """Pictures in the layout that the paper published; captions repeat, as they do there."""
    labels = ClassLabel(names=["cat", "dog", "ship"])
    return Dataset.from_dict(
        {
            "image": [png(number) for number in numbers],
            "label": [number % 3 for number in numbers],
            "florence_caption": [f"A thing of kind {number // 6}." for number in numbers],
        },
        features=Features({"image": Picture(), "label": labels, "florence_caption": TEXT}),
    )


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "cifar"
    save_split(paper_rows(list(range(30))), folder, "general_train")
    save_split(paper_rows(list(range(30, 42))), folder, "general_test")
    save_split(paper_rows([0, 3, 6, 9, 1]), folder, "real_mild")
    save_split(paper_rows([0, 3, 6]), folder, "real_severe")
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


CAPTIONS = HubColumns(caption="florence_caption")


def test_published_parts_and_class_names_are_kept(paper, cache):
    items = stream(paper, seed=0, cache_folder=cache)
    assert modality(items) == "image"
    assert Counter(items["part"]) == {"general_train": 30, "general_test": 12}
    assert Counter(items["label"]) == {"cat": 14, "dog": 14, "ship": 14}
    row = next(row for row in items if row["item_id"] == "cifar-general_train-000007")
    assert row["image"].getpixel((0, 0)) == (7, 0, 0)
    assert (row["label"], row["fine_label"]) == ("dog", "dog")


def test_an_existing_caption_column_makes_captioning_needless(paper, cache):
    items = stream(paper, seed=0, columns=CAPTIONS, cache_folder=cache)
    assert modality(items) == "text"
    table = caption_table(items, TextPassThrough(), progress=False).set_index("item_id")
    assert table.loc["cifar-general_train-000013", "caption"] == "A thing of kind 2."


def test_fewer_items_are_drawn_from_each_part_in_proportion(paper, cache):
    items = stream(paper, seed=1, items=21, cache_folder=cache)
    assert Counter(zip(items["part"], items["label"], strict=True)) == {
        ("general_train", "cat"): 5,
        ("general_train", "dog"): 5,
        ("general_train", "ship"): 5,
        ("general_test", "cat"): 2,
        ("general_test", "dog"): 2,
        ("general_test", "ship"): 2,
    }


def test_published_real_splits_become_members_of_the_stream(paper, cache):
    items = stream(paper, seed=0, columns=CAPTIONS, cache_folder=cache)
    members = published_splits(
        paper, items, severities=("mild", "severe"), columns=CAPTIONS, cache_folder=cache
    )
    facts = items.to_pandas().set_index("item_id")
    mild = members.loc[members["severity"] == "mild", "item_id"]
    assert mild.is_unique
    assert Counter(facts.loc[mild, "label"]) == {"cat": 4, "dog": 1}
    assert Counter(facts.loc[mild, "text"])["A thing of kind 0."] == 3
    assert set(facts.loc[members["item_id"], "part"]) == {"general_train"}
    assert Counter(members["severity"]) == {"mild": 5, "severe": 3}


def test_published_real_splits_need_the_whole_stream(paper, cache):
    few = stream(paper, seed=0, items=4, columns=CAPTIONS, cache_folder=cache)
    with pytest.raises(ValueError, match="load the whole stream"):
        published_splits(paper, few, severities=("mild",), columns=CAPTIONS, cache_folder=cache)
    pictures = stream(paper, seed=0, cache_folder=cache)
    with pytest.raises(ValueError, match="matched by caption"):
        published_splits(paper, pictures, severities=("mild",), columns=CAPTIONS)


@pytest.fixture(scope="module")
def esc(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "esc50"
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.4 * np.sin(np.arange(4_000) / 3), 8_000, format="WAV")
    rows = Dataset.from_dict(
        {
            "audio": [{"bytes": buffer.getvalue(), "path": "1.wav"}] * 8,
            "category": ["dog", "rain", "siren", "cow"] * 2,
        },
        features=Features({"audio": {"bytes": Value("binary"), "path": TEXT}, "category": TEXT}),
    ).cast_column("audio", Audio(decode=False))
    save_split(rows, folder, "train")
    return folder


def test_sounds_come_as_bytes_with_parts_assigned(esc, cache):
    items = stream(esc, seed=0, test_share=0.5, cache_folder=cache)
    assert modality(items) == "audio"
    assert Counter(items["part"]) == {"general_train": 4, "general_test": 4}
    assert len(read_sound(items[0]["audio"])) == 8_000


def test_a_label_map_turns_fine_labels_into_coarse_ones(esc, cache):
    columns = HubColumns(fine_label="category", label_map="esc50")
    items = stream(esc, seed=0, columns=columns, cache_folder=cache)
    coarse = set(zip(items["fine_label"], items["label"], strict=True))
    assert ("cow", "animals") in coarse
    assert ("siren", "exterior noises") in coarse


def test_a_fine_label_outside_the_map_is_named(esc, cache, tmp_path):
    own = tmp_path / "mine.json"
    own.write_text('{"dog": "animals", "cow": "animals", "rain": "weather"}')
    columns = HubColumns(fine_label="category", label_map=str(own))
    with pytest.raises(ValueError, match="no coarse label for 'siren'"):
        stream(esc, seed=0, columns=columns, cache_folder=cache)


def test_captions_with_several_rows_per_picture_give_one_item_each(tmp_path, cache):
    rows = Dataset.from_dict(
        {
            "image": [png(0), png(0), png(1), png(2)],
            "cocoid": [10, 10, 11, 12],
            "caption": ["Two dogs run.", "A pet.", "A red bus on a road.", "The sky above."],
        },
        features=Features({"image": Picture(), "cocoid": Value("int64"), "caption": TEXT}),
    )
    save_split(rows, tmp_path / "coco", "validation")
    known = KNOWN["jxie/coco_captions"]
    columns = HubColumns(**{**vars(known), "splits": ("validation",)})
    items = stream(tmp_path / "coco", seed=0, columns=columns, cache_folder=cache)
    table = items.remove_columns("image").to_pandas().set_index("reference_caption")
    assert table.loc["Two dogs run.", ["label", "fine_label"]].tolist() == ["animal", "dog"]
    assert table.loc["A red bus on a road.", "label"] == "vehicle"
    assert table.loc["The sky above.", "label"] == "other"
    assert len(items) == 3


def test_the_first_noun_counts_longest_match_first():
    nouns = label_map("coco")
    assert first_noun("A hot dog on a plate", nouns) == "hot dog"
    assert first_noun("Glasses and a cup", nouns) == "glass"
    assert first_noun("Nothing here", nouns) == "other"


def test_known_datasets_have_known_columns_and_callers_may_overrule_them():
    assert columns_of(f"{PAPER}CIFAR-10", HubColumns()).splits == ("general_train", "general_test")
    assert columns_of(f"{PAPER}Books", HubColumns()).splits == ("general_train", "general_test")
    assert columns_of("uoft-cs/cifar100", HubColumns()).label == "coarse_label"
    fine = columns_of("uoft-cs/cifar100", HubColumns(label="fine_label"))
    assert (fine.label, fine.media) == ("fine_label", "img")
    assert columns_of("ashraq/esc50", HubColumns(label="category")).label_map is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (HubColumns(label="mood"), r"no column 'mood' \(asked for as label\); it has audio, categ"),
        (HubColumns(caption="words"), r"no column 'words' \(asked for as caption\)"),
        (HubColumns(splits=("validation",)), 'Unknown split "validation"'),
    ],
)
def test_a_column_or_split_that_is_not_there_is_named(esc, cache, columns, message):
    with pytest.raises(ValueError, match=message):
        stream(esc, seed=0, columns=columns, cache_folder=cache)


def test_a_dataset_without_media_or_labels_lists_its_columns(tmp_path, cache):
    for name, columns in (("a", ["x", "label"]), ("b", ["text", "x"])):
        save_split(Dataset.from_dict({c: ["1", "2"] for c in columns}), tmp_path / name, "train")
    with pytest.raises(ValueError, match=r"looks like pictures, sounds or texts.*x, label"):
        stream(tmp_path / "a", seed=0, cache_folder=cache)
    with pytest.raises(ValueError, match=r"looks like labels.*text, x"):
        stream(tmp_path / "b", seed=0, cache_folder=cache)


def test_an_unlabelled_row_is_named(tmp_path, cache):
    rows = Dataset.from_dict({"text": ["a", "b"], "label": ["x", None]})
    save_split(rows, tmp_path / "posts", "train")
    with pytest.raises(ValueError, match=r"no label \('posts-train-000001'\)"):
        stream(tmp_path / "posts", seed=0, cache_folder=cache)


def test_a_damaged_file_and_an_empty_folder_say_so(tmp_path, cache):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "train.parquet").write_text("not parquet")
    with pytest.raises(ValueError, match="cannot be read"):
        stream(tmp_path / "bad", seed=0, cache_folder=cache)
    (tmp_path / "empty").mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match="empty"):
        stream(tmp_path / "empty", seed=0, cache_folder=cache)


@pytest.mark.parametrize("ref", ["cifar10", "./nowhere", "/no/such/folder", "a/b/c"])
def test_what_is_neither_a_folder_nor_an_id_is_refused(ref, cache):
    with pytest.raises(FileNotFoundError, match="neither a folder nor an id"):
        stream(ref, seed=0, cache_folder=cache)


@pytest.mark.parametrize("offline", [True, False])
def test_an_unreachable_hub_is_one_sentence_about_what_to_do(monkeypatch, cache, offline):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    # Nothing listens on the discard port of this machine, so no network is needed to find out.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachable, match="go online, or give the path of a local folder"):
        stream("uoft-cs/cifar10", seed=0, cache_folder=cache)
    with pytest.raises(HubUnreachable, match="the model florence-community/Florence-2-base"):
        load_captioner("microsoft/Florence-2-base")


def test_a_hub_that_takes_the_call_and_never_answers_is_soon_given_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        began = time.monotonic()
        with pytest.raises(HubUnreachable, match="does not answer; go online"):
            require_hub("the model org/name")
        # The hub library's own patience is 10 seconds a try; a busy machine adds some to ours.
        assert time.monotonic() - began < 6


def test_nothing_is_written_to_the_users_home(paper, cache, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "import sys; from pathlib import Path; from semcal_utils.media.hub import stream;"
        "print(len(stream(sys.argv[1], seed=0, cache_folder=Path(sys.argv[2]))))"
    )
    # The libraries decide where to write when they are imported.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    run = subprocess.run(
        [sys.executable, "-c", script, str(paper), str(cache)],
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "42"
    assert list(home.rglob("*")) == []
    assert any(cache.rglob("*.arrow"))
