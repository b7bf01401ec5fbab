"""Captions are untrusted text: any of them is scored, decided on and shown as text only."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tries import SENTENCES, survive

from semcal_utils.media.readers import read_text
from semcal_utils.models import score_texts, small_language_model, train_tokenizer
from semcal_utils.models.token_batches import encode_texts
from semcal_utils.rejection import SemanticFilter
from semcal_utils.show.escaping import content, escaped

NASTY = [
    "<|endoftext|>",
    "<script>alert(1)</script>",
    "\" onmouseover='x'",
    "$\\href{javascript:x}{y}$",
    "\u202etxt.exe",
    "\x00",
    "\x1b[2J",
    "\ud800",
    "a\u0301\u0323" * 50,
    "👩‍👩‍👧‍👦",
    "\ufeff",
    "</div><!--",
    "&#x3C;b&#x3E;",
    "\r\n\u2028\u2029",
    "İ",
    "ﷺ" * 20,
]
CAPTIONS = st.lists(
    st.one_of(
        st.text(st.characters(codec=None, exclude_categories=()), max_size=40),
        st.sampled_from(NASTY),
    ),
    max_size=5,
).map("".join)


@pytest.fixture(scope="module")
def scorer():
    texts = [f"a boat {i} beside the sea" for i in range(50)]
    tokenizer = train_tokenizer(texts, vocabulary_size=300)
    model = small_language_model(tokenizer, context=32, width=16, layers=1, heads=2, seed=0)
    return model.eval(), tokenizer


def examples(quick, long):
    """Two sizes of one test: for every run, and for the long suite."""
    return pytest.mark.parametrize("count", [quick, pytest.param(long, marks=pytest.mark.long)])


def tried(count, property_):
    settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(property_)()


@examples(300, 12_000)
def test_whatever_a_caption_holds_it_is_shown_as_text(count):
    @given(CAPTIONS)
    def shown(caption):
        def look():
            for show in (escaped, content):
                markup = show(caption)
                bare = re.sub(r"</?(?:span|bdi|br)(?: [^<>]*)?/?>", "", markup)
                assert "<" not in bare
                assert ">" not in bare
                assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e]", markup)
                html.unescape(markup).encode("utf-8")

        assert survive("captions shown", look, ())

    tried(count, shown)


@examples(100, 3_000)
def test_any_caption_has_a_finite_probability_or_a_sentence(scorer, count):
    model, tokenizer = scorer

    @given(CAPTIONS)
    def scored(caption):
        def score():
            text = read_text(caption)
            (found,) = score_texts(model, tokenizer, [text], progress=False)
            assert np.isfinite(found.log_probs).all()
            assert sum(found.log_probs) < 0
            # The end token is learnt and scored once; a caption cannot smuggle another one in.
            assert encode_texts(tokenizer, [text])[0].count(tokenizer.eos_token_id) == 2

        survive("captions scored", score, SENTENCES)

    tried(count, scored)


@examples(100, 3_000)
def test_any_id_and_label_is_decided_on_or_refused_by_name(count):
    ids = st.one_of(CAPTIONS, st.none(), st.floats(), st.integers(), st.binary(max_size=5))
    rows = st.fixed_dictionaries(
        {"item_id": ids, "log_ratio": st.one_of(st.floats(), st.none(), CAPTIONS, st.booleans())},
        optional={"label": ids, "another": ids},
    )

    @given(st.lists(rows, min_size=1, max_size=4))
    def decided(items):
        def decide():
            table = SemanticFilter(log_bound=1.0, seed=0).decide(items)
            assert len(table) == len(items)
            odd = ~np.isfinite(table["log_ratio"].to_numpy(float)) | pd.isna(table["item_id"])
            assert not table["accepted"][odd].any() or (table["log_ratio"][odd] == -np.inf).any()

        survive("stream items decided", decide, (*SENTENCES, TypeError))

    tried(count, decided)


@pytest.mark.parametrize("unit", ["a", "🔥", "<|endoftext|>", "\x00"])
def test_a_line_of_a_megabyte_is_read_whole_and_its_start_is_scored_in_windows(scorer, unit):
    model, tokenizer = scorer
    line = "x" + unit * (1_000_000 // len(unit.encode())) + "x"

    def score():
        assert read_text(line) == line
        (found,) = score_texts(model, tokenizer, [line[:2_000]], progress=False)
        assert np.isfinite(found.log_probs).all()

    assert survive("captions of a megabyte", score, ())
