"""Tables of README between two comments, `<!-- results -->` and `<!-- end of results -->`."""

from __future__ import annotations

import re
from collections.abc import Callable

from book.problems import PublishingError


def place_of(what: str) -> re.Pattern[str]:
    """Return the pattern of what stands between a table's two comments."""
    return re.compile(rf"(?<=<!-- {what} -->\n).*?(?=<!-- end of {what} -->)", re.S)


def with_table(text: str, what: str, make: Callable[[], str]) -> str:
    """Return README's text with one of its tables made anew.

    Args:
        text: README's text.
        what: Name of the table in its two comments, in the plural.
        make: Makes the table; called only where there is a place for it.

    Raises:
        PublishingError: README has no place for the table.
    """
    place = place_of(what)
    if not place.search(text):
        remedy = f"add the two {what.removesuffix('s')} comments"
        raise PublishingError("README.md", None, f"it has no place for the {what}", remedy)
    return place.sub(lambda _: make(), text)
