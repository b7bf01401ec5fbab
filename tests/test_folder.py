"""Facts about people's own folders of pictures and sounds, and their tables of texts."""

from __future__ import annotations

import json
import os
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import soundfile
from datasets import load_from_disk
from PIL import Image

from semcal_utils.captioning import TextPassThrough, caption_table
from semcal_utils.media import load_items, modality, source_state
from semcal_utils.media.__main__ import main as look
from semcal_utils.media.folder import stream
from semcal_utils.media.own_texts import read_rows
from semcal_utils.media.readers import read_picture, read_sound


def picture(path, colour="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (5, 5), colour).save(path)
    return path


@pytest.fixture
def zoo(tmp_path):
    for name in ("cats/1.png", "cats/black/1.JPG", "cats/2.webp", "dogs/1.png", "dogs/2.gif"):
        picture(tmp_path / "zoo" / name)
    return tmp_path / "zoo"


class Painter:
    """A captioner that says how wide a picture is."""

    modality = "image"

    def caption(self, items, *, batch_size=8, progress=True):
        return [f"{item.width} pixels" for item in items]


def by_id(items):
    return items.remove_columns(modality(items)).to_pandas().set_index("item_id")


def test_sub_folders_are_labels_and_nested_ones_fine_labels(zoo):
    items = stream(zoo, seed=0)
    assert modality(items) == "image"
    table = by_id(items)
    assert dict(table["label"]) == {
        "cats/1.png": "cats",
        "cats/black/1.JPG": "cats",
        "cats/2.webp": "cats",
        "dogs/1.png": "dogs",
        "dogs/2.gif": "dogs",
    }
    assert table.loc["cats/black/1.JPG", "fine_label"] == "cats/black"
    assert set(table["part"]) <= {"general_train", "general_test"}


def test_pictures_are_kept_as_paths_and_decoded_when_read(zoo):
    items = stream(zoo, seed=0)
    assert items.data.nbytes < 2_000
    assert read_picture(items[0]["image"]).size == (5, 5)


def test_a_saved_stream_holds_no_copy_of_the_pictures(zoo, tmp_path):
    stream(zoo, seed=0).save_to_disk(tmp_path / "items")
    (zoo / "dogs" / "1.png").unlink()
    saved = load_from_disk(str(tmp_path / "items"))
    assert all(item["bytes"] is None for item in saved["image"])
    with pytest.warns(UserWarning, match=r"dogs/1\.png: The file 1\.png does not exist"):
        captions = caption_table(saved, Painter(), progress=False)
    assert (captions["caption"] == "5 pixels").sum() == 4


def test_same_names_in_two_folders_are_two_items(zoo):
    assert {"cats/1.png", "dogs/1.png"} <= set(stream(zoo, seed=0)["item_id"])


def test_same_seed_gives_same_stream(zoo):
    assert by_id(stream(zoo, seed=5)).equals(by_id(stream(zoo, seed=5)))


def test_fewer_items_are_drawn_in_proportion(tmp_path):
    for label, count in (("a", 12), ("b", 4)):
        for number in range(count):
            picture(tmp_path / label / f"{number}.png")
    assert Counter(stream(tmp_path, seed=0, items=8)["label"]) == {"a": 6, "b": 2}
    with pytest.raises(ValueError, match="at least one"):
        stream(tmp_path, seed=0, items=0)


def test_one_item_is_a_stream_with_a_warning_about_its_label(tmp_path):
    picture(tmp_path / "cats" / "only.png")
    with pytest.warns(UserWarning, match="All 1 items have the label 'cats'"):
        items = stream(tmp_path, seed=0)
    assert items["part"] == ["general_train"]


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_a_folder_of_sounds_is_a_stream_of_sounds(tmp_path, ending):
    for label in ("rain", "dog"):
        (tmp_path / label).mkdir()
        tone = 0.3 * np.sin(np.arange(8_000) / 5)
        soundfile.write(tmp_path / label / f"1.{ending}", tone, 8_000)
    items = stream(tmp_path, seed=0)
    assert modality(items) == "audio"
    assert len(read_sound(items[0]["audio"])) == pytest.approx(16_000, abs=3_000)


def test_pictures_and_sounds_in_one_folder_are_refused(zoo):
    soundfile.write(zoo / "dogs" / "bark.wav", np.ones(10), 8_000)
    with pytest.raises(ValueError, match="5 pictures and 1 sounds"):
        stream(zoo, seed=0)


def test_an_unlabelled_picture_is_named(zoo):
    picture(zoo / "stray.png")
    with pytest.raises(ValueError, match=r"1 item has no label \('stray.png'\): put it in a sub-"):
        stream(zoo, seed=0)


def test_files_of_other_kinds_are_listed_and_hidden_ones_ignored(zoo):
    (zoo / "cats" / "notes.txt").write_text("hello")
    (zoo / ".DS_Store").write_text("hidden")
    with pytest.warns(UserWarning, match=r"1 files of other kinds .*'cats/notes.txt'"):
        assert len(stream(zoo, seed=0)) == 5


def test_a_link_out_of_the_folder_is_refused_unless_allowed(zoo, tmp_path):
    outside = picture(tmp_path / "private.png")
    (zoo / "dogs" / "link.png").symlink_to(outside)
    with pytest.raises(ValueError, match=r"link\.png is a symbolic link that leads out"):
        stream(zoo, seed=0)
    assert len(stream(zoo, seed=0, follow_links=True)) == 6


def test_a_link_within_the_folder_is_followed_and_a_circle_is_walked_once(zoo):
    (zoo / "dogs" / "same.png").symlink_to(zoo / "cats" / "1.png")
    (zoo / "dogs" / "round").symlink_to(zoo)
    assert len(stream(zoo, seed=0)) == 6


def test_a_name_that_is_not_unicode_is_named(zoo):
    os.close(os.open(os.fsencode(zoo) + b"/cats/\xff.png", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(ValueError, match="is not Unicode"):
        stream(zoo, seed=0)


def test_a_folder_without_media_and_no_folder_at_all_say_so(tmp_path):
    with pytest.raises(ValueError, match=r"holds no pictures .*\.png.* and no sounds .*\.wav"):
        stream(tmp_path, seed=0)
    with pytest.raises(FileNotFoundError, match="no folder or file"):
        stream(tmp_path / "nowhere", seed=0)


def write_metadata(folder, rows, kind):
    path = folder / f"metadata.{kind}"
    if kind == "csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_metadata_give_labels_and_captions(tmp_path, kind):
    rows = []
    for number in range(4):
        picture(tmp_path / "flat" / f"{number}.png")
        label = "NA" if number % 2 else "007"
        rows.append(
            {"file_name": f"{number}.png", "label": label, "reference_caption": f"é {number}"}
        )
    write_metadata(tmp_path / "flat", rows, kind)
    table = by_id(stream(tmp_path / "flat", seed=0))
    assert table.loc["1.png", ["label", "fine_label", "reference_caption"]].tolist() == [
        "NA",
        "NA",
        "é 1",
    ]
    assert table.loc["2.png", "label"] == "007"


def test_metadata_may_name_another_label_column_and_add_captions_to_sub_folders(zoo):
    names = ["cats/1.png", "cats/black/1.JPG", "cats/2.webp", "dogs/1.png", "dogs/2.gif"]
    rows = [
        {"file_name": name, "mood": "calm" if row < 2 else "wild", "reference_caption": "a pet"}
        for row, name in enumerate(names)
    ]
    write_metadata(zoo, rows, "csv")
    assert Counter(stream(zoo, seed=0)["label"]) == {"cats": 3, "dogs": 2}
    moods = stream(zoo, seed=0, label="mood")
    assert Counter(moods["label"]) == {"calm": 2, "wild": 3}
    assert set(moods["reference_caption"]) == {"a pet"}
    with pytest.raises(ValueError, match=r"no column 'taste'; it has file_name, mood"):
        stream(zoo, seed=0, label="taste")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"file": "cats/1.png"}], "no column 'file_name'; it has file"),
        ([{"file_name": "cats/9.png"}], "lists 'cats/9.png', which is no picture"),
        ([{"file_name": "../private.png"}], "lists '../private.png', which is no picture"),
        ([{"file_name": "cats/1.png"}, {"file_name": "./cats/1.png"}], "'cats/1.png' twice"),
        ([{"file_name": "cats/1.png", "label": ""}], r"no label \('cats/1.png'\)"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(zoo, rows, message):
    write_metadata(zoo, rows, "csv")
    with pytest.raises(ValueError, match=message):
        stream(zoo, seed=0)


ROWS = [
    {"text": "Ein Text.", "label": "de"},
    {"text": "日本語の文。", "label": "ja"},
    {"text": "word " * 10_000, "label": "en"},
    {"text": "", "label": "en"},
    {"text": "Ein Text.", "label": "de"},
]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_table_of_texts_is_a_stream_whatever_its_format(tmp_path, kind):
    path = tmp_path / f"texts.{kind}"
    if kind == "csv":
        pd.DataFrame(ROWS).to_csv(path, index=False, encoding="utf-8-sig")
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS))
    else:
        pd.DataFrame(ROWS).to_parquet(path)
    items = stream(path, seed=0)
    table = items.to_pandas().set_index("item_id").sort_index()
    assert table["text"].tolist() == [row["text"] for row in ROWS]
    assert table["label"].tolist() == ["de", "ja", "en", "en", "de"]
    assert table.index[2] == "texts-000002"
    with pytest.warns(UserWarning, match="texts-000003: The text is empty"):
        captions = caption_table(items, TextPassThrough(), progress=False).set_index("item_id")
    assert captions.loc["texts-000003", ["caption", "reason"]].tolist() == [
        "",
        "The text is empty.",
    ]
    assert len(captions.loc["texts-000002", "caption"].split()) == 10_000


def test_columns_of_a_table_are_chosen_by_name(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("item_id,body,topic\np1,one,x\np2,two,y\n")
    table = stream(path, seed=0, text="body", label="topic").to_pandas().set_index("item_id")
    assert table.loc["p2", ["text", "label", "reference_caption"]].tolist() == ["two", "y", "two"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "body,label\na,b\n", "no column 'text'; it has body, label"),
        ("t.csv", "text,topic\na,b\n", "no column 'label'; it has text, topic"),
        ("t.csv", "text,label\n", "header but no rows"),
        ("t.csv", "", "cannot be read"),
        ("t.csv", "text,label\na,b\na,b,c\n", "cannot be read: .*line 3"),
        ("t.csv", "text,label\na,x\nb,\n", r"no label \('t-000001'\): fill in the column 'label'"),
        ("t.csv", "item_id,text,label\n1,a,x\n1,b,y\n", "item_id '1' twice"),
        ("t.jsonl", '{"text": "a", "label": "x"}\n{oops\n', "line 2 is no JSON"),
        ("t.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("t.jsonl", '{"text": "\\ud800", "label": "x"}\n', "half a character pair"),
        ("t.parquet", "not parquet", "cannot be read"),
        ("t.xlsx", "whatever", "give one of .csv, .jsonl, .parquet"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        stream(path, seed=0)


def test_a_table_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("text,label\nM\xfcll,x\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"not in UTF-8 \(byte"):
        stream(path, seed=0)


def test_missing_values_of_a_table_become_empty_and_numbers_text(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"text": ["a", None], "label": [1, 2]}).to_parquet(path)
    rows = read_rows(path)
    assert rows.to_dict("list") == {"text": ["a", ""], "label": ["1", "2"]}


def test_a_look_at_a_folder_prints_its_labels_and_what_cannot_be_used(zoo, capsys):
    (zoo / "dogs" / "broken.png").write_bytes(b"")
    look([str(zoo)])
    printed = capsys.readouterr().out
    assert "6 items (image)" in printed
    assert "dogs/broken.png: The file is empty (0 bytes)." in printed
    assert "1 of 6 items cannot be captioned" in printed


def test_a_look_names_what_is_left_out_and_what_was_noticed(tmp_path, capsys):
    picture(tmp_path / "cats" / "1.png")
    (tmp_path / "cats" / "notes.txt").write_text("hello")
    look([str(tmp_path)])
    printed = capsys.readouterr().out
    assert "Note: 1 files of other kinds" in printed
    assert "Note: All 1 items have the label 'cats'" in printed
    assert "Every item can be read." in printed


def test_a_look_at_texts_shows_the_first_and_a_missing_column_the_choice(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("body,topic\none long line,x\n" + "another,y\n" * 3)
    look([str(tmp_path / "t.csv"), "--text", "body", "--label", "topic"])
    assert "The first one says:" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        look([str(tmp_path / "t.csv")])
    assert "it has body, topic: say which of them holds the texts" in capsys.readouterr().err


def test_a_look_takes_the_hubs_layout_and_points_to_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts" / "data").mkdir(parents=True)
    rows = pd.DataFrame({"text": ["a", "b", "c"], "label": ["x", "y", "x"]})
    rows.to_parquet(tmp_path / "posts" / "data" / "train-00000-of-00001.parquet")
    look(["hub:posts"])
    assert "3 items (text)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        look(["posts"])
    assert "if it has the hub's layout, give hub:posts" in capsys.readouterr().err


def test_a_source_is_found_from_the_root_and_its_state_changes_with_its_files(zoo, tmp_path):
    assert len(load_items("mine", source="zoo", seed=0, root=tmp_path)) == 5
    assert len(load_items("mine", source=str(zoo), seed=0, root=tmp_path / "elsewhere")) == 5
    before = source_state("zoo", tmp_path)
    assert before == source_state(str(zoo)) != ""
    picture(zoo / "dogs" / "3.png")
    assert source_state("zoo", tmp_path) != before
    assert source_state("", tmp_path) == source_state("hub:uoft-cs/cifar10", tmp_path) == ""


def test_a_look_at_nothing_says_so_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        look([str(tmp_path / "nowhere")])
    assert "There is no folder or file" in capsys.readouterr().err
