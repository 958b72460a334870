"""Field pages and pages inside a notebook, in a real browser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.fields.portrait import Portrait
from onekcal.molecules import Molecules
from onekcal.show.notebook import Page, show
from onekcal.show.pages import voxels

N = 8
SET = """(() => {{
  const box = document.getElementById('{name}');
  box.value = {value};
  box.dispatchEvent(new Event('input'));
  box.dispatchEvent(new Event('change'));
}})()"""
PIXEL = """(() => {{
  const canvas = document.getElementById('slice'), side = canvas.clientWidth - ROOM;
  const at = [ROOM + ({i} + 0.5) * side / {n}, side - ({j} + 0.5) * side / {n}]
    .map(x => Math.round(x * devicePixelRatio));
  return Array.from(canvas.getContext('2d').getImageData(...at, 1, 1).data).slice(0, 3);
}})()"""


def a_portrait() -> Portrait:
    """A hydrogen molecule far from the voxels that are looked at; every voxel has a value of its
    own.
    """
    x, y, z = np.indices((N, N, N)) / (N - 1)
    values = 0.2 * x + 0.3 * y + 0.5 * z
    molecule = Molecules(
        torch.tensor([1, 1]),
        torch.tensor([[0.0, 0.0, -0.37], [0.0, 0.0, 0.37]], dtype=torch.float64),
        torch.tensor([0, 2]),
    )
    return Portrait("lol", "localized orbital locator", molecule, values, 6.0, values, 6.0)


def test_the_slider_shows_the_voxels_of_its_layer(tmp_path: Path, open_page: Callable) -> None:
    one = a_portrait()
    voxels.html(
        [one, replace(one, title="upside down", voxels=one.voxels[:, :, ::-1])],
        tmp_path / "field.html",
        "H2",
    )
    tab = open_page(tmp_path / "field.html", width=480)

    tab.run(
        "scene.viewer.render = () => {}"
    )  # what is beside the layer takes seconds where there is no graphics card

    def expected(value: float) -> np.ndarray:
        from matplotlib import colormaps

        limit = np.quantile(one.voxels, 0.998)
        return 255 * np.array(colormaps["viridis"](min(int(64 * value / limit), 63) / 63)[:3])

    seen = []
    for axis, layer in ((2, 1), (2, 6), (0, 3), (1, 5)):
        tab.run(SET.format(name="axis", value=axis))
        tab.run(SET.format(name="layer", value=layer))
        seen.append(tab.run(PIXEL.format(n=N, i=1, j=6)))
        place = {2: (1, 6, layer), 0: (layer, 1, 6), 1: (1, layer, 6)}[axis]
        assert seen[-1] == pytest.approx(expected(one.voxels[place]), abs=2)
        assert f"{layer + 1} of {N}" in tab.run("document.getElementById('where').textContent")
    assert len({tuple(pixel) for pixel in seen}) == 4
    tab.run(SET.format(name="field", value=1))  # the other field starts in the middle
    tab.run(SET.format(name="axis", value=2))
    tab.run(SET.format(name="layer", value=1))
    assert tab.run(PIXEL.format(n=N, i=1, j=6)) == pytest.approx(
        expected(one.voxels[1, 6, N - 2]), abs=2
    )


def test_moving_the_slider_by_a_key_changes_the_picture(
    tmp_path: Path, open_page: Callable
) -> None:
    voxels.html([a_portrait()], tmp_path / "field.html", "H2")
    tab = open_page(tmp_path / "field.html", width=480)
    scene = "document.querySelector('#scene canvas').toDataURL()"
    picture = "document.getElementById('slice').toDataURL()"
    before = tab.run(picture)
    assert len(base64.b64decode(before.partition(",")[2])) > 1000
    assert tab.run(scene) is not None
    tab.run("document.getElementById('layer').focus()")
    tab.press("ArrowRight")
    assert tab.run("document.getElementById('layer').value") == str(N // 2 + 1)
    assert tab.run(picture) != before
    assert tab.run("document.documentElement.scrollWidth") <= 480


def test_a_page_works_in_a_notebook_and_leaks_nothing(
    tmp_path: Path, open_page: Callable, water: Molecules
) -> None:
    page = show(water)
    cell = (
        f"<!doctype html><html data-ready='yes'><body style='background: rgb(255, 0, 0)'>"
        f"<main id='ours'>mine</main>{page._repr_html_()}</body></html>"
    )
    (tmp_path / "cell.html").write_text(cell, encoding="utf-8")
    tab = open_page(tmp_path / "cell.html")
    look = "document.getElementById('scene')?.getAttribute('aria-label')"
    tab.wait("window.frames.length === 1")
    (inside,) = (
        each for each in tab.contexts[1:] if tab.run("location.href", each) == "about:srcdoc"
    )
    tab.wait("document.documentElement.dataset.ready === 'yes'", inside)
    assert "H2O" in tab.run(look, inside)
    assert (
        tab.run("getComputedStyle(document.getElementById('ours')).paddingLeft") == "0px"
    )  # 16 px by the page's style
    assert tab.run("getComputedStyle(document.querySelector('main')).paddingLeft", inside) == "16px"
    assert tab.run("window.$3Dmol === undefined && window.Plotly === undefined")


def test_what_a_notebook_shows_stays_inside_its_frame() -> None:
    text = Page("<p title='a'>\"b\" & c</p>", 'a "title"')._repr_html_()
    assert text.count("<") == 2  # the frame opens and closes; what is in it is text of an attribute
    assert 'srcdoc="&lt;p title=&#x27;a&#x27;&gt;&quot;b&quot; &amp; c&lt;/p&gt;"' in text
