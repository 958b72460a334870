"""Damage to files: what disks, networks, editors and strangers do to them.

Every function takes its own random numbers, so that a seed and a number give one input again.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from random import Random

Damage = Callable[[bytes, Random], bytes]

NUMBERS = (
    "0", "-1", "-0", "1", "2", "255", "256", "65536", "2147483648", "9223372036854775808",
    "1e308", "1e999", "-1e999", "nan", "inf", "1e-320", "0x10", "1_000", "1.5D+400", "*^-6",
    "99999999999999999999", "9" * 5000, "²", "٣", "1,5", "--1", "True", "null", "''",
)  # fmt: skip
"""What a number in a text becomes."""
WORDS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\r", b"\r\n", b"\n\n\n", b"\t", b'"',
    b"\\", b"%s%n", b"${HOME}", b"../../", b"<!--", b"{", b"}", b"[", b"]", b":", b"=", b",", b"#",
    b"&a [*a]", b"*a", b"!!python/object/apply:os.system ['true']", b"\xe2\x80\xae", b"NaN", b"-",
)  # fmt: skip
"""What is put between two bytes."""
NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eEdD][-+]?\d+)?")
LARGEST = 1 << 20
"""Bytes; no input is longer."""


def damaged(content: bytes, rng: Random) -> bytes:
    """Return bytes damaged in one to four ways."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        content = rng.choice(WAYS)(content, rng)
    return content[:LARGEST]


def _place(content: bytes, rng: Random) -> int:
    return rng.randrange(len(content) + 1)


def _span(content: bytes, rng: Random) -> tuple[int, int]:
    start = _place(content, rng)
    return start, min(len(content), start + int(2 ** rng.uniform(0, 9)))


def flipped(content: bytes, rng: Random) -> bytes:
    """Flip a few bits."""
    out = bytearray(content)
    for _ in range(rng.randint(1, 8) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def truncated(content: bytes, rng: Random) -> bytes:
    """Cut the end off."""
    return content[: _place(content, rng)]


def without(content: bytes, rng: Random) -> bytes:
    """Take a piece out."""
    a, b = _span(content, rng)
    return content[:a] + content[b:]


def repeated(content: bytes, rng: Random) -> bytes:
    """Repeat a piece, rarely a thousand times."""
    a, b = _span(content, rng)
    times = 1000 if rng.random() < 0.02 else rng.choice((2, 2, 3, 20))
    return content[:a] + content[a:b] * times + content[b:]


def inserted(content: bytes, rng: Random) -> bytes:
    """Put a word between two bytes."""
    a = _place(content, rng)
    return content[:a] + rng.choice(WORDS) + content[a:]


def noisy(content: bytes, rng: Random) -> bytes:
    """Overwrite a piece with random bytes."""
    a, b = _span(content, rng)
    return content[:a] + rng.randbytes(b - a) + content[b:]


def renumbered(content: bytes, rng: Random) -> bytes:
    """Let one number become another."""
    there = list(NUMBER.finditer(content[:100_000]))
    if not there:
        return inserted(content, rng)
    one = rng.choice(there)
    return content[: one.start()] + rng.choice(NUMBERS).encode() + content[one.end() :]


def reordered(content: bytes, rng: Random) -> bytes:
    """Exchange, drop or double lines."""
    lines = content.split(b"\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a] = lines[b] if rng.random() < 0.5 else b""
    if rng.random() < 0.5:
        lines.insert(b, lines[a])
    return b"\n".join(lines)


def recoded(content: bytes, rng: Random) -> bytes:
    """Write it in another encoding."""
    text = content.decode("latin-1")
    return text.encode(rng.choice(("utf-16", "utf-32", "utf-8", "utf-7", "utf-8-sig")))


WAYS: tuple[Damage, ...] = (
    flipped, truncated, without, repeated, inserted, noisy, renumbered, renumbered, reordered,
    recoded,
)  # fmt: skip

# --- inside of containers, whose checksums would refuse every damage from outside --------------

NAMES = (
    "../../escaped", "/tmp/escaped", "a/../../escaped", "..\\escaped", "con", "a" * 300, "./",
    "\x00",
)  # fmt: skip
"""What a member of an archive may call itself."""


def in_zip(content: bytes, rng: Random) -> bytes:
    """Damage one member of a zip or npz archive, and pack it again."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except zipfile.BadZipFile:
        return damaged(content, rng)
    out = io.BytesIO()
    which = rng.randrange(len(members))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for k, (name, data) in enumerate(members):
            if k == which and rng.random() < 0.1:
                name = rng.choice(NAMES[:-1])
            archive.writestr(name, damaged(data, rng) if k == which else data)
    return out.getvalue()


def in_tar(content: bytes, rng: Random) -> bytes:
    """Damage a member of a tar archive, or let it be a link or a path out of the folder."""
    kind = "bz2" if content[:3] == b"BZh" else "gz"
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as old,
        tarfile.open(fileobj=out, mode=f"w:{kind}", compresslevel=1) as new,  # type: ignore[call-overload]
    ):
        members = old.getmembers()
        which = rng.randrange(len(members))
        for k, member in enumerate(members):
            file = old.extractfile(member)
            data = file.read() if file else b""
            if k == which:
                data = damaged(data, rng)
                _changed(member, rng)
            member.size = len(data) if member.isfile() else 0
            new.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _changed(member: tarfile.TarInfo, rng: Random) -> None:
    if rng.random() < 0.2:
        member.name = rng.choice(NAMES) + member.name
    if rng.random() < 0.2:
        member.type = rng.choice(
            (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
        )
        member.linkname = rng.choice(("/etc/passwd", "../../escaped", member.name))


def in_gzip(content: bytes, rng: Random) -> bytes:
    """Damage what a gzip file holds."""
    return gzip.compress(damaged(gzip.decompress(content), rng), 1, mtime=0)


def in_bzip2(content: bytes, rng: Random) -> bytes:
    """Damage the archive in a bzip2 file."""
    return bz2.compress(damaged(bz2.decompress(content), rng), 1)


def in_header(content: bytes, rng: Random) -> bytes:
    """Damage the JSON that onekcal keeps in the header of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        own = header["__metadata__"]["onekcal"]
    except (ValueError, KeyError):
        return damaged(content, rng)
    text = changed_json(own.encode(), rng) if rng.random() < 0.7 else damaged(own.encode(), rng)
    header["__metadata__"]["onekcal"] = text.decode("latin-1")
    new = json.dumps(header).encode()
    return len(new).to_bytes(8, "little") + new + content[8 + length :]


VALUES = (
    None, True, 0, -1, 1.5, 1e308, 10**30, "", "x", "../../x", [], {}, [[]], {"a": 1}, [None],
    "evil_stage:Evil", "os:system", float("nan"),
)  # fmt: skip
"""What a value in JSON becomes."""


def changed_json(content: bytes, rng: Random) -> bytes:
    """Change, drop or rename one value in a JSON text that stays JSON."""
    try:
        tree = json.loads(content)
    except ValueError:
        return damaged(content, rng)
    places: list[tuple[object, object]] = []

    def walk(node: object) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):  # type: ignore[arg-type]
            places.append((node, key))
            if isinstance(node[key], (dict, list)):  # type: ignore[index]
                walk(node[key])  # type: ignore[index]

    if not isinstance(tree, (dict, list)):
        return json.dumps(rng.choice(VALUES)).encode()
    walk(tree)
    if not places or rng.random() < 0.03:
        return json.dumps(rng.choice(VALUES)).encode()
    node, key = rng.choice(places)
    way = rng.random()
    if way < 0.2:
        del node[key]  # type: ignore[attr-defined]
    elif way < 0.3 and isinstance(node, dict):
        node[rng.choice(("x", "", "format", "settings"))] = node.pop(key)
    else:
        node[key] = rng.choice(VALUES)  # type: ignore[index]
    return json.dumps(tree).encode()
