"""Sphinx settings of the book. `make book` lays out the pages beside this file and builds them."""

project = "Semantic calibration workbook"
author = "The workbook's authors"
copyright = "MIT for code and text; pictograms OpenMoji, CC BY-SA 4.0"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "book.docstring_pages",
    "book.mathml",
]
html_theme = "sphinx_book_theme"
html_title = "Semantic calibration"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "navigation_with_keys": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}
html_sidebars = {
    "**": ["navbar-logo.html", "search-button-field.html", "sbt-sidebar-nav.html"],
}
language = "en"

# Notebooks come with their outputs; nothing runs, and no script of another host is named.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, str] = {}
nb_code_prompt_show = "Show the solution"
nb_code_prompt_hide = "Hide the solution"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # for formulas in what a cell prints
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type", "ref.python"]

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
