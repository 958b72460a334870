r"""What .wfx, .molden and .fchk files say. Each reader takes a file's text and how to name the file
in a message.

Order of functions in a shell, as the formats define it: pure functions m = 0, 1, −1, 2, −2 …;
Cartesian ones as listed here, each with a norm of one (.molden, .fchk) or bare (.wfx, whose
primitives are not contracted).
"""

from __future__ import annotations

import re

import numpy as np

from onekcal.errors import InputError, in_short
from onekcal.quantum.orbitals.contents import Contents, Contracted
from onekcal.quantum.orbitals.gaussians import cartesian, monomials, solid_harmonics
from onekcal.units import BOHR

ANGULAR = "spdfg"
D = "xx yy zz xy xz yz".split()
MOLDEN = (
    [""], ["x", "y", "z"], D, "xxx yyy zzz xyy xxy xxz xzz yzz yyz xyz".split(),
    "xxxx yyyy zzzz xxxy xxxz yyyx yyyz zzzx zzzy xxyy xxzz yyzz xxyz yyxz zzxy".split(),
)  # fmt: skip
WFX = (
    *MOLDEN[:3], "xxx yyy zzz xxy xxz yyz xyy xzz yzz xyz".split(),
    "xxxx yyyy zzzz xxxy xxxz xyyy yyyz xzzz yzzz xxyy xxzz yyzz xxyz xyyz xyzz".split(),
)  # fmt: skip


def _names(angular: int) -> list[str]:
    """ "zzzz", "yzzz" … "xxxx"."""
    return ["x" * i + "y" * j + "z" * k for i, j, k in reversed(monomials(angular))]


def _pure(angular: int) -> np.ndarray:
    if angular < 2:
        return cartesian(angular, MOLDEN[angular])
    return solid_harmonics(
        angular, [0, *(sign * m for m in range(1, angular + 1) for sign in (1, -1))]
    )


def _number(text: str) -> float:
    return float(text.replace("D", "e").replace("d", "e"))


# --- wfx --------------------------------------------------------------------------------------

WFX_TYPES = [(angular, name) for angular, names in enumerate((*WFX, _names(5))) for name in names]
"""Angular momentum and monomial by the number of a primitive's type less one."""


def read_wfx(text: str, where: str) -> Contents:
    """Return what a .wfx file says (AIMAll; Gaussian's `output=wfx`).

    Parameters
    ----------
    text
        The text of the file.
    where
        How a message names the file.

    Returns
    -------
    Contents
        Atomic units.

    Raises
    ------
    InputError
        Where a section is missing, or functions are not Gaussian or beyond h.
    ValueError, IndexError
        Where the text is cut off or damaged.
    """
    text = re.sub(r"<MO Number>.*?</MO Number>", "", text, flags=re.DOTALL)
    parts = {
        name: body.strip()
        for name, body in re.findall(r"<([^/>]+)>\s*?\n(.*?)</\1>", text, flags=re.DOTALL)
    }

    def floats(name: str) -> np.ndarray:
        if name not in parts:
            raise InputError(f"{where} has no section <{name}>")
        return np.array([_number(word) for word in parts[name].split()])

    keywords = parts.get("Keywords", "GTO").upper()
    if "GTO" not in keywords:
        raise InputError(
            f"{where} has functions of kind {in_short(keywords, 40)}; Gaussian functions (GTO) "
            "expected"
        )
    centres = floats("Nuclear Cartesian Coordinates").reshape(-1, 3)
    coefficients = floats("Molecular Orbital Primitive Coefficients")
    occupations = floats("Molecular Orbital Occupation Numbers")
    owners, types = (
        floats("Primitive Centers").astype(int) - 1,
        floats("Primitive Types").astype(int),
    )
    if types.max() > len(WFX_TYPES) or types.min() < 1:
        raise InputError(
            f"{where} has primitives of type {types.max()}; 1 to {len(WFX_TYPES)} (s to h) are "
            "known"
        )
    shells, rows = _gathered(owners, types, floats("Primitive Exponents"), centres)
    orbitals = np.zeros((sum(len(shell.functions) for shell in shells), len(occupations)))
    np.add.at(orbitals, rows, coefficients.reshape(len(occupations), -1).T)
    spins = [
        line.strip().lower()
        for line in parts.get("Molecular Orbital Spin Types", "").splitlines()
        if line.strip()
    ]
    both = np.array(
        [spin == "alpha and beta" for spin in spins or ["alpha and beta"] * len(occupations)]
    )
    if both.all():
        split, filled = [orbitals], [occupations]
    else:
        alpha = np.where(
            both,
            occupations.clip(max=1.0),
            [n if s == "alpha" else 0.0 for n, s in zip(occupations, spins)],
        )
        split, filled = [orbitals, orbitals], [alpha, occupations - alpha]
    return Contents(
        floats("Atomic Numbers").astype(int),
        centres,
        floats("Nuclear Charges"),
        shells,
        split,
        filled,
        float(floats("Number of Electrons")[0]) if "Number of Electrons" in parts else None,
    )


def _gathered(
    owners: np.ndarray, types: np.ndarray, exponents: np.ndarray, centres: np.ndarray
) -> tuple[list[Contracted], np.ndarray]:
    """Full shells of one primitive each for single Cartesian primitives, and where each of those
    stands in them.
    """
    shells: list[Contracted] = []
    starts: dict[tuple[int, int, float], int] = {}
    rows, size = [], 0
    for owner, kind, exponent in zip(owners.tolist(), types.tolist(), exponents.tolist()):
        angular, name = WFX_TYPES[kind - 1]
        names = _names(angular)
        if (owner, angular, exponent) not in starts:
            starts[owner, angular, exponent] = size
            shells.append(
                Contracted(
                    centres[owner],
                    angular,
                    np.array([exponent]),
                    np.ones(1),
                    cartesian(angular, names, unit=False),
                    normalised=False,
                )
            )
            size += len(names)
        rows.append(
            starts[owner, angular, exponent]
            + ["".join(sorted(n)) for n in names].index("".join(sorted(name)))
        )
    return shells, np.array(rows)


# --- molden -----------------------------------------------------------------------------------


def read_molden(text: str, where: str) -> Contents:
    """Return what a .molden file says: its [Atoms], [GTO] and [MO].

    Functions go to g. They are Cartesian unless [5D], [7F], [9G] … say otherwise.

    Parameters
    ----------
    text
        The text of the file.
    where
        How a message names the file.

    Returns
    -------
    Contents
        Atomic units.

    Raises
    ------
    InputError
        Where a section is missing, or functions are Slater functions or beyond g.
    ValueError, IndexError, KeyError, StopIteration
        Where the text is cut off or damaged.
    """
    parts: dict[str, tuple[str, list[str]]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        heading = re.match(r"\s*\[\s*([^\]]+?)\s*\]\s*(.*)", line)
        if heading:
            lines = []
            parts[heading[1].lower()] = (heading[2].strip().lower(), lines)
        else:
            lines.append(line)
    for name in ("atoms", "gto", "mo"):
        if name not in parts:
            kind = (
                "Slater functions"
                if name == "gto" and "sto" in parts
                else f"no section [{name.upper()}]"
            )
            raise InputError(
                f"{where} has {kind}; expected [Atoms], [GTO] (Gaussian functions) and [MO]"
            )
    unit, atoms = parts["atoms"]
    rows = [line.split() for line in atoms if line.strip()]
    numbers = np.array([int(row[2]) for row in rows])
    scale = 1.0 if "au" in unit else 1.0 / BOHR
    centres = np.array([[_number(x) for x in row[3:6]] for row in rows]) * scale
    frozen = {
        int(a): int(n)
        for line in parts.get("core", ("", []))[1]
        if ":" in line
        for a, n in [line.split(":")]
    }
    effective = numbers - np.array([frozen.get(atom, 0) for atom in range(1, len(numbers) + 1)])
    shells = _molden_shells(parts["gto"][1], centres, _molden_pure(set(parts)), where)
    coefficients, occupations = _molden_orbitals(
        parts["mo"][1], sum(len(shell.functions) for shell in shells)
    )
    return Contents(numbers, centres, effective, shells, coefficients, occupations)


def _molden_pure(headings: set[str]) -> set[int]:
    """Angular momenta whose functions are pure."""
    said = {2: {"5d", "5d7f", "5d10f"}, 3: {"5d", "5d7f", "7f"}, 4: {"9g"}}
    return {angular for angular, names in said.items() if headings & names}


def _molden_shells(
    lines: list[str], centres: np.ndarray, pure: set[int], where: str
) -> list[Contracted]:
    shells: list[Contracted] = []
    owner, rest = 0, iter(lines)
    for line in rest:
        words = line.split()
        if not words:
            continue
        if words[0].isdigit():
            owner = int(words[0]) - 1
            continue
        kinds = ["s", "p"] if words[0].lower() == "sp" else [words[0].lower()]
        if not set(kinds) <= set(ANGULAR):
            raise InputError(
                f"{where} has {in_short(words[0], 40)!r} functions; s, p, sp, d, f and g are known"
            )
        table = np.array([[_number(x) for x in next(rest).split()] for _ in range(int(words[1]))])
        for column, kind in enumerate(kinds, 1):
            angular = ANGULAR.index(kind)
            functions = _pure(angular) if angular in pure else cartesian(angular, MOLDEN[angular])
            shells.append(
                Contracted(centres[owner], angular, table[:, 0], table[:, column], functions)
            )
    return shells


def _molden_orbitals(lines: list[str], functions: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Coefficients and occupations of each spin; of both together where all orbitals are called
    alpha.
    """
    found: list[tuple[dict[str, str], np.ndarray]] = []
    in_head = False
    for line in lines:
        if "=" in line:
            if not in_head:
                found.append(({}, np.zeros(functions)))
            name, _, value = line.partition("=")
            found[-1][0][name.strip().lower()] = value.strip().lower()
            in_head = True
        elif line.strip():
            number, value = line.split()[:2]
            found[-1][1][int(number) - 1] = _number(value)
            in_head = False
    spins = [
        [(head, c) for head, c in found if head.get("spin", "alpha").startswith(spin)]
        for spin in ("alpha", "beta")
    ]
    spins = [spin for spin in spins if spin]
    return (
        [np.array([c for _, c in spin]).T for spin in spins],
        [np.array([_number(head["occup"]) for head, _ in spin]) for spin in spins],
    )


# --- fchk -------------------------------------------------------------------------------------


def read_fchk(text: str, where: str) -> Contents:
    """Return what a .fchk file says, Gaussian's formatted checkpoint; functions to h.

    Parameters
    ----------
    text
        The text of the file.
    where
        How a message names the file.

    Returns
    -------
    Contents
        Atomic units.

    Raises
    ------
    InputError
        Where a field is missing, or functions are beyond h.
    ValueError, IndexError, KeyError, StopIteration
        Where the text is cut off or damaged.
    """
    fields: dict[str, np.ndarray] = {}
    lines = iter(text.splitlines())
    for line in lines:
        head = re.match(r"(\S.{39})   ([IR])   (?:N=\s*(\d+)|\s*(\S+))", line)
        if not head:
            continue
        count, words = int(head[3] or 0), [head[4]] if head[4] else []
        while len(words) < count:
            words += next(lines).split()
        fields[head[1].strip()] = np.array([_number(word) for word in words])

    def field(name: str) -> np.ndarray:
        if name not in fields:
            raise InputError(f"{where} has no {name!r}")
        return fields[name]

    electrons = [int(field(f"Number of {spin} electrons")[0]) for spin in ("alpha", "beta")]
    functions = int(field("Number of basis functions")[0])
    alpha = field("Alpha MO coefficients").reshape(-1, functions).T
    beta = (
        fields["Beta MO coefficients"].reshape(-1, functions).T
        if "Beta MO coefficients" in fields
        else alpha
    )
    filled = [(np.arange(alpha.shape[1]) < count).astype(float) for count in electrons]
    closed = beta is alpha and electrons[0] == electrons[1]
    return Contents(
        field("Atomic numbers").astype(int),
        field("Current cartesian coordinates").reshape(-1, 3),
        field("Nuclear charges"),
        _fchk_shells(fields, where),
        [alpha] if closed else [alpha, beta],
        [2 * filled[0]] if closed else filled,
        float(sum(electrons)),
    )


def _fchk_shells(fields: dict[str, np.ndarray], where: str) -> list[Contracted]:
    shells: list[Contracted] = []
    counts = fields["Number of primitives per shell"].astype(int)
    ends = counts.cumsum()
    with_p = fields.get("P(S=P) Contraction coefficients")
    kinds, centres = (
        fields["Shell types"].astype(int),
        fields["Coordinates of each shell"].reshape(-1, 3),
    )
    for kind, centre, first, end in zip(
        kinds.tolist(), centres, (ends - counts).tolist(), ends.tolist()
    ):
        exponents = fields["Primitive exponents"][first:end]
        columns = [(abs(kind), fields["Contraction coefficients"][first:end])]
        if kind == -1:
            if with_p is None:
                raise InputError(f"{where} has shells of type SP without their p coefficients")
            columns = [(0, columns[0][1]), (1, with_p[first:end])]
        for angular, coefficients in columns:
            if angular > 5:
                raise InputError(
                    f"{where} has a shell of type {kind}; s to h (types −5 to 5) are known"
                )
            names = MOLDEN[angular] if angular < 4 else _names(angular)
            functions = _pure(angular) if kind < -1 else cartesian(angular, names)
            shells.append(Contracted(centre, angular, exponents, coefficients, functions))
    return shells
