"""The page in a real browser, with the real model: what a reader does from the first minute on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from support.browser import CONTRASTS, SILENT, Browser
from support.serving import Client, Settings, serving

HEADLINE = "document.getElementById('headline')?.textContent || ''"
TYPED = """(() => {{
  document.getElementById('{field}').value = {text!r};
  document.getElementById('{button}').click();
}})()"""
DROP = """(() => {{
  const data = new DataTransfer();
  data.items.add(new File([{text!r}], {name!r}));
  window.dispatchEvent(new DragEvent('drop', {{dataTransfer: data, bubbles: true}}));
}})()"""
ROWS = "document.querySelectorAll('#batch-answer tbody tr').length"
STATE = "document.querySelector('#batch-answer .chip')?.textContent"
HOSTILE = "<img src=x onerror=hacked=1>"
MANY = ["C", "CC", "CCO", "O", "N", "CO", "CN", "C=O", "C#C", "CF", "C#N", "CC=O", "COC", "C1CC1"]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with the model that ships, and a run with a hostile name."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / HOSTILE).mkdir()
    (folder / HOSTILE / "metrics.json").write_text('{"mae": 1.0, "unit": "<b>eV</b>"}')
    (folder / HOSTILE / "report.html").write_text("<title>r</title><p id=mine>a report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEKCAL_HOME", str(tmp_path_factory.mktemp("home")))
        with serving(Settings(runs=(folder,))) as client:
            yield client


@pytest.fixture
def visit(chromium: Any, real: Client) -> Iterator[Callable[..., Browser]]:
    """Open an address of the server; afterwards nothing else may have been asked."""
    tabs: list[Browser] = []

    def visited(path: str = "/", **window: Any) -> Browser:
        tab = Browser(chromium, **window)
        tabs.append(tab)
        tab.open(real.address + path)
        return tab

    yield visited
    for tab in tabs:
        own = (real.address, "data:", "blob:", "about:")
        outside = [url for url in tab.requests if not url.startswith(own)]
        hacked = tab.run("window.hacked")
        tab.close()
        assert not outside, outside
        assert hacked is None
        assert not tab.errors, tab.errors


def test_ethanol_is_drawn_and_its_heat_of_formation_read(visit: Callable) -> None:
    tab = visit()
    tab.wait("document.getElementById('editor').dataset.open === 'yes'")
    left, top, width, height = tab.run(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.getElementById('editor').getBoundingClientRect())"
    )
    x, y = left + width / 2, top + height / 2
    typed = "document.getElementById('smiles').value"
    tab.click(x, y)  # a bond that begins here
    tab.wait(f"{typed} === 'CC'")
    tab.click(x + 21, y - 12)  # another bond, at its other end
    tab.wait(f"{typed} === 'CCC'")
    tab.hover(x, y)
    tab.type("o")
    tab.hover(x + 80, y + 80)  # what is typed at an atom holds when the pointer leaves it
    tab.wait(f"['CCO', 'OCC'].includes({typed})")
    tab.wait(f"/^−5[56]\\.\\d\\d ± \\d\\.\\d\\d/.test({HEADLINE})")
    tab.wait("document.getElementById('scene')?.dataset.shown === '9'")
    assert re.search(r"smiles=(CCO|OCC)", tab.run("location.search"))
    sources = tab.run("[...document.querySelectorAll('.ledger td.from')].map(b => b.textContent)")
    assert len(sources) >= 9
    assert all(sources)


def test_a_shared_link_shows_the_answer_conformers_and_the_next_rung(visit: Callable) -> None:
    tab = visit("/?smiles=CCCO")  # of this size nothing ships computed
    tab.wait(f"{HEADLINE} !== ''")
    words = "document.querySelector('.stepper').textContent"
    assert "conformer 1 of" in tab.run(words)
    tab.run("document.getElementById('following').click()")
    assert re.search(r"conformer 2 of .*: \d\.\d\d kcal/mol above", tab.run(words))
    assert "novelty" in tab.run("document.querySelector('.meter').getAttribute('aria-label')")
    assert re.search(r"about \d+ (s|min)", tab.run("document.querySelector('.higher').textContent"))
    tab.run("document.querySelectorAll('#units button')[1].click()")
    assert re.match(r"−25\d\.\d\d ± \d+\.", tab.run(HEADLINE))
    tab.run("document.querySelectorAll('#units button')[0].click()")
    tab.run("document.getElementById('heat').click()")
    tab.wait("document.querySelector('#thermo .tiles') !== null")
    entropy = tab.run("document.querySelector('#thermo dd').textContent")
    assert 70 < float(re.match(r"[\d.]+", entropy)[0]) < 85


def test_a_computed_answer_has_conformers_and_colours_of_the_learned_model(visit: Callable) -> None:
    tab = visit("/?smiles=CCO")  # computed, and shipped
    tab.wait(f"{HEADLINE} !== ''")
    assert "G4(MP2), computed" in tab.run("document.querySelector('.chips').textContent")
    words = "document.getElementById('conformer').textContent"
    tab.wait(f"{words}.startsWith('conformer 1 of 2')")
    tab.run("document.getElementById('atoms').click()")
    tab.run("document.getElementById('following').click()")
    assert re.search(r"conformer 2 of 2: \d\.\d\d kcal/mol above", tab.run(words))
    assert tab.run("document.getElementById('atoms').disabled")  # they are those of the lowest
    tab.run("document.getElementById('previous').click()")
    assert not tab.run("document.getElementById('atoms').disabled")


def test_a_computed_answer_that_the_learned_model_does_not_know_says_so(visit: Callable) -> None:
    tab = visit("/?smiles=[NH4%2B]")
    tab.wait(f"{HEADLINE} !== ''")
    words = "document.getElementById('conformer').textContent"
    tab.wait(f"{words}.startsWith('No conformers and no energies of atoms: ')")
    assert "the model knows neutral molecules" in tab.run(words)
    assert tab.run("document.getElementById('atoms')") is None


def test_surfaces_are_computed_when_they_are_chosen(visit: Callable) -> None:
    tab = visit("/?smiles=CCCO")
    tab.wait(f"{HEADLINE} !== ''")
    scene = "document.getElementById('scene').dataset.surface"
    told = "document.getElementById('surface-told').textContent"
    assert tab.run(scene) in ("", None)
    for kind, words in (("lol", "where it is 0.6"), ("esp", "kcal/mol per unit charge")):
        tab.run(
            f"(box => {{ box.value = '{kind}'; box.dispatchEvent(new Event('change')); }})"
            "(document.getElementById('surface'))"
        )
        tab.wait(f"{scene} === '{kind}'")
        tab.wait(f"{told}.includes('{words}')")
    asked = sum(url.endswith("/api/surface") for url in tab.requests)
    tab.run("document.getElementById('atoms').click()")
    tab.wait("document.getElementById('atoms').checked")
    assert asked == 2
    assert sum(url.endswith("/api/surface") for url in tab.requests) == 2  # kept by the page


def test_what_to_cite_is_copied_as_bibtex(visit: Callable) -> None:
    tab = visit("/?smiles=CO")
    tab.wait(f"{HEADLINE} !== ''")
    tab.run("navigator.clipboard.writeText = async text => { window.copied = text; }")
    tab.run(
        "[...document.querySelectorAll('.share button')].find(b => b.textContent === 'Copy BibTeX')"
        ".click()"
    )
    tab.wait("window.copied !== undefined")
    copied = tab.run("window.copied")
    assert "@software{onekcal," in copied
    assert "10.1063/1.2770701" in copied


def test_the_editor_is_dark_where_the_page_is(visit: Callable) -> None:
    tab = visit("/", dark=True)
    filtered = "getComputedStyle(document.getElementById('editor')).filter"
    assert "invert" in tab.run(filtered)
    tab.dark(False)
    tab.wait(f"{filtered} === 'none'")


def test_a_reaction_has_one_interval_for_the_whole(visit: Callable) -> None:
    tab = visit("/?tab=reaction")
    tab.run("document.getElementById('left').value = 'CCO'")
    tab.run(TYPED.format(field="right", text="COC", button="react"))
    said = "document.querySelector('#reaction-answer .headline')?.textContent || ''"
    tab.wait(f"{said} !== ''")
    energy, half = map(float, re.match(r"([\d.]+) ± ([\d.]+)", tab.run(said)).groups())
    assert 11 < energy < 14
    assert half < 2  # those of the two species alone would make 2.7
    assert "reaction=CCO" in tab.run("location.search")
    tab.run(TYPED.format(field="right", text="CO", button="react"))
    tab.wait("document.querySelector('#reaction-answer .trouble') !== null")


def test_a_dropped_table_of_twenty_streams_in_is_sorted_and_downloaded(visit: Callable) -> None:
    lines = [f"{smiles},{HOSTILE}{k},id-{k}" for k, smiles in enumerate((MANY * 2)[:19])]
    text = "\n".join(["smiles,name,id", *lines, f"{HOSTILE},bad,id-19"])
    tab = visit("/")
    tab.run(DROP.format(text=text, name=f"{HOSTILE}.csv"))
    tab.wait(f"{STATE} === 'done' && {ROWS} === 20")
    assert tab.run("document.querySelectorAll('#page-batch img, #page-batch b').length") == 0
    assert HOSTILE in tab.run("document.getElementById('batch-answer').textContent")
    tab.run("document.querySelectorAll('#batch-answer th button')[2].click()")
    column = (
        "[...document.querySelectorAll('#batch-answer tbody tr')].map(r => r.cells[2].textContent)"
    )
    shown = [float(x.replace("−", "-")) for x in tab.run(column) if x != "–"]
    assert len(shown) == 19
    assert shown == sorted(shown)
    table = tab.run("fetch(document.getElementById('save-csv').href).then(reply => reply.text())")
    assert [f",id-{k}," in line for k, line in enumerate(table.splitlines()[1:])] == [True] * 20
    assert tab.run("document.querySelectorAll('#batch-answer .histogram rect').length") >= 5


def test_the_interval_of_a_row_and_of_a_species_is_that_of_the_molecule(visit: Callable) -> None:
    tab = visit("/?smiles=CCO")
    tab.wait(f"{HEADLINE} !== ''")
    value, half = re.match(r"(\S+) ± (\S+)", tab.run(HEADLINE)).groups()
    tab.run("document.getElementById('tab-batch').click()")
    tab.run(TYPED.format(field="list", text="CCO ethanol", button="send"))
    tab.wait(f"{STATE} === 'done' && {ROWS} === 1")
    cells = "[...document.querySelector('{} tbody tr').cells].map(cell => cell.textContent)"
    assert tab.run(cells.format("#batch-answer"))[2:4] == [value, half]
    tab = visit("/?reaction=CCO%20%3E%3E%20COC")
    tab.wait("document.querySelector('#reaction-answer table') !== null")
    assert tab.run(cells.format("#reaction-answer"))[3:5] == [value, half]


def test_on_a_phone_no_table_is_cut(visit: Callable) -> None:
    tab = visit("/", width=390)
    tab.run(DROP.format(text="CCO ethanol\nCCCCO an alcohol\nC(C bad", name="few.smi"))
    tab.wait(f"{STATE} === 'done' && {ROWS} === 3")
    row = "document.querySelector('#batch-answer tr.bad').innerText"
    assert "not a SMILES that can be read" in tab.run(row)
    for key, shown in (
        ("batch", ROWS),
        ("reaction", "document.querySelectorAll('#reaction-answer tr').length"),
        ("bonds", "document.querySelectorAll('#bonds-answer tr').length"),
        ("runs", "document.querySelectorAll('#runs tbody tr').length"),
    ):
        tab.run(f"document.getElementById('tab-{key}').click()")
        tab.run(f"document.querySelector('#page-{key} .chosen button.quiet')?.click()")
        tab.wait(f"{shown} > 0")
        cut = (
            "[...document.querySelectorAll('.wide')].filter(b => b.scrollWidth > b.clientWidth + 1)"
        )
        assert tab.run(f"{cut}.length") == 0, key
        narrow = (
            "[...document.querySelectorAll('td.num')].filter(b => b.scrollWidth > b.clientWidth)"
        )
        assert tab.run(f"{narrow}.length") == 0, key


def test_a_batch_is_cancelled_and_a_page_that_comes_back_still_has_it(visit: Callable) -> None:
    tab = visit("/?tab=batch")
    lines = "\n".join("C" * (k % 6 + 1) for k in range(400))
    tab.run(TYPED.format(field="list", text=lines, button="send"))
    tab.wait(f"{ROWS} > 1")
    tab.run("document.getElementById('cancel').click()")
    tab.wait(f"{STATE} === 'cancelled'")
    link = tab.run("location.search")
    assert "job=batch-" in link
    again = visit(f"/{link}")
    again.wait(f"{STATE} === 'cancelled' && {ROWS} > 1")


def test_what_a_link_says_is_text(visit: Callable) -> None:
    for key, where in (
        ("smiles", "answer"),
        ("reaction", "reaction-answer"),
        ("bonds", "bonds-answer"),
    ):
        tab = visit(f"/?{key}={quote(HOSTILE)}")
        tab.wait(f"document.querySelector('#{where} .trouble') !== null")
        assert tab.run("document.querySelectorAll('main img').length") == 0
    tab = visit("/?tab=runs")
    tab.wait("document.querySelector('#runs table') !== null")
    assert tab.run("document.querySelectorAll('main img, main b').length") == 0
    tab.run("document.querySelector('#runs button').click()")
    tab.wait("document.querySelector('iframe.report') !== null")


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_and_can_be_read_in_both_themes(width: int, visit: Callable) -> None:
    tab = visit("/?smiles=CO", width=width)
    tab.wait(f"{HEADLINE} !== ''")
    for key in ("molecule", "reaction", "bonds", "batch", "runs"):
        tab.run(f"document.getElementById('tab-{key}').click()")
        assert tab.run("document.documentElement.scrollWidth") <= width, key
        for dark in (False, True):
            tab.dark(dark)
            tab.wait(f"matchMedia('(prefers-color-scheme: dark)').matches === {str(dark).lower()}")
            found = tab.run(CONTRASTS)
            assert len(found) > 8
            assert not [one for one in found if one[0] < 4.5], (key, dark)
        assert tab.run(SILENT) == [], key


def test_the_tabs_are_gone_through_by_keys(visit: Callable) -> None:
    tab = visit("/", width=390)
    tab.run("document.getElementById('tab-molecule').focus()")
    chosen = "document.querySelector('[aria-selected=true]').textContent"
    for name in ("Reaction", "Bonds", "Batch"):
        tab.press("ArrowRight")
        assert tab.run(chosen) == name
    assert tab.run("document.activeElement.id") == "tab-batch"
    assert tab.run("document.getElementById('page-batch').hidden") is False
    tab.press("ArrowLeft")
    assert tab.run(chosen) == "Bonds"


def test_a_file_with_one_molecule_is_shown_and_one_of_several_is_a_batch(
    visit: Callable, tmp_path: Path
) -> None:
    water = "3\n{name}\nO 0 0 0.1173\nH 0 0.7572 -0.4692\nH 0 -0.7572 -0.4692\n"
    tab = visit("/", width=390)
    tab.run(DROP.format(text=water.format(name=HOSTILE), name="water.xyz"))
    tab.wait(f"/^−5\\d\\./.test({HEADLINE})")
    assert HOSTILE in tab.run("document.getElementById('answer').textContent")
    tab.run(DROP.format(text=water.format(name="a") * 2, name="two.xyz"))
    tab.wait(f"{STATE} === 'done' && {ROWS} === 2")


def test_what_cannot_be_read_is_one_line_with_its_reason(visit: Callable) -> None:
    tab = visit("/")
    told = "document.querySelector('#answer .trouble')?.textContent || ''"
    for text, reason in (("CC(C", "not a SMILES"), ("C.C", "2 disconnected"), ("*C", "open place")):
        tab.run(TYPED.format(field="smiles", text=text, button="go"))
        tab.wait(f"({told}).includes({reason!r})")
        assert tab.run(told).count(repr(text)) == 1
    tab.run(DROP.format(text="", name="nothing.xyz"))
    tab.wait(f"({told}).startsWith('nothing.xyz is empty')")
    told = "document.querySelector('#reaction-answer .trouble')?.textContent || ''"
    tab.run("document.getElementById('tab-reaction').click()")
    tab.run(TYPED.format(field="left", text="CC", button="react"))
    tab.wait(f"({told}) !== ''")
    assert tab.run(told) == "'CC >>': a species is missing on the right"
    told = "document.querySelector('#batch-answer .trouble')?.textContent || ''"
    for name, text, reason in (
        ("empty.csv", "", "empty.csv is empty; expected at least one molecule"),
        ("table.csv", "a,b\n1,2\n", "a column named SMILES, got a, b"),
        ("notes.txt", "hello", "notes.txt should end with .xyz"),
    ):
        tab.run(DROP.format(text=text, name=name))
        tab.wait(f"({told}).includes({reason!r})")
        assert "--" not in tab.run(told)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_the_api_fits_and_can_be_read_in_both_themes(
    width: int, chromium: Any, client: Client
) -> None:
    tab = Browser(chromium, width=width)
    tab.open(f"{client.address}/api/docs")
    assert tab.run("document.querySelectorAll('#routes .card').length") >= 14
    cut = "[...document.querySelectorAll('.wide')].filter(b => b.scrollWidth > b.clientWidth + 1)"
    assert tab.run(f"{cut}.length") == 0
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert "`" not in tab.run("document.getElementById('routes').textContent")
    for dark in (False, True):
        tab.dark(dark)
        tab.wait(f"matchMedia('(prefers-color-scheme: dark)').matches === {str(dark).lower()}")
        assert not [one for one in tab.run(CONTRASTS) if one[0] < 4.5], dark
    tab.close()


def test_two_hundred_dropped_molecules_come_in_and_are_downloaded(
    chromium: Any, client: Client
) -> None:
    """The workers only pretend: this is about the page."""
    lines = "\n".join(f"{'C' * (k % 9 + 1)}\tid-{k}\t{k}" for k in range(200))
    tab = Browser(chromium)
    tab.open(client.address)
    tab.run(DROP.format(text=f"smiles\tid\tnumber\n{lines}", name="many.tsv"))
    tab.wait(f"{STATE} === 'done'")
    table = tab.run("fetch(document.getElementById('save-csv').href).then(reply => reply.text())")
    assert [f",id-{k}," in line for k, line in enumerate(table.splitlines()[1:])] == [True] * 200
    assert "200" in tab.run("document.getElementById('progress').textContent")
    tab.close()


def test_a_batch_in_another_unit_is_shown_in_the_unit_of_the_page(
    chromium: Any, client: Client
) -> None:
    job = client.ask("/api/batch?file=a.smi&unit=kJ/mol", b"C methane\nCC ethane", status=202)
    client.until(job["id"], "done")
    path = client.app.state.desk.jobs.job(job["id"]).folder / "answers.jsonl"
    told = path.read_text(encoding="utf-8")
    path.write_text(told.replace("kcal_per_mol", "kJ_per_mol"), encoding="utf-8")
    tab = Browser(chromium)
    tab.open(f"{client.address}/?job={job['id']}")
    tab.wait(f"{ROWS} === 2")
    assert (
        tab.run("document.querySelector('#batch-answer tbody tr').cells[2].textContent") == "−0.36"
    )  # −1.5 kJ/mol
    tab.close()
