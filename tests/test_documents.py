"""Facts about the real text that the installed libraries offer."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcal_utils.media import load_lessons, load_stream, modality
from semcal_utils.media.documents import LIBRARIES
from semcal_utils.media.sentences import docstrings, opening_sentence


@pytest.fixture(scope="module")
def stream():
    return load_stream("library_docs", items=240, seed=3)


def test_every_library_gives_equally_many_sentences(stream):
    assert Counter(stream["label"]) == dict.fromkeys(LIBRARIES, 30)
    assert modality(stream) == "text"


def test_sentences_are_distinct_capitalised_finished_and_of_stated_length(stream):
    sentences = stream["text"]
    assert len({sentence.casefold() for sentence in sentences}) == 240
    assert all(5 <= len(sentence.split()) <= 30 for sentence in sentences)
    assert all(sentence[0].isupper() and sentence[-1] in ".!?" for sentence in sentences)
    assert stream["reference_caption"] == sentences


def test_a_fine_label_is_a_submodule_of_its_library(stream):
    for label, fine_label in zip(stream["label"], stream["fine_label"], strict=True):
        assert fine_label.split(".")[0] == LIBRARIES[label]
        assert fine_label.count(".") <= 1


def test_sentences_of_a_library_come_from_several_submodules(stream):
    submodules = Counter(zip(stream["label"], stream["fine_label"], strict=True))
    per_label = Counter(label for label, _ in submodules)
    assert sum(count >= 3 for count in per_label.values()) >= 6


def test_same_seed_gives_same_items_and_another_seed_gives_others(stream):
    again = load_stream("library_docs", items=240, seed=3)
    other = load_stream("library_docs", items=240, seed=4)
    assert again.to_dict() == stream.to_dict()
    assert set(other["text"]) != set(stream["text"])


def test_parts_are_stratified_by_library(stream):
    tested = Counter(
        label
        for label, part in zip(stream["label"], stream["part"], strict=True)
        if part == "general_test"
    )
    assert sum(tested.values()) == 60
    assert set(tested.values()) <= {7, 8}


def test_an_item_count_that_eight_does_not_divide_is_met_exactly():
    counts = Counter(load_stream("library_docs", items=19, seed=0)["label"])
    assert sum(counts.values()) == 19
    assert set(counts.values()) == {2, 3}


def test_too_many_items_name_the_library_and_the_most_it_allows():
    with pytest.raises(ValueError, match=r"numpy has only \d+ .* ask for at most \d+ items"):
        load_stream("library_docs", items=80_000, seed=0)


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(LIBRARIES, "numpy", "numpy_that_nobody_installed")
    with pytest.raises(ValueError, match="numpy, which is not installed; run: pip install numpy"):
        load_stream("library_docs", items=8, seed=0)


def test_text_has_no_lessons():
    with pytest.raises(ValueError, match="library_docs is text"):
        load_lessons("library_docs", items=10, seed=0)


def test_libraries_are_read_and_never_imported():
    script = (
        "import sys; from semcal_utils.media import load_stream;"
        "load_stream('library_docs', items=16, seed=0);"
        "sys.exit(any(name in sys.modules for name in ('sympy', 'sklearn', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Return the sum of the values.", "Return the sum of the values."),
        ("Return the sum\n    of the values. More follows.", "Return the sum of the values."),
        (
            "Use :class:`~numpy.ndarray` with ``axis`` in `this way`.",
            "Use ndarray with axis in this way.",
        ),
        ("Fit the *whole* model to X.", "Fit the whole model to X."),
        ("See `the guide <https://x.org>`_ for all of it.", "See the guide for all of it."),
        (
            "Works with lists, e.g. of numbers, as well.",
            "Works with lists, e.g. of numbers, as well.",
        ),
        ("Follows the method of Brent [1]_ for roots.", "Follows the method of Brent for roots."),
    ],
)
def test_an_opening_sentence_keeps_the_words_a_reader_sees(docstring, sentence):
    assert opening_sentence(docstring) == sentence


@pytest.mark.parametrize(
    "docstring",
    [
        "",
        "Too short a sentence.",
        "no capital at the start of this sentence.",
        "This sentence never comes to an end",
        ">>> f(1) is an example of the doctest kind.",
        "Compute x = y + z for all of the values.",
        "Solve :math:`x^2` for the unknown of it.",
        "Args: the first of the arguments to this.",
        "Parameters\n----------\nx : int\n    The value.",
        "Look at https://example.org for all of the details.",
        " ".join(["Word", *["of"] * 30]) + ".",
        "A1 B2 C3 D4 of E5 F6.",
    ],
)
def test_what_is_not_a_plain_sentence_is_left_out(docstring):
    assert opening_sentence(docstring) is None


@given(st.text(max_size=200))
def test_any_text_gives_a_sentence_of_stated_length_or_nothing(text):
    sentence = opening_sentence(text)
    assert sentence is None or 5 <= len(sentence.split()) <= 30


def test_docstrings_come_from_modules_classes_methods_and_guarded_code_in_order():
    source = '''
"""module"""
class A:
    """class"""
    def f(self):
        """method"""
        async def g():
            """inner"""
if True:
    def h():
        """guarded"""
x = """not a docstring"""
'''
    assert list(docstrings(source)) == ["module", "class", "method", "inner", "guarded"]
