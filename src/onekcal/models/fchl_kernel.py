r"""Kernel ridge regression with a local Gaussian kernel on FCHL19 features.

    K(A, B) = Σ_{a∈A} Σ_{b∈B}  δ(Z_a, Z_b) · exp(−|x_a − x_b|² / 2σ²)        α = (K + λ·1)⁻¹ y        E(A) = Σ_B K(A, B) α_B

Christensen, Bratholm, Faber, von Lilienfeld, J. Chem. Phys. 152, 044107 (2020). Kernel and Cholesky solve are
kernelforge's, the kernel packed to half its size; the memory a fit takes is predicted before it begins, and refused with
advice where it will not fit.

Deliberate deviations: `rcut` and `acut` default to 6 Å instead of 8. σ and λ may be lists: each pair is fitted on the
training part and judged on the validation part.

What is stored are the training molecules and α: features are computed again when the model is loaded.
"""

from __future__ import annotations

import os
from itertools import product

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.features.fchl import Environments, environments
from onekcal.models.model import State
from onekcal.molecules import Molecules

BLOCK = 512
"""Molecules predicted at a time."""


class FchlKernel:
    """Local Gaussian kernel on FCHL19 features; energies in kcal/mol."""

    def __init__(
        self, sigma: float | list[float] = 4.0, regularization: float | list[float] = 1e-6, rcut: float = 6.0,
        acut: float = 6.0, size: int | None = None,
    ) -> None:
        self.sigmas = [sigma] if isinstance(sigma, (int, float)) else list(sigma)
        self.regularizations = [regularization] if isinstance(regularization, (int, float)) else list(regularization)
        for name, value in (("sigma", min(self.sigmas)), ("regularization", min(self.regularizations)), ("rcut (Å)", rcut),
                            ("acut (Å)", acut)):
            if value <= 0:
                raise ConfigError(f"fchl_kernel: `{name}` must be positive, got {value}")
        self.rcut, self.acut, self.size = rcut, acut, size
        self.sigma = self.sigmas[0]
        self.padded_to = 0
        self.elements: list[int] = []
        self.weights = np.zeros(0)  # (N,) α, kcal/mol
        self.trained: Molecules | None = None
        self._environments: Environments | None = None

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Exact solve; where several σ or λ are given, the pair with the lowest validation error."""
        from kernelforge import kernelmath, local_kernels

        self.padded_to = max(self.size or 0, int(train.molecules.sizes.max()))
        self.elements = train.molecules.elements
        pairs = list(product(self.sigmas, self.regularizations))
        if len(pairs) > 1 and not len(valid):
            raise ConfigError("fchl_kernel: several values of sigma or regularization need a validation part to choose on")
        check_memory(len(train), self.padded_to, len(self.elements), copies=1 + (len(self.regularizations) > 1))
        self.trained = train.molecules
        known = self._environments = self._features(train.molecules)
        energies = train.energies.numpy()
        best = (np.inf, self.sigma, self.weights)
        for sigma in self.sigmas:
            packed = local_kernels.kernel_gaussian_symm_rfp(*known, sigma)
            for regularization in self.regularizations:
                last = regularization == self.regularizations[-1]
                kernel = packed if last else packed.copy()
                weights = kernelmath.cho_solve_rfp(kernel, energies, l2=regularization)
                self.sigma, self.weights = sigma, weights
                if len(pairs) > 1:
                    error = float((self.energies(valid.molecules) - valid.energies).abs().mean())
                    best = min(best, (error, sigma, weights), key=lambda found: found[0])
        if len(pairs) > 1:
            _, self.sigma, self.weights = best
        return self

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        from kernelforge import local_kernels

        if self.trained is None:
            raise InputError("this kernel is not fitted yet; call fit(train, valid) first")
        if self._environments is None:
            self._environments = self._features(self.trained)
        known = self._environments
        out = [np.zeros(0)]
        for first in range(0, len(molecules), BLOCK):
            asked = self._features(molecules[first : first + BLOCK])
            kernel = local_kernels.kernel_gaussian(
                asked.features, known.features, asked.charges, known.charges, asked.sizes, known.sizes, self.sigma
            )  # (asked, N)
            out.append(kernel @ self.weights)
        return torch.from_numpy(np.concatenate(out))

    def _features(self, molecules: Molecules) -> Environments:
        return environments(molecules, self.elements, self.padded_to, rcut=self.rcut, acut=self.acut)

    def state(self) -> State:
        assert self.trained is not None
        return {
            "numbers": self.trained.numbers, "positions": self.trained.positions, "offsets": self.trained.offsets,
            "weights": torch.from_numpy(np.array(self.weights)), "sigma": torch.tensor(self.sigma, dtype=torch.float64),
            "elements": torch.tensor(self.elements), "padded_to": torch.tensor(self.padded_to),
        }

    def load_state(self, state: State) -> Self:
        self.trained = Molecules(state["numbers"], state["positions"], state["offsets"])
        self.weights, self.sigma = state["weights"].numpy(), float(state["sigma"])
        self.elements, self.padded_to = state["elements"].tolist(), int(state["padded_to"])
        self._environments = None
        return self


def memory_needed(count: int, size: int, elements: int, copies: int = 1) -> float:
    """Bytes an exact fit takes: padded features and `copies` of the packed kernel, float64."""
    two_body, three_body = 24 * elements, 20 * 2 * elements * (elements + 1) // 2
    return 8.0 * (count * size * (two_body + three_body) + copies * count * (count + 1) / 2)


def check_memory(count: int, size: int, elements: int, copies: int = 1, available: float | None = None) -> None:
    """Refuse a fit that will not fit, before it begins."""
    needed = memory_needed(count, size, elements, copies)
    if available is None:
        available = os.sysconf("SC_AVPHYS_PAGES") * float(os.sysconf("SC_PAGE_SIZE"))
    if needed > available:
        raise ConfigError(f"an exact kernel on {count:,} molecules of up to {size} atoms needs {needed / 2**30:.1f} GiB, "
                          f"{available / 2**30:.1f} are free; lower data.train, or give one value of `regularization`")
