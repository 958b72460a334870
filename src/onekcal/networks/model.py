"""The model protocol around a network: one network or an ensemble is trained and asked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, InputError, unknown
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules
from onekcal.networks.leverage import Leverage
from onekcal.networks.network import Batch, Network
from onekcal.networks.training.batches import in_order, species_of
from onekcal.networks.training.loop import Summary
from onekcal.networks.training.members import fit_members
from onekcal.networks.training.settings import Recipes, Settings

DTYPES = {"float32": torch.float32, "float64": torch.float64}
STANDARD = "standard"
KNOWN = "known"


class NetworkModel(Model):
    """The model protocol around a `Network`; energies in kcal/mol, forces in kcal/mol/Å.

    Parameters
    ----------
    fit
        How the network is trained: the name of a `recipe` and the keys that differ from it. None
        means the recipe `paper`, or `onecycle` where the network has no recipe of that name. With
        `ensemble: k`, k networks are trained with the seeds seed … seed + k − 1, and energies are
        their mean.
    seed
        Seed of the initial weights and of the order of molecules.
    dtype
        Precision of the weights: `float32` or `float64`.
    """

    differentiable = True
    tells_novelty: ClassVar[bool] = True
    """Whether `novelty` is told; it asks the network a second time."""
    recipes: ClassVar[Recipes] = {}
    """The network's own recipes; `onekcal.networks.training.settings.RECIPES` has those of all."""

    def __init__(
        self, fit: dict[str, object] | None = None, seed: int = 0, dtype: str = "float32"
    ) -> None:
        if dtype not in DTYPES:
            unknown("dtype", dtype, DTYPES, ConfigError)
        self.training, self.seed, self.dtype = (
            Settings.of(fit or {}, self.recipes),
            seed,
            DTYPES[dtype],
        )
        self.elements: tuple[int, ...] = ()
        self.networks: list[Network] = []
        self.known: list[Leverage] = []
        """What each network keeps of its training molecules; empty where it tells no novelty."""
        self.shift, self.scale = 0.0, 1.0  # kcal/mol
        self.summary: Summary = {}
        """Figures of the last training: epochs, seconds, device, parameters."""

    def network(self, elements: tuple[int, ...]) -> Network:
        """Return an untrained network.

        Parameters
        ----------
        elements
            Nuclear charges that it is for, ascending.
        """
        raise NotImplementedError

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Train on `train`, and keep the weights of the best score.

        The score is that on `valid`, or that on `train` where `valid` is empty.
        """
        for data in (train, valid):
            self.check(data.molecules)
        self.elements = tuple(train.molecules.elements)
        self.networks, self.known = [], []
        fit_members(self, train, valid)
        if self.tells_novelty and not self.of_atoms:
            self.known = [
                Leverage.of(rows for _, rows in self._slopes(network, train.molecules))
                for network in self._ready()
            ]
        return self

    def inputs(self, molecules: Molecules, learn: bool) -> Callable[[Tensor], Tensor] | None:
        """Return what the networks are given besides nuclei; by default nothing.

        Parameters
        ----------
        molecules
            M molecules.
        learn
            Whether the molecules are trained on. Then the input may be another each time; torch's
            generator decides.

        Returns
        -------
        callable or None
            Makes a tensor (B, …) on the CPU from row numbers (B,) of `molecules`. It is called for
            every batch.
        """
        return None

    def member(self, seed: int) -> Network:
        """Return a network with the initial weights of a seed.

        Torch's own generator is left as it was.

        Parameters
        ----------
        seed
            The seed.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.network(self.elements).to(self.dtype)

    # --- asking -------------------------------------------------------------------------------

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) float64 kcal/mol, the mean over an ensemble.

        The graph is kept where the positions want a gradient.
        """
        return self._each(molecules).mean(0)

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol²: the spread between the members of an ensemble."""
        if len(self.networks) < 2:
            raise InputError(
                "the variance is the spread of an ensemble, and this is a single network; "
                "train one with fit: {ensemble: 4}"
            )
        return self._each(molecules).var(0)

    def novelty(self, molecules: Molecules) -> Tensor | None:
        """(M,) leverage in the readout, the mean over an ensemble; see `onekcal.networks.leverage`.

        None of files that were saved before networks kept what it needs.
        """
        if not self.known:
            return None
        found = [known.at(slopes) for known, slopes in zip(self.known, self.slopes(molecules))]
        return torch.stack(found).mean(0)

    def portions(self, molecules: Molecules) -> Iterator[Tensor]:
        """Give rows of molecules of nearly equal size, as many as are asked at a time."""
        yield from self._parts(molecules)

    def terms(self, molecules: Molecules) -> dict[str, Tensor]:
        """Return further values of each molecule by name; the mean over an ensemble."""
        members: list[dict[str, Tensor]] = []
        for network in self._ready():
            with torch.no_grad():
                parts = [network(batch).terms or {} for batch in self._batches(molecules)]
            members.append(
                {
                    name: torch.cat([part[name] for part in parts])
                    for name in (parts[0] if parts else {})
                }
            )
        order = self._order(molecules)
        return {
            name: torch.stack([one[name].double().cpu() for one in members]).mean(0)[order]
            for name in members[0]
        }

    def atomic_energies(self, molecules: Molecules) -> Tensor | None:
        """(A,) kcal/mol of each atom, without the constant; None where the network has none."""
        out = torch.zeros(len(molecules.numbers), dtype=torch.float64)
        for network in self._ready():
            for rows, batch in zip(self._parts(molecules), self._batches(molecules)):
                with torch.no_grad():
                    atomic = network(batch).atomic
                if atomic is None:
                    return None
                out[molecules.atoms_of(rows)] += (
                    self.scale * atomic[batch.mask].cpu().double() / len(self.networks)
                )
        return out

    def slopes(self, molecules: Molecules) -> Iterator[Tensor]:
        """Give, for each network of the ensemble, the slopes of the energies by its readout.

        Where the energy is linear in the readout, they are the features that it weighs.

        Parameters
        ----------
        molecules
            M molecules.

        Yields
        ------
        Tensor
            (M, parameters) kcal/mol.
        """
        for network in self._ready():
            rows, slopes = zip(*self._slopes(network, molecules))
            yield torch.cat(slopes)[torch.cat(rows).argsort()]

    def _slopes(self, network: Network, molecules: Molecules) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of some molecules and their slopes, some at a time."""
        readout = network.readout()
        for rows, batch in zip(self._parts(molecules), self._batches(molecules)):
            with _only(network, readout), torch.enable_grad():
                energies = network(batch).energies
                # row k of the unit matrix asks for the slopes of molecule k
                each = torch.eye(len(energies), dtype=energies.dtype, device=energies.device)
                slopes = torch.autograd.grad(energies, readout, each, is_grads_batched=True)
            flat = torch.cat([one.flatten(1) for one in slopes], 1)
            yield rows, self.scale * flat.to("cpu", torch.float64)

    def alone(self) -> Iterator[Self]:
        """Give each network of the ensemble as a model of its own."""
        for k, network in enumerate(self._ready()):
            one = copy.copy(self)
            one.networks, one.known = [network], self.known[k : k + 1]
            yield one

    def _each(self, molecules: Molecules) -> Tensor:
        """(members, M) kcal/mol; (members, A) of atoms."""
        networks, order = self._ready(), self._order(molecules)
        if self.of_atoms:
            order = torch.cat(
                [molecules.atoms_of(rows) for rows in self._parts(molecules)] or [order]
            ).argsort()
        if not len(molecules):
            return torch.zeros(len(networks), 0, dtype=torch.float64)
        out = []
        with torch.set_grad_enabled(torch.is_grad_enabled() and molecules.positions.requires_grad):
            for network in networks:
                asked = (
                    (network(batch).energies, batch.mask) for batch in self._batches(molecules)
                )
                answers = torch.cat(
                    [answer[mask] if self.of_atoms else answer for answer, mask in asked]
                )
                out.append(self.shift + self.scale * answers.to("cpu", torch.float64)[order])
        return torch.stack(out)

    def _ready(self) -> list[Network]:
        if not self.networks:
            raise InputError("this network is not trained yet; call fit(train, valid) first")
        device = self.training.answering()
        return [network.to(device).eval() for network in self.networks]

    def _parts(self, molecules: Molecules) -> list[Tensor]:
        """Rows of molecules of nearly equal size, as many as are asked at a time."""
        return in_order(molecules.sizes)

    def _order(self, molecules: Molecules) -> Tensor:
        """(M,) place of each molecule's answer among those of `_parts`, one after the other."""
        return torch.cat([torch.zeros(0, dtype=torch.int64), *self._parts(molecules)]).argsort()

    def _batches(self, molecules: Molecules) -> Iterator[Batch]:
        self.check(molecules)
        species = species_of(molecules.numbers, self.elements)
        device, inputs = self.training.answering(), self.inputs(molecules, False)
        for rows in self._parts(molecules):
            some = molecules[rows]
            numbers, positions = some.pad()
            padded = torch.zeros_like(numbers)
            padded[numbers > 0] = species[molecules.atoms_of(rows)]
            more = None if inputs is None else inputs(rows).to(device, self.dtype)
            yield Batch(
                padded.to(device), positions.to(device, self.dtype), (numbers > 0).to(device), more
            )

    # --- storing ------------------------------------------------------------------------------

    def state(self) -> State:
        """Return the elements, the constants of the energies, and all weights."""
        standard = torch.tensor([self.shift, self.scale], dtype=torch.float64)
        out = {"elements": torch.tensor(self.elements), STANDARD: standard}
        for k, network in enumerate(self.networks):
            out |= {
                f"{k}.{name}": tensor.detach().cpu().clone()
                for name, tensor in network.state_dict().items()
            }
        for k, known in enumerate(self.known):
            out |= {f"{KNOWN}.{k}.{name}": tensor for name, tensor in known._asdict().items()}
        return out

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.elements = tuple(state["elements"].tolist())
        self.shift, self.scale = state[STANDARD].tolist()
        members = 1 + max(
            (int(name.split(".")[0]) for name in state if name[0].isdigit()), default=-1
        )
        self.networks = [self.member(self.seed) for _ in range(members)]
        for k, network in enumerate(self.networks):
            network.load_state_dict(
                {n.removeprefix(f"{k}."): t for n, t in state.items() if n.startswith(f"{k}.")}
            )
        self.known = [
            Leverage(*(state[f"{KNOWN}.{k}.{name}"] for name in Leverage._fields))
            for k in range(members)
            if f"{KNOWN}.{k}.scale" in state
        ]
        return self


@contextmanager
def _only(network: Network, wanted: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """No other parameters want a gradient: the graph begins where these come in."""
    others = [
        one
        for one in network.parameters()
        if one.requires_grad and all(one is not w for w in wanted)
    ]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)
