"""The palette can be told apart by readers who see fewer colours, and on white."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from semcal_utils.show import COLOURS
from semcal_utils.show.style import DIVERGING, SEQUENTIAL

# Machado, Oliveira and Fernandes (2009), table of simulation matrices at severity 1.0; they act on
# linear RGB.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# The colours that stand for a thing; `ink` and `quiet` are for words.
MEANINGS = ["general", "real", "filtered", "rejected", "oracle", "wrong", "right"]
# Drawn side by side in one frame, where a reader must tell which is which by colour.
SIDE_BY_SIDE = [
    *combinations(["general", "real", "filtered", "rejected"], 2),
    ("filtered", "oracle"),
    ("real", "oracle"),
    ("wrong", "right"),
]


def linear(rgb):
    rgb = np.asarray(rgb, dtype=float)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(linear_rgb):
    """CIE L*a*b* (D65) of linear RGB: distances in it are what an eye tells apart."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(linear_rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one, two, deficiency=None):
    """Return how far apart two colours look (CIE 1976; 2.3 is just noticeable)."""
    seen = np.eye(3) if deficiency is None else np.array(DEFICIENCIES[deficiency])
    return float(np.linalg.norm(lab(seen @ linear(one)) - lab(seen @ linear(two))))


def contrast_on_white(colour):
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ linear(to_rgb(colour))
    return 1.05 / (luminance + 0.05)


def test_the_simulation_leaves_grey_alone_and_merges_what_it_should():
    for name in DEFICIENCIES:
        assert distance((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), name) == 0
        seen = np.array(DEFICIENCIES[name]) @ linear((0.5, 0.5, 0.5))
        assert np.allclose(seen, linear((0.5, 0.5, 0.5)), atol=1e-3)
    red, green = (0.8, 0.2, 0.0), (0.40, 0.47, 0.0)
    assert distance(red, green, "deuteranopia") < distance(red, green) / 3


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_colours_drawn_side_by_side_stay_far_apart(deficiency):
    for one, two in SIDE_BY_SIDE:
        found = distance(to_rgb(COLOURS[one]), to_rgb(COLOURS[two]), deficiency)
        assert found > 20, f"{one} and {two} are {found:.1f} apart under {deficiency}"


def test_every_meaning_has_a_colour_of_its_own():
    assert len({COLOURS[name] for name in MEANINGS}) == len(MEANINGS)
    assert set(MEANINGS) | {"ink", "quiet"} <= set(COLOURS)


def test_words_can_be_read_on_white():
    for name in ("ink", "quiet", "oracle"):
        assert contrast_on_white(COLOURS[name]) >= 4.5, name


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_scales_run_in_one_direction_and_both_ends_differ(deficiency):
    assert distance(DIVERGING(0.0)[:3], DIVERGING(1.0)[:3], deficiency) > 60
    seen = np.eye(3) if deficiency is None else np.array(DEFICIENCIES[deficiency])
    lightness = [lab(seen @ linear(SEQUENTIAL(x)[:3]))[0] for x in np.linspace(0, 1, 11)]
    assert (np.diff(lightness) < 0).all()
