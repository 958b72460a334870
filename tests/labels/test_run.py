"""`label` over a batch: columns, resumption, failures, processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Stored
from onekcal.errors import InputError, MissingExtra
from onekcal.labels import labelling as run
from onekcal.labels.labelling import label
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError
from onekcal.quantum.named import single_point


def batch() -> Molecules:
    water = Molecules.one(
        [8, 1, 1], [[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]], name="water"
    )
    radical = Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.97]], name="hydroxyl without its spin")
    hydrogen = Molecules.one([1, 1], [[0, 0, 0], [0, 0, 0.75]], name="hydrogen")
    return Molecules.concatenate([water, radical, hydrogen])


def test_one_failing_molecule_is_reported_and_the_rest_kept(tmp_path: Path) -> None:
    out = tmp_path / "labels.h5"
    done = label(batch(), out, "gfn2", forces=True, frequencies=True, workers=1, quiet=True)
    data = store.read(out).dataset
    assert data.molecules.names.tolist() == ["water", "hydrogen"]
    assert done.done == 2
    assert [(f.row, f.name) for f in done.failed] == [(1, "hydroxyl without its spin")]
    assert "unpaired is impossible" in done.failed[0].reason
    assert json.loads((tmp_path / "labels.h5.failed").read_text())["row"] == 1
    column = data.columns["gfn2"]
    assert (column.level, column.kind, column.at, column.unit) == (
        "gfn2-xtb",
        "atomization",
        "electronic",
        "kcal/mol",
    )
    assert float(column.values[0]) == pytest.approx(
        single_point(batch()[0], "gfn2").energy, abs=1e-6
    )
    assert data.columns["gfn2_forces"].values.shape == (5, 3)
    assert float(data.columns["gfn2_heat"].values[0]) == pytest.approx(2.37, abs=0.01)
    assert not (tmp_path / "labels.h5.partial").exists()


def test_what_is_kept_and_the_splits_belong_to_the_molecules_that_are_left(tmp_path: Path) -> None:
    """The middle one of three fails."""
    given = Dataset(batch(), {"ref": Column(torch.arange(3.0)), "old": Column(torch.zeros(3))})
    store.save(
        tmp_path / "in.h5", Stored(given, {"thirds": torch.tensor([0, 1, 2], dtype=torch.uint8)})
    )
    label(
        tmp_path / "in.h5",
        tmp_path / "out.h5",
        "gfn2",
        relax=True,
        frequencies=True,
        keep=["ref"],
        workers=1,
        quiet=True,
    )
    found = store.read(tmp_path / "out.h5")
    columns = found.dataset.columns
    assert set(columns) == {"ref", "gfn2", "gfn2_zpe", "gfn2_heat", "gfn2_imaginary"}
    assert columns["ref"].values.tolist() == [0, 2]
    assert found.splits["thirds"].tolist() == [0, 2]
    assert columns["gfn2_zpe"].values[0] == pytest.approx(
        12.6, abs=0.1
    )  # of water; the experiment's is 13.3
    assert columns["gfn2_heat"].values[0] == pytest.approx(2.37, abs=0.01)
    assert columns["gfn2_imaginary"].values.tolist() == [0, 0]


def test_relaxation_replaces_geometries_and_drops_their_columns(tmp_path: Path) -> None:
    molecules = batch()[[0, 2]]
    data = Dataset(molecules, {"old": Column(torch.zeros(2), level="somewhere")})
    label(data, tmp_path / "r.h5", "gfn2", relax=True, workers=1, quiet=True)
    relaxed = store.read(tmp_path / "r.h5").dataset
    assert list(relaxed.columns) == ["gfn2"]
    assert not torch.allclose(relaxed.molecules.positions, molecules.positions, atol=1e-3)
    label(data, tmp_path / "s.h5", "gfn2", workers=1, quiet=True)
    assert set(store.read(tmp_path / "s.h5").dataset.columns) == {"old", "gfn2"}


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "k.h5"
    molecules = batch()[[0, 2]]
    plain = run.compute
    calls: list[str] = []

    def dies_at_the_second(job: dict) -> dict:
        calls.append(job["name"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(job)

    monkeypatch.setattr(run, "compute", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        label(molecules, out, "gfn2", workers=1, quiet=True)
    assert not out.exists()
    with (tmp_path / "k.h5.partial").open("a") as file:
        file.write('{"format": 1, "key": "cut off in the mid')
    done = label(molecules, out, "gfn2", workers=1, quiet=True)
    assert calls == ["water", "hydrogen", "hydrogen"]
    assert (done.done, done.computed) == (2, 1)
    other = label(molecules, tmp_path / "k2.h5", "gfn2", workers=1, quiet=True)
    assert store.read(out).digest == store.read(tmp_path / "k2.h5").digest
    assert other.computed == 2


def test_another_method_or_option_is_computed_anew() -> None:
    from onekcal.labels.compute import LabelRequest, key_of
    from onekcal.quantum.named import method

    water = batch()[0]
    asks = [
        LabelRequest(method("gfn2")),
        LabelRequest(method("gfn1")),
        LabelRequest(method("gfn2"), relax=True),
        LabelRequest(method("gfn2"), forces=True),
        LabelRequest(method("gfn2"), charges=True),
    ]
    keys = [key_of(water, ask) for ask in asks]
    moved = key_of(water.moved(water.positions + 1e-9), asks[0])
    assert len({*keys, moved}) == 6
    assert key_of(water, LabelRequest(method("gfn2"))) == keys[0]


def test_nothing_labelled_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="none of 1 molecules"):
        label(batch()[1], tmp_path / "n.h5", "gfn2", workers=1, quiet=True)
    assert not (tmp_path / "n.h5").exists()


def test_out_must_be_a_store_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.h5"):
        label(batch(), tmp_path / "x.npz", "gfn2")


def test_a_scheduler_without_dask_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"onekcal\[scale\]"):
        label(batch(), tmp_path / "d.h5", "gfn2", scheduler="tcp://127.0.0.1:1", quiet=True)


def test_processes_without_dask_give_the_same_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onekcal.system import parallel

    monkeypatch.setattr(parallel, "_has_dask", lambda: False)
    molecules = batch()[[0, 2]]
    label(molecules, tmp_path / "p.h5", "gfn2", workers=2, quiet=True)
    label(molecules, tmp_path / "q.h5", "gfn2", workers=1, quiet=True)
    assert store.read(tmp_path / "p.h5").digest == store.read(tmp_path / "q.h5").digest


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dask_cluster_gives_the_same_labels(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    molecules = batch()[[0, 2]]
    with distributed.LocalCluster(
        1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        label(molecules, tmp_path / "c.h5", "gfn2", scheduler=address, quiet=True)
    label(molecules, tmp_path / "l.h5", "gfn2", workers=1, quiet=True)
    assert store.read(tmp_path / "c.h5").digest == store.read(tmp_path / "l.h5").digest


def test_a_sample_is_drawn_by_its_seed_and_may_keep_all_small_molecules(tmp_path: Path) -> None:
    chains = [
        Molecules.one([6] * n, [[1.5 * k, 0, 0] for k in range(n)], name=f"C{n}")
        for n in range(1, 9)
    ]
    hydrogen = Molecules.one([1, 1], [[0, 0, 0], [0, 0, 0.75]], name="H2")
    molecules = Molecules.concatenate([*chains, hydrogen])

    def drawn(**asked: int) -> list[str]:
        return run._sampled(
            run._stored(molecules), **{"seed": 0, "small": 0, **asked}
        ).dataset.molecules.names.tolist()

    assert drawn(sample=6)[:3] == drawn(sample=3) != drawn(sample=3, seed=1)
    assert len(drawn(sample=3)) == 3
    assert set(drawn(sample=3, small=2)) == set(drawn(sample=3)) | {"C1", "C2", "H2"}
    with pytest.raises(InputError, match="between 1 and the 9 molecules"):
        drawn(sample=10)
