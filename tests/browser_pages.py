"""Look at pages of a folder in headless Chromium, as readers with several screens do."""

from __future__ import annotations

import functools
import http.server
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCREENS = {
    "desktop": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
}
LOOK = """() => {
    const article = document.querySelector('.bd-article') || document.body;
    const prose = [...article.querySelectorAll('p, li, td, th, dd, figcaption, h1, h2, h3')];
    const now = image => !image.loading.includes('lazy') && !(image.complete && image.naturalWidth);
    return {
        over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        broken: [...document.images].filter(now).map(image => image.src),
        silent: [...article.querySelectorAll('img')].filter(i => !i.alt).map(i => i.src),
        raw: prose.map(e => e.innerText).join(' ')
            .match(/\\\\(frac|sum|mathrm|log|sqrt)\\b/g) || [],
        ground: getComputedStyle(document.body).backgroundColor,
    };
}"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder: Path):
    """Serve a folder on the loopback and yield its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def complaints_of(browser: Any, folder: Path, names: list[str] | None = None) -> list[str]:
    """Return what is wrong with each page of a folder, on each screen, light and dark."""
    pages = (path.relative_to(folder) for path in folder.rglob("*.html"))
    names = names or sorted(str(page) for page in pages if page.parts[0] != "_static")
    found: list[str] = []
    with served(folder) as address:
        for screen, size in SCREENS.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport=size, color_scheme=scheme)
                page = context.new_page()
                heard: list[str] = []
                page.on(
                    "console",
                    lambda message, heard=heard: (
                        heard.append(f"console: {message.text}")
                        if message.type in ("error", "warning")
                        else None
                    ),
                )
                page.on("pageerror", lambda error, heard=heard: heard.append(f"script: {error}"))
                page.on(
                    "request",
                    lambda request, heard=heard: (
                        None
                        if request.url.startswith((address, "data:"))
                        else heard.append(f"asks {request.url}")
                    ),
                )
                for name in names:
                    heard.clear()
                    page.goto(f"{address}/{name}", wait_until="load")
                    seen = page.evaluate(LOOK)
                    found += [f"{name} on {screen}, {scheme}: {what}" for what in heard]
                    found += [
                        f"{name} on {screen}, {scheme}: {problem} {seen[key]}"
                        for key, problem in {
                            "broken": "pictures that do not load",
                            "silent": "pictures without alternative text",
                            "raw": "formulas left as LaTeX",
                        }.items()
                        if seen[key]
                    ]
                    if seen["over"] > 0:
                        found.append(f"{name} on {screen}, {scheme}: {seen['over']} px too wide")
                    light = sum(map(int, seen["ground"].strip("rgba() ").split(",")[:3])) > 380
                    if light != (scheme == "light"):
                        found.append(f"{name} on {screen}: {scheme} is {seen['ground']}")
                context.close()
    return found
