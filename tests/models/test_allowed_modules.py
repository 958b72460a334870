"""A model file from elsewhere makes Python import no module, unless the user allows it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from onekcal.errors import ConfigError
from onekcal.models.artefact import Artefact
from onekcal.models.registry import allowed_modules_only, build, model_class
from onekcal.models.stack import Stack

CODE = """
from pathlib import Path
Path(__file__).with_name("ran").touch()

class Nothing:
    def fit(self, train, valid): return self
    def energies(self, molecules, columns=None): raise NotImplementedError
    def state(self): return {}
    def load_state(self, state): return self
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file that names a class of a module that Python finds, but has not imported."""
    (tmp_path / "strange_module.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("strange_module", None)
    name = "strange_module:Nothing"
    path = tmp_path / "model.safetensors"
    Artefact([(name, {})], Stack([build(name, {})]), "g4mp2").save(path)
    sys.modules.pop("strange_module")
    (tmp_path / "ran").unlink()
    return path


def test_the_module_of_a_strange_model_is_not_run(stranger: Path) -> None:
    with pytest.raises(ConfigError, match="code of a module, 'strange_module'.*ONEKCAL_MODULES"):
        Artefact.load(stranger)
    assert not stranger.with_name("ran").exists()


def test_inside_of_another_stage_it_is_not_run_either(stranger: Path) -> None:
    with allowed_modules_only(stranger), pytest.raises(ConfigError, match="code of a module"):
        build("blend", {"members": ["dressed_atoms", {"strange_module:Nothing": {}}]})
    assert not stranger.with_name("ran").exists()


def test_who_allows_the_module_or_imported_it_has_the_model(
    stranger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEKCAL_MODULES", "others, strange_module")
    assert Artefact.load(stranger).stages[0][0] == "strange_module:Nothing"
    assert stranger.with_name("ran").exists()
    monkeypatch.delenv("ONEKCAL_MODULES")
    assert Artefact.load(stranger).stages[0][0] == "strange_module:Nothing"


def test_an_experiment_of_the_user_may_name_any_module(stranger: Path) -> None:
    assert model_class("strange_module:Nothing").__name__ == "Nothing"


@pytest.mark.parametrize("name", [None, 3, ["x"], {}, "os:system", "subprocess:Popen"])
def test_what_is_no_model_is_refused(tmp_path: Path, name: object) -> None:
    with allowed_modules_only(tmp_path / "a"), pytest.raises(ConfigError):
        model_class(name)  # type: ignore[arg-type]
