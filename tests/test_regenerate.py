"""What a profile asks for is checked before anything runs; what fails is shown and kept."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from semcal_utils import regenerate
from semcal_utils.runs.chains import next_chain
from semcal_utils.runs.plan import PlanError, make_plan, select_steps

PARAMETERS = "PROFILE: str = 'trial'\nDATASET: str = 'a'\nITEMS: int = 3\nRATE: float = 0.5"


def notebook(root, name, *cells, parameters=PARAMETERS):
    found = new_notebook(
        cells=[
            new_markdown_cell(f"# {name}"),
            new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            *(new_code_cell(source) for source in cells),
        ]
    )
    found.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    found.metadata["language_info"] = {"name": "python"}
    nbformat.write(found, root / "notebooks" / f"{name}.ipynb")


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setenv("SEMCAL_ROOT", str(tmp_path))
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR", "SEMCAL_HEADLESS"):
        (tmp_path / "side" / variable).mkdir(parents=True)
        monkeypatch.setenv(variable, str(tmp_path / "side" / variable))
    notebook(tmp_path, "00_start", "1 + 1", parameters="PROFILE: str = 'trial'")
    notebook(tmp_path, "01_first", "print(DATASET, ITEMS)")
    notebook(tmp_path, "02_second", "print(RATE)")
    notebook(
        tmp_path, "07_last", "print(DATASETS)", parameters="DATASETS: list = ['a']\nSEED: int = 0"
    )
    profile(tmp_path, "trial", "datasets: {a: {ITEMS: 5}, b: {}}")
    return tmp_path


def profile(root, name, text):
    (root / "notebooks" / "profiles" / f"{name}.yaml").write_text(text)


def names(steps):
    return [(step.notebook[:2], step.dataset) for step in steps]


def test_each_dataset_goes_through_the_notebooks_and_the_last_one_gathers(root):
    steps = make_plan("trial", root)
    assert names(steps) == [
        ("00", None),
        ("01", "a"),
        ("02", "a"),
        ("01", "b"),
        ("02", "b"),
        ("07", None),
    ]
    assert steps[1].parameters == {"PROFILE": "trial", "DATASET": "a", "ITEMS": 5}
    assert steps[-1].parameters == {"DATASETS": ["a", "b"]}


def test_options_choose_steps(root):
    steps = make_plan("trial", root)
    assert names(select_steps(steps, dataset="b", only="02", start=None)) == [("02", "b")]
    assert names(select_steps(steps, dataset="b", only=None, start="02")) == [
        ("02", "b"),
        ("07", None),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("datasets: {a: {ITEM: 5}}", "'ITEM'.*the parameters are.*ITEMS"),
        ("datasets: {a: {ITEMS: many}}", "ITEMS of 01_first must be int.*'many'"),
        ("datasets: {a: {ITEMS: true}}", "must be int"),
        ("datasets: {a: {ITEMS: 2.5}}", "must be int"),
        ("datasets: {a: {DATASET: b}}", "'DATASET'"),
        ("notebooks: {02_second: {SEED: 1}}\ndatasets: {a: {}}", "'SEED'"),
        ("notebooks: {09_none: {}}\ndatasets: {a: {}}", "'09_none', which does not exist"),
        ("data: {a: {}}", "unknown key 'data'"),
        ("shared: {SEVERITIES: [mild]}\ndatasets: {a: {}}", "'SEVERITIES'.* is now called WORLDS"),
        ("shared: {SEED: 1}", "names no dataset"),
        ("datasets: {a: [", "not readable as YAML"),
    ],
)
def test_a_profile_that_no_notebook_would_obey_is_refused(root, text, sentence):
    profile(root, "wrong", text)
    with pytest.raises(PlanError, match=sentence):
        make_plan("wrong", root)


@pytest.mark.parametrize(
    ("shared", "sentence"),
    [
        ("{WORLDS: {far: wide}}", "The world 'far' of WORLDS has the value 'wide'"),
        ("{WORLDS: {}}", "WORLDS names no world"),
        ("{RECIPE: stream}", "'stream' is now called 'label_matched'"),
        ("{RECIPES: [paper, best]}", "no recipe 'best'; choose from paper, item_calibrated"),
    ],
)
def test_worlds_and_recipes_that_cannot_be_are_refused_before_anything_runs(
    root, capsys, shared, sentence
):
    parameters = "WORLDS: dict = {'far': 0.9}\nRECIPE: str = 'paper'\nRECIPES: list = []"
    notebook(root, "03_third", "1 + 1", parameters=parameters)
    profile(root, "wrong", f"shared: {shared}\ndatasets: {{a: {{}}}}")
    assert regenerate.main(["--profile", "wrong"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("semcal_utils.regenerate: 03_third of profile 'wrong': ")
    assert sentence in said
    assert not (root / "data").exists()


def test_a_whole_number_is_a_fine_float(root):
    profile(root, "whole", "datasets: {a: {RATE: 1}}")
    assert make_plan("whole", root)[2].parameters["RATE"] == 1


def test_unknown_names_are_answered_with_the_valid_choices(root, capsys):
    assert regenerate.main(["--profile", "none"]) == 2
    assert "choose from trial" in capsys.readouterr().err
    assert regenerate.main(["--profile", "trial", "--dataset", "c"]) == 2
    assert "its datasets are a, b" in capsys.readouterr().err
    assert regenerate.main(["--profile", "trial", "--only", "05"]) == 2
    assert "choose from 00, 01, 02, 07" in capsys.readouterr().err


def test_listing_runs_nothing(root, capsys):
    assert regenerate.main(["--profile", "trial", "--list"]) == 0
    assert capsys.readouterr().out.count("to run") == 6
    assert not (root / "data").exists()


def test_a_finished_notebook_is_run_again_only_when_something_changed(root, capsys):
    arguments = ["--profile", "trial", "--dataset", "a", "--only", "01"]
    assert regenerate.main(arguments) == 0
    assert "1 notebooks run" in capsys.readouterr().out
    executed = root / "data" / "runs" / "trial" / "a" / "notebooks" / "01_first.ipynb"
    assert "a 5" in executed.read_text()
    assert regenerate.main(arguments) == 0
    assert "1 up to date" in capsys.readouterr().out
    notebook(root, "01_first", "print('changed')")
    assert regenerate.main(arguments) == 0
    assert "1 notebooks run" in capsys.readouterr().out


def test_the_dataset_with_most_notebooks_left_goes_first_and_none_runs_twice_at_once():
    assert next_chain([["01", "02"], ["01", "02", "03"], ["03"]], set()) == 1
    assert next_chain([["01", "02"], ["01", "02", "03"], ["03"]], {1}) == 0
    assert next_chain([["02"], [], ["03"]], {0}) == 2
    assert next_chain([["02"], [], ["03"]], {0, 2}) is None


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_datasets_run_side_by_side_each_in_its_own_order(root, capsys, jobs):
    notebook(root, "01_first", "import pathlib\npathlib.Path(f'{DATASET}.txt').write_text('1')")
    notebook(root, "02_second", "print(open(f'{DATASET}.txt').read())")
    notebook(
        root,
        "07_last",
        "[open(f'{d}.txt').read() for d in DATASETS]",
        parameters="DATASETS: list = ['a']",
    )
    assert regenerate.main(["--profile", "trial", "--jobs", jobs]) == 0
    said = capsys.readouterr().out
    assert "6 notebooks run, 0 up to date" in said
    assert said.index("00_start") < said.index("01_first") < said.index("07_last")


def test_a_failure_beside_another_dataset_is_shown_and_nothing_is_gathered(root, capsys):
    notebook(root, "02_second", "assert DATASET == 'a', 'only a'")
    assert regenerate.main(["--profile", "trial", "--jobs", "2"]) == 1
    said = capsys.readouterr()
    assert "02_second (b) stopped" in said.err
    assert "07_last" not in said.out


def test_a_failing_cell_stops_the_run_and_is_shown(root, capsys):
    notebook(root, "01_first", "lake = 1", "raise ValueError('no water in', lake)")
    assert regenerate.main(["--profile", "trial", "--dataset", "a"]) == 1
    said = capsys.readouterr()
    assert "raise ValueError('no water in', lake)" in said.err
    assert "ValueError" in said.err
    assert "01_first" in said.err
    assert "02_second" not in said.out
    executed = root / "data" / "runs" / "trial" / "a" / "notebooks" / "01_first.ipynb"
    assert "no water in" in executed.read_text()
    assert not executed.with_suffix(".finished.json").exists()


def test_a_stalled_cell_stops_the_run_and_is_shown(root, monkeypatch, capsys):
    from semcal_utils.runs import runner as notebook_runner

    monkeypatch.setattr(notebook_runner, "CELL_TIMEOUT", 3)
    notebook(root, "01_first", "import time\ntime.sleep(60)  # waits for nobody")
    assert regenerate.main(["--profile", "trial", "--dataset", "a", "--only", "01"]) == 1
    said = capsys.readouterr().err
    assert "did not finish within 3 s" in said
    assert "waits for nobody" in said


def test_a_dead_kernel_stops_the_run_and_is_shown(root, capsys):
    notebook(root, "01_first", "import os\nos._exit(1)  # gone")
    assert regenerate.main(["--profile", "trial", "--dataset", "a", "--only", "01"]) == 1
    said = capsys.readouterr().err
    assert "kernel died" in said
    assert "gone" in said


CAPTIONING = """
import pandas as pd
from semcal_utils import runs
run = runs.open_run(PROFILE, DATASET)
run.table("captions.parquet", lambda: pd.DataFrame({"item_id": ["a", "b"]}), items=ITEMS)
run.save_metrics("divergence", {"severe": 0.25})
"""


def test_numbers_that_two_notebooks_keep_in_one_file_are_made_again_by_both(root, capsys):
    for path in (root / "notebooks").glob("0[12]*.ipynb"):
        path.unlink()
    code = "from semcal_utils.runs import open_run\nrun = open_run(PROFILE, DATASET)\n"
    notebook(root, "05_divergence_metrics", code + "run.save_metrics('divergence', {'kl': 1})")
    notebook(root, "06_detection_metrics", code + "run.save_metrics('detection', {'auc': 1})")
    arguments = ["--profile", "trial", "--dataset", "a"]
    assert regenerate.main(arguments) == 0
    metrics = root / "data" / "runs" / "trial" / "a" / "metrics.json"
    whole = metrics.read_text()
    metrics.write_text(whole.replace("auc", "buc"))
    assert regenerate.main([*arguments, "--repair"]) == 0
    assert metrics.read_text() == whole
    metrics.unlink()
    capsys.readouterr()
    assert regenerate.main([*arguments, "--list"]) == 0
    assert capsys.readouterr().out.count("to run  (metrics.json is gone)") == 2
    assert regenerate.main([*arguments, "--only", "05"]) == 0
    capsys.readouterr()
    assert regenerate.main([*arguments, "--list"]) == 0
    said = capsys.readouterr().out
    assert "to run  (the section 'detection' of metrics.json is gone)" in said


def test_what_is_damaged_or_gone_is_found_named_and_made_again(root, capsys):
    notebook(root, "01_captioning", CAPTIONING)
    arguments = ["--profile", "trial", "--dataset", "a", "--only", "01"]
    (root / "notebooks" / "01_first.ipynb").unlink()
    assert regenerate.main(arguments) == 0
    assert regenerate.main([*arguments, "--check"]) == 0
    assert "No artefact is damaged." in capsys.readouterr().out
    table = root / "data" / "runs" / "trial" / "a" / "captions.parquet"
    content = bytearray(table.read_bytes())
    content[12] ^= 1
    table.write_bytes(content)
    assert regenerate.main([*arguments, "--check"]) == 1
    assert "captions.parquet is damaged" in capsys.readouterr().out
    assert regenerate.main(arguments) == 1
    said = capsys.readouterr().err.strip()
    assert "captions.parquet is damaged" in said
    assert "--repair" in said
    assert said.count("\n") == 0
    assert regenerate.main([*arguments, "--repair"]) == 0
    said = capsys.readouterr().out
    assert "captions.parquet was damaged and is discarded" in said
    assert "  01_captioning                a " in said
    table.unlink()
    assert regenerate.main([*arguments, "--list"]) == 0
    assert "to run  (captions.parquet is gone)" in capsys.readouterr().out


def test_a_notebook_is_run_again_for_a_stated_reason(root, capsys, monkeypatch):
    from semcal_utils.runs import marks

    arguments = ["--profile", "trial", "--dataset", "a", "--only", "01"]
    assert regenerate.main([*arguments, "--list"]) == 0
    assert "(not finished before)" in capsys.readouterr().out
    assert regenerate.main(arguments) == 0
    step = make_plan("trial", root)[1]
    profile(root, "trial", "datasets: {a: {ITEMS: 6}}")
    assert marks.reason_to_run(make_plan("trial", root)[1]) == "its parameters changed"
    for part, reason in (
        ({"package_digest": lambda cells: "other"}, "the package changed"),
        ({"inputs_of": lambda step: {"00": "other"}}, "an earlier notebook ran again"),
    ):
        with monkeypatch.context() as patched:
            for name, value in part.items():
                patched.setattr(marks, name, value)
            assert marks.reason_to_run(step) == reason
    newer = {**marks.runs.library_versions(), "torch": "9.9"}
    monkeypatch.setattr(marks.runs, "library_versions", lambda: newer)
    assert marks.reason_to_run(step).endswith("and is 9.9")
    marks.mark(step).write_text('{"half')
    assert marks.reason_to_run(step) == "not finished before"


def test_a_file_that_changes_during_a_run_is_seen_after_it(root, capsys):
    changing = (
        "import nbformat, os, pathlib\n"
        "path = pathlib.Path('01_first.ipynb')\n"
        "path.write_text(path.read_text().replace('lake', 'river'))  # lake"
    )
    notebook(root, "01_first", changing)
    arguments = ["--profile", "trial", "--dataset", "a", "--only", "01"]
    assert regenerate.main(arguments) == 0
    assert regenerate.main([*arguments, "--list"]) == 0
    assert "(the notebook changed)" in capsys.readouterr().out


def test_a_notebook_depends_on_the_files_it_leads_to_and_no_others():
    from semcal_utils.runs.sources import PACKAGE, files_behind

    def behind(*cells):
        return {path.relative_to(PACKAGE).as_posix() for path in files_behind(cells)}

    files = behind("from semcal_utils import divergence\nprint(divergence)")
    assert {"__init__.py", "divergence/__init__.py", "divergence/frequencies.py"} <= files
    assert "runs/runner.py" in files
    assert not any(name.startswith(("media/", "rejection/", "models/")) for name in files)
    # A module that is imported by its name as a string, and inside of a function.
    files = behind("import semcal_utils.media as media")
    assert {"city/pictures.py", "city/vocabulary.yaml", "media/label_maps/coco.json"} <= files - {
        ""
    }
    every = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    assert behind("%matplotlib inline") >= every


def test_all_that_a_cell_really_imports_is_among_the_files_behind_it():
    import subprocess
    import sys

    from semcal_utils.runs.sources import files_behind

    cell = "from semcal_utils import acceptance, divergence, rejection, runs, worlds"
    code = (
        f"{cell}\nimport sys\n"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.startswith('semcal_utils')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) <= {str(path) for path in files_behind([cell])}


def test_a_first_run_of_one_dataset_gathers_that_one(root):
    arguments = ["--profile", "trial", "--dataset", "a"]
    assert regenerate.main(arguments) == 0
    executed = root / "data" / "runs" / "trial" / "notebooks" / "07_last.ipynb"
    assert "['a']" in executed.read_text()
    assert regenerate.main(["--profile", "trial"]) == 0
    assert "['a', 'b']" in executed.read_text()


def saved_elsewhere(path):
    """Take out of a notebook what other tools leave out."""
    import json

    found = json.loads(path.read_text())
    for cell in found["cells"]:
        del cell["id"]
    found.update(metadata={"colab": {"provenance": []}}, nbformat_minor=0)
    path.write_text(json.dumps(found))


def test_a_notebook_saved_by_another_tool_runs_and_stays_finished(root, capsys, recwarn):
    saved_elsewhere(root / "notebooks" / "01_first.ipynb")
    arguments = ["--profile", "trial", "--dataset", "a", "--only", "01"]
    assert regenerate.main(arguments) == 0
    assert "1 notebooks run, 0 up to date" in capsys.readouterr().out
    assert regenerate.main(arguments) == 0
    assert "0 notebooks run, 1 up to date" in capsys.readouterr().out
    assert not [warning for warning in recwarn if "id" in str(warning.message).lower().split()]


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"cells": 3, "nbformat": 4}', "\x00", '{"nbformat": 9}']
)
def test_a_file_that_is_no_notebook_is_named_with_a_remedy(root, capsys, content):
    (root / "notebooks" / "01_first.ipynb").write_text(content)
    assert regenerate.main(["--profile", "trial"]) == 2
    said = capsys.readouterr().err
    assert "01_first.ipynb" in said
    assert "take it from the repository again" in said


def test_a_notebook_that_is_a_folder_or_bytes_of_another_kind_is_named(root, capsys):
    path = root / "notebooks" / "01_first.ipynb"
    path.write_bytes(b"\xff\xfe\x00")
    assert regenerate.main(["--profile", "trial"]) == 2
    path.unlink()
    path.mkdir()
    assert regenerate.main(["--profile", "trial"]) == 2
    assert capsys.readouterr().err.count("01_first.ipynb") == 2


def test_the_interpreter_that_runs_this_runs_the_notebooks(root, monkeypatch, tmp_path):
    import json
    import sys

    foreign = tmp_path / "foreign" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    broken = {"argv": ["/nowhere/python", "{connection_file}"], "display_name": "Python 3"}
    (foreign / "kernel.json").write_text(json.dumps({**broken, "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "foreign"))
    notebook(root, "01_first", "import sys\nprint(sys.executable)")
    assert regenerate.main(["--profile", "trial", "--dataset", "a", "--only", "01"]) == 0
    executed = root / "data" / "runs" / "trial" / "a" / "notebooks" / "01_first.ipynb"
    assert sys.executable in executed.read_text()


def test_a_package_that_a_cell_misses_is_named_with_the_remedy(root, capsys):
    notebook(root, "01_first", "import a_package_nobody_has")
    assert regenerate.main(["--profile", "trial", "--dataset", "a", "--only", "01"]) == 1
    assert "make install" in capsys.readouterr().err


def test_a_row_that_is_added_to_a_source_makes_its_reader_run_again(root, capsys):
    table = root / "posts.csv"
    table.write_text("text,label\nhello,a\n")
    notebook(root, "01_first", "print(SOURCE)", parameters=PARAMETERS + "\nSOURCE: str = ''")
    profile(root, "trial", "datasets: {a: {SOURCE: posts.csv}}")
    arguments = ["--profile", "trial", "--only", "01"]
    assert regenerate.main(arguments) == 0
    assert regenerate.main(arguments) == 0
    assert "0 notebooks run" in capsys.readouterr().out
    table.write_text("text,label\nhello,a\ngoodbye,b\n")
    assert regenerate.main(arguments) == 0
    assert "(a source or model of yours changed)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "about",
    [{}, {"kernelspec": None}, {"kernelspec": {"name": "python3", "display_name": "Python"}}],
)
@pytest.mark.parametrize("minor", [0, 4, 5])
def test_what_a_tool_left_out_is_filled_in_the_same_way_every_time(root, about, minor):
    import json

    from book.sources import read_notebook as as_the_book_reads
    from semcal_utils.runs.notebook_files import read_notebook

    path = root / "notebooks" / "01_first.ipynb"
    found = json.loads(path.read_text())
    for cell in found["cells"]:
        for name in ("id", "outputs", "execution_count"):
            cell.pop(name, None)
    path.write_text(json.dumps({**found, "metadata": about, "nbformat_minor": minor}))
    read = read_notebook(path)
    assert read == read_notebook(path)
    ids = [cell["id"] for cell in as_the_book_reads(path)["cells"]]
    assert [cell.id for cell in read.cells] == ids
    assert make_plan("trial", root)[1].parameters["ITEMS"] == 5


@pytest.mark.parametrize("content", ['{"cells": [], "nbformat": 4}', '{"nbformat": 3}'])
def test_an_old_or_empty_notebook_is_named_with_a_remedy(root, capsys, content):
    (root / "notebooks" / "01_first.ipynb").write_text(content)
    assert regenerate.main(["--profile", "trial"]) == 2
    said = capsys.readouterr().err
    assert "01_first.ipynb is no notebook" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("from numpy import nothing_of_the_kind", "`make install`"),
        ("raise MemoryError", "--jobs 1"),
    ],
)
def test_what_the_machine_lacks_comes_with_a_remedy(root, capsys, cell, remedy):
    notebook(root, "01_first", cell)
    assert regenerate.main(["--profile", "trial", "--dataset", "a", "--only", "01"]) == 1
    assert remedy in capsys.readouterr().err
