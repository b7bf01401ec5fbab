"""A panel follows its controls; without anybody to move them it is the same drawing, once."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd
import pytest

from semcal_utils import show
from semcal_utils.show import panels
from semcal_utils.show.svg import Drawing
from semcal_utils.show.world_panel import MOST_SLIDERS, filtered_towards, redrawn_world

LABELS = ["fire", "food", "music"]
GENERAL = pd.Series([0.6, 0.2, 0.2], LABELS)
WORLDS = {"baseline": GENERAL, "severe": pd.Series([0.1, 0.5, 0.4], LABELS)}


@pytest.fixture
def shown(monkeypatch):
    found = []
    monkeypatch.setattr(panels, "display", found.append)
    monkeypatch.delenv(panels.HEADLESS_VARIABLE, raising=False)
    return found


@pytest.fixture
def headless(shown, monkeypatch):
    monkeypatch.setenv(panels.HEADLESS_VARIABLE, "1")

    def refuse(*_, **__):
        raise AssertionError("an Output widget stalls a headless run")

    monkeypatch.setattr(ipywidgets, "Output", refuse)
    return shown


def recorded(items: int = 400) -> show.RecordedStreams:
    labels = np.random.default_rng(0).choice(LABELS, items, p=GENERAL)
    ids = [f"post {number}" for number in range(items)]
    tables = []
    for name, world in WORLDS.items():
        for recipe, power in (("paper", 0.5), ("label_matched", 1.0)):
            table = pd.DataFrame({"item_id": ids, "label": labels, "world": name})
            ratio = power * np.log(world / GENERAL)[labels].to_numpy()
            tables.append(table.assign(recipe=recipe, log_ratio=ratio, log_bound=0.9))
    captions = pd.Series("a post", ids)
    return show.RecordedStreams(pd.concat(tables, ignore_index=True), WORLDS, captions)


def parts(box, kind) -> list:
    found = [box] if isinstance(box, kind) else []
    for child in getattr(box, "children", ()):
        found += parts(child, kind)
    return found


def test_a_slider_changes_the_coins_and_back(shown):
    show.coin_panel()
    sliders, (picture,) = parts(shown[0], ipywidgets.FloatSlider), parts(shown[0], ipywidgets.HTML)
    assert len(sliders) == 3
    before = picture.value
    assert "40%" in before
    sliders[0].value = 0.6
    assert picture.value != before
    sliders[0].value = 0.8
    assert picture.value == before


def test_every_panel_run_headless_is_its_drawing_and_names_its_controls(headless, capsys):
    show.coin_panel()
    show.stream_panel(recorded())
    stream = pd.DataFrame({"item_id": ["a", "b"], "label": ["fire", "food"]})
    show.world_panel(stream, GENERAL, WORLDS)
    assert [type(one) for one in headless] == [Drawing] * 3
    told = capsys.readouterr().out
    assert "heads in the stream" in told
    assert "world, recipe, share of the recipe's log bound" in told
    assert "start from, fire, food, music" in told


def test_the_twin_is_what_the_live_panel_shows(shown, monkeypatch):
    show.coin_panel()
    live = parts(shown[0], ipywidgets.HTML)[0].value
    monkeypatch.setenv(panels.HEADLESS_VARIABLE, "1")
    show.coin_panel()
    assert shown[1].html == live


def test_the_stream_plays_at_its_speed_and_its_place_can_be_dragged(shown):
    show.stream_panel(recorded(400), start=100)
    (player,) = parts(shown[0], ipywidgets.Play)
    speed, place = parts(shown[0], ipywidgets.FloatSlider)[-2:]
    picture = parts(shown[0], ipywidgets.HTML)[-1]
    assert "of 100" in picture.value
    speed.value = 200
    assert player.step == 30
    player.value += player.step
    assert place.value == 130
    assert "of 130" in picture.value
    place.value = 385
    player.value = min(player.value + player.step, player.max)
    assert place.value == 400
    player.value = 0
    assert place.value == 0
    assert "of 0" in picture.value


def test_the_stream_follows_world_recipe_and_bound(shown):
    show.stream_panel(recorded())
    world, recipe = parts(shown[0], ipywidgets.Dropdown)
    bound = parts(shown[0], ipywidgets.FloatSlider)[0]
    picture = parts(shown[0], ipywidgets.HTML)[-1]
    seen = {picture.value}
    for control, value in ((bound, 0.5), (recipe, "paper"), (world, "baseline")):
        control.value = value
        assert picture.value not in seen
        seen.add(picture.value)
    assert "silent" in picture.value  # the baseline's world is the stream


def test_a_table_without_ratios_is_refused_by_name():
    table = pd.DataFrame({"item_id": ["a"], "label": ["fire"], "world": ["elsewhere"]})
    with pytest.raises(ValueError, match=r"lacks the column.* recipe, log_ratio"):
        show.RecordedStreams(table, WORLDS, pd.Series(dtype=object))
    table = table.assign(recipe="paper", log_ratio=0.0, log_bound=0.0)
    with pytest.raises(ValueError, match=r"no item of the given worlds.*03_acceptance"):
        show.RecordedStreams(table, WORLDS, pd.Series(dtype=object))


def test_the_world_follows_its_sliders_and_can_start_anew(shown):
    labels = np.random.default_rng(1).choice(LABELS, 500, p=GENERAL)
    stream = pd.DataFrame({"item_id": [f"p{n}" for n in range(500)], "label": labels})
    show.world_panel(stream, GENERAL, WORLDS)
    sliders = parts(shown[0], ipywidgets.FloatSlider)
    picture = parts(shown[0], ipywidgets.HTML)[-1]
    assert [one.value for one in sliders] == [10, 50, 40]
    before = picture.value
    sliders[0].value = 90
    assert picture.value != before
    parts(shown[0], ipywidgets.Dropdown)[0].value = "baseline"
    assert [one.value for one in sliders] == [60, 20, 20]
    parts(shown[0], ipywidgets.Dropdown)[0].value = "severe"
    assert picture.value == before


def test_a_redrawn_world_sums_to_one_and_no_label_becomes_impossible():
    world = redrawn_world(WORLDS["severe"], {"fire": 0.0, "food": 99.9})
    assert world.sum() == pytest.approx(1)
    assert (world > 0).all()
    assert world["music"] / world["food"] == pytest.approx(0.4 / 0.999)


def test_the_filter_by_labels_brings_the_redrawn_world_about():
    labels = np.random.default_rng(2).choice(LABELS, 20_000, p=GENERAL)
    stream = pd.DataFrame({"item_id": [f"p{n}" for n in range(20_000)], "label": labels})
    world = pd.Series([0.05, 0.15, 0.8], LABELS)
    moment = filtered_towards(stream, GENERAL, world, seed=0).moment(20_000)
    assert moment.frequencies["filtered"].to_numpy() == pytest.approx(world.to_numpy(), abs=0.02)
    assert moment.accepted / 20_000 == pytest.approx(0.2 / 0.8, abs=0.01)


def test_only_so_many_labels_get_sliders_and_the_rest_is_told(shown):
    names = [f"label {n:02d}" for n in range(20)]
    general = pd.Series(np.linspace(1, 2, 20) / 30, names)
    stream = pd.DataFrame({"item_id": ["a", "b"], "label": names[:2]})
    show.world_panel(stream, general, {"severe": general})
    assert len(parts(shown[0], ipywidgets.FloatSlider)) == MOST_SLIDERS
    told = " ".join(one.value for one in parts(shown[0], ipywidgets.HTML))
    assert "8 rarer labels keep their share" in told
