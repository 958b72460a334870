"""The training loop: epochs of steps, the weights of the best score, and when it stops."""

from __future__ import annotations

import functools
import time

import torch
from torch import Tensor

from onekcal.errors import ConfigError, OnekcalError
from onekcal.networks.network import Batch, Network, Output
from onekcal.networks.training import checkpoint, distributed, error_sums, losses
from onekcal.networks.training.batches import Held, in_order, shuffled
from onekcal.networks.training.config_differences import Content
from onekcal.networks.training.measure import Answer, Standard, measure
from onekcal.networks.training.optimizers import Average, optimizer
from onekcal.networks.training.schedules import Schedule
from onekcal.networks.training.session import Progress, Session, current
from onekcal.networks.training.settings import Settings

LOOK = 64
"""Steps between two checks that the loss is finite; each check makes a GPU wait."""
WORSE = 100.0
"""A training has diverged when its loss is more than this many times that of the first epoch."""
REPORT_EVERY = 0.2
"""Least seconds between two reports of progress."""

Summary = dict[str, float | str]
"""Figures of a training by name."""


class TrainingError(OnekcalError):
    """A training that cannot go on."""


class Training:
    """The training of one network. `state` holds everything that it needs to go on.

    Parameters
    ----------
    network
        Is changed in place.
    train, valid
        What is learned, and what the best weights are chosen by.
    standard
        How outputs become energies.
    settings
        The keys of `fit`.
    seed
        Seed of the order of molecules.
    config
        What decides the loss curve; a checkpoint with another one is refused.
    """

    def __init__(
        self,
        network: Network,
        train: Held,
        valid: Held,
        standard: Standard,
        settings: Settings,
        seed: int,
        config: Content,
    ) -> None:
        self.network, self.train, self.valid = network, train, valid
        self.standard, self.settings, self.seed = standard, settings, seed
        self.session: Session = current()
        self.number, self.config = self.session.begun, {**config, **self.session.about}
        self.session.begun += 1
        self.optimizer = optimizer(network, settings)
        self.schedule = Schedule(settings)
        self.average = Average(network, settings.ema) if settings.ema else None
        self.call: Answer = self._compiled if settings.compile else network
        self.weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.decayed = network.decayed() if settings.l2 else []
        self.epochs_done, self.steps, self.halved, self.seconds = 0, 0, False, 0.0
        self.history: list[dict[str, float]] = []
        self.best_epoch, self.best = 0, _copy(network)
        self.reported = self.saved = time.monotonic()

    @property
    def judged(self) -> Network:
        """The network whose weights are judged: the moving average where there is one."""
        return self.average.network if self.average else self.network

    # --- the run ------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end; the network is left with its best weights."""
        self._begin()
        while self.epochs_done < self.settings.epochs and not self.schedule.over:
            started = time.monotonic()
            value = self._epoch()
            if not value <= WORSE * (
                self.history[0]["loss"] if self.history else float("inf")
            ) or value == float("inf"):
                self._diverged(value)
            self.epochs_done += 1
            row = self._judge(value)
            self.history.append(row)
            self.seconds += time.monotonic() - started
            self._write_row(row)
            self._report(0.0, always=True)
            if time.monotonic() - self.saved >= self.settings.checkpoint:
                self._save()
        self._save()
        self.network.load_state_dict(self.best)
        self.network.eval()

    def _epoch(self) -> float:
        """One pass over the training molecules; the mean loss."""
        while True:
            try:
                return self._pass()
            except torch.cuda.OutOfMemoryError as problem:
                if self.halved or distributed.world() > 1:
                    raise TrainingError(
                        "the GPU has not enough memory for this batch; set fit.batch or fit.pairs "
                        f"lower (now {self._limit()}): {problem}"
                    ) from None
                self.halved = True
                torch.cuda.empty_cache()
                self.session.say(
                    "the GPU ran out of memory; going on with batches half as large "
                    f"({self._limit()})"
                )

    def _batch(self) -> tuple[int, int | None]:
        """Molecules and pairs a step."""
        part = 2 if self.halved else 1
        if self.settings.pairs is None:
            return max(1, self.settings.batch // part), None
        return len(self.train), max(1, self.settings.pairs // part)

    def _limit(self) -> str:
        molecules, pairs = self._batch()
        return f"{molecules} molecules" if pairs is None else f"{pairs} pairs"

    def _pass(self) -> float:
        # the order depends on the seed and the number of the epoch alone: it is the same after a
        # resume
        order = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epochs_done)
        plan = shuffled(self.train.sizes, *self._batch(), self.settings.window, order)
        total = torch.zeros((), dtype=torch.float64, device=self.train.energies.device)
        self.network.train()
        for k, rows in enumerate(plan):
            for group in self.optimizer.param_groups:
                group["lr"] = self.schedule.rate(
                    (self.epochs_done + k / len(plan)) / self.settings.epochs
                )
            total += len(rows) * self._step(rows)
            if k % LOOK == LOOK - 1 and not torch.isfinite(total):
                break
            self._report(k / len(plan))
        for network in dict.fromkeys((self.network, self.judged)):
            distributed.mean_over_processes(network.statistics())
        return float(total) / len(self.train)

    def _step(self, rows: Tensor) -> Tensor:
        """One step on the molecules `rows`, shared by all processes; () the loss of all of them."""
        own = distributed.share(rows)
        part = self._measured(self.call, self.train, own, True)
        if len(own):
            # a mean over this process's molecules, which counts by their number in the batch
            extra = part[-1]
            if self.decayed:
                extra = (
                    extra
                    + self.settings.l2 * torch.stack([p.square().sum() for p in self.decayed]).sum()
                )
            part = torch.cat([part[:-1], (extra * (len(own) / len(rows)))[None]])
        loss = losses.loss(distributed.total(part), self.settings)
        self.optimizer.zero_grad()
        if loss.requires_grad:
            loss.backward()
        distributed.add_gradients(self.weights)
        if self.settings.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.weights, self.settings.clip)
        self.optimizer.step()
        self.steps += 1
        if self.average:
            self.average.update(self.steps)
        return loss.detach()

    @functools.cached_property
    def _machine_code(self) -> Answer:
        return torch.compile(self.network, dynamic=True)

    def _compiled(self, batch: Batch) -> Output:
        """The compiled network, or the network itself where torch cannot compile it."""
        try:
            return self._machine_code(batch)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as problem:
            why = str(problem).strip().splitlines() or [type(problem).__name__]
            self.session.say(
                f"torch.compile cannot compile this network ({why[0]}); going on without it"
            )
            self.call = self.network
            return self.network(batch)

    def _measured(self, answer: Answer, held: Held, rows: Tensor, learn: bool) -> Tensor:
        """(7,) `Sums` of the molecules `rows`."""
        bf16 = self.settings.precision == "bf16"
        return measure(answer, held, rows, self.standard, bf16, learn)

    # --- judging ------------------------------------------------------------------------------

    def _judge(self, value: float) -> dict[str, float]:
        """The row of this epoch; the weights are kept where their score is the best so far."""
        row = {
            "epoch": self.epochs_done,
            "rate": self.optimizer.param_groups[0]["lr"],
            "loss": value,
        }
        scores = {"loss": value}
        if len(self.valid):
            scores = self._errors(self.valid)
            row |= {f"valid_{name}": number for name, number in scores.items()}
        wanted = self.settings.judged_by
        if wanted not in scores and len(self.valid):
            raise ConfigError(f"fit.score is {wanted!r}, but the validation part has no forces")
        if self.schedule.judged(self.epochs_done, scores.get(wanted, value), value):
            self.best, self.best_epoch = _copy(self.judged), self.epochs_done
        return row

    def _errors(self, held: Held) -> dict[str, float]:
        """Loss and errors (kcal/mol, kcal/mol/Å) of the judged weights."""
        network = self.judged.eval()
        total = torch.zeros(7, dtype=torch.float64, device=held.energies.device)
        for rows in in_order(held.sizes):
            own = distributed.share(rows)
            part = self._measured(network, held, own, False).detach()
            total += torch.cat([part[:-1], part[-1:] * (len(own) / len(held))])
        total = distributed.total(total)
        return {
            "loss": float(losses.loss(total, self.settings)),
            **error_sums.errors(total, self.standard.unit),
        }

    def _diverged(self, value: float) -> None:
        self.network.load_state_dict(self.best)
        rate = self.optimizer.param_groups[0]["lr"]
        kept = (
            f"the weights of epoch {self.best_epoch}, the best, are kept"
            if self.best_epoch
            else "no epoch was finished"
        )
        path = self.session.file(self.number)
        if path is not None and self.best_epoch:
            self._save()
            kept += f" in {path}"
        lower = f"rate: {float(f'{self.settings.rate / 3:.1g}'):g}" + (
            "" if self.settings.clip else ", clip: 1.0"
        )
        raise TrainingError(
            f"training diverged in epoch {self.epochs_done + 1}: the loss is {value:.3g} at rate "
            f"{rate:.2g}; {kept}. Try fit: {{{lower}}}; if it stays so, "
            "look at the data with `onekcal data check`"
        )

    # --- reporting and keeping ----------------------------------------------------------------

    def summary(self) -> Summary:
        """Return the figures of the training by name."""
        device = self.train.energies.device
        return {
            "epochs": self.epochs_done,
            "best_epoch": self.best_epoch,
            "training_seconds": self.seconds,
            "parameters": sum(weights.numel() for weights in self.weights),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "processes": distributed.world(),
        }

    def _report(self, part: float, always: bool = False) -> None:
        now = time.monotonic()
        if not distributed.first() or (now - self.reported < REPORT_EVERY and not always):
            return
        self.reported = now
        done = self.epochs_done + part
        each = self.seconds / self.epochs_done if self.epochs_done else float("nan")
        self.session.watch(
            Progress(
                self.number,
                done,
                self.settings.epochs,
                each * (self.settings.epochs - done),
                self.history[-1] if self.history else {},
                self.schedule.best,
                self.train.unit,
            )
        )

    def _write_row(self, row: dict[str, float]) -> None:
        path = self.session.csv(self.number)
        if path is None or not distributed.first():
            return
        with path.open("a" if len(self.history) > 1 else "w", encoding="utf-8") as file:
            if len(self.history) == 1:
                file.write(",".join(row) + "\n")
            file.write(",".join(map(repr, row.values())) + "\n")

    def _save(self) -> None:
        self.saved = time.monotonic()
        path = self.session.file(self.number)
        if path is not None and distributed.first():
            checkpoint.save(path, *self.state())

    def state(self) -> tuple[dict[str, Tensor], checkpoint.Header]:
        """Return the tensors and the header of a checkpoint."""
        parts = {
            "network": self.network.state_dict(),
            "best": self.best,
            "optimizer": checkpoint.optimizer_state(self.optimizer),
            "random": {"cpu": torch.get_rng_state()},
        }
        if self.average:
            parts["average"] = self.average.network.state_dict()
        if self.train.energies.is_cuda:
            parts["random"]["cuda"] = torch.cuda.get_rng_state(self.train.energies.device)
        tensors = {
            f"{part}.{name}": tensor
            for part, content in parts.items()
            for name, tensor in content.items()
        }
        return tensors, {
            "config": self.config,
            "epochs_done": self.epochs_done,
            "steps": self.steps,
            "halved": self.halved,
            "seconds": self.seconds,
            "best_epoch": self.best_epoch,
            "schedule": self.schedule.state(),
            "history": self.history,
        }

    def _begin(self) -> None:
        """Go on from the checkpoint, where the session wants that and there is one."""
        path = self.session.file(self.number)
        if path is None or not self.session.resume or not path.is_file():
            return
        tensors, header = checkpoint.load(path, self.config)

        def part(prefix: str) -> dict[str, Tensor]:
            return {
                name.removeprefix(prefix): t
                for name, t in tensors.items()
                if name.startswith(prefix)
            }

        self.network.load_state_dict(part("network."))
        self.best = {name: t.to(self.train.energies.device) for name, t in part("best.").items()}
        if self.average:
            self.average.network.load_state_dict(part("average."))
        checkpoint.load_optimizer(self.optimizer, part("optimizer."))
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and self.train.energies.is_cuda:
            torch.cuda.set_rng_state(tensors["random.cuda"], self.train.energies.device)
        for name in ("epochs_done", "steps", "halved", "seconds", "best_epoch", "history"):
            setattr(self, name, header[name])
        self.schedule.load_state(header["schedule"])
        self.session.say(
            f"going on after epoch {self.epochs_done} of {self.settings.epochs} ({path.name})"
        )
        self._rewrite()

    def _rewrite(self) -> None:
        """Write the csv again, because it may be some epochs ahead of the checkpoint."""
        rows, self.history = self.history, []
        for row in rows:
            self.history.append(row)
            self._write_row(row)


def _copy(network: Network) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
