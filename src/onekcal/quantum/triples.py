r"""The triples of CCSD(T): E(T) of converged CCSD amplitudes, in single precision.

    w(ijk) = Σ_f (ia|bf) t_jk^fc − Σ_m (ia|jm) t_mk^bc                 (a, b, c) for given i, j, k
    W = Σ w over the six orders of the pairs (ia), (jb), (kc)
    V = (ia|jb) t_k^c + (ia|kc) t_j^b + (jb|kc) t_i^a
    closed shell   Σ_{i≥j≥k} f (W + V) · (4 + C + C² − 2P₁ − 2P₂ − 2P₃) W / D
    open shell     ¼ Σ (W + 2V) · A W / D     i>j>k of one spin, and j>k of one, i of another spin

C and C² turn the three empty orbitals round, P swaps two of them, A antisymmetrises those of one
spin. f is 2, or 1 where two of i, j, k are the same. D is the difference of orbital energies. Where
i has another spin than j and k, orders that do not begin with i count twice: amplitudes of one spin
are antisymmetric.

Rendell, Lee, Komornicki, Chem. Phys. Lett. 178, 462 (1991). Everything is products of matrices, one
for each order. Single precision changes an energy by less than 1e-8 Hartree and halves the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import torch

from onekcal.quantum.cores import cores, divided

if TYPE_CHECKING:
    from typing import Any as Coupled
    from typing import Any as Integrals  # pyscf is untyped

Three = tuple[int, int, int]
ORDERS = tuple(permutations(range(3)))


def triples(coupled: Coupled, integrals: Integrals) -> float:
    """Return the energy of the triples (Hartree).

    Parameters
    ----------
    coupled
        pyscf's converged RCCSD or UCCSD of canonical orbitals.
    integrals
        Its integrals, as its `ao2mo` returns them.
    """
    parts = _Amplitudes(coupled, integrals)
    work: list[tuple[tuple[int, ...], Three | None]] = []
    if parts.closed:
        work += [(ijk, None) for ijk in _falling(parts.occupied[0], 3, twice=True)]
    else:
        for spin, other in ((0, 1), (1, 0)):
            work += [(ijk, (spin,) * 3) for ijk in _falling(parts.occupied[spin], 3)]
            for pair in _falling(parts.occupied[spin], 2):
                alien = range(parts.occupied[other])
                work += [((i, *pair), (other, spin, spin)) for i in alien]

    def some(chosen: list[tuple[tuple[int, ...], Three | None]]) -> float:
        return sum(
            parts.closed_shell(ijk) if spins is None else parts.open_shell(ijk, spins)
            for ijk, spins in chosen
        )

    count = cores()
    return sum(divided(some, [work[begin::count] for begin in range(count)]))


def _falling(count: int, length: int, twice: bool = False) -> Iterator[tuple[int, ...]]:
    """Falling numbers below `count`; `twice` lets a number come two times in a row, not three."""
    for first in range(count):
        if length == 1:
            yield (first,)
            continue
        for rest in _falling(first + twice, length - 1, twice):
            if len({first, *rest}) > 1 or length == 2:
                yield (first, *rest)


class _Amplitudes:
    """Amplitudes and integrals by spins, 0 and 1; a closed shell has only 0.

    three[p, q] is (ia|bf) as (i, ab, f), one[p, q] is (ia|jm) as (i, j, a, m), two[p, q] is
    (ia|jb) as (i, j, a, b), with i, a of spin p and the others of spin q.
    """

    def __init__(self, coupled: Coupled, integrals: Integrals) -> None:
        self.closed = isinstance(coupled.t1, np.ndarray)
        e = integrals
        if self.closed:
            singles, doubles = [coupled.t1], {(0, 0): coupled.t2}
            three, one, two = {(0, 0): e.get_ovvv()}, {(0, 0): e.ovoo}, {(0, 0): e.ovov}
            energies = [e.mo_energy]
        else:
            singles, (aa, ab, bb) = coupled.t1, coupled.t2
            doubles = {(0, 0): aa, (0, 1): ab, (1, 0): ab.transpose(1, 0, 3, 2), (1, 1): bb}
            keys = ((0, 0), (0, 1), (1, 0), (1, 1))
            three = dict(zip(keys, (e.get_ovvv(), e.get_ovVV(), e.get_OVvv(), e.get_OVVV())))
            one = dict(zip(keys, (e.ovoo, e.ovOO, e.OVoo, e.OVOO)))
            mixed = np.asarray(e.ovOV)
            two = dict(zip(keys, (e.ovov, mixed, mixed.transpose(2, 3, 0, 1), e.OVOV)))
            energies = e.mo_energy
        self.occupied = [len(t) for t in singles]
        self.levels = [(x[:n], _single(x[n:])) for x, n in zip(energies, self.occupied)]
        self.singles = [_single(t) for t in singles]
        self.doubles = {key: _single(t) for key, t in doubles.items()}
        self.turned = {key: t.transpose(0, 1).contiguous() for key, t in self.doubles.items()}
        self.three = {key: _single(x).flatten(1, 2) for key, x in three.items()}
        self.one = {key: _single(np.transpose(x, (0, 2, 1, 3))) for key, x in one.items()}
        self.two = {key: _single(np.transpose(x, (0, 2, 1, 3))) for key, x in two.items()}

    def closed_shell(self, ijk: tuple[int, ...]) -> float:
        """What three occupied orbitals contribute."""
        w = self._connected(ijk, (0, 0, 0), (1.0,) * 6)
        y = w / self._gap(ijk, (0, 0, 0))
        x = 4.0 * y
        for order in ((1, 2, 0), (2, 0, 1)):
            x += y.permute(order)
        for order in ((2, 1, 0), (0, 2, 1), (1, 0, 2)):
            x.sub_(y.permute(order), alpha=2.0)
        w += self._disconnected(ijk, (0, 0, 0))
        return (len(set(ijk)) - 1) * _product(w, x)

    def open_shell(self, ijk: tuple[int, ...], spins: Three) -> float:
        """What three occupied orbitals contribute, the first perhaps of another spin."""
        same = spins[0] == spins[1]
        w = self._connected(ijk, spins, tuple(1.0 if same or not p[0] else 2.0 for p in ORDERS))
        y = w / self._gap(ijk, spins)
        x = y - y.permute(0, 2, 1)
        if same:
            x = x + x.permute(1, 2, 0) + x.permute(2, 0, 1)
        w.add_(self._disconnected(ijk, spins), alpha=2.0)
        return 0.25 * _product(w, x)

    def _connected(
        self, ijk: tuple[int, ...], spins: Three, weights: tuple[float, ...]
    ) -> torch.Tensor:
        """W (a, b, c)."""
        total: torch.Tensor | None = None
        for order, weight in zip(ORDERS, weights):
            i, j, k = (ijk[place] for place in order)
            first, second, third = (spins[place] for place in order)
            left, right = (first, second), (second, third)
            outer, ending = self.one[left][i, j], self.turned[right][k]  # (a, m), (m, b, c)
            w = (self.three[left][i] @ self.doubles[right][j, k]).view(-1, *ending.shape[1:])
            w.flatten(1).addmm_(outer, ending.flatten(1), alpha=-1.0)
            back = w.permute([order.index(place) for place in range(3)])
            total = weight * back if total is None else total.add_(back, alpha=weight)
        assert total is not None
        return total

    def _disconnected(self, ijk: tuple[int, ...], spins: Three) -> torch.Tensor:
        """V (a, b, c)."""
        i, j, k = ijk
        p, q, r = spins
        a, b, c = self.singles[p][i], self.singles[q][j], self.singles[r][k]
        out = self.two[p, q][i, j][:, :, None] * c
        out += self.two[p, r][i, k][:, None, :] * b[:, None]
        out += self.two[q, r][j, k] * a[:, None, None]
        return out

    def _gap(self, ijk: tuple[int, ...], spins: Three) -> torch.Tensor:
        """D (a, b, c)."""
        a, b, c = (self.levels[spin][1] for spin in spins)
        known = sum(float(self.levels[spin][0][i]) for i, spin in zip(ijk, spins))
        return known - a[:, None, None] - b[:, None] - c


def _single(of: np.ndarray) -> torch.Tensor:
    """In single precision, contiguous."""
    return torch.from_numpy(np.ascontiguousarray(of, np.float32))


def _product(one: torch.Tensor, other: torch.Tensor) -> float:
    """The scalar product; `one` is lost. Torch's `sum` adds by pairs, its `dot` errs by more."""
    return float(one.mul_(other).sum())
