"""The basis sets of G4(MP2), put together from pyscf's and short tables of exponents.

Curtiss, Redfern, Raghavachari, J. Chem. Phys. 127, 124105 (2007), and its supplement.

G3MP2LargeXP
    The s and p functions of 6-311++G (H without diffuse p; P, S, Cl and Br with functions of
    their own), three d functions 4a, a, a/4 and one f function; from Na on two f functions, from Al
    to Cl a fourth d function. H has two p functions instead of d.
Modified aug-cc-pVTZ and aug-cc-pVQZ
    cc-pVnZ, from Al on cc-pV(n+d)Z, with diffuse s and p functions only. H has no diffuse functions
    and the polarisation of the next smaller set. Li, Be and Na have diffuse exponents of their
    own.

The sets are spherical. 6-31G(d), the fourth set of the method, is Cartesian; Br, which pyscf lacks
there, has the set of Rassolov et al., J. Comput. Chem. 22, 976 (2001).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Literal

from onekcal.quantum.pople import BROMINE_D, bromine

Shell = list[Any]  # pyscf's form: [angular momentum, [exponent, coefficient, …], …]

ELEMENTS = ("H", "Li", "Be", "B", "C", "N", "O", "F", "Na", "Al", "Si", "P", "S", "Cl", "Br")
"""Elements the method covers here: those that published energies could be compared for (no Mg)."""
WITHOUT_AUXILIARY = frozenset({"Li", "Be", "Na"})
"""Elements without an auxiliary basis of quadruple-zeta quality: theirs is generated."""

# fmt: off
LARGE_D = {  # a of the three d exponents 4a, a, a/4
    "Li": 0.2, "Be": 0.255, "B": 0.401, "C": 0.626, "N": 0.913, "O": 1.292, "F": 1.75,
    "Na": 0.175, "Al": 0.54, "Si": 0.76, "P": 0.92, "S": 1.02, "Cl": 1.2,
    "Br": 0.3,
}
LARGE_D_OF_S = (4.08, 1.02, 0.26)  # as published; 1.02 / 4 is 0.255
LARGE_FOURTH_D = {"Al": 0.39, "Si": 0.47, "P": 0.61, "S": 0.59, "Cl": 0.72}
LARGE_F = {
    "Li": (0.15,), "Be": (0.26,), "B": (0.5,), "C": (0.8,), "N": (1.0,), "O": (1.4,), "F": (1.85,),
    "Na": (0.3, 0.075), "Al": (0.5, 0.125), "Si": (0.64, 0.16),
    "P": (0.9, 0.225), "S": (1.1, 0.275), "Cl": (1.4, 0.35),
    "Br": (0.8, 0.2),
}
LARGE_H_P = (1.5, 0.375)
LARGE_SP: dict[str, tuple[tuple[int, tuple[tuple[float, float], ...]], ...]] = {
    "P": (
        (0, ((77492.4, 7.869212e-4), (11605.8, 6.108245e-3), (2645.96, 3.139689e-2),
             (754.976, 0.1242379), (248.755, 0.3811538), (91.1565, 0.5595372))),
        (0, ((91.1565, 0.1641617), (36.2257, 0.6259097), (15.2113, 0.2620744))),
        (0, ((4.7138, 1.0),)), (0, ((1.7827, 1.0),)), (0, ((0.3425, 1.0),)), (0, ((0.1246, 1.0),)),
        (1, ((384.84, 8.967875e-3), (90.552, 6.904902e-2), (28.806, 0.292877),
             (10.688, 0.7292494))),
        (1, ((4.2521, 0.6325822), (1.7405, 0.4232996))),
        (1, ((0.5979, 1.0),)), (1, ((0.2292, 1.0),)), (1, ((0.0838, 1.0),)),
        (0, ((0.0348, 1.0),)), (1, ((0.0348, 1.0),)),
    ),
    "S": (
        (0, ((93413.4, 7.420791e-4), (13961.7, 5.787658e-3), (3169.91, 2.994067e-2),
             (902.456, 0.1189282), (297.158, 0.3681822), (108.702, 0.5776336))),
        (0, ((108.702, 0.1427905), (43.1553, 0.6246934), (18.1079, 0.2834835))),
        (0, ((5.5705, 1.0),)), (0, ((2.1427, 1.0),)), (0, ((0.434, 1.0),)), (0, ((0.157, 1.0),)),
        (1, ((495.04, 8.196253e-3), (117.22, 6.364204e-2), (37.507, 0.278806),
             (13.91, 0.7447404))),
        (1, ((5.5045, 0.6168248), (2.2433, 0.4402946))),
        (1, ((0.7762, 1.0),)), (1, ((0.2919, 1.0),)), (1, ((0.1029, 1.0),)),
        (0, ((0.0405, 1.0),)), (1, ((0.0405, 1.0),)),
    ),
    "Cl": (
        (0, ((105819.0, 7.423627e-4), (15872.0, 5.747318e-3), (3619.65, 2.964876e-2),
             (1030.8, 0.1178998), (339.908, 0.3648532), (124.538, 0.5816968))),
        (0, ((124.538, 0.1370443), (49.5135, 0.623138), (20.8056, 0.2903279))),
        (0, ((6.4648, 1.0),)), (0, ((2.5254, 1.0),)), (0, ((0.5378, 1.0),)), (0, ((0.1935, 1.0),)),
        (1, ((589.78, 7.873332e-3), (139.85, 6.15546e-2), (44.795, 0.2742514),
             (16.612, 0.7498994))),
        (1, ((6.5995, 0.614764), (2.7141, 0.4413416))),
        (1, ((0.9528, 1.0),)), (1, ((0.358, 1.0),)), (1, ((0.125, 1.0),)),
        (0, ((0.0483, 1.0),)), (1, ((0.0483, 1.0),)),
    ),
    "Br": (
        (0, ((566022.2, 5.994917e-4), (84870.37, 4.646252e-3), (19326.43, 2.414531e-2),
             (5484.538, 9.765051e-2), (1817.683, 0.3022978), (593.1514, 0.6704959))),
        (0, ((865.7505, 8.827931e-2), (250.0693, 0.5986012), (107.3869, 0.3674312))),
        (0, ((33.16004, 1.0),)), (0, ((14.56001, 1.0),)), (0, ((4.911616, 1.0),)),
        (0, ((2.076963, 1.0),)), (0, ((0.419732, 1.0),)), (0, ((0.160287, 1.0),)),
        (1, ((6545.221, 4.743784e-3), (1549.336, 4.088669e-2), (500.091, 0.217395),
             (188.66, 0.8084159))),
        (1, ((78.16583, 0.3292574), (34.2261, 0.4835649), (15.12504, 0.2880806))),
        (1, ((10.39886, 0.3100625), (4.700037, 0.7286757))),
        (1, ((2.116383, 1.0),)), (1, ((0.792393, 1.0),)), (1, ((0.308112, 1.0),)),
        (1, ((0.108513, 1.0),)),
        (2, ((104.8231, 4.837063e-2), (30.26975, 0.2873196), (10.64819, 0.7785240))),
        (2, ((3.869545, 1.0),)), (2, ((1.323971, 1.0),)),
        (0, ((0.0382, 1.0),)), (1, ((0.0382, 1.0),)),
    ),
}
# s and p of the modified aug-cc-pVTZ and aug-cc-pVQZ
DIFFUSE_SP: dict[str, dict[str, tuple[float, float]]] = {
    "T": {"Li": (0.007595, 0.009101), "Be": (0.016998, 0.012097),
          "Na": (0.007417, 0.007417)},
    "Q": {"Li": (0.006354, 0.007719), "Be": (0.015511, 0.010626),
          "Na": (0.005891, 0.005891)},
}
# the d exponents of cc-pV(T+d)Z and cc-pV(Q+d)Z
TIGHT_D: dict[str, dict[str, tuple[float, ...]]] = {
    "T": {"Al": (1.57, 0.333, 0.111), "Si": (2.303, 0.476, 0.16), "P": (3.12, 0.648, 0.218),
          "S": (3.756, 0.812, 0.273), "Cl": (4.61, 1.011, 0.339)},
    "Q": {"Al": (1.97, 0.437, 0.195, 0.08), "Si": (2.645, 0.608, 0.272, 0.113),
          "P": (3.343, 0.807, 0.365, 0.154), "S": (4.159, 1.019, 0.464, 0.194),
          "Cl": (5.191, 1.276, 0.583, 0.243)},
}
# fmt: on


def small(symbol: str) -> str | list[Shell]:
    """Return 6-31G(d) of an element, in pyscf's form or by its name there.

    Parameters
    ----------
    symbol
        Of the element, such as "C".
    """
    if symbol != "Br":
        return "6-31g(d)"
    return [*bromine(), _one(2, BROMINE_D)]


def large(symbol: str) -> list[Shell]:
    """Return G3MP2LargeXP of an element, in pyscf's form.

    Parameters
    ----------
    symbol
        Of the element, such as "C".
    """
    if symbol == "H":
        shells = [shell for shell in _load("6-311++g", "H") if shell[0] == 0]
        return shells + [_one(1, exponent) for exponent in LARGE_H_P]
    if symbol in LARGE_SP:
        shells = [[angular, *map(list, terms)] for angular, terms in LARGE_SP[symbol]]
    else:
        shells = _load("6-311++g", symbol)
    a = LARGE_D[symbol]
    d = list(LARGE_D_OF_S) if symbol == "S" else [4 * a, a, a / 4]
    d += [LARGE_FOURTH_D[symbol]] if symbol in LARGE_FOURTH_D else []
    return shells + [_one(2, x) for x in d] + [_one(3, x) for x in LARGE_F[symbol]]


def modified(symbol: str, size: Literal["T", "Q"]) -> list[Shell]:
    """Return the modified aug-cc-pVTZ or aug-cc-pVQZ of an element, in pyscf's form.

    Parameters
    ----------
    symbol
        Of the element, such as "C".
    size
        "T" or "Q".
    """
    plain = {"T": "cc-pvtz", "Q": "cc-pvqz"}[size]
    if symbol == "H":
        smaller = {"T": "cc-pvdz", "Q": "cc-pvtz"}[size]
        of_s = [shell for shell in _load(plain, "H") if shell[0] == 0]
        return of_s + [shell for shell in _load(smaller, "H") if shell[0] > 0]
    shells = _load(plain, symbol)
    if symbol in TIGHT_D[size]:
        shells = [shell for shell in shells if shell[0] != 2]
        shells += [_one(2, x) for x in TIGHT_D[size][symbol]]
    if symbol in DIFFUSE_SP[size]:
        s, p = DIFFUSE_SP[size][symbol]
        return [*shells, _one(0, s), _one(1, p)]
    known = _primitives(_load(plain, symbol))
    diffuse = [shell for shell in _load("aug-" + plain, symbol) if shell[0] < 2]
    return shells + [shell for shell in diffuse if not _primitives([shell]) <= known]


def auxiliary(name: str, symbols: Iterable[str]) -> dict[str, str]:
    """Return the auxiliary basis of each element, for pyscf.

    Where no basis of that name exists, pyscf generates one from the orbital basis ("autoaux":
    Stoychev, Auer, Neese, J. Chem. Theory Comput. 13, 554 (2017)).

    Parameters
    ----------
    name
        pyscf's name of a basis.
    symbols
        Symbols of the elements.
    """
    return {symbol: "autoaux" if symbol in WITHOUT_AUXILIARY else name for symbol in symbols}


def _one(angular: int, exponent: float) -> Shell:
    return [angular, [exponent, 1.0]]


def _primitives(shells: list[Shell]) -> set[tuple[int, float]]:
    """The angular momentum and exponent of every primitive."""
    return {
        (shell[0], round(float(term[0]), 8))
        for shell in shells
        for term in shell[1:]
        if not isinstance(term, int)
    }


def _load(name: str, symbol: str) -> list[Shell]:
    from pyscf.gto import basis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(basis.load(name, symbol))
