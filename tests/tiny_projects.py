"""A project of one notebook with its executed copy, as small as a project can be."""

from __future__ import annotations

import base64
import copy
import io
import json
from pathlib import Path

from PIL import Image

NAME = "00_tiny"
WIDGET = "application/vnd.jupyter.widget-view+json"


def picture(size=(40, 30), colour="#E69F00"):
    buffer = io.BytesIO()
    Image.new("RGBA", size, colour).save(buffer, "PNG", pnginfo=None)
    return base64.b64encode(buffer.getvalue()).decode()


def markdown(cell_id, source, **metadata):
    return {"cell_type": "markdown", "id": cell_id, "metadata": metadata, "source": [source]}


def code(cell_id, source, **metadata):
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id,
        "metadata": metadata,
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


def stream(text, name="stdout"):
    return {"name": name, "output_type": "stream", "text": text.splitlines(keepends=True)}


def shown(**data):
    kinds = {"png": "image/png", "html": "text/html", "markdown": "text/markdown", "widget": WIDGET}
    found = {kinds[kind]: value for kind, value in data.items()}
    return {
        "data": {**found, "text/plain": ["<Figure at 0x7f0123456789>"]},
        "metadata": {},
        "output_type": "display_data",
    }


def a_source():
    return {
        "cells": [
            markdown("cell-00", "# 00 · Tiny: how small can a stream be?\n\nWith $\\frac{R}{G}$."),
            code("cell-01", "import numpy as np"),
            code("cell-02", 'PROFILE: str = "workbook"\nITEMS: int = 5', tags=["parameters"]),
            markdown("cell-03", "## 1. What flows by?\n\n$$\\sum_k G(k)\\log\\frac{G(k)}{R(k)}$$"),
            code("cell-04", 'run.save_figure(fig, "00_tiny", numbers={})'),
            code("cell-05", "table.style"),
            markdown("cell-06", "## What we learned"),
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def an_executed_copy(*, salt="1a2b3"):
    """As papermill leaves it; `salt` makes what is random from run to run."""
    made = copy.deepcopy(a_source())
    outputs = {
        "cell-01": [
            stream(f"100%|████| 5/5 [00:0{salt[0]}<00:00, 12.{salt[0]} it/s]\n", "stderr"),
            shown(widget={"model_id": salt * 6}),
            stream(f"{ord(salt[1])} captions per second\nfive "),
            stream(f"items of <object at 0x7f{salt}9999>\n"),
        ],
        "cell-04": [
            shown(png=picture()),
            shown(
                markdown=["**Read the figure:** the *amber* `stream` ", "deceives by 0.19 nats."]
            ),
        ],
        "cell-05": [
            shown(html=[f'<style>#T_{salt}_row0 {{}}</style><table id="T_{salt}"></table>'])
        ],
    }
    for cell in made["cells"]:
        cell["metadata"] = {**cell["metadata"], "papermill": {"start_time": salt}, "tags": []}
        if cell["cell_type"] == "code":
            cell["execution_count"] = 7
            cell["outputs"] = outputs.get(cell["id"], [])
    injected = code(
        "9f", '# Parameters\nPROFILE = "workbook"\nITEMS = 8', tags=["injected-parameters"]
    )
    made["cells"].insert(3, injected)
    made["metadata"]["papermill"] = {"output_path": "/home/someone/x.ipynb"}
    made["metadata"]["widgets"] = {"state": salt}
    return made


def write_project(root: Path, source=None, executed=None):
    """Write the project, with a finished run, and return its root."""
    (root / "notebooks").mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").touch()
    write(root / "notebooks" / f"{NAME}.ipynb", source or a_source())
    copies = root / "data" / "runs" / "workbook" / "notebooks"
    copies.mkdir(parents=True, exist_ok=True)
    write(copies / f"{NAME}.ipynb", executed or an_executed_copy())
    (copies / f"{NAME}.finished.json").write_text("{}")
    return root


def write(path: Path, notebook):
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))
