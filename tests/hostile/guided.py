"""Coverage-guided fuzzing of one reader: `python tests/hostile/guided.py picture --seconds 20`.

Atheris changes real files a bit at a time and keeps the changes that reach new lines of the reader
or of the Python decoder behind it, so that it works its way past headers and checks. An outcome
other than a result or one sentence stops it with the file that did it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

# Before the readers are imported: what is instrumented tells the fuzzer which lines it reached.
with atheris.instrument_imports(include=["PIL", "yaml", "semcal_utils.media", "pandas.io"]):
    import pandas.io.json._json
    import pandas.io.parsers.c_parser_wrapper  # noqa: F401
    import PIL.BmpImagePlugin
    import PIL.GifImagePlugin
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin
    import PIL.PpmImagePlugin
    import PIL.TiffImagePlugin
    import PIL.WebPImagePlugin  # noqa: F401
    import yaml  # noqa: F401

    from semcal_utils.media.own_texts import read_rows
    from semcal_utils.media.readers import UnusableItem, read_picture, read_sound, read_text

from test_files import PICTURES, SOUNDS, TABLES, picture, sound, table
from tries import SENTENCES, survive, write_one_notebook

from semcal_utils.runs.plan import PlanError, make_plan

PROFILE = (
    b"description: x\nshared: {ITEMS: 1}\nnotebooks:\n  01_first: {ITEMS: 2}\ndatasets: {a: {}}\n"
)


def fuzz_pictures(content: bytes, _: Path) -> None:
    """Read a picture."""
    survive("pictures", lambda: read_picture(content), (UnusableItem,))


def fuzz_sounds(content: bytes, _: Path) -> None:
    """Read a sound."""
    survive("sounds", lambda: read_sound(content), (UnusableItem,))


def fuzz_tables(content: bytes, folder: Path) -> None:
    """Read a table in the format that the first byte chooses, and each of its texts."""
    if not content:
        return
    path = folder / f"mine.{TABLES[content[0] % len(TABLES)]}"
    path.write_bytes(content[1:])

    def read() -> None:
        for row in read_rows(path).head(20).to_dict("records"):
            for value in row.values():
                if isinstance(value, str):
                    read_text(value)

    survive("tables", read, SENTENCES)


def fuzz_profiles(content: bytes, folder: Path) -> None:
    """Plan a run from a profile."""
    (folder / "notebooks" / "profiles" / "hostile.yaml").write_bytes(content)
    survive("profiles", lambda: make_plan("hostile", folder), (PlanError,))


def seeds_of(reader: str) -> list[bytes]:
    """Return whole files to start from."""
    if reader == "picture":
        return [picture(kind) for kind in PICTURES]
    if reader == "sound":
        return [sound(*kind) for kind in SOUNDS]
    if reader == "table":
        return [bytes([place]) + table(kind) for place, kind in enumerate(TABLES)]
    return [PROFILE]


READERS: dict[str, Callable[[bytes, Path], None]] = {
    "picture": fuzz_pictures,
    "sound": fuzz_sounds,
    "table": fuzz_tables,
    "profile": fuzz_profiles,
}


def main() -> None:
    """Fuzz one reader for some seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder, corpus = Path(place), Path(place) / "corpus"
        corpus.mkdir()
        write_one_notebook(folder)
        for number, content in enumerate(seeds_of(options.reader)):
            (corpus / str(number)).write_bytes(content)
        fuzz = READERS[options.reader]
        limits = [f"-max_total_time={options.seconds}", "-timeout=20", "-rss_limit_mb=2500"]
        rest = [f"-seed={options.seed}", "-print_final_stats=1", f"-artifact_prefix={place}/"]
        atheris.Setup([sys.argv[0], *limits, *rest, str(corpus)], lambda data: fuzz(data, folder))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
