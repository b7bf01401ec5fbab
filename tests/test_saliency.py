from __future__ import annotations

import base64
import io
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tokenizers.pre_tokenizers import ByteLevel

from semcal_utils.acceptance import log_ratios, paper_log_ratios
from semcal_utils.models import train_tokenizer
from semcal_utils.rejection import filter_table
from semcal_utils.show import decision_wall, stream_words
from semcal_utils.show.word_shares import text_of_tokens, token_bytes, tokens_by_word, word_shares

NASTY = [
    '<script>alert("x")</script>',
    '"><img src=x onerror=alert(1)>',
    "costs $5 and $x^2$ or \\(y\\) \\begin{equation}",
    "كبد الحريق في المدينة",
    "\u202etxt.exe\u202c \x1b[31mred\x00 \x07",
    "a&amp;b &lt; c' onmouseover='alert(1)",
    "👩‍🚒 🔥 🇩🇪 é",
    "tab\tnew\nline\u2028end",
]
SPELL = ByteLevel(add_prefix_space=False, use_regex=False)


class Page(HTMLParser):
    """What a browser would make of a fragment: its elements, attributes and text."""

    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("br", "img", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


def spelled(text: str, cuts: list[int]) -> list[str]:
    """Byte-level pieces of a text, cut between any two bytes."""
    if not text:
        return []
    letters = "".join(piece for piece, _ in SPELL.pre_tokenize_str(text))
    places = sorted({0, len(letters), *(cut % (len(letters) + 1) for cut in cuts)})
    return [letters[a:b] for a, b in pairwise(places)]


def scored(tokens: list[str], *, seed: int = 0) -> tuple[list[str], list[float], list[float]]:
    rng = np.random.default_rng(seed)
    general = -rng.exponential(2, len(tokens))
    real = general + rng.normal(0, 1, len(tokens))
    return tokens, general.tolist(), real.tolist()


def wall_of(tokens, general, real, *, accepted=False, reason="", **options):
    """The wall of one caption."""
    decisions = pd.DataFrame({"item_id": ["post"], "accepted": accepted, "reason": reason})
    columns = {"tokens": [tokens], "log_prob_general": [general], "log_prob_real": [real]}
    return decision_wall(decisions, pd.DataFrame({"item_id": ["post"], **columns}), **options)


def assert_harmless(fragment: str) -> Page:
    page = Page(fragment)
    assert not page.open
    assert set(page.tags) <= {"div", "span", "bdi", "br", "b", "i", "img", "audio", "svg", "rect"}
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("href", "srcdoc", "action")
        assert name != "src" or value.startswith(("data:image/png;base64,", "data:audio/wav"))
    return page


# ---- words ------------------------------------------------------------------------------------


def test_pieces_come_together_as_words_by_hand() -> None:
    tokens = ["two", "Ġf", "ire", "Ġengines", ",", "Ġ", "Ġby", "Ġsea", "."]
    words = tokens_by_word(tokens)
    assert [word for word, _ in words] == ["two", "fire", "engines", ",", "by", "sea", "."]
    assert [places for _, places in words] == [[0], [1, 2], [3], [4], [5, 6], [7], [8]]


def test_an_emoji_split_over_tokens_stays_whole() -> None:
    straddling = spelled("a 🔥 b", [3, 4, 5])
    assert tokens_by_word(straddling) == [("a 🔥 b", [0, 1, 2, 3])]
    fine = spelled("a 🔥 b", list(range(12)))
    assert [word for word, _ in tokens_by_word(fine)] == ["a", "🔥", "b"]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.lists(st.integers(0, 400), max_size=40))
def test_words_cover_every_token_once_and_spell_the_text(text: str, cuts: list[int]) -> None:
    text = text.encode("utf-8", "ignore").decode()
    tokens = spelled(text, cuts)
    assert b"".join(token_bytes(token) for token in tokens) == text.encode()
    assert text_of_tokens(tokens) == text
    words = tokens_by_word(tokens)
    assert [place for _, places in words for place in places] == list(range(len(tokens)))
    together = "".join("".join(word.split()) for word, _ in words)
    if all(len(token_bytes(token)) == 1 for token in tokens):
        assert together == "".join(text.split())


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    broken = SPELL.pre_tokenize_str("🔥")[0][0][:2]
    assert tokens_by_word(["a", broken]) == [("a\ufffd", [0, 1])]


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=30),
    st.lists(st.integers(0, 200), max_size=20),
    st.integers(0, 99),
    st.booleans(),
    st.sampled_from([None, 0.75]),
    st.floats(0.25, 4),
)
def test_shares_sum_to_the_log_ratio(text, cuts, seed, ended, top_p, power) -> None:
    text = text.encode("utf-8", "ignore").decode()
    tokens = spelled(text, cuts) + ["<|endoftext|>"] * ended
    tokens, general, real = scored(tokens, seed=seed)
    shares = pd.DataFrame(word_shares(tokens, general, real, top_p=top_p, power=power))
    ratio = paper_log_ratios if top_p else log_ratios
    expected = power * ratio([real], [general])[0]
    assert sum(shares.get("share", [])) == pytest.approx(expected, abs=1e-9)
    assert sum(shares.get("tokens", [])) == len(tokens)
    shifted = word_shares(tokens, general, real, top_p=top_p, log_ratio=expected - 1.5)
    assert sum(share.share for share in shifted) == pytest.approx(expected - 1.5, abs=1e-9)


def test_words_of_a_trained_tokenizer_are_the_words_of_the_caption() -> None:
    captions = ["two fire engines at sunset", "a duck beside a house by the sea"]
    tokenizer = train_tokenizer(captions, vocabulary_size=280)
    for caption in captions:
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(caption)["input_ids"])
        shares = word_shares(*scored([*tokens, "<|endoftext|>"]))
        assert [share.text for share in shares[:-1]] == caption.split()
        assert shares[-1].kind == "end"


def test_clipped_tokens_count_nothing_and_are_told() -> None:
    tokens, general, real = ["a", "Ġb", "Ġc"], [0.0, 0.0, 0.0], [3.0, 2.0, 1.0]
    shares = word_shares(tokens, general, real, top_p=0.75)
    assert [share.share for share in shares] == [3.0, 0.0, 0.0]
    assert [share.clipped_share for share in shares] == [0.0, 2.0, 1.0]
    wall = wall_of(tokens, general, real, accepted=True, top_p=0.75, log_bound=4.0)
    assert repr(wall) == (
        "[kept] post\na(▲3.00) b(clipped) c(clipped)\nlog r = +3.00 nats, log M = +4.00"
    )
    # One dashed outline in words per clipped word, besides the legend's border.
    assert wall._repr_html_().count("outline:1.5px dashed") == 2


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="3 tokens have 3 and 2"):
        word_shares(["a", "b", "c"], [0.0] * 3, [0.0] * 2)


# ---- what is shown ----------------------------------------------------------------------------


def test_sign_is_shown_without_colour_and_zero_is_neutral() -> None:
    wall = wall_of(["up", "Ġdown", "Ġeven"], [0.0, 0.0, 0.0], [1.0, -0.5, 0.0])
    page = assert_harmless(wall._repr_html_())
    assert "▲1.00" in page.text
    assert "▼0.50" in page.text
    backgrounds = [value for _, value in page.attributes if "background:rgba" in value]
    assert "rgba(0,114,178,0.620)" in backgrounds[0]
    assert "rgba(230,159,0,0.310)" in backgrounds[1]
    assert ",0.000)" in backgrounds[2]
    assert "log r = +0.50" in page.text


@pytest.mark.parametrize("text", NASTY)
def test_captions_are_shown_as_text_and_run_nothing(text: str) -> None:
    tokens = [*spelled(text, []), "<|endoftext|>"]
    wall = wall_of(*scored(tokens), log_bound=1.0, reason=text)
    page = assert_harmless(wall._repr_html_())
    for word in text.split():
        if word.isprintable() and "‍" not in word:
            assert word in page.text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.lists(st.integers(0, 200), max_size=20))
def test_no_caption_can_break_out_of_its_words(text: str, cuts: list[int]) -> None:
    text = text.encode("utf-8", "ignore").decode()
    wall = wall_of(*scored(spelled(text, cuts)), reason=text)
    page = assert_harmless(wall._repr_html_())
    for shown in (page.text, repr(wall).replace("\n", "")):
        assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in shown)
        assert not any(c in shown for c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200e\u200f")


def test_formulas_are_not_typeset() -> None:
    markup = wall_of(*scored(spelled("$x^2$ \\(y\\)", [])))._repr_html_()
    assert "tex2jax_ignore mathjax_ignore" in markup
    body = markup.split("<bdi>")[1].split("</bdi>")[0]
    assert "$" not in body.replace("<span>$</span>", "")
    assert "\\" not in body.replace("<span>\\</span>", "")


def test_right_to_left_captions_flow_from_the_right() -> None:
    arabic = wall_of(*scored(spelled("كبد الحريق fire", list(range(40)))))
    assert '<div dir="rtl"' in arabic._repr_html_()
    assert '<div dir="rtl"' not in wall_of(*scored(["fire"]))._repr_html_()


def test_an_empty_caption_is_shown_as_such() -> None:
    for tokens in ([], ["<|endoftext|>"]):
        wall = wall_of(*scored(tokens))
        assert_harmless(wall._repr_html_())
        assert repr(wall)
    assert "no words" in wall_of([], [], [])._repr_html_()


# ---- the wall ---------------------------------------------------------------------------------


def posts(captions: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [f"post {i} <b>" for i in range(len(captions))]
    rows = [
        scored([*spelled(c, list(range(99))), "<|endoftext|>"], seed=i)
        for i, c in enumerate(captions)
    ]
    tokens = pd.DataFrame(rows, columns=["tokens", "log_prob_general", "log_prob_real"])
    ratios = [sum(real) - sum(general) for _, general, real in rows]
    acceptance = pd.DataFrame({"item_id": ids, "label": "<i>fire</i>", "log_ratio": ratios})
    return acceptance, tokens.assign(item_id=ids)


def test_wall_shows_kept_and_dropped_posts_with_their_pictures() -> None:
    acceptance, tokens = posts([*NASTY, *["a duck by the sea"] * 40])
    acceptance.loc[2, "log_ratio"] = np.nan
    decisions = filter_table(acceptance, log_bound=1.0, seed=0)
    pictures = [Image.new("RGB", (64, 48), (place, 0, 0)) for place in range(len(decisions))]
    items = Dataset.from_dict({"item_id": decisions["item_id"].tolist()[::-1]})
    items = items.add_column("image", [_png(p) for p in reversed(pictures)])
    wall = decision_wall(decisions, tokens, items=items, log_bound=1.0, kept=4, dropped=9)
    page = assert_harmless(wall._repr_html_())
    assert "Kept: 4 shown" in page.text
    assert "Dropped: 9 shown" in page.text
    assert page.tags.count("img") == 13
    assert "<i>fire</i>" in page.text
    for card in wall.cards:
        encoded = card.medium.split("base64,")[1].split('"')[0]
        shown = Image.open(io.BytesIO(base64.b64decode(encoded)))
        assert shown.getpixel((0, 0))[0] == int(card.item_id.split()[1])
    refused = [card for card in wall.cards if card.shares is None]
    assert [card.caption for card in refused] == [NASTY[2]]
    assert "missing or not a number" in page.text
    assert "post 2" in repr(wall)


def test_wall_plays_sounds_and_draws_them_for_paper() -> None:
    acceptance, tokens = posts(["rain", "a bell"])
    decisions = filter_table(acceptance, log_bound=1.0, seed=0)
    tone = np.sin(np.arange(8000) / 5).astype(np.float32)
    items = Dataset.from_dict(
        {
            "item_id": decisions["item_id"].tolist(),
            "audio": [{"array": tone.tolist(), "sampling_rate": 16_000}] * 2,
        }
    )
    page = assert_harmless(decision_wall(decisions, tokens, items=items)._repr_html_())
    assert page.tags.count("audio") == page.tags.count("svg") == 2


def test_wall_says_why_a_picture_cannot_be_shown_and_goes_on() -> None:
    acceptance, tokens = posts(["a", "b"])
    decisions = filter_table(acceptance, log_bound=1.0, seed=0)
    items = Dataset.from_dict(
        {
            "item_id": decisions["item_id"].tolist(),
            "image": [b"no picture", _png(Image.new("L", (8, 8)))],
        }
    )
    page = assert_harmless(decision_wall(decisions, tokens, items=items)._repr_html_())
    assert page.tags.count("img") == 1
    assert "not a picture" in page.text


def test_colours_share_one_scale_on_the_wall() -> None:
    acceptance, tokens = posts(["small", "large"])
    tokens["log_prob_real"] = [[0.1] * len(tokens["tokens"][0]), [4.0] * len(tokens["tokens"][1])]
    tokens["log_prob_general"] = [[0.0] * len(t) for t in tokens["tokens"]]
    acceptance["log_ratio"] = [sum(r) for r in tokens["log_prob_real"]]
    wall = decision_wall(filter_table(acceptance, log_bound=90.0, seed=0), tokens)
    assert wall.scale == pytest.approx(20.0)
    assert "rgba(0,114,178,0.620)" in wall._repr_html_()
    assert "rgba(0,114,178,0.015)" in wall._repr_html_()


def test_wall_names_a_lacking_column() -> None:
    acceptance, tokens = posts(["a"])
    with pytest.raises(ValueError, match=r"decisions lacks .* accepted"):
        decision_wall(acceptance, tokens)


# ---- the stream -------------------------------------------------------------------------------


def test_words_that_moved_the_stream_by_hand() -> None:
    table = pd.DataFrame(
        {
            "tokens": [["Fire", "Ġfire", "<|endoftext|>"], ["a", "Ġfire"]],
            "log_prob_general": [[0.0, 0.0, 0.0], [0.0, 0.0]],
            "log_prob_real": [[-1.0, -2.0, 0.25], [0.5, -3.0]],
        }
    )
    words = stream_words(table, progress=False)
    assert words["word"].tolist() == ["fire", "a", "(end of caption)"]
    assert words["count"].tolist() == [3, 1, 1]
    assert words["captions"].tolist() == [2, 1, 1]
    assert words["mean_share"].tolist() == pytest.approx([-2.0, 0.5, 0.25])
    assert words["moved"].tolist() == pytest.approx([-6.0, 0.5, 0.25])


@pytest.mark.parametrize("top_p", [None, 0.75])
def test_what_words_moved_sums_to_all_log_ratios(top_p) -> None:
    _, tokens = posts(NASTY * 3)
    words = stream_words(tokens, top_p=top_p, progress=False)
    ratio = paper_log_ratios if top_p else log_ratios
    total = ratio(tokens["log_prob_real"].tolist(), tokens["log_prob_general"].tolist()).sum()
    assert words["moved"].sum() == pytest.approx(total)
    assert words["moved"].abs().is_monotonic_decreasing
    assert not any("\x1b" in word for word in words["word"])


def test_an_empty_stream_moves_nothing() -> None:
    _, tokens = posts(["a"])
    assert stream_words(tokens[:0], progress=False).empty


def test_filtering_and_explaining_do_not_load_torch() -> None:
    code = (
        "import sys, semcal_utils.show, semcal_utils.rejection.stream_monitor;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()
