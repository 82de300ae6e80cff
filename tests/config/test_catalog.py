"""What the catalog reads from source text is what Python sees after importing it."""

import importlib
import subprocess
import sys

import pytest

from rmldnn.component import form
from rmldnn.config import catalog
from rmldnn.config.meanings import described

forms = [(group, found) for group in catalog.GROUPS for found in catalog.group(group).values()]


@pytest.mark.parametrize(("group", "found"), forms, ids=[f"{group}-{found.name}" for group, found in forms])
def test_read_signature_equals_the_imported_one(group, found):
    module, name = found.target.rsplit(".", 1)
    imported = form(getattr(importlib.import_module(module), name))
    assert imported.parameters == found.parameters
    assert (imported.name, imported.title, imported.target) == (found.name, found.title, found.target)


@pytest.mark.parametrize(("group", "found"), forms, ids=[f"{group}-{found.name}" for group, found in forms])
def test_every_default_is_a_value_of_its_type(group, found):
    for parameter in found.parameters.values():
        assert parameter.required or parameter.accepts(parameter.default), parameter


@pytest.mark.parametrize(("group", "found"), forms, ids=[f"{group}-{found.name}" for group, found in forms])
def test_every_key_is_documented(group, found):
    for name in found.parameters if group != "layer" else ():  # layers of a family are described once
        assert f"    {name}: " in described(group, found), f"{found.target} does not say what `{name}` is"


def test_names_are_matched_without_regard_to_case():
    assert catalog.find("optimizer", "rmsPROP") is catalog.find("optimizer", "RMSprop")


def test_reading_all_groups_imports_no_torch():
    program = (
        "import sys; from rmldnn.config import catalog\n"
        "for name in catalog.GROUPS: catalog.group(name)\n"
        "assert 'torch' not in sys.modules and 'hydra' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
