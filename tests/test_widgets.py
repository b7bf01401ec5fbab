"""A panel follows its sliders; without anybody to drag them it is a figure."""

from __future__ import annotations

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from semcal_utils import widgets


@pytest.fixture
def shown(monkeypatch):
    found = []
    monkeypatch.setattr(widgets, "display", found.append)
    yield found
    plt.close("all")


def test_a_slider_changes_the_picture(shown, monkeypatch):
    monkeypatch.delenv(widgets.HEADLESS_VARIABLE, raising=False)
    widgets.coin_panel()
    *sliders, picture, words = shown[0].children
    assert all(isinstance(slider, ipywidgets.FloatSlider) for slider in sliders)
    assert "stream" in words.value
    before = picture.value
    sliders[0].value = 0.6
    assert picture.value != before
    sliders[0].value = 0.8
    assert picture.value == before


def test_headless_the_panel_is_a_static_figure_that_names_its_sliders(shown, monkeypatch, capsys):
    monkeypatch.setenv(widgets.HEADLESS_VARIABLE, "1")
    widgets.coin_panel()
    assert shown == []
    assert "heads in the stream" in capsys.readouterr().out
    assert len(plt.get_fignums()) == 1
