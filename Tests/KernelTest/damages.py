"""What can happen to a store that Linux wrote, on purpose and from a seed; corpus/ has the stores."""

import dataclasses
import functools
import json
import lzma
import os
import pathlib
import random
import struct

CORPUS = pathlib.Path(__file__).resolve().parent.parent.parent / "corpus"
# Each salvage flushes what it wrote, which takes long where files are on a disk.
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
SECTOR = 512
SLOT = 16
STATUSES = "?*/-"  # of a mapfile: not tried, not trimmed, not scraped, bad


@dataclasses.dataclass
class Pristine:
    """A store as its kernel left it, and all that is true of it."""
    name: str
    store: bytes
    origin: bytes
    chunk_sectors: int
    exceptions: list = dataclasses.field(default_factory=list)  # (old, new), in table order
    older: list = dataclasses.field(default_factory=list)  # what the store held before it was used again
    older_chunk_sectors: int = 8
    area_count: int = 0  # those that belong to the table, the one with the terminator included

    @property
    def chunk_bytes(self):
        return self.chunk_sectors * SECTOR

    @property
    def per_area(self):
        return self.chunk_bytes // SLOT

    def area_at(self, area):
        return (1 + area * (self.per_area + 1)) * self.chunk_bytes

    def slot_at(self, position):
        """The byte at which the exception of that position in the table stands."""
        area, slot = divmod(position, self.per_area)
        return self.area_at(area) + slot * SLOT

    def decode(self):
        while self.area_at(self.area_count) + self.chunk_bytes <= len(self.store):
            at = self.area_at(self.area_count)
            self.area_count += 1
            for old, new in struct.iter_unpack("<QQ", self.store[at:at + self.chunk_bytes]):
                if new == 0:
                    return
                self.exceptions.append((old, new))


# What the recipe had written to these before they were used again: old chunks 0, 1, 2 ... in that order.
OLDER = {"reused": 600, "reused-past-area": 600, "reused-other-chunk": 600, "reset-64k": 600,
         "magic-wiped-activated": 300}


@functools.lru_cache(maxsize=8)
def pristine(name):
    facts = json.loads((CORPUS / name / "case.json").read_text())
    store, origin = (lzma.decompress((CORPUS / name / facts[image]["file"]).read_bytes())
                     for image in ("store", "origin"))
    it = Pristine(name, store, origin, struct.unpack_from("<I", store, 12)[0])
    it.decode()
    it.older = [(old, 2 + old + old // 256) for old in range(OLDER.get(name, 0))]
    return it


def cases():
    """The names of the cases whose stores hold exceptions, of their own or of an earlier use."""
    names = sorted(path.parent.name for path in CORPUS.glob("*/case.json"))
    # What salvage drops for an origin that is too short is a question of the origin, not of damage.
    return [name for name in names if name != "origin-too-short" and (name in OLDER or pristine(name).exceptions)]


@dataclasses.dataclass
class Damaged:
    """A store after the damage."""
    store: bytes
    unreadable: list = dataclasses.field(default_factory=list)  # (byte offset, byte count, status in the mapfile)
    header_gone: bool = False  # the chunk size must be found in the areas
    # Zeros end a table: whether the areas behind them are of the same one is not to be known for certain.
    zeros: bool = False

    def is_unreadable(self, offset, count):
        return any(first < offset + count and offset < first + length for first, length, _ in self.unreadable)

    def mapfile(self):
        """As ddrescue writes it; None when all could be read."""
        if not self.unreadable:
            return None
        lines, at = ["# Mapfile. Created by GNU ddrescue version 1.27", "# current_pos  current_status  current_pass",
                     "0x00000000     +               1", "#      pos        size  status"], 0
        for first, length, status in sorted(self.unreadable):
            if first > at:
                lines.append(f"0x{at:08X}  0x{first - at:08X}  +")
            lines.append(f"0x{first:08X}  0x{length:08X}  {status}")
            at = first + length
        if at < len(self.store):
            lines.append(f"0x{at:08X}  0x{len(self.store) - at:08X}  +")
        return "\n".join(lines) + "\n"


def patched(store, *patches):
    data = bytearray(store)
    for at, piece in patches:
        piece = piece[:max(0, len(data) - at)]
        data[at:at + len(piece)] = piece
    return bytes(data)


# MARK: the kinds

KINDS = {}  # name: function of (rng, pristine) that yields (variant, Damaged)


def kind(function):
    KINDS[function.__name__.replace("_", "-")] = function
    return function


@kind
def none(rng, it):
    yield "", Damaged(it.store)


@kind
def valid_zero(rng, it):
    yield "", Damaged(patched(it.store, (4, bytes(4))))


@kind
def magic_erased(rng, it):
    yield "", Damaged(patched(it.store, (0, bytes(4))))


@kind
def header_zeroed(rng, it):
    for count in (16, 512):
        yield str(count), Damaged(patched(it.store, (0, bytes(count))), header_gone=True)


@kind
def header_random(rng, it):
    for count in (16, 512):
        yield str(count), Damaged(patched(it.store, (0, rng.randbytes(count))), header_gone=True)


@kind
def header_pairs(rng, it):
    yield "", Damaged(patched(it.store, (0, it.store[it.area_at(0):it.area_at(0) + SECTOR])), header_gone=True)


@kind
def header_chunk_size(rng, it):
    exponent = it.chunk_sectors.bit_length() - 1
    others = [1 << other for other in range(14) if other != exponent]
    for sectors in sorted({it.chunk_sectors * 2, it.chunk_sectors // 2 or 2, rng.choice(others), 0, 3}):
        yield str(sectors), Damaged(patched(it.store, (12, struct.pack("<I", sectors))), header_gone=True)


@kind
def header_unreadable(rng, it):
    status = rng.choice(STATUSES)
    yield "", Damaged(patched(it.store, (0, bytes(SECTOR))), [(0, SECTOR, status)], header_gone=True)


@kind
def first_4k(rng, it):
    yield "", Damaged(patched(it.store, (0, bytes(4096))), header_gone=True, zeros=it.chunk_sectors < 8)


@kind
def first_64k(rng, it):
    yield "", Damaged(patched(it.store, (0, bytes(65536))), header_gone=True, zeros=True)


def some_areas(it):
    """The first area, a middle one, the last with exceptions, and the one that has the terminator alone."""
    last = max(0, (len(it.exceptions) - 1) // it.per_area)
    numbers = {"first": 0, "middle": (last + 1) // 2, "last": last, "terminator": it.area_count - 1}
    seen = {}
    for name, area in numbers.items():
        seen.setdefault(area, name)
    return [(name, area, it.area_at(area)) for area, name in seen.items()]


def text(rng, count):
    first = rng.randrange(10**6)
    return b"".join(b"%d: the letter as it was\n" % (first + line) for line in range(count // 24 + 1))[:count]


@functools.cache
def file_system():
    return pristine("ext4-origin-changed").origin


def ext4_piece(rng, count):
    """The beginning of a file system: superblock, descriptors, bitmaps, inodes; over again where that is too short."""
    piece = file_system()[1024:1024 + min(count, 1 << 18)]
    return (piece * (count // len(piece) + 1))[:count]


def counting(rng, count):
    """Numbers that rise by one; none of them is one that Linux would have put there."""
    first = rng.randrange(1 << 20, 1 << 24)
    return struct.pack(f"<{count // 8}Q", *range(first, first + count // 8))


def counting_small(rng, count):
    """From 2 on: no pair of them stands where Linux would have put it, while any of those from 1 on might."""
    return struct.pack(f"<{count // 8}Q", *range(2, count // 8 + 2))


def counting_32(rng, count):
    return struct.pack(f"<{count // 4}I", *range(count // 4))


CONTENTS = {"random": lambda rng, count: rng.randbytes(count), "zero": lambda rng, count: bytes(count), "text": text,
            "ext4": ext4_piece, "counting": counting, "counting-small": counting_small, "counting-32": counting_32}


@kind
def area_overwritten(rng, it):
    for name, _, at in some_areas(it):
        for content, make in CONTENTS.items():
            piece = make(rng, it.chunk_bytes)
            yield f"{name}-{content}", Damaged(patched(it.store, (at, piece)), zeros=content == "zero")


@kind
def area_unreadable(rng, it):
    for name, _, at in some_areas(it):
        for status in STATUSES:
            store = patched(it.store, (at, bytes(it.chunk_bytes)))
            label = {"?": "untried", "*": "untrimmed", "/": "unscraped", "-": "bad"}[status]
            yield f"{name}-{label}", Damaged(store, [(at, it.chunk_bytes, status)])


@kind
def area_half(rng, it):
    for name, area, at in some_areas(it):
        slots = min(it.per_area, len(it.exceptions) - area * it.per_area)
        if slots < 2:
            continue
        half, whole = slots // 2, it.chunk_bytes
        yield f"{name}-second-zero", Damaged(patched(it.store, (at + half * SLOT, bytes(whole - half * SLOT))),
                                             zeros=True)
        yield f"{name}-first-zero", Damaged(patched(it.store, (at, bytes(half * SLOT))), zeros=True)
        if slots >= 4:
            first = rng.randrange(1, slots - 2)
            count = rng.randint(1, slots - first - 1)
            yield f"{name}-gap", Damaged(patched(it.store, (at + first * SLOT, bytes(count * SLOT))), zeros=True)
        yield f"{name}-prefix", Damaged(patched(it.store, (at, rng.randbytes(rng.randint(1, slots) * SLOT))))
        sector = rng.randrange(0, -(-slots * SLOT // SECTOR)) * SECTOR
        yield f"{name}-sector", Damaged(patched(it.store, (at + sector, rng.randbytes(SECTOR))))
        bad = rng.randrange(0, -(-slots * SLOT // SECTOR)) * SECTOR
        yield f"{name}-bad-sector", Damaged(patched(it.store, (at + bad, bytes(SECTOR))), [(at + bad, SECTOR, "-")])


@kind
def slot(rng, it):
    """The new chunk of one exception is none that Linux would have put there."""
    if not it.exceptions:
        return
    for variant in ("wild", "metadata", "none", "top-byte", "elsewhere"):
        position = rng.randrange(len(it.exceptions))
        new = it.exceptions[position][1]
        other = {"wild": 1 << 40, "metadata": 1 + (it.per_area + 1) * rng.randrange(3), "none": 0,
                 "top-byte": new | rng.randint(1, 255) << 56, "elsewhere": new - rng.randint(1, new - 1)}[variant]
        if other == 0 and it.exceptions[position][0] == 0:
            continue  # sixteen zeros, which are no damaged exception but none
        yield variant, Damaged(patched(it.store, (it.slot_at(position) + 8, struct.pack("<Q", other))))


@kind
def cut(rng, it):
    end = min(len(it.store), (it.exceptions[-1][1] + 1) * it.chunk_bytes) if it.exceptions else len(it.store)
    chunk = rng.randrange(2, max(3, end // it.chunk_bytes))
    areas = [it.area_at(area) for area in range(it.area_count)]
    places = {
        "chunk": chunk * it.chunk_bytes,
        "mid-chunk": chunk * it.chunk_bytes + rng.randrange(it.chunk_sectors) * SECTOR,
        "at-area": rng.choice(areas),
        "mid-area": rng.choice(areas) + rng.randrange(it.chunk_sectors) * SECTOR,
        "after-area": rng.choice(areas) + it.chunk_bytes,
        "sector": rng.randrange(1, max(2, end // SECTOR)) * SECTOR,
        "last-sector": end - SECTOR,
    }
    for name, at in places.items():
        yield name, Damaged(it.store[:at])


@kind
def data_unreadable(rng, it):
    if not it.exceptions:
        return
    for variant in ("one", "some", "many"):
        bad = {}
        for _ in range({"one": 1, "some": 6, "many": 60}[variant]):
            old, new = rng.choice(it.exceptions)
            sector = new * it.chunk_sectors + rng.randrange(it.chunk_sectors)
            for number in range(sector, sector + rng.choice((1, 1, 1, 2, it.chunk_sectors))):
                if (number // it.chunk_sectors) % (it.per_area + 1) != 1 and (number + 1) * SECTOR <= len(it.store):
                    bad[number] = rng.choice(STATUSES)
        store = patched(it.store, *((sector * SECTOR, bytes(SECTOR)) for sector in bad))
        yield variant, Damaged(store, [(sector * SECTOR, SECTOR, status) for sector, status in sorted(bad.items())])


def damages(it, kind, seed):
    """(kind/variant, Damaged) of one kind for one store; each has random numbers of its own."""
    for variant, damaged in KINDS[kind](random.Random(f"{seed}/{it.name}/{kind}"), it):
        yield f"{kind}/{variant}" if variant else kind, damaged
