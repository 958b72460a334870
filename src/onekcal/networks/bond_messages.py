"""Who sends a message to whom in DimeNet++ (equations in `onekcal.networks.dimenet`)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from onekcal.networks.network import Batch
from onekcal.networks.pairs import pair_mask


class Messages(NamedTuple):
    """One message along every ordered pair of atoms within the cut-off, sorted by receiver.

    The messages to an atom also stand in a padded list of its neighbours, D places long.
    """

    receiver: Tensor  # (E,) of the N atoms of a batch
    sender: Tensor  # (E,)
    way: Tensor  # (E, 3) Å from receiver to sender
    place: Tensor  # (E,) in the padded list, N · D
    answer: Tensor  # (E,) place of the message the other way
    atoms: int  # N
    width: int  # D

    @classmethod
    def within(cls, batch: Batch, cutoff: float) -> Messages:
        """Make the messages of a batch.

        Parameters
        ----------
        batch
            B molecules with N atoms in all.
        cutoff
            Distance below which atoms send messages to each other, Å.
        """
        r = batch.positions
        near = ((r[:, :, None] - r[:, None]).detach().square().sum(-1) < cutoff**2) & pair_mask(
            batch
        )  # (B, n, n)
        number = (near.flatten().cumsum(0) - 1).view(near.shape)
        atom = (batch.mask.flatten().cumsum(0) - 1).view(batch.mask.shape)  # (B, n)
        m, i, j = near.nonzero(as_tuple=True)
        width = max(1, int(near.sum(-1).max()))
        place = atom[m, i] * width + near.cumsum(-1)[m, i, j] - 1
        return cls(
            atom[m, i],
            atom[m, j],
            r[m, j] - r[m, i],
            place,
            place[number[m, j, i]],
            int(batch.mask.sum()),
            width,
        )

    def padded(self, x: Tensor) -> Tensor:
        """Return messages in the padded list.

        Parameters
        ----------
        x
            (E, f) one row a message.

        Returns
        -------
        Tensor
            (N, D, f), 0 where there is no message.
        """
        places = x.new_zeros(self.atoms * self.width, x.shape[1])
        return places.index_copy(0, self.place, x).view(self.atoms, self.width, -1)

    def turned(self, x: Tensor) -> Tensor:
        """Return, for each message, what stands in the padded list for the message the other way.

        Parameters
        ----------
        x
            (N, D, f).

        Returns
        -------
        Tensor
            (E, f).
        """
        return x.flatten(0, 1).index_select(0, self.answer)

    def received(self, x: Tensor) -> Tensor:
        """Return the sum over the messages to each atom.

        Parameters
        ----------
        x
            (E, f) one row a message.

        Returns
        -------
        Tensor
            (N, f).
        """
        return x.new_zeros(self.atoms, x.shape[1]).index_add(0, self.receiver, x)
