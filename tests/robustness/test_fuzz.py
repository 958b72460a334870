"""Damaged files are read, or refused in one clear line; nothing of them is run.

`scripts/robustness/fuzz.py` does the same for hours.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from robustness.readers import READERS, Reader

from robustness import fuzz, mutate, watched

INPUTS, SEED = 10, 23


def test_every_reader_reads_or_refuses_and_runs_nothing() -> None:
    serves = find_spec("uvicorn") is not None
    names = [one.name for one in READERS if serves or not one.name.startswith("API")]
    done = {name: fuzz.Outcome(name) for name in names}
    last, ended, at = fuzz.attempt(names, SEED, 0, INPUTS, done)
    assert ended == 0, f"the process ended with {ended} in input {at} of {last}"
    found = {name: one.findings for name, one in done.items() if one.findings}
    assert not found
    assert all(one.inputs == INPUTS for one in done.values())
    assert all(one.counts["refused"] + one.counts["read"] == INPUTS for one in done.values())
    assert sum(one.counts["refused"] for one in done.values()) > len(names) * INPUTS / 4


def test_an_input_is_made_again_from_its_number() -> None:
    one = READERS[0]
    first = [watched.content_of(one, [b"3\n\nO 0 0 0\n"], 1, k) for k in range(30)]
    assert first == [watched.content_of(one, [b"3\n\nO 0 0 0\n"], 1, k) for k in range(30)]
    assert len(set(first)) > 20


def test_an_input_that_ends_the_process_is_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Input 2 crashes natively, input 5 stalls; the counts of 0 to 1 were said, 3 and 4 not."""
    begun = []

    def attempt(names, seed, first, last, into, left):  # type: ignore[no-untyped-def]
        begun.append(first)
        into["xyz"].counts["read"] += {0: 2, 3: 0, 6: 4}[first]
        return "xyz", *{0: (-11, 2), 3: (None, 5), 6: (0, 9)}[first]

    monkeypatch.setattr(fuzz, "attempt", attempt)
    done = fuzz.fuzz("xyz", 0, 0, 10)
    assert begun == [0, 3, 6]
    assert done.findings == {"native crash: signal 11": [2], "stalled": [5]}
    assert done.counts == {"read": 6, "found": 2, "unknown": 2}
    assert done.inputs == 10


def test_a_process_ends_when_its_time_is_over() -> None:
    done = fuzz.Outcome("job")
    _, ended, at = fuzz.attempt(["job"], SEED, 0, 10**6, {"job": done}, 0.1)
    assert (ended, at, done.inputs) == (0, 0, 1)  # it took longer to begin
    assert done.seconds > 0.1


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda path: __import__("os").system("true"), "os.system"),
        (lambda path: __import__("pickle").loads(b"cos\nsystem\n."), "pickle.find_class"),
        (lambda path: (path.parents[1] / "escaped").write_text("x"), "open"),
        (lambda path: (path.parents[1] / "made").mkdir(), "os.mkdir"),
    ],
    ids=["a command", "a pickle", "a file outside", "a folder outside"],
)
def test_what_no_reader_does_is_noticed(tmp_path: Path, act, what: str) -> None:  # type: ignore[no-untyped-def]
    inside = tmp_path / "work"
    inside.mkdir()
    watch = watched.Watch(inside)
    harmless = Reader("harmless", "a", (), lambda path: (inside / "b").write_text("x"))
    assert watched._once(harmless, inside / "a", watch, fuzz.Counter()) == ""
    found = watched._once(Reader("evil", "a", (), act), inside / "a", watch, fuzz.Counter())
    assert found.startswith(f"escape: {what}")


def test_what_is_no_clear_line_is_a_finding(tmp_path: Path) -> None:
    from onekcal.errors import DataError

    watch = watched.Watch(tmp_path)

    def told(problem: BaseException) -> str:
        def read(path: Path) -> None:
            raise problem

        return watched._once(Reader("r", "a", (), read), tmp_path / "a", watch, fuzz.Counter())

    assert told(DataError("a.xyz is damaged")) == ""
    assert told(DataError("two\nlines")).startswith("message")
    assert told(DataError("x" * 3000)).startswith("message")
    assert told(KeyError("x")).startswith("crash: KeyError")
    assert told(MemoryError()).startswith("memory")
    assert told(watched.Hang()).startswith("hang")


def test_containers_stay_containers() -> None:
    """Otherwise their checksums would refuse everything, and nothing inside would be tried."""
    import io
    import tarfile
    import zipfile

    from robustness.corpus import newest

    for k in range(20):
        packed = mutate.in_zip((newest() / "own.npz").read_bytes(), Random(k))
        assert zipfile.ZipFile(io.BytesIO(packed)).namelist()
        packed = mutate.in_tar((newest() / "rmd17.tar.bz2").read_bytes(), Random(k))
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            assert tar.getmembers()
