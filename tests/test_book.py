"""The book: complete, readable on every screen, and silent on the network."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

import pytest
from browser_pages import complaints_of
from tiny_projects import NAME, a_source, an_executed_copy, picture, read, write_project

from book import PublishingError
from book.book_front import front_page
from book.book_pages import api_pages, escaped, gallery_page, page_of
from book.docstring_pages import with_literal_blocks, without_substitutions
from book.mathml import as_mathml
from book.pages import build_book
from book.sources import find_notebooks, read_notebook, source_of
from semcal_utils import runs

PROJECT = Path(__file__).parents[1]


def tiny_book_project(root):
    """A project with one notebook, a figure of it, a hostile caption, and a package of one room."""
    source, executed = a_source(), an_executed_copy()
    wide = "x" * 300
    for notebook in (source, executed):
        words = f"# 00 · Tiny\n\nA long word: `{wide}` and $\\frac{{R}}{{G}}$."
        notebook["cells"][0]["source"] = [words]
    write_project(root, source, executed)
    shutil.copytree(PROJECT / "book", root / "book")
    for page in (root / "book").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(r"notebooks/\d\d_\w+\.ipynb", f"notebooks/{NAME}.ipynb", text))
    figures = root / "figures" / "all"
    figures.mkdir(parents=True)
    (figures / "00_tiny.png").write_bytes(base64.b64decode(picture((900, 200))))
    room = root / "tiny_package" / "room"
    room.mkdir(parents=True)
    (root / "tiny_package" / "__init__.py").write_text('"""A package."""\n')
    (room / "__init__.py").write_text(
        '"""A room."""\n\n\ndef keep(items: list[str], *, most: float = 0.5) -> list[str]:\n'
        '    """Keep |G|/|R| items.\n\n    Args:\n        items: What flows by.\n'
        "        most: Share.\n\n"
        '    Returns:\n        What stays.\n    """\n    return items[: int(len(items) * most)]\n'
    )
    return root


@pytest.fixture(scope="module")
def tiny_book(tmp_path_factory):
    root = tiny_book_project(tmp_path_factory.mktemp("book"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{root}:{PROJECT}")
        return build_book(root, package=root / "tiny_package")


def test_the_book_has_its_pages_and_shows_what_ran(tiny_book):
    names = {str(path.relative_to(tiny_book)) for path in tiny_book.rglob("*.html")}
    assert names >= {
        "index.html",
        "search.html",
        "gallery.html",
        "instructors.html",
        "licences.html",
        f"notebooks/{NAME}.html",
        "api/index.html",
        "api/room.html",
    }
    page = (tiny_book / "notebooks" / f"{NAME}.html").read_text()
    assert "<math " in page
    assert "\\frac" not in page
    assert 'alt="the amber stream deceives by 0.19 nats."' in page
    room = (tiny_book / "api" / "room.html").read_text()
    assert "What flows by." in room
    assert "|G|/|R|" in room


def test_the_first_page_shows_the_filter_and_a_card_for_each_notebook(tmp_path):
    notebooks = {name: read_notebook(path) for name, path in find_notebooks(PROJECT).items()}
    page = front_page("<!-- hero -->\n\n<!-- walk -->\n", PROJECT, notebooks, tmp_path / "front")
    assert page.startswith("```{image} front/04_stream.gif\n:alt: The stream flows")
    assert page.count("{container} stop") == len(notebooks) == 8
    assert page.count(":target: notebooks/") == 8
    assert "Does the kept stream look like the world" in page
    assert "<!--" not in page
    shown = re.findall(r"\{image\} front/(\S+)", page)
    assert {path.name for path in (tmp_path / "front").iterdir()} == set(shown)


def test_the_first_page_of_a_project_without_pictures_is_words(tmp_path):
    notebooks = {NAME: a_source()}
    page = front_page("<!-- hero -->\n\n<!-- walk -->\n", tmp_path, notebooks, tmp_path / "front")
    assert "{image}" not in page
    assert f"(notebooks/{NAME}.ipynb)**" in page


def test_no_page_names_a_script_or_a_style_of_another_host(tiny_book):
    for path in tiny_book.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="([^"]+)"', path.read_text())
        loaded += re.findall(r'<link[^>]+href="([^"]+)"', path.read_text())
        assert not [url for url in loaded if url.startswith(("http", "//"))], path


def test_pages_of_the_small_book_fit_every_screen_and_ask_nobody(tiny_book, browser):
    assert complaints_of(browser, tiny_book) == []


@pytest.mark.long
def test_every_page_of_the_whole_book_fits_every_screen_and_asks_nobody(tmp_path, browser):
    try:
        pages = build_book(PROJECT, tmp_path / "book")
    except PublishingError as refusal:
        pytest.skip(f"needs published notebooks or a finished run: {refusal}")
    assert len(list(pages.rglob("*.html"))) > 25
    assert complaints_of(browser, pages) == []


def test_without_a_run_or_a_publication_the_book_is_refused(tmp_path):
    root = write_project(tmp_path)
    shutil.copytree(PROJECT / "book", root / "book")
    (root / "data" / "runs" / "workbook" / "notebooks" / f"{NAME}.ipynb").unlink()
    with pytest.raises(PublishingError, match=r"00_tiny: it has no executed copy .*; run `python"):
        build_book(root)
    assert not (root / "build").exists()


def test_a_page_that_sphinx_complains_about_stops_the_build(tmp_path):
    root = write_project(tmp_path)
    (root / "book").mkdir()
    shutil.copy(PROJECT / "book" / "conf.py", root / "book")
    (root / "book" / "_static").mkdir()
    for name in ("book.css", "favicon.svg"):
        (root / "book" / "_static" / name).touch()
    (root / "book" / "index.md").write_text("# Book\n\n[nowhere](nothing.md)\n")
    package = root / "empty_package"
    package.mkdir()
    with pytest.raises(PublishingError, match=r"nothing\.md"):
        build_book(root, package=package)


# --- pieces ---------------------------------------------------------------------------------------


def formulas():
    for path in find_notebooks(PROJECT).values():
        for cell in read_notebook(path)["cells"]:
            if cell["cell_type"] == "markdown":
                text = source_of(cell)
                yield from re.findall(r"\$\$(.+?)\$\$", text, flags=re.S)
                yield from re.findall(r"(?<!\$)\$([^$\n]+)\$(?!\$)", text)


def test_every_formula_of_the_workbook_becomes_mathml():
    found = list(formulas())
    assert len(found) > 60
    for latex in found:
        assert as_mathml(latex).startswith("<math")


def test_a_formula_that_cannot_be_shown_is_told():
    with pytest.raises(ValueError, match="holds a command"):
        as_mathml("\\nonsense{x}")


def test_solutions_are_folded_and_the_run_time_stands_below_the_title():
    source = read_notebook(find_notebooks(PROJECT)["00_start_here"])
    page = page_of(source, "The last whole run took 5 s.")
    assert page["cells"][1]["source"] == ["The last whole run took 5 s."]
    solutions = [c for c in page["cells"] if "solution" in c["metadata"].get("tags", [])]
    assert solutions
    assert all("hide-input" in cell["metadata"]["tags"] for cell in solutions)
    assert "hide-input" not in str(source)


def test_the_gallery_shows_every_figure_with_words(tmp_path):
    page = gallery_page({}, PROJECT / "figures" / "published", tmp_path)
    figures = list((PROJECT / "figures" / "published").glob("*/*.png"))
    assert figures
    assert page.count("```{figure}") == len(figures) == len(list(tmp_path.rglob("*.png")))
    assert page.count(":alt: ") == len(figures)


def test_captions_in_the_gallery_are_shown_not_run():
    assert escaped("<b>`a`</b> [x](y) $z$") == r"\<b\>\`a\`\</b\> \[x\](y) \$z\$"


def test_every_room_of_the_package_has_a_page():
    package = Path(runs.__file__).parent
    pages = api_pages(package)
    rooms = {p.stem for p in package.iterdir() if p.name[0] not in "_." and p.suffix in ("", ".py")}
    assert {f"api/{room}.md" for room in rooms} | {"api/index.md"} == set(pages)
    for room in ("acceptance", "divergence"):
        for module in (package / room).glob("[a-z]*.py"):
            assert f"automodule:: semcal_utils.{room}.{module.stem}" in pages[f"api/{room}.md"]


def test_docstrings_are_read_as_they_are_written():
    assert without_substitutions("M = |G|/|R|, `a|b`") == r"M = \|G\|/\|R\|, `a|b`"
    lines = ["A profile is YAML:", "", "    key: value"]
    assert with_literal_blocks(lines) == ["A profile is YAML:", "", "::", "", "    key: value"]
    listed = ["- an item", "", "  goes on"]
    assert with_literal_blocks(listed) == listed
    assert with_literal_blocks(["Args:", "    x: one"]) == ["Args:", "    x: one"]


def test_the_fixture_notebook_is_what_readers_get(tiny_book):
    source = tiny_book.with_name("book_source") / "notebooks" / f"{NAME}.ipynb"
    assert "widget" not in str(read(source))
