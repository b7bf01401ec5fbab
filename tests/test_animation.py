"""The moving picture is small, the same every time, and shows what it was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from semcal_utils import show
from semcal_utils.rejection.stream_replay import StreamReplay
from semcal_utils.show import animation
from semcal_utils.show.animation import Card, Frame, draw_frame, frame_places

LABELS = ["fire", "food", "music"]
WORLD = pd.Series([0.1, 0.5, 0.4], LABELS)


def replay(items: int = 300) -> StreamReplay:
    codes = np.random.default_rng(0).choice(3, items, p=[0.6, 0.2, 0.2])
    table = pd.DataFrame({"item_id": [f"p{n}" for n in range(items)]})
    table["label"] = np.array(LABELS)[codes]
    table["log_ratio"] = np.log(WORLD.to_numpy() / [0.6, 0.2, 0.2])[codes]
    table["caption"] = 'costs $5 and $x^2$ <b>"'
    return StreamReplay(table, WORLD, log_bound=1.0, seed=0)


def test_frames_come_one_by_one_and_then_ever_faster_to_the_end():
    places = frame_places(2000, 48)
    assert places[:12] == list(range(1, 13))
    assert places[-1] == 2000
    assert len(places) <= 48
    assert np.all(np.diff(places) > 0)
    assert frame_places(3, 48) == [1, 2, 3]
    assert frame_places(1, 2) == [1]


def test_the_same_stream_gives_the_same_bytes(tmp_path):
    show.use_style()
    frames = show.stream_frames(replay(), count=5)
    files = [tmp_path / "one.gif", tmp_path / "two.gif"]
    for file in files:
        show.save_stream_animation(frames, file, title="a stream")
    assert files[0].read_bytes() == files[1].read_bytes()
    with Image.open(files[0]) as picture:
        assert picture.n_frames == len(frames)
        assert picture.info["loop"] == 0
        first = np.asarray(picture.convert("RGB"))
        picture.seek(len(frames) - 1)
        assert not np.array_equal(first, np.asarray(picture.convert("RGB")))
        assert (first[0, -1] == 255).all()  # paper stays white under the palette


def test_a_file_that_stays_too_large_is_kept_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(animation, "MOST_BYTES", 10)
    frames = show.stream_frames(replay(60), count=4)
    with pytest.warns(UserWarning, match=r"takes 0\.\d MB.*fewer frames"):
        show.save_stream_animation(frames, tmp_path / "one.gif", title="a stream")
    with Image.open(tmp_path / "one.gif") as picture:
        assert picture.n_frames == 2  # of four, every third and the last


def test_a_frame_shows_counts_bars_and_cards():
    frames = show.stream_frames(replay(), count=6)
    figure = plt.figure()
    draw_frame(figure, frames, len(frames) - 1, title="a stream")
    told = [text.get_text() for text in figure.texts]
    assert f"300 seen   ·   {frames[-1].accepted:,} kept" in told
    bars = next(ax for ax in figure.axes if ax.get_title(loc="left") == "share of items")
    heights = [bar.get_height() for bar in bars.patches[-3:]]
    assert heights == pytest.approx(frames[-1].frequencies["filtered"].tolist())
    cards = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert sum("kept" in text or "dropped" in text for text in cards) == 4
    plt.close(figure)


def test_too_early_to_tell_is_written_out():
    frequencies = pd.DataFrame({"general": [1.0], "real": [1.0], "filtered": [np.nan]}, index=["a"])
    frame = Frame(1, 0, frequencies, np.nan, np.nan, np.nan, [Card("x", False)])
    figure = plt.figure()
    draw_frame(figure, [frame], 0, title="")
    assert any(t.get_text() == "too early to tell" for ax in figure.axes for t in ax.texts)
    plt.close(figure)


def test_pictures_of_kept_items_keep_their_colours_and_others_pale():
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    frequencies = pd.DataFrame({"general": [1.0], "real": [1.0], "filtered": [1.0]}, index=["a"])
    cards = [Card("x", True, red), Card("y", False, red)]
    figure = plt.figure()
    draw_frame(figure, [Frame(2, 1, frequencies, 1, 1, 1, cards)], 0, title="")
    shown = [ax.images[0].get_array()[0, 0] for ax in figure.axes if ax.images]
    assert shown[0].tolist() == [200, 0, 0]
    assert len(set(shown[1].tolist())) == 1
    assert shown[1][0] > 150
    plt.close(figure)


def test_a_stream_without_items_is_refused():
    with pytest.raises(ValueError, match="no item to animate"):
        show.stream_frames(replay(0), count=4)
