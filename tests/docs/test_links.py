"""Links of the pages lead somewhere, and what people look for is two clicks from the first page."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def _docs_site() -> ModuleType:
    """scripts/docs_site.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts" / "docs_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site = _docs_site()


def _slug(heading: str) -> str:
    """The anchor of a heading, as mkdocs makes it."""
    plain = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
    return re.sub(r"[-\s]+", "-", plain)


def _broken(page: Path) -> list[str]:
    out = []
    for target, anchor in site.links(page):
        if not target.exists():
            out.append(f"{page.name} links to {target}, which does not exist")
        elif anchor and target.suffix == ".md":
            text = site.filled(target.read_text(encoding="utf-8"))
            heads = re.findall(r"^#+ (.*)$", text, re.M)
            if anchor not in map(_slug, heads):
                out.append(
                    f"{page.name} links to {target.name}#{anchor}, which has no such heading"
                )
    return out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert _broken(page) == []


def test_a_link_to_nothing_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](nothing.md) `[b](code.md)`\n\n```\n[c](block.md)\n```\n")
    assert len(_broken(page)) == 1


SOUGHT = {
    "where a SMILES becomes a geometry": ("geometry/conformers.py", "def conformers"),
    "where an interval is made": ("trust/conformal.py", "def interval"),
    "where HIP-NN's equation 9 is": ("networks/hipnn.py", "(9)"),
    "what sparse_kernel accepts": ("reference/stages.md", "`landmarks`"),
    "how to add a verb": ("howto/new-verb.md", "app.command"),
}


def _two_clicks_away(place: str, words: str) -> bool:
    """Whether a page that ends in `place` and holds `words` is two clicks from docs/index.md."""
    first = {target for target, _ in site.links(ROOT / "docs" / "index.md")}
    second = {target for page in first if page.suffix == ".md" for target, _ in site.links(page)}
    pages = [page for page in first | second if page.as_posix().endswith(place)]
    return any(words in site.filled(page.read_text(encoding="utf-8")) for page in pages)


@pytest.mark.parametrize("what", SOUGHT)
def test_it_is_two_clicks_from_the_first_page(what: str) -> None:
    assert _two_clicks_away(*SOUGHT[what])


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("trust/conformal.py", "def no_such_function"),  # the page is there, the words are not
        ("networks/training/loop.py", "def "),  # a file of the package that no page names
    ],
)
def test_what_no_page_leads_to_is_not_two_clicks_away(place: str, words: str) -> None:
    assert not _two_clicks_away(place, words)


def test_every_decision_is_in_the_list_of_decisions() -> None:
    index = ROOT / "docs" / "adr" / "index.md"
    listed = {target for target, _ in site.links(index)}
    assert set(index.parent.glob("0*.md")) <= listed


def test_every_command_stage_and_key_is_in_the_reference() -> None:
    from onekcal.models.registry import MODELS
    from onekcal.runs.data_choice import DataChoice
    from onekcal.runs.experiment import Experiment

    for verb in ("predict", "train", "evaluate", "label", "data import", "bench check"):
        assert f"## onekcal {verb}\n" in site.generated("commands")
    for name in MODELS:
        assert f"## {name}\n" in site.generated("stages")
    for key in (*Experiment.model_fields, *DataChoice.model_fields):
        assert f"| `{key}` |" in site.generated("experiment")


def test_the_readme_has_two_commands_in_at_most_150_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    block = re.search(r"```sh\n(.*?)```", text, re.S)
    assert block
    assert len(block[1].strip().splitlines()) == 2


def test_every_public_name_is_in_the_reference_of_python() -> None:
    import onekcal

    text = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: onekcal\.(\w+)$", text, re.M))
    assert shown == set(onekcal.__all__) - {"__version__"}
