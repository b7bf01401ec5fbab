"""Published notebooks: the source as committed, outputs that stay the same, no local path."""

from __future__ import annotations

import base64
import io
import json
import random
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence
from tiny_projects import (
    NAME,
    a_source,
    an_executed_copy,
    picture,
    read,
    shown,
    stream,
    write,
    write_project,
)

from book import PublishingError, publish, state_of
from book.__main__ import main
from book.outputs import LOCAL_PATH
from book.pictures import LARGEST_GIF, shrink_gifs, shrink_png, spoken
from book.published import LARGEST


@pytest.fixture
def project(tmp_path):
    return write_project(tmp_path)


def notebook_of(project):
    return project / "notebooks" / f"{NAME}.ipynb"


def cell_of(notebook, cell_id):
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


def outputs_of(project, cell_id):
    return cell_of(read(notebook_of(project)), cell_id)["outputs"]


def with_output(cell_id, output):
    executed = an_executed_copy()
    cell_of(executed, cell_id)["outputs"] = [output]
    return executed


def test_the_source_stays_exactly_what_was_committed(project):
    publish(project)
    made = read(notebook_of(project))
    made["metadata"].pop("semcal_published")
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"], cell["outputs"] = None, []
    assert json.dumps(made) == json.dumps(a_source())


def test_two_runs_are_published_as_the_same_bytes(project):
    publish(project)
    first = notebook_of(project).read_bytes()
    write_project(project, json.loads(first), an_executed_copy(salt="9f8e7"))
    assert not publish(project)[0].changed
    assert notebook_of(project).read_bytes() == first


def test_progress_bars_widgets_and_rates_go_and_words_stay(project):
    publish(project)
    (words,) = outputs_of(project, "cell-01")
    assert "".join(words["text"]) == "five items of <object at 0x…>\n"
    text = notebook_of(project).read_text()
    for trace in ("widget", "papermill", "it/s", "/home", "0x7f"):
        assert trace not in text


def test_a_widget_view_with_a_static_twin_shows_the_twin(tmp_path):
    twin = shown(png=picture(), widget={"model_id": "a" * 32})
    project = write_project(tmp_path, executed=with_output("cell-04", twin))
    publish(project)
    (output,) = outputs_of(project, "cell-04")
    assert set(output["data"]) == {"image/png", "text/plain"}


def test_a_figure_is_described_by_its_reading_or_else_by_its_section(tmp_path):
    project = write_project(tmp_path)
    publish(project)
    figure = outputs_of(project, "cell-04")[0]
    assert figure["metadata"] == {"image/png": {"alt": "the amber stream deceives by 0.19 nats."}}
    project = write_project(tmp_path, executed=with_output("cell-04", shown(png=picture())))
    publish(project)
    figure = outputs_of(project, "cell-04")[0]
    assert figure["metadata"]["image/png"]["alt"] == "A figure to: 1. What flows by?"


def test_a_moving_picture_is_described_too(tmp_path):
    moving = shown(png=picture())
    moving["data"] = {"image/gif": "R0lGODlhAQABAAAAACw="}
    project = write_project(tmp_path, executed=with_output("cell-04", moving))
    publish(project)
    (output,) = outputs_of(project, "cell-04")
    assert output["metadata"] == {"image/gif": {"alt": "A figure to: 1. What flows by?"}}


def test_parameters_that_the_run_set_otherwise_are_named_to_the_reader(project):
    publish(project)
    (note,) = outputs_of(project, "cell-02")
    assert "which sets ITEMS = 8." in "".join(note["text"])


def test_a_cell_that_shows_times_is_published_without_them(tmp_path):
    source, executed = a_source(), with_output("cell-05", shown(html=["<b>0.173 s</b>"]))
    for notebook in (source, executed):
        cell_of(notebook, "cell-05")["metadata"]["tags"] = ["volatile"]
    project = write_project(tmp_path, source, executed)
    publish(project)
    (note,) = outputs_of(project, "cell-05")
    assert "differs from run to run" in note["text"][0]


def test_random_ids_of_tables_become_steady(project):
    publish(project)
    (table,) = outputs_of(project, "cell-05")
    html = "".join(table["data"]["text/html"])
    assert html == '<style>#T_cell-05_0_row0 {}</style><table id="T_cell-05_0"></table>'


# --- what is stale --------------------------------------------------------------------------------


def test_a_notebook_is_bare_then_published_then_stale_when_its_source_is_edited(project):
    path = notebook_of(project)
    assert state_of(path) == "bare"
    publish(project)
    assert state_of(path) == "published"
    edited = read(path)
    cell_of(edited, "cell-01")["source"] = ["import numpy"]
    write(path, edited)
    told = "00_tiny: its source was edited after it was published; run `make publish`."
    assert state_of(path) == told


def test_outputs_that_were_not_published_are_told_apart(project):
    path = notebook_of(project)
    run_by_hand = a_source()
    cell_of(run_by_hand, "cell-05")["outputs"] = [stream("by hand\n")]
    write(path, run_by_hand)
    assert "00_tiny, cell-05: its outputs are not those of `make publish`" in state_of(path)
    write(path, a_source())
    publish(project)
    touched = read(path)
    cell_of(touched, "cell-05")["outputs"] = []
    write(path, touched)
    assert "its outputs were changed after it was published" in state_of(path)


def test_outputs_and_metadata_do_not_make_a_finished_run_untrue(project, monkeypatch):
    from semcal_utils.runs.marks import made_from
    from semcal_utils.runs.plan import Step

    monkeypatch.setenv("SEMCAL_ROOT", str(project))
    path = notebook_of(project)
    step = Step(NAME, None, "workbook", path, project / "x.ipynb", {})
    before = made_from(step)
    publish(project)
    assert made_from(step) == before


# --- what is refused ------------------------------------------------------------------------------


def refusal(project):
    before = notebook_of(project).read_bytes()
    with pytest.raises(PublishingError) as refused:
        publish(project)
    assert notebook_of(project).read_bytes() == before
    return str(refused.value)


def test_a_missing_run_is_refused(project):
    (project / "data" / "runs" / "workbook" / "notebooks" / f"{NAME}.ipynb").unlink()
    told = refusal(project)
    assert told.startswith("00_tiny: it has no executed copy")
    assert "run `python -m semcal_utils.regenerate" in told


def test_a_run_that_did_not_finish_is_refused(project):
    (project / "data" / "runs" / "workbook" / "notebooks" / f"{NAME}.finished.json").unlink()
    assert "its last run did not finish" in refusal(project)


def test_a_source_that_was_edited_after_the_run_is_refused(project):
    edited = a_source()
    cell_of(edited, "cell-05")["source"] = ["table"]
    write(notebook_of(project), edited)
    assert refusal(project).startswith("00_tiny, cell-05: it was edited after the last run; run")
    edited["cells"] = [cell for cell in edited["cells"] if cell["id"] != "cell-05"]
    write(notebook_of(project), edited)
    assert "00_tiny, cell-05: the last run still had this cell" in refusal(project)


def test_an_error_output_is_refused(tmp_path):
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no labels", "traceback": []}
    project = write_project(tmp_path, executed=with_output("cell-05", error))
    told = refusal(project)
    assert told == (
        "00_tiny, cell-05: it ended with ValueError: no labels; "
        "mend the cell and run the notebook again."
    )


@pytest.mark.parametrize(
    "text",
    [
        "read /home/ada/city/data.csv\n",
        "C:\\Users\\ada\\x.csv\n",
        "'/tmp/run-1/x'\n",
        "(/root/x)\n",
    ],
)
def test_a_path_of_this_machine_is_refused(tmp_path, text):
    project = write_project(tmp_path, executed=with_output("cell-05", stream(text)))
    told = refusal(project)
    assert "00_tiny, cell-05: its output names a folder of this machine" in told
    assert "relative to the project" in told


@pytest.mark.parametrize(
    "text", ["figures/home/x.png", "data/runs/workbook", "https://x.org/home/a", "and/or", "a /b"]
)
def test_other_words_with_slashes_are_no_paths_of_a_machine(text):
    assert not LOCAL_PATH.search(text)


def test_a_notebook_too_large_for_a_page_is_refused_by_its_heaviest_cell(tmp_path):
    noise = random.Random(0).randbytes(LARGEST)
    project = write_project(tmp_path, executed=with_output("cell-05", stream(noise.hex() + "\n")))
    told = refusal(project)
    assert "00_tiny, cell-05: the notebook would have 3.0" in told
    assert "MB of at most 1.5" in told


def test_the_command_line_says_it_in_one_line_and_fails(project, monkeypatch, capsys):
    monkeypatch.setenv("SEMCAL_ROOT", str(project))
    (project / "README.md").write_text("# Tiny")
    before = {path: path.read_bytes() for path in project.rglob("*.ipynb")}
    assert main(["publish"]) == 1
    assert "city_pictures: its results are missing" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in project.rglob("*.ipynb")} == before
    assert not (project / "figures" / "published").exists()
    (project / "data" / "runs" / "workbook" / "notebooks" / f"{NAME}.ipynb").unlink()
    assert main(["publish"]) == 1
    assert "no executed copy" in capsys.readouterr().err


# --- pictures -------------------------------------------------------------------------------------


def opened(encoded):
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def test_a_line_drawing_keeps_every_pixel_and_no_metadata():
    drawn = picture((60, 40))
    small = opened(shrink_png(drawn))
    assert small.info == {}
    assert small.convert("RGB").tobytes() == opened(drawn).convert("RGB").tobytes()


def test_a_large_picture_is_reduced_but_looks_the_same():
    noise = Image.effect_noise((600, 400), 60).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    heavy = base64.b64encode(buffer.getvalue()).decode()
    light = shrink_png(heavy)
    assert opened(light).size == (600, 400)
    assert len(light) <= len(heavy)
    assert shrink_png(heavy) == light


def test_a_heavy_animation_keeps_its_duration_and_its_last_frame():
    frames = [Image.effect_noise((400, 300), 20 + n).convert("RGB") for n in range(12)]
    frames[-1] = Image.new("RGB", (400, 300), "#0072B2")
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    heavy = base64.b64encode(buffer.getvalue()).decode()
    assert len(buffer.getvalue()) > LARGEST_GIF
    html = shrink_gifs(f'<img alt="moving" src="data:image/gif;base64,{heavy}">')
    light = re.search('base64,([^"]+)', html)[1]
    assert len(base64.b64decode(light)) <= LARGEST_GIF
    found = opened(light)
    times = [frame.info["duration"] for frame in ImageSequence.Iterator(found)]
    assert sum(times) == 1200
    last = [frame.convert("RGB") for frame in ImageSequence.Iterator(found)][-1]
    assert np.abs(np.array(last)[5, 5].astype(int) - [0x00, 0x72, 0xB2]).max() < 40
    assert shrink_gifs(html) == html


def test_a_reading_is_spoken_without_marks():
    assert spoken("**Read the figure:** [a](b.png) is *2* `x`") == "a is 2 x"


def test_a_warning_is_published_without_the_place_it_came_from():
    from book.outputs import steady

    text = "/work/a/semcal_utils/x.py:93: UserWarning: R holds no 'food'.\n  recipe = fit(\nafter\n"
    output = {"output_type": "stream", "name": "stderr", "text": text}
    assert steady(output, "cell-01", 1)["text"] == ["UserWarning: R holds no 'food'.\n", "after\n"]
