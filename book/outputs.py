"""Outputs of a run made fit to publish: the same from run to run, and clean of this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from book.pictures import shrink_gif, shrink_gifs, shrink_png, spoken
from book.problems import PublishingError
from book.sources import Cell, as_lines, as_text, has_error, tags_of

Output = dict[str, Any]
WIDGET = "application/vnd.jupyter.widget-view+json"
VOLATILE = "volatile"  # the tag of a cell that shows times
VOLATILE_NOTE = "What this cell shows differs from run to run: run the notebook to see yours.\n"
STATIC_TWINS = ("image/png", "image/svg+xml", "text/html", "text/markdown")

# What differs from run to run or from machine to machine; lines of a stream with it are dropped.
# Every count is bounded: a pattern without bounds takes minutes on one line of a megabyte.
VOLATILE_LINE = re.compile(
    r"\d\s{0,3}[a-z]{0,20}\s{0,3}(?:per |/ ?)(?:s|second|minute)\b"
    r"|\d%\||\bit/s\b|\btook \d|\[\d+:\d+<"
)
LOCAL_PATH = re.compile(
    r"(?<![\w./-])(?:/(?:home|root|Users|tmp|work|mnt|var|opt|private)/[\w.@-]+|[A-Za-z]:\\+[\w.@-]+\\)"
)
# Where a warning was raised, and the line that raised it; what it says is the reader's.
WARNED_FROM = re.compile(
    r"^[^\n]{1,400}\.py:\d{1,6}: (\w{0,40}Warning: [^\n]{0,2000}\n)(?:  [^\n]{0,400}\n)?", re.M
)
MEMORY_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,16}")
STYLER_ID = re.compile(r"\bT_([0-9a-f]{5})(?=[_\"'\s{>,]|$)")


def publishable(cell: Cell, notebook: str, *, order: int, fallback_alt: str) -> list[Output]:
    """Return the outputs of an executed cell as they are published.

    Progress bars and widget views go (a panel that runs headless shows its static twin), pictures
    shrink and get their "Read the figure" sentence as alternative text, random ids become steady.
    A cell tagged `volatile`, which shows times, is published without what it showed.

    Args:
        cell: An executed code cell.
        notebook: Its notebook's name, for errors.
        order: The execution count to publish.
        fallback_alt: What a picture shows, where the cell does not read it to the reader.

    Raises:
        PublishingError: An error output, or a path of this machine.
    """
    if has_error(cell):
        error = next(o for o in cell["outputs"] if o["output_type"] == "error")
        raise PublishingError(
            notebook,
            cell["id"],
            f"it ended with {error['ename']}: {error['evalue']}",
            "mend the cell and run the notebook again",
        )
    if cell["outputs"] and VOLATILE in tags_of(cell):
        return [{"name": "stdout", "output_type": "stream", "text": [VOLATILE_NOTE]}]
    calm = (steady(output, cell["id"], order) for output in cell["outputs"] if is_kept(output))
    kept = merge_streams([output for output in calm if output is not None])
    describe_pictures(kept, fallback_alt)
    for output in kept:
        refuse_local_paths(output, notebook, cell["id"])
    return kept


def is_kept(output: Output) -> bool:
    """Tell whether an output says something to a reader who has no running kernel."""
    if output["output_type"] == "stream":
        return True
    data = output["data"]
    return WIDGET not in data or any(kind in data for kind in STATIC_TWINS)


def steady(output: Output, cell_id: str, order: int) -> Output | None:
    """Return an output without what changes from run to run, or None when nothing is left."""
    if output["output_type"] == "stream":
        said = WARNED_FROM.sub(r"\1", as_text(output["text"]))
        lines = as_lines(MEMORY_ADDRESS.sub(" at 0x…", said))
        lines = [line for line in lines if not VOLATILE_LINE.search(line) and "\r" not in line]
        if not "".join(lines).strip():
            return None
        return {"name": output["name"], "output_type": "stream", "text": lines}
    data = {}
    for kind, value in output["data"].items():
        if kind == WIDGET:
            continue
        shrink = {"image/png": shrink_png, "image/gif": shrink_gif}.get(kind)
        data[kind] = shrink(as_text(value)) if shrink else value
        if kind.startswith("text/"):
            data[kind] = as_lines(shrink_gifs(steady_text(as_text(value), cell_id)))
    found: Output = {"data": data, "metadata": {}, "output_type": output["output_type"]}
    if output["output_type"] == "execute_result":
        found["execution_count"] = order
    return found


def steady_text(text: str, cell_id: str) -> str:
    """Replace memory addresses and the random ids of pandas' styled tables."""
    text = MEMORY_ADDRESS.sub(" at 0x…", text)
    ids = dict.fromkeys(match.group(1) for match in STYLER_ID.finditer(text))
    for place, found in enumerate(ids):
        text = re.sub(rf"\bT_{found}(?=[_\"'\s{{>,]|$)", f"T_{cell_id}_{place}", text)
    return text


def merge_streams(outputs: list[Output]) -> list[Output]:
    """Join neighbouring pieces of one stream: where a stream is cut is a matter of timing."""
    merged: list[Output] = []
    for output in outputs:
        before = merged[-1] if merged else None
        if (
            before is not None
            and before["output_type"] == output["output_type"] == "stream"
            and before["name"] == output["name"]
        ):
            before["text"] = as_lines(as_text(before["text"]) + as_text(output["text"]))
        else:
            merged.append(output)
    return merged


def describe_pictures(outputs: list[Output], fallback: str) -> None:
    """Give every picture alternative text: the reading that follows it, else the fallback."""
    for place, output in enumerate(outputs):
        kinds = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
        if not kinds:
            continue
        readings = [
            spoken(as_text(later["data"]["text/markdown"]))
            for later in outputs[place + 1 :]
            if "text/markdown" in later.get("data", {})
        ]
        for kind in kinds:
            output["metadata"][kind] = {"alt": readings[0] if readings else fallback}


def refuse_local_paths(output: Output, notebook: str, cell_id: str) -> None:
    """Raise when an output names a folder of this machine."""
    texts = [as_text(output.get("text", ""))]
    texts += [as_text(v) for kind, v in output.get("data", {}).items() if kind.startswith("text/")]
    for text in texts:
        found = LOCAL_PATH.search(text)
        own = next(
            (str(p) for p in (Path.home(), Path.cwd()) if len(str(p)) > 5 and str(p) in text), ""
        )
        if found or own:
            raise PublishingError(
                notebook,
                cell_id,
                f"its output names a folder of this machine ({(found and found.group()) or own})",
                "print a path relative to the project and run the notebook again",
            )
