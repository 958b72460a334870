"""Entropies, heat capacities and free energies: literature, limits, and symmetry numbers."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule as ase_molecule

from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.thermo.free_energies import LEVELS, R, thermochemistry
from onekcal.thermo.frequencies import GAS, TEMPERATURE
from onekcal.thermo.symmetry import TOLERANCE, _fitted, _reference, symmetry_number
from onekcal.units import KJ


def built(name: str, spin: int = 0) -> Molecules:
    """A geometry of the G2 set (MP2(full)/6-31G(d)), as ASE ships it."""
    atoms = ase_molecule(name)
    return Molecules.one(atoms.numbers.tolist(), atoms.positions, spin=spin)


def diatomic(symbols: str, distance: float, spin: int = 0) -> Molecules:
    return Molecules.one(symbols.split(), [[0, 0, 0], [0, 0, distance]], spin=spin)


def atom(symbol: str) -> Molecules:
    return Molecules.one([symbol], [[0.0, 0.0, 0.0]])


WAVES = {
    "H2O": [3657, 1595, 3756],
    "CO2": [1333, 2349, 667, 667],
    "CH4": [2917, 1534, 1534] + [3019] * 3 + [1306] * 3,
    "NH3": [3337, 950, 3444, 3444, 1627, 1627],
    "C2H6": [2954, 1388, 995, 289, 2896, 1379] + [2969, 1468, 1190] * 2 + [2985, 1469, 822] * 2,
    "C2H4": [3026, 1623, 1342, 1023, 3103, 1236, 949, 943, 3106, 826, 2989, 1444],
}
"""1/cm, fundamentals: Shimanouchi, Molecular Vibrational Frequencies, NSRDS-NBS 39 (1972)."""
POLYATOMIC = {  # J/mol/K: entropy, heat capacity, and how far the model may be off
    "H2O": (188.84, 33.59, 0.3),
    "CO2": (213.79, 37.13, 0.3),
    "CH4": (186.25, 35.69, 0.3),
    "NH3": (192.77, 35.65, 0.7),
    "C2H6": (229.22, 52.49, 2.0),
    "C2H4": (219.32, 42.89, 0.5),
}
"""Chase, NIST-JANAF Thermochemical Tables (1998), 1 bar, 298.15 K; ethane: Gurvich et al., 1991.

Fundamentals stand for harmonic wavenumbers. Ammonia inverts and ethane's methyl groups rotate, so
they may be farther off.
"""


@pytest.mark.parametrize("name", POLYATOMIC)
def test_entropies_and_heat_capacities_agree_with_the_tables(name: str) -> None:
    entropy, capacity, limit = POLYATOMIC[name]
    found = thermochemistry(built(name), WAVES[name])
    assert found.entropy * 4.184 == pytest.approx(entropy, abs=limit)
    assert found.heat_capacity * 4.184 == pytest.approx(capacity, abs=limit)


@pytest.mark.parametrize(
    ("symbols", "distance", "wave", "spin", "entropy", "capacity"),
    [
        ("N N", 1.0977, 2330.0, 0, 191.61, 29.12),
        ("O O", 1.2075, 1556.0, 2, 205.15, 29.38),
        ("C O", 1.1283, 2143.0, 0, 197.66, 29.14),
        ("O H", 0.9697, 3570.0, 1, 183.71, 29.99),
        ("N O", 1.1508, 1876.0, 1, 210.76, 29.84),
        ("H H", 0.7414, 4161.0, 0, 130.68, 28.84),
        ("H Cl", 1.2746, 2886.0, 0, 186.90, 29.14),
    ],
)
def test_diatomics_agree_with_the_tables(
    symbols: str, distance: float, wave: float, spin: int, entropy: float, capacity: float
) -> None:
    """JANAF; constants of Huber & Herzberg. H₂'s classical rotation lacks 0.8 J/mol/K."""
    found = thermochemistry(diatomic(symbols, distance, spin), [wave])
    assert found.entropy * 4.184 == pytest.approx(entropy, abs=0.8)
    assert found.heat_capacity * 4.184 == pytest.approx(capacity, abs=0.8)
    if symbols != "H H":
        assert found.entropy * 4.184 == pytest.approx(entropy, abs=0.45)


@pytest.mark.parametrize(
    ("symbol", "entropy", "enthalpy"),
    [
        ("H", 114.717, 6.197),
        ("B", 153.436, 6.316),
        ("C", 158.100, 6.536),
        ("N", 153.301, 6.197),
        ("O", 161.058, 6.725),
        ("F", 158.750, 6.518),
        ("Al", 164.553, 6.919),
        ("Si", 167.981, 7.550),
        ("S", 167.829, 6.657),
        ("Cl", 165.190, 6.272),
    ],
)
def test_atoms_have_the_levels_of_the_tables(symbol: str, entropy: float, enthalpy: float) -> None:
    """S° and H(298.15 K) − H(0) of JANAF; ¹¹B is 0.23 J/mol/K above boron."""
    found = thermochemistry(atom(symbol), [])
    assert found.entropy * 4.184 == pytest.approx(entropy, abs=0.25)
    assert found.enthalpy / KJ == pytest.approx(enthalpy, abs=0.01)


def test_without_its_levels_oxygen_would_be_wrong() -> None:
    """A control: the spin multiplicity alone lacks 5 J/mol/K."""
    alone = thermochemistry(atom("O"), []).parts["electrons"] - R * math.log(3.0)
    assert alone * 4.184 > 4.0
    assert set(LEVELS) >= {"B", "C", "O", "F", "S", "Cl"}


# --- identities -------------------------------------------------------------------------------


def test_the_parts_add_up_and_the_free_energy_follows() -> None:
    found = thermochemistry(built("C2H6"), WAVES["C2H6"], 400.0, 2.0)
    assert found.entropy == pytest.approx(sum(found.parts.values()), abs=1e-12)
    assert found.free_energy == pytest.approx(found.enthalpy - 0.4 * found.entropy, abs=1e-12)


@pytest.mark.parametrize("name", ["H2O", "CO2", "C2H6"])
def test_derivatives_by_temperature_agree_without_the_interpolation(name: str) -> None:
    """dH/dT = Cp and dS/dT = Cp/T, by central differences; with it, the second need not hold."""
    waves, step = WAVES[name], 0.01
    low, mid, high = (
        thermochemistry(built(name), waves, TEMPERATURE + d, quasi_harmonic=False)
        for d in (-step, 0.0, step)
    )
    slope = (high.enthalpy - low.enthalpy) / (2 * step) * 1000.0
    assert slope == pytest.approx(mid.heat_capacity, rel=1e-6)
    slope = (high.entropy - low.entropy) / (2 * step) * TEMPERATURE
    assert slope == pytest.approx(mid.heat_capacity, rel=1e-6)


def test_pressure_changes_the_entropy_by_a_logarithm() -> None:
    one, ten = (thermochemistry(atom("N"), [], pressure=p) for p in (1.0, 10.0))
    assert one.entropy - ten.entropy == pytest.approx(R * math.log(10.0), abs=1e-9)
    assert one.enthalpy == ten.enthalpy == pytest.approx(2.5 * GAS * TEMPERATURE)


def test_the_symmetry_number_divides_the_states() -> None:
    one, six = (thermochemistry(built("C2H6"), WAVES["C2H6"], symmetry=s) for s in (1, 6))
    assert one.entropy - six.entropy == pytest.approx(R * math.log(6.0), abs=1e-9)


@pytest.mark.parametrize("wave", [0.0, 5.0, 20.0, 50.0])
def test_soft_vibrations_have_the_entropy_of_a_rotor(wave: float) -> None:
    """The harmonic value grows without limit as the wavenumber falls, the interpolated one not."""
    stiff = [wave, 1595, 3756]
    soft, harmonic = (
        thermochemistry(built("H2O"), stiff, quasi_harmonic=q).parts["vibration"]
        for q in (True, False)
    )
    assert soft < harmonic
    assert soft < 7.5  # a free rotor of 10⁻⁴⁴ kg m² has 7.41 cal/mol/K
    if wave < 10:
        assert harmonic > 9.0


def test_the_interpolation_is_grimmes() -> None:
    """By hand at ν = 100/cm, where both count half."""
    moment = 6.62607015e-34 / (8 * math.pi**2 * 2.99792458e10 * 100.0)
    moment = moment * 1e-44 / (moment + 1e-44)
    heat = 1.380649e-23 * TEMPERATURE
    rotor = 0.5 + math.log(math.sqrt(8 * math.pi**3 * moment * heat / 6.62607015e-34**2))
    x = 6.62607015e-34 * 2.99792458e10 * 100.0 / heat
    harmonic = x / math.expm1(x) - math.log(-math.expm1(-x))
    found = thermochemistry(built("H2O"), [100.0, 9000.0, 9000.0])
    assert found.parts["vibration"] == pytest.approx(R * (rotor + harmonic) / 2, abs=1e-6)


def test_a_stiff_imaginary_wavenumber_is_left_out_with_a_remark() -> None:
    found = thermochemistry(built("H2O"), [-500.0, 1595, 3756])
    assert "500i/cm" in found.remarks[0]
    soft = thermochemistry(built("H2O"), [-50.0, 1595, 3756])
    assert not soft.remarks
    assert soft.entropy == thermochemistry(built("H2O"), [50.0, 1595, 3756]).entropy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wavenumbers": [1.0, 2.0]}, "expected 3 finite wavenumbers .* got 2"),
        ({"wavenumbers": [1.0, 2.0, math.nan]}, "expected 3 finite wavenumbers"),
        ({"wavenumbers": [1.0] * 3, "temperature": 0.0}, "temperature must be a positive"),
        ({"wavenumbers": [1.0] * 3, "pressure": -1.0}, "pressure must be a positive"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        thermochemistry(built("H2O"), **arguments)  # type: ignore[arg-type]


def test_entropies_of_g3_with_their_own_wavenumbers(real_data: Path) -> None:
    """G3/05 holds B3LYP/6-31G(2df,p) wavenumbers: unscaled, so entropies come out a little low."""
    with np.load(real_data / "g305.npz") as file:
        offsets, waves, ends = file["offsets"], file["frequencies"], file["frequency_offsets"]
        numbers, places, spins = file["Z"], file["R"], file["unpaired"]
        charges = file["charge"]
    tables = {"H2O": 188.84, "CO2": 213.79, "CH4": 186.25, "H3N": 192.77, "C2H6": 229.22}
    tables |= {"N2": 191.61, "O2": 205.15, "C6H6": 269.2, "HO": 183.71, "O2S": 248.22}
    found: dict[str, list[float]] = {}
    for k, (a, b) in enumerate(zip(offsets[:-1], offsets[1:])):
        one = Molecules.one(numbers[a:b].tolist(), places[a:b], spin=int(spins[k]))
        own = waves[ends[k] : ends[k + 1]]
        if charges[k] or one.formulas[0] not in tables:
            continue
        found.setdefault(one.formulas[0], []).append(thermochemistry(one, own).entropy * 4.184)
    errors = {
        name: min(abs(value - tables[name]) for value in values) for name, values in found.items()
    }
    assert len(errors) > 6
    assert max(errors.values()) < 2.5, errors


# --- symmetry ---------------------------------------------------------------------------------

NUMBERS = {
    "CH4": 12, "C2H6": 6, "C6H6": 12, "H2O": 2, "NH3": 3, "CO2": 2, "CO": 1, "N2": 2, "C2H4": 4,
    "C2H2": 2, "HCN": 1, "CH3Cl": 3, "CH3OH": 1, "H2CO": 2, "BF3": 6, "CF4": 12, "SO2": 2,
    "C3H4_D2d": 4, "bicyclobutane": 2, "C3H8": 2, "isobutane": 3, "cyclobutane": 4, "CH3SH": 1,
    "H2O2": 2, "P2": 2, "SiCl4": 12, "C3H4_C3v": 3, "butadiene": 2, "C5H5N": 2, "NF3": 3, "ClF3": 2,
}  # fmt: skip
"""By point group: Fernández-Ramos et al., Theor. Chem. Acc. 118, 813 (2007)."""


@pytest.mark.parametrize("name", NUMBERS)
def test_the_symmetry_number_is_found_from_the_geometry(name: str) -> None:
    assert symmetry_number(built(name)) == NUMBERS[name]


def test_atoms_octahedra_and_cubes() -> None:
    assert symmetry_number(atom("Fe")) == 1
    octahedron = [[0, 0, 0], *np.vstack([np.eye(3), -np.eye(3)]) * 1.56]
    assert symmetry_number(Molecules.one(["S"] + ["F"] * 6, octahedron)) == 24
    cube = np.array(list(product((-1.0, 1.0), repeat=3)))
    cubane = Molecules.one(["C"] * 8 + ["H"] * 8, np.vstack([0.78 * cube, 1.41 * cube]))
    assert symmetry_number(cubane) == 24


@pytest.mark.parametrize("seed", range(3))
def test_it_depends_neither_on_orientation_nor_on_small_errors(seed: int) -> None:
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    for name in ("CH4", "C2H6", "C6H6", "CO2"):
        one = built(name)
        order = random.permutation(len(one.numbers))
        places = one.positions.numpy()[order] @ turn.T + random.normal(size=3)
        places = places + random.uniform(-0.1, 0.1, places.shape) * TOLERANCE
        moved = Molecules.one(one.numbers.numpy()[order].tolist(), places)
        assert symmetry_number(moved) == NUMBERS[name]


def test_a_molecule_that_is_bent_out_of_shape_has_none() -> None:
    """A control: one hydrogen of methane is moved by three tolerances."""
    one = built("CH4")
    places = one.positions.numpy().copy()
    places[1] *= 1.0 + 3.0 * TOLERANCE / np.linalg.norm(places[1])
    assert symmetry_number(Molecules.one(one.numbers.tolist(), places)) == 3


@pytest.mark.parametrize(
    ("name", "tried"), [("isobutane", 3), ("CH3Cl", 3), ("C2H6", 12), ("H2O", 4), ("C6H6", 36)]
)
def test_rotations_are_tried_with_the_rarest_nuclei(name: str, tried: int) -> None:
    """Two nuclei in line with the centre, such as ethane's carbons, fix nothing."""
    one = built(name)
    numbers, places = one.numbers.numpy(), one.positions.numpy()
    places = places - numbers @ places / numbers.sum()
    distances = np.linalg.norm(places, axis=1)
    a, b = _reference(numbers, places, distances, TOLERANCE)
    alike = [(numbers == numbers[k]) & (abs(distances - distances[k]) < TOLERANCE) for k in (a, b)]
    assert alike[0].sum() * alike[1].sum() == tried
    assert np.linalg.norm(np.cross(places[a], places[b])) > 0.3 * distances[a] * distances[b]


def test_places_that_nearly_fit_are_fitted_and_others_are_not() -> None:
    """The frame of the two nuclei that fix a rotation is off where they are off. Each place may
    differ by a tolerance after the fit, so three tolerances are allowed before it."""
    rng = np.random.default_rng(4)
    one = built("isobutane")
    step = rng.normal(size=one.positions.shape)
    step *= 0.3 * TOLERANCE / np.linalg.norm(step, axis=1, keepdims=True)
    places = one.positions.numpy() + step
    assert symmetry_number(Molecules.one(one.numbers.tolist(), places)) == 3
    assert symmetry_number(Molecules.one(one.numbers.tolist(), places), TOLERANCE / 10) == 1


def test_a_mirror_image_is_fitted_with_a_rotation() -> None:
    places = np.random.default_rng(5).normal(size=(6, 3))
    for targets in (-places, places[:, [1, 2, 0]]):
        turn = _fitted(places, targets)
        assert np.allclose(turn @ turn.T, np.eye(3), rtol=0, atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(places @ turn.T, places[:, [1, 2, 0]], rtol=0, atol=1e-12)
