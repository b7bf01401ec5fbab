"""Nobody gets in: no code from outside is run, no token is kept, no port is open to the world."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
TOKEN = re.compile(r"\b(hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9]{20,})")
RUNS_CODE = {"eval", "exec", "compile", "__import__"}
PICKLES = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}


def sources() -> dict[str, str]:
    """Every line of code that a user runs: the package, the benchmarks, the notebooks."""
    found = {
        str(path.relative_to(PROJECT)): path.read_text(encoding="utf-8")
        for folder in ("semcal_utils", "benchmarks")
        for path in sorted((PROJECT / folder).rglob("*.py"))
    }
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for place, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                found[f"{path.name}[{place}]"] = "".join(cell["source"])
    return found


def calls(code: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


def offences(code: str) -> list[str]:
    """What a piece of code does that it must not do."""
    found = []
    for call in calls(code):
        name, given = name_of(call), {one.arg: ast.unparse(one.value) for one in call.keywords}
        if name in RUNS_CODE:
            found.append(f"{name} runs text as code")
        if name in ("torch.load", "np.load", "numpy.load") and (
            given.get("weights_only") != "True" and given.get("allow_pickle", "") != "False"
        ):
            found.append(f"{name} may unpickle")
        if name.endswith("read_pickle") or given.get("allow_pickle") == "True":
            found.append(f"{name} unpickles")
        if given.get("trust_remote_code", "False") != "False":
            found.append("remote code is trusted")
        if given.get("use_safetensors") == "False" or given.get("safe_serialization") == "False":
            found.append("weights are not safetensors")
        if given.get("shell") == "True" or name in ("os.system", "os.popen"):
            found.append(f"{name} starts a shell")
        if name in ("yaml.load", "yaml.unsafe_load"):
            found.append(f"{name} makes any object")
        # One that the caller may give is handed on; without it the hub library reads its own.
        if {given.get("token", "token"), given.get("use_auth_token", "token")} - {"token", "None"}:
            found.append(f"{name} is handed a token")
    for node in ast.walk(ast.parse(code)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{name} is imported" for name in names if name.split(".")[0] in PICKLES]
    return found


@pytest.mark.parametrize(
    "code",
    [
        "eval(text)",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "import pickle",
        "from joblib import load",
        "AutoModel.from_pretrained(ref, trust_remote_code=True)",
        "AutoModel.from_pretrained(ref, trust_remote_code=allowed)",
        "model.save_pretrained(path, safe_serialization=False)",
        "subprocess.run(command, shell=True)",
        "yaml.load(text)",
        "login(token='hf_x')",
    ],
)
def test_what_must_not_be_done_is_recognised(code):
    assert offences(code)


@pytest.mark.parametrize("place", sorted(sources()))
def test_no_code_from_outside_is_run_and_no_pickle_is_read(place):
    code = sources()[place]
    plain = "\n".join(line for line in code.splitlines() if not line.startswith(("%", "!")))
    assert offences(plain) == []


def test_no_committed_file_holds_a_token():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = PROJECT / name
        if path.is_file() and path.suffix not in (".png", ".jpg"):
            assert not TOKEN.search(path.read_text(encoding="utf-8", errors="ignore")), name


def test_a_token_in_the_environment_reaches_neither_artefacts_nor_notes(tmp_path, monkeypatch):
    import pandas as pd

    from semcal_utils.runs import held, open_run

    monkeypatch.setenv("HF_TOKEN", "hf_" + "a" * 30)
    run = open_run("trial", "a", root=tmp_path)
    run.table("captions.parquet", lambda: pd.DataFrame({"item_id": ["a"]}), seed=0)
    run.save_metrics("divergence", {"severe": 0.5})
    with held(run.folder, "x"):
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert b"hf_aaaa" not in path.read_bytes(), path


def test_jupyter_and_voila_listen_on_loopback_with_authentication():
    told = [PROJECT / name for name in ("README.md", "Makefile", ".ci/run", "environment.yml")]
    told += [*NOTEBOOKS, *sorted((PROJECT / "notebooks").rglob("*.yaml"))]
    forbidden = re.compile(
        r"--ip[= ]|0\.0\.0\.0|--allow-root|disable_check_xsrf"
        r"|(?:token|password)\s*=\s*(?:''|\"\"|\s|$)|allow_origin"
    )
    for path in told:
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                if re.search(r"jupyter|voila", line, re.IGNORECASE):
                    assert not forbidden.search(line), f"{path.name}: {line}"


def test_the_lock_pins_every_package_to_one_version():
    lines = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if line.strip() and not line.startswith(("#", " ", "--hash"))]
    assert len(pinned) > 100
    for line in pinned:
        assert re.match(r"^[A-Za-z0-9._-]+(\[[\w,-]+\])?==[\w.!+-]+", line), line


def test_the_hashed_lock_holds_the_versions_of_the_lock():
    plain, hashed = (
        (PROJECT / name).read_text(encoding="utf-8").splitlines()
        for name in ("requirements.lock", "requirements.hashes.lock")
    )
    listed = [line.split() for line in hashed if not line.startswith("#")]
    # The hashes are for one platform, so that what the plain lock says of others falls away.
    versions = [line.partition(";")[0] for line in plain if not line.startswith(("#", "torch="))]
    assert [line[0] for line in listed] == versions
    for line in listed:
        assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line[1])
