"""Fields on disk: nothing computed twice, nothing lost by a kill, nothing half written taken for
whole.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from onekcal.errors import DataError, InputError
from onekcal.fields import cost, fields, store, stored_fields
from onekcal.fields import fill as filling
from onekcal.fields.compute import compute, request
from onekcal.fields.fill import fill
from onekcal.fields.store import stored
from onekcal.fields.voxel_file import ABSENT, FAILED, THERE, create, open_file
from onekcal.molecules import Molecules
from support.fields import SMALL, waters


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path / "home"))


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Names of the molecules of each job that is computed, and its channels."""
    seen: list[tuple[str, ...]] = []

    def noted(job: dict) -> dict:
        seen.append((*job["name"].tolist(), *(kind.name for kind in job["request"].kinds)))
        return compute(job)

    monkeypatch.setattr(filling, "compute", noted)
    return seen


def test_a_file_holds_what_fields_computes_and_what_it_is(tmp_path: Path) -> None:
    molecules, out = waters(3), tmp_path / "f.h5"
    done = fill(out, molecules, SMALL, quiet=True)
    assert (done.done, done.computed, done.failed) == (3, 3, [])
    file = open_file(out, whole=True)
    assert np.array_equal(file.fields, fields(molecules, ["nep", "gauss:O"], n=5).numpy())
    with h5py.File(out) as raw:  # for others to read
        assert raw["fields"].shape == (3, 2, 5, 5, 5)
        assert json.loads(raw.attrs["kinds"]) == ["nep", "gauss:O"]
        assert (raw.attrs["n"], raw.attrs["box"]) == (5, 10.4)
        assert raw["molecules/name"][1] == b"water 1"
        assert raw["molecules/positions"][:3].mean(0) == pytest.approx(
            raw["molecules/positions"][3:6].mean(0), abs=0.01
        )
    assert sorted(os.listdir(tmp_path)) == ["f.h5"]  # no lock, no partial, no report


def test_what_is_there_is_not_computed_again(tmp_path: Path, jobs: list) -> None:
    out = tmp_path / "f.h5"
    fill(out, waters(3), SMALL, quiet=True)
    assert len(jobs) == 1
    assert fill(out, waters(3), SMALL, quiet=True).computed == 0
    assert fill(out, waters(3, first=1), SMALL, quiet=True).computed == 1
    assert jobs[1] == ("water 3", "nep", "gauss:O")
    wider = request(["gauss:O", "nep", "gauss:H"], n=5)
    assert fill(out, waters(3, first=1), wider, quiet=True).computed == 3
    assert jobs[2] == (
        "water 1",
        "water 2",
        "water 3",
        "gauss:H",
    )  # the two others are taken from the file
    expected = fields(waters(3, first=1), ["gauss:O", "nep", "gauss:H"], n=5).numpy()
    assert np.array_equal(open_file(out).fields, expected)
    fill(out, waters(1), request(["nep"], n=6), quiet=True)
    assert len(jobs) == 4  # another grid is another field


def test_equal_molecules_are_computed_once(tmp_path: Path, jobs: list) -> None:
    twice = Molecules.concatenate([waters(2), waters(2)])
    done = fill(tmp_path / "f.h5", twice, SMALL, quiet=True)
    assert (done.done, done.computed) == (4, 2)
    assert len(jobs[0]) == 4
    values = open_file(tmp_path / "f.h5", whole=True).fields
    assert np.array_equal(values[:2], values[2:])


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import time
from support.fields import SMALL, waters
from onekcal.fields import fill
plain = fill.compute
def slow(job):
    time.sleep(0.15)
    return plain(job)
fill.compute = slow
fill.task_size = lambda what: 1
fill.fill(Path({out!r}), waters(12), SMALL, quiet=True)
"""


def test_a_job_killed_without_warning_loses_nothing(tmp_path: Path, jobs: list) -> None:
    """SIGKILL in the middle: what was done is kept, the rest is computed, and the file is that of
    an undisturbed run.
    """
    out = tmp_path / "f.h5"
    code = KILLED.format(tests=str(Path(__file__).parents[1]), out=str(out))
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    partial: Path | None = None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        partial = next(tmp_path.glob("*.partial"), None)
        if partial is not None and (open_file(partial).state == THERE).all(1).sum() >= 4:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert partial is not None
    assert not out.exists()
    finished = int((open_file(partial).state == THERE).all(1).sum())
    assert 4 <= finished < 12
    with pytest.raises(
        DataError, match=rf"half written: {12 - finished} of 12 molecules are missing"
    ):
        open_file(partial, whole=True)
    done = fill(out, waters(12), SMALL, quiet=True)
    assert (done.done, done.computed) == (12, 12 - finished)
    assert sum(len(job) - 2 for job in jobs) == 12 - finished
    fill(tmp_path / "undisturbed.h5", waters(12), SMALL, quiet=True)
    assert (
        out.read_bytes()[-12 * 1000 :] == (tmp_path / "undisturbed.h5").read_bytes()[-12 * 1000 :]
    )
    assert np.array_equal(
        open_file(out, whole=True).fields, open_file(tmp_path / "undisturbed.h5").fields
    )


def test_bytes_that_did_not_reach_the_disk_are_found_by_their_sum(tmp_path: Path) -> None:
    """After a power cut, a field may be said to be there whose bytes are zeros."""
    path = tmp_path / "f.h5"
    fill(path, waters(3), SMALL, quiet=True)
    file = open_file(path, write=True)
    file.fields[1, 0] = 0
    assert file.forget_damaged() == 1
    assert file.state.tolist() == [[THERE, THERE], [ABSENT, THERE], [THERE, THERE]]


def test_damaged_fields_of_a_killed_run_are_not_carried_on(tmp_path: Path, jobs: list) -> None:
    """Asked for one channel more, the partial of another call is a source; copying would give
    zeros a sound sum.
    """
    out, molecules = tmp_path / "f.h5", waters(3)
    fill(out, molecules, SMALL, quiet=True)
    os.replace(out, out.with_name("f.h5.01234567.partial"))
    open_file(out.with_name("f.h5.01234567.partial"), write=True).fields[1, 0] = 0
    jobs.clear()
    more = request(["nep", "gauss:O", "gauss:H"], n=5)
    fill(out, molecules, more, quiet=True)
    assert np.array_equal(
        open_file(out, whole=True).fields,
        fields(molecules, ["nep", "gauss:O", "gauss:H"], n=5).numpy(),
    )
    assert ("water 1", "nep", "gauss:H") in jobs  # the rest was copied
    assert not list(tmp_path.glob("*.partial"))


def test_a_run_for_other_fields_of_the_same_file_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take the other's half-written file for one that a kill has left."""
    from threading import Thread

    out, plain, others = tmp_path / "f.h5", filling.in_parallel, []

    def slowly(*given: object, **more: object) -> object:
        if not others:
            others.append(
                Thread(
                    target=fill,
                    args=(out, waters(3), request(["nep"], n=5)),
                    kwargs={"quiet": True},
                )
            )
            others[0].start()
            time.sleep(0.5)
        return plain(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(filling, "in_parallel", slowly)
    assert fill(out, waters(3), SMALL, quiet=True).done == 3
    others[0].join()
    assert open_file(out, whole=True).kinds == ("nep",)
    assert sorted(os.listdir(tmp_path)) == ["f.h5"]


def test_a_file_that_is_cut_off_or_no_field_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    fill(path, waters(3), SMALL, quiet=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 4000])
    with pytest.raises(DataError, match="is not a whole file of fields or is damaged"):
        open_file(path)
    done = fill(path, waters(3), SMALL, quiet=True)  # and computing again mends it
    assert done.computed == 3
    assert open_file(path, whole=True).fields.shape == (3, 2, 5, 5, 5)
    with h5py.File(tmp_path / "other.h5", "w") as raw:
        raw["x"] = 1
    with pytest.raises(DataError, match="not one of fields"):
        open_file(tmp_path / "other.h5")
    with pytest.raises(DataError, match="no fields at"):
        open_file(tmp_path / "absent.h5")
    with pytest.raises(InputError, match=r"must end in \.h5"):
        fill(tmp_path / "f.npz", waters(1), SMALL, quiet=True)


def test_one_failing_molecule_is_reported_and_the_rest_kept(tmp_path: Path, jobs: list) -> None:
    radical = Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.97]], name="hydroxyl")
    batch, out = Molecules.concatenate([waters(1), radical, waters(1, first=5)]), tmp_path / "f.h5"
    what = request(["lol", "nep"], n=4)
    done = fill(out, batch, what, quiet=True)
    assert (done.done, [(one.row, one.name) for one in done.failed]) == (2, [(1, "hydroxyl")])
    assert "unpaired is impossible" in json.loads((tmp_path / "f.h5.failed").read_text())["reason"]
    file = open_file(out, whole=True)
    assert file.state.tolist() == [[THERE, THERE], [FAILED, THERE], [THERE, THERE]]
    assert np.isnan(file.fields[1, 0]).all()
    assert np.array_equal(file.fields[1, 1], fields(radical, ["nep"], n=4)[0, 0])
    again = fill(out, batch, what, quiet=True)  # failures are tried again, and nothing else
    assert (again.done, again.computed) == (2, 1)
    assert jobs[-1] == ("hydroxyl", "lol")


def test_a_process_that_dies_costs_only_its_molecule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(job: dict) -> dict:
        if "water 2" in job["name"]:
            return {"format": job["format"], "key": job["key"], "error": "KilledWorker: it died"}
        return compute(job)

    monkeypatch.setattr(filling, "compute", dies)
    done = fill(tmp_path / "f.h5", waters(4), SMALL, quiet=True)
    assert (done.done, done.computed) == (3, 4)
    assert [(one.row, one.reason) for one in done.failed] == [(2, "KilledWorker: it died")]


# --- the store --------------------------------------------------------------------------------


def test_stored_fields_are_read_by_row_slice_and_mask_and_computed_once(jobs: list) -> None:
    molecules = waters(5)
    first = stored_fields(molecules, ("nep", "gauss:O"), n=5)
    assert (first.shape, first.dtype, len(first)) == ((5, 2, 5, 5, 5), np.float32, 5)
    assert isinstance(first.files[0].fields, np.memmap)
    expected = fields(molecules, ("nep", "gauss:O"), n=5).numpy()
    rows = torch.tensor([4, 0, 0])
    assert np.array_equal(first[rows], expected[[4, 0, 0]])
    assert np.array_equal(first[1:3], expected[1:3])
    assert np.array_equal(first[-1], expected[-1])
    assert np.array_equal(first[np.arange(5) > 2], expected[3:])
    assert np.array_equal(np.asarray(first), expected)
    assert len(jobs) == 1
    # a larger set, other channels, another order: only what is new is computed
    wider = stored_fields(waters(8)[[7, 2, 5, 0]], ("gauss:O", "nep", "gauss:H"), n=5)
    assert sorted(jobs[1:]) == [
        ("water 2", "water 0", "gauss:H"),
        ("water 7", "water 5", "gauss:O", "nep", "gauss:H"),
    ]
    assert np.array_equal(
        wider[:], fields(waters(8)[[7, 2, 5, 0]], ("gauss:O", "nep", "gauss:H"), n=5).numpy()
    )
    assert np.array_equal(
        stored_fields(waters(8)[[0, 5]], ("gauss:H",), n=5)[:], wider[[3, 2]][:, 2:]
    )
    assert len(jobs) == 3


def test_a_nuclear_field_is_the_same_for_every_density(jobs: list) -> None:
    stored_fields(waters(1), ("nep",), "gfn2", n=4)
    stored_fields(waters(1), ("nep",), "hf/6-31g", n=4)
    assert len(jobs) == 1
    stored_fields(waters(1), ("rho",), "gfn2", n=4)
    stored_fields(waters(1), ("rho",), "gfn1", n=4)
    stored_fields(waters(1), ("rho",), "GFN2-xTB", n=4)
    assert len(jobs) == 3


def test_only_files_that_are_read_stay_open_and_too_many_are_not_taken_for_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for k in range(4):
        stored(waters(2, 2 * k), SMALL)
    found, _ = stored(waters(2, 2), SMALL)
    assert len(found.files) == 1
    assert np.array_equal(found[:], fields(waters(2, 2), ["nep", "gauss:O"], n=5).numpy())

    def none_left(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(h5py, "File", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        stored(waters(2), SMALL)


def test_a_file_put_into_the_store_is_found(tmp_path: Path, jobs: list) -> None:
    fill(tmp_path / "mine.h5", waters(2), SMALL, quiet=True)
    store.folder().mkdir(parents=True)
    os.replace(tmp_path / "mine.h5", store.folder() / "mine.h5")
    found, filling = stored(waters(2), SMALL)
    assert filling.computed == 0
    assert len(jobs) == 1
    assert found.files[0].path.name == "mine.h5"


def test_training_is_refused_fields_that_failed_and_told_which() -> None:
    radical = Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.97]], name="hydroxyl")
    with pytest.raises(
        DataError,
        match=r"1 of 2 molecules have no field, first: row 1 \(hydroxyl\): .*leave them out",
    ):
        stored_fields(Molecules.concatenate([waters(1), radical]), ("lol",), n=4)


# --- before it starts -------------------------------------------------------------------------


def test_what_fits_neither_disk_nor_memory_is_refused_with_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        InputError,
        match=r"× 1 channels × 20000³ voxels take 29,?802.* GiB.*of memory.*coarser grid",
    ):
        fields(waters(1), ["nep"], n=20000)
    usage = type("Usage", (), {"free": 1000.0})
    monkeypatch.setattr(cost.shutil, "disk_usage", lambda where: usage)
    with pytest.raises(
        InputError,
        match=r"2 molecules × 2 channels × 5³ voxels take 0\.00 GiB on disk, of which 0\.00 are",
    ):
        fill(tmp_path / "f.h5", waters(2), SMALL, quiet=True)
    assert os.listdir(tmp_path) in ([], ["home"])


def test_the_size_is_said_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "in_parallel", lambda *given: iter([1 / 0]))
    with pytest.raises(ZeroDivisionError):
        fill(tmp_path / "f.h5", waters(2), request(["nep"], n=32))
    assert "2 × 1 × 32³, 0.2 MiB on disk" in capsys.readouterr().err


def test_two_runs_for_the_same_file_do_not_compute_it_twice(tmp_path: Path, jobs: list) -> None:
    from threading import Thread

    runs = [
        Thread(target=fill, args=(tmp_path / "f.h5", waters(6), SMALL), kwargs={"quiet": True})
        for _ in range(3)
    ]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert len(jobs) == 1
    assert sorted(os.listdir(tmp_path)) == ["f.h5"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dask_cluster_gives_the_same_fields(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        1, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        fill(
            tmp_path / "c.h5",
            waters(3),
            request(["lol"], n=4),
            scheduler=cluster.scheduler_address,
            quiet=True,
        )
    assert np.array_equal(
        open_file(tmp_path / "c.h5", whole=True).fields, fields(waters(3), ["lol"], n=4).numpy()
    )


def test_an_empty_file_has_its_room_already(tmp_path: Path) -> None:
    create(tmp_path / "f.h5", waters(2), request(["nep"], n=16))
    assert (tmp_path / "f.h5").stat().st_blocks * 512 >= 2 * 4 * 16**3
    assert (open_file(tmp_path / "f.h5").state == ABSENT).all()
