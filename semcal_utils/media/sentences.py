"""Find the sentence a docstring opens with, and tell whether it is plain English."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections.abc import Iterator

FEWEST_WORDS = 5
MOST_WORDS = 30

_ROLE = re.compile(r":[a-zA-Z][a-zA-Z:+.-]*:`([^`]+)`")
_LINK = re.compile(r"`([^`<]+?)\s*<[^`>]+>`__?")
_LITERAL = re.compile(r"``([^`]+)``|`([^`]+)`_{0,2}")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,2})(?=\S)([^*]+?)(?<=\S)\1(?![\w*])")
_CITATION = re.compile(r"\s*\[[\w.-]+\]_{1,2}")
_SENTENCE_END = re.compile(r"(?<=[A-Za-z0-9)'\"])[.!?](?=\s|$)")
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|cf|al|Eq|Fig|Ref|Sec|approx|resp|incl|no|St|Dr|[A-Z])$"
)
_UNREADABLE = re.compile(
    r"^(?:Args|Arguments|Examples?|Inputs?|Notes?|Parameters|Raises|Returns?|Usage|Warning):"
    r"|>>>|::|\.\.\s|https?:|[{}|<>=$@#\\`_*\[\]^~]|--|:\w+:|\s:\s"
)
_PLAIN_WORD = re.compile(r"^[(\"']?[A-Za-z][a-z]*(?:['-][A-Za-z]?[a-z]+)*[)\"']?[,;:.!?]?[)\"']?$")
_FUNCTION_WORD = re.compile(
    r"\b(?:a|an|and|are|as|at|be|between|by|for|from|given|if|in|into|is|it|its|not|of|on|or|over"
    r"|that|the|this|to|using|when|whether|which|with)\b",
    re.IGNORECASE,
)
_PLAIN_SHARE = 0.75


def docstrings(source: str | bytes) -> Iterator[str]:
    """Yield the docstrings of a module, its classes and its functions, in source order.

    Args:
        source: Python source; it is parsed, never executed.

    Returns:
        The docstrings, dedented.

    Raises:
        SyntaxError: The source is not Python this interpreter can parse.
    """
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    with warnings.catch_warnings():
        # A library's own questionable escape sequences are not news to whoever reads its prose.
        warnings.simplefilter("ignore")
        pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, documented):
            text = ast.get_docstring(node, clean=True)
            if text:
                yield text
            pending.extend(reversed(node.body))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            pending.extend(reversed(node.body))


def opening_sentence(docstring: str) -> str | None:
    """Return the first sentence of a docstring if it is one of plain English, else nothing.

    Markup is reduced to the words a reader sees: roles, literals and links keep their text,
    citations go. A sentence is plain English if it starts with a capital, ends with a stop, has
    ``FEWEST_WORDS`` to ``MOST_WORDS`` words, three quarters of them ordinary ones and at least
    one of them a function word, and holds no formula, code, address or parameter list.

    Args:
        docstring: Text of a docstring.

    Returns:
        The sentence with single spaces, or ``None``.
    """
    paragraph = inspect.cleandoc(docstring).split("\n\n", maxsplit=1)[0]
    lines = [line.strip() for line in paragraph.splitlines()]
    sentence = _first_sentence(_without_markup(" ".join(lines)))
    if sentence is None or not sentence[0].isupper() or _UNREADABLE.search(sentence):
        return None
    words = sentence.split()
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS:
        return None
    plain = sum(bool(_PLAIN_WORD.match(word)) for word in words)
    if plain < _PLAIN_SHARE * len(words) or not _FUNCTION_WORD.search(sentence):
        return None
    return sentence


def _without_markup(text: str) -> str:
    if ":math:" in text:
        return ""
    text = _ROLE.sub(lambda match: _role_words(match.group(1)), text)
    text = _LINK.sub(r"\1", text)
    text = _LITERAL.sub(lambda match: (match.group(1) or match.group(2)).lstrip(".~"), text)
    text = _EMPHASIS.sub(r"\2", text)
    return " ".join(_CITATION.sub("", text).split())


def _role_words(target: str) -> str:
    shown = target.split("<")[0].strip() or target
    # A tilde asks the renderer to show the last part of a dotted name only.
    return shown.split(".")[-1] if shown.startswith("~") else shown.lstrip("!.")


def _first_sentence(text: str) -> str | None:
    for match in _SENTENCE_END.finditer(text):
        if match.end() == len(text) or not _ABBREVIATION.search(text[: match.start()]):
            return text[: match.end()]
    return None
