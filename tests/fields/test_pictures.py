"""Fields to look at: cube files, surfaces, pictures, and the command that makes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.io.cube import read_cube
from typer.testing import CliRunner

from onekcal.cli.main import app
from onekcal.errors import InputError
from onekcal.fields import fields
from onekcal.fields.compute import request
from onekcal.fields.cube_file import write_cube
from onekcal.fields.grid import centres, cube, frames
from onekcal.fields.portrait import Portrait, portraits
from onekcal.fields.voxel_file import open_file
from onekcal.molecules import Molecules
from onekcal.show.pages import voxels
from onekcal.show.render.isosurface import isosurface
from onekcal.show.render.raycast import picture, view
from onekcal.units import BOHR

WATER = Molecules.one(
    [8, 1, 1], [[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]], name="water"
)


def ball(n: int = 40, box: float = 6.0) -> tuple[np.ndarray, float]:
    """Distance from the centre, negative outwards: its surface at −1.5 … is a sphere."""
    along = centres(n, box).numpy()
    x, y, z = np.meshgrid(along, along, along, indexing="ij")
    return 3 - np.sqrt(x**2 + y**2 + z**2), box


def one_atom() -> Molecules:
    return Molecules.one([8], [[0, 0, 0]])


def portrait(name: str = "lol") -> Portrait:
    values, box = ball()
    return Portrait(name, "a ball", one_atom(), values, box, values[::4, ::4, ::4], box)


def test_a_cube_file_is_read_by_others_with_the_molecule_where_it_is(tmp_path: Path) -> None:
    values = fields(WATER, ["nep"], n=7)[0, 0].numpy()
    placed = frames(WATER).placed(WATER)
    write_cube(tmp_path / "w.cube", placed, values, 10.4, "water: nep")
    with (tmp_path / "w.cube").open() as file:
        found = read_cube(file)
    assert found["atoms"].numbers.tolist() == [8, 1, 1]
    assert np.allclose(found["atoms"].positions, placed.positions, atol=1e-5)
    assert np.allclose(found["data"], values, rtol=1e-4)
    assert np.allclose(found["origin"], centres(7)[0], atol=1e-5)
    assert np.allclose(found["spacing"], np.eye(3) * 10.4 / 7, atol=1e-5)


def test_triangles_lie_on_the_surface_and_face_outwards() -> None:
    values, box = ball()
    vertices, triangles = isosurface(values, 1.0)
    points = (vertices + 0.5) * (box / len(values)) - box / 2
    radius = np.linalg.norm(points, axis=1)
    assert np.abs(radius - 2).max() < 0.02
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    assert ((normals * (a + b + c)).sum(1) > 0).all()
    assert 0.5 * np.linalg.norm(normals, axis=1).sum() == pytest.approx(16 * np.pi, rel=0.01)
    # closed: every edge belongs to two triangles, in opposite directions
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    there, back = (set(map(tuple, side)) for side in (edges, edges[:, ::-1]))
    assert there == back
    hollow, _ = isosurface(-values, -1.0)
    assert len(hollow) == len(vertices)


def test_a_level_no_voxel_reaches_has_no_surface() -> None:
    vertices, triangles = isosurface(ball()[0], 9.0)
    assert (len(vertices), len(triangles)) == (0, 0)
    values, box = ball()
    bare = picture(one_atom(), values, box, [9.0], view(0, 0), 40)
    assert bare.min() < 0.9  # the atom is still there


def test_a_ray_meets_the_sphere_where_it_is() -> None:
    values, box = ball()
    seen = picture(one_atom(), values, box, [1.0], view(30, 20), 120)
    covered = (seen < 0.995).any(2)
    # the picture reaches half an ångström beyond the voxels inside: 5 Å for a sphere of radius 2 Å
    share = covered.sum() / covered.size
    assert share == pytest.approx(np.pi * 2**2 / 5.0**2, rel=0.06)
    centre = covered.shape[0] // 2, covered.shape[1] // 2
    assert covered[centre]
    assert not covered[0, 0]
    assert not covered[-1, -1]


def test_a_view_has_upright_right_handed_axes() -> None:
    for azimuth, elevation in ((0, 0), (-72, 68), (200, -30)):
        axes = view(azimuth, elevation)
        assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1)
        assert axes[1, 2] > 0


def test_pictures_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voxels, "PIXELS", 60)
    monkeypatch.setattr(voxels, "DPI", 30)
    voxels.png([portrait(), portrait("esp")], tmp_path / "p.png", "two", [1.0])
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    voxels.html(
        [portrait(), replace(portrait(), title="another")], tmp_path / "p.html", "two", [1.0]
    )
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "another" in page
    assert 'src="http' not in page
    for name, what in (("p.jpg", r"saved as \.png"), ("no/p.png", "no folder")):
        with pytest.raises(InputError, match=what):
            voxels.png([portrait()], tmp_path / name, "x")
    monkeypatch.setattr(
        "onekcal.system.files.os.replace", lambda *paths: 1 / 0
    )  # the last that can go wrong
    with pytest.raises(ZeroDivisionError):
        voxels.png([portrait()], tmp_path / "q.png", "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.html", "p.png"]


def test_a_portrait_is_finer_than_what_is_stored_and_of_the_same_molecule() -> None:
    found = portraits(WATER, request(["lol", "atom:O"], "gfn2", 8))
    assert found[0].voxels.shape == (8, 8, 8)
    assert len(found[0].fine) > 30
    assert np.array_equal(found[0].voxels, fields(WATER, ["lol"], n=8)[0, 0].numpy())
    assert np.array_equal(found[1].fine, found[1].voxels)  # nothing lies between voxels of atoms
    assert found[0].fine.max() > found[0].voxels.max()


def test_the_lone_pairs_of_water_stand_apart_from_its_bonds() -> None:
    """At the level that is drawn: one body on each bond, and one behind the oxygen."""
    from scipy.ndimage import label

    one = portraits(WATER, request(["lol"], "gfn2", 8))[0]
    bodies, count = label(one.fine > voxels.levels_of(one)[0])
    n = len(one.fine)
    at = ((one.placed.positions.numpy() + one.edge / 2) * (n / one.edge)).astype(int)
    bonds = {int(bodies[tuple(place)]) for place in at[1:]}
    assert len(bonds) == 2
    assert 0 not in bonds
    pairs = set(range(1, count + 1)) - bonds
    oxygen, hydrogens = one.placed.positions[0].numpy(), one.placed.positions[1:].mean(0).numpy()
    large = [body for body in pairs if (bodies == body).sum() > 20]
    assert large
    for body in large:
        middle = (np.argwhere(bodies == body).mean(0) + 0.5) * one.edge / n - one.edge / 2
        assert (middle - oxygen) @ (hydrogens - oxygen) < 0


# --- the command ------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str):
        return CliRunner().invoke(app, ["field", *words])

    return call


def test_a_smiles_becomes_a_file_and_a_cube(run, tmp_path: Path) -> None:
    found = run("O", "--kind", "lol,nep", "--grid", "6", "--out", "w.h5", "--cube", "w.cube")
    assert found.exit_code == 0, found.output
    assert "w.h5: 1 molecules, lol, nep on 6³ voxels of 10.4 Å; 1 computed now" in found.stdout
    assert open_file(tmp_path / "w.h5", whole=True).kinds == ("lol", "nep")
    assert sorted(path.name for path in tmp_path.glob("w*")) == ["w-lol.cube", "w-nep.cube", "w.h5"]


def test_without_out_the_store_is_filled_that_training_reads(run) -> None:
    found = run("mini", "--kind", "nep", "--grid", "4", "--json")
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    assert said["computed"] == said["done"] > 0
    assert json.loads(run("mini", "--kind", "nep", "--grid", "4", "--json").stdout)["computed"] == 0


def test_a_large_molecule_needs_fit_or_a_larger_box(run, tmp_path: Path) -> None:
    lines = ["12", "chain"] + [f"C {1.3 * k} {0.1 * (k % 2)} 0" for k in range(12)]
    (tmp_path / "chain.xyz").write_text("\n".join(lines) + "\n")
    refused = run("chain.xyz", "--kind", "nep", "--out", "c.h5")
    assert isinstance(refused.exception, InputError)
    assert "needs 14.4 Å" in str(refused.exception)
    assert not list(tmp_path.glob("c.h5*"))
    fitted = run("chain.xyz", "--kind", "nep", "--out", "c.h5", "--fit", "--grid", "5", "--json")
    assert json.loads(fitted.stdout)["box"] == 14.4
    assert (
        json.loads(run("O", "--kind", "nep", "--fit", "--grid", "5", "--json").stdout)["box"]
        == 10.4
    )


def test_failures_are_said_and_the_rest_is_done(run, tmp_path: Path) -> None:
    (tmp_path / "two.xyz").write_text(
        "2\nhydroxyl\nO 0 0 0\nH 0 0 0.97\n3\nwater\nO 0 0 0.117\nH 0 0.757 -0.469\n"
        "H 0 -0.757 -0.469\n"
    )
    found = run("two.xyz", "--kind", "lol", "--grid", "4", "--out", "t.h5")
    assert found.exit_code == 0
    assert "t.h5: 1 molecules" in found.stdout
    assert "onekcal: row 0" in found.stderr
    assert "unpaired is impossible" in found.stderr


def test_a_wavefunction_file_brings_its_own_density(run, tmp_path: Path) -> None:
    pytest.importorskip("pyscf")
    from pyscf import gto
    from pyscf.tools import molden

    mol = gto.M(
        atom=[[z, r] for z, r in zip((8, 1, 1), WATER.positions.tolist())],
        basis="sto-3g",
        verbose=0,
    )
    coefficients = np.linalg.inv(
        np.linalg.cholesky(mol.intor("int1e_ovlp"))
    ).T  # any orthonormal orbitals do
    molden.from_mo(
        mol, "w.molden", coefficients, occ=np.array([2.0] * 5 + [0] * 2), ene=np.arange(7.0)
    )
    found = run(
        "w.molden", "--kind", "rho,nep", "--grid", "20", "--out", "w.h5", "--cube", "w.cube"
    )
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines() == ["wrote w.h5", "wrote w-rho.cube", "wrote w-nep.cube"]
    file = open_file(tmp_path / "w.h5", whole=True)
    assert file.fields[0, 1] == pytest.approx(fields(WATER, ["nep"], n=20)[0, 0].numpy(), rel=1e-4)
    points = frames(WATER).points(0, cube(20)).numpy() / BOHR
    expected = 2 * np.square(mol.eval_gto("GTOval", points) @ coefficients[:, :5]).sum(1)
    assert file.fields[0, 0].ravel() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(InputError, match="brings its own density"):
        raise run("w.molden", "--kind", "rho", "--density", "gfn2").exception


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("O", "--kind", "loll"), "did you mean 'lol'"),
        (("O", "--kind", "lol", "--density", "gfn3"), "no method"),
        (("O", "--kind", "nep", "--grid", "0"), "grid needs"),
        (("O", "--kind", "nep", "--molecule", "3"), "from 0 to 0"),
        (("O", "--kind", "nep", "--out", "x.txt"), "must end in .h5"),
    ],
)
def test_wrong_words_are_refused_in_one_line(run, words: tuple[str, ...], what: str) -> None:
    found = run(*words)
    assert isinstance(found.exception, InputError)
    assert what in str(found.exception)
