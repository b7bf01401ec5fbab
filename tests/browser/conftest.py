"""Notebooks 00 and 04 on a loopback server, over a small made-up run, before a real browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from semcal_utils import runs

PROJECT = Path(__file__).parents[2]
LABELS = ["fire", "flood", "food", "music", "sport"]
REAL = np.array([0.04, 0.06, 0.3, 0.35, 0.25])
HOSTILE = '<script>window.semcalRan=1</script> "><img src=x onerror="window.semcalRan=1">'
PARAMETERS = {
    "00_start_here": {"PROFILE": "browser", "COINS": 80},
    "04_rejection_sampling": {
        "PROFILE": "browser",
        "DATASET": "posts",
        "REPEATS": 20,
        "STREAMS": 40,
        "STREAM_ITEMS": 200,
        "FRAMES": 6,
    },
}


@pytest.fixture(scope="session")
def address(browser, tmp_path_factory):
    """Where the notebooks are served, until the last test is over."""
    pytest.importorskip("voila", reason="voila is not installed")
    root = tmp_path_factory.mktemp("project")
    (root / "notebooks").mkdir()
    (root / "pyproject.toml").touch()
    write_run(root)
    write_notebooks(root)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "SEMCAL_HEADLESS"}
    environment |= {"SEMCAL_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
        (root / variable).mkdir()
        environment[variable] = str(root / variable)
    command = [sys.executable, "-m", "voila", "notebooks", "--no-browser", f"--port={port}"]
    command += ["--Voila.ip=127.0.0.1", "--show_tracebacks=True"]
    command += ["--VoilaConfiguration.allow_theme_override=YES"]
    with (root / "voila.log").open("w") as log:
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
    try:
        wait_for(port, server, root / "voila.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def open_notebook(browser, address):
    """Open one notebook; its page knows which dialogs rose and which outside addresses it asked."""
    pages = []

    def opened(name: str, query: str = ""):
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        pages.append(page)
        page.set_default_timeout(60_000)
        page.dialogs, page.outside = [], []
        page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))

        def local_only(route) -> None:
            if route.request.url.startswith((address, "data:", "blob:")):
                route.continue_()
            else:
                page.outside.append(route.request.url)
                route.abort()

        page.route("**/*", local_only)
        page.goto(f"{address}/voila/render/{name}.ipynb{query}")
        return page

    yield opened
    for page in pages:
        page.close()


def wait_for(port: int, server: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            pytest.fail(f"voila ended: {log.read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("voila did not answer within 30 seconds")


def write_notebooks(root: Path) -> None:
    """Copy the notebooks with small parameters, as papermill would inject them."""
    from papermill.iorw import load_notebook_node, write_ipynb
    from papermill.parameterize import parameterize_notebook

    for name, values in PARAMETERS.items():
        notebook = load_notebook_node(str(PROJECT / "notebooks" / f"{name}.ipynb"))
        notebook = parameterize_notebook(notebook, values)
        # No exercise is needed here.
        titles = [cell.source.startswith("## Exercises") for cell in notebook.cells]
        notebook.cells = notebook.cells[: titles.index(True)]
        write_ipynb(notebook, str(root / "notebooks" / f"{name}.ipynb"))


def write_run(root: Path, items: int = 600) -> None:
    """Write the tables that notebooks 01 to 03 would leave for notebook 04."""
    from datasets import Dataset

    rng = np.random.default_rng(0)
    run = runs.open_run("browser", "posts", root=root)
    label = rng.choice(LABELS, items)
    ids = [f"post-{number:04d}" for number in range(items)]
    captions = [HOSTILE if n % 3 == 0 else f"a {one} by the sea" for n, one in enumerate(label)]
    part = np.where(rng.random(items) < 0.5, "general_train", "general_test")
    about = pd.DataFrame({"item_id": ids, "part": part, "label": label, "caption": captions})
    run.table("captions.parquet", lambda: about)
    run.make_folder("items", lambda to: Dataset.from_dict({"item_id": ids}).save_to_disk(str(to)))

    worlds = {"baseline": np.full(5, 0.2), "severe": REAL}
    train = about[about["part"] == "general_train"]
    members = [pd.DataFrame({"item_id": train["item_id"], "world": "general", "role": "train"})]
    scored = []
    for name, world in worlds.items():
        ratio = np.log(world / 0.2)[pd.Index(LABELS).get_indexer(label)]
        ratio = ratio + 0.1 * rng.normal(size=items)
        bound = float(np.log(world / 0.2).max()) + 0.1
        for recipe, power in (("paper", 0.7), ("item_calibrated", 0.9), ("label_matched", 1.0)):
            table = pd.DataFrame({"item_id": ids, "world": name, "recipe": recipe})
            table["log_ratio"], table["log_bound"] = power * ratio, bound
            table["accept_probability"] = np.exp(np.minimum(0, power * ratio - bound))
            scored.append(table)
        tokens = [["Ġ" + word for word in caption.split()] for caption in captions]
        spread = [[0.7 * r / len(t)] * len(t) for r, t in zip(ratio, tokens, strict=True)]
        told = pd.DataFrame({"item_id": ids, "tokens": tokens, "log_prob_real": spread})
        told["log_prob_general"] = [[0.0] * len(t) for t in tokens]
        run.table(f"token_log_probs/{name}.parquet", lambda told=told: told)
        chances = world[pd.Index(LABELS).get_indexer(train["label"])]
        drawn = train.sample(120, weights=chances, random_state=0)["item_id"]
        members.append(pd.DataFrame({"item_id": drawn, "world": name, "role": "train"}))
    run.table("acceptance.parquet", lambda: pd.concat(scored, ignore_index=True))
    run.table("splits.parquet", lambda: pd.concat(members, ignore_index=True))
