"""The hub, played by a server on this machine: what it is sent, and what its cache gives."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants
from tiny_language_models import CAPTIONS, TOKENIZER, mean_loss, tiny_model, tuned

from semcal_utils.models import save_language_model
from semcal_utils.models.model_cards import publish_language_model

COMMIT = "0" * 40


class Hub:
    """What the server was asked for, and the files it was sent."""

    def __init__(self) -> None:
        self.created: list[dict] = []
        self.files: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()


def answer(hub: Hub, path: str, body: bytes, server: str) -> dict:
    if path.startswith("/api/repos/create"):
        hub.created.append(json.loads(body))
        return {"url": f"{server}/city/severe"}
    if "/preupload/" in path:
        asked = json.loads(body)["files"]
        return {
            "files": [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in asked
            ]
        }
    if "/commit/" in path:
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                content = base64.b64decode(entry["value"]["content"])
                hub.files[entry["value"]["path"]] = content
        return {"commitUrl": f"{server}/city/severe/commit/{COMMIT}", "commitOid": COMMIT}
    return {"sha": COMMIT, "id": "city/severe", "siblings": []}


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    found = Hub()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            if self.path == "/api/agent-harnesses":
                # huggingface_hub asks this once a process, without a token, before its first
                # request to us: no part of publishing, and best left unanswered and uncached.
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.tokens.add(self.headers.get("Authorization"))
            server = f"http://127.0.0.1:{self.server.server_port}"
            data = json.dumps(answer(found, self.path, body, server)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = reply

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield found
    server.shutdown()
    server.server_close()


def test_a_finished_model_is_published_with_its_card_and_nothing_else(hub, tmp_path):
    tuned(tmp_path / "model", epochs=1)
    (tmp_path / "model" / ".hidden").write_text("not for others")
    address = publish_language_model(
        tmp_path / "model", "city/severe", title="Severe", description="Of a city.", token="hf_x"
    )
    assert address == "https://huggingface.co/city/severe"
    assert hub.created[0]["name"] == "severe"
    assert hub.created[0].get("private") or hub.created[0]["visibility"] == "private"
    assert hub.tokens == {"Bearer hf_x"}
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(hub.files)
    assert not any(name.startswith((".", "checkpoints")) for name in hub.files)
    assert "# Severe" in hub.files["README.md"].decode()
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert hub.files["model.safetensors"] == weights


def test_a_hub_that_does_not_answer_is_one_sentence_and_leaves_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    tuned(tmp_path / "model", epochs=1)
    with pytest.raises(ConnectionError, match=r"Could not publish .* The folder is intact"):
        publish_language_model(
            tmp_path / "model", "city/severe", title="t", description="d", token="hf_x"
        )
    assert (tmp_path / "model" / "model.safetensors").is_file()


SCRIPT = """
from tiny_language_models import CAPTIONS, mean_loss
from semcal_utils.models import load_language_model
print(mean_loss(load_language_model("city/severe")[0], CAPTIONS))
try:
    load_language_model("city/unknown")
except FileNotFoundError as error:
    print(error)
"""


def test_a_model_is_loaded_by_its_id_from_the_hubs_cache(tmp_path):
    cached = tmp_path / "hub" / "models--city--severe"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    model = tiny_model(TOKENIZER).eval()
    save_language_model(model, TOKENIZER, cached / "snapshots" / COMMIT)
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[1]}",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loss, sentence = done.stdout.strip().split("\n")
    assert float(loss) == pytest.approx(mean_loss(model, CAPTIONS), abs=1e-6)
    assert sentence.startswith("Cannot load the language model city/unknown")
