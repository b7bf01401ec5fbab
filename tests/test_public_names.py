"""What a reader may call has a name at a door, types, and words that JupyterLab's help shows."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import semcal_utils

ROOMS = sorted(module.name for module in pkgutil.iter_modules(semcal_utils.__path__))


def public_names(room):
    module = importlib.import_module(f"semcal_utils.{room}")
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
        ]
    return {name: getattr(module, name) for name in names}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_says_in_its_first_line_what_it_does(room):
    module = importlib.import_module(f"semcal_utils.{room}")
    assert inspect.getdoc(module)
    for name, value in public_names(room).items():
        if inspect.isfunction(value) or inspect.isclass(value):
            words = inspect.getdoc(value)
            assert words, f"{room}.{name} has no docstring"
            assert words.splitlines()[0].endswith((".", "?")), f"{room}.{name}: {words[:80]}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_function_has_types(room):
    for name, value in public_names(room).items():
        if inspect.isfunction(value):
            signature = inspect.signature(value)
            bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
            assert not bare, f"{room}.{name} does not say what {bare} are"
            assert signature.return_annotation is not signature.empty, f"{room}.{name}"
