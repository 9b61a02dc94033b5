"""Puts stores together, byte by byte: as Linux would have written them, except where told otherwise."""

import dataclasses
import struct

from recipe.stamps import SECTOR_BYTES, stamped

MAGIC = b"SnAp"
STAMPED_SECTORS_MAX = 8192  # beyond, a store is zeros unless told otherwise: a large one shall cost little
CHUNK_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclasses.dataclass
class Crafted:
    name: str
    store: bytes
    origin: bytes
    table_chunk_sectors: int
    # Where only the table tells the chunk size, nobody who has just the store can know what the kernel does.
    depends_on_table: bool = False

    @property
    def options(self):
        return f"P {self.table_chunk_sectors}"


class Store:
    """A store in the making. What is not said otherwise is as Linux would have written it."""

    def __init__(self, chunk_sectors=8, chunks=40, extra_sectors=0, origin_chunks=24, origin_extra=0):
        self.chunk_sectors = chunk_sectors
        self.chunks = chunks
        self.extra_sectors = extra_sectors
        self.origin_sectors = max(1, origin_chunks * chunk_sectors + origin_extra)
        self.header = {"magic": MAGIC, "valid": 1, "version": 1, "chunk_sectors": chunk_sectors}
        self.exceptions = []
        self.patches = {}  # (area, slot): (old, new), after everything else
        self.cut_sectors = None
        self.table_chunk_sectors = chunk_sectors
        self.stamped_sectors_max = STAMPED_SECTORS_MAX

    @property
    def per_area(self):
        return self.chunk_sectors * SECTOR_BYTES // 16

    def area_chunk(self, area):
        return 1 + area * (self.per_area + 1)

    def data_chunk(self, index):
        """The index-th chunk that is neither header nor metadata."""
        return 2 + index + index // self.per_area

    @property
    def data_chunk_count(self):
        return sum(1 for index in range(self.chunks) if self.data_chunk(index) < self.chunks)

    @property
    def origin_chunk_count(self):
        return -(-self.origin_sectors // self.chunk_sectors)

    def add(self, *pairs):
        self.exceptions += pairs
        return self

    def add_in_order(self, olds):
        """The next exceptions as Linux would make them, for these old chunks."""
        for old in olds:
            self.exceptions.append((old, self.data_chunk(len(self.exceptions))))
        return self

    def crafted(self, name, **details):
        sectors = self.chunks * self.chunk_sectors + self.extra_sectors
        data = bytearray(stamped(0, min(sectors, self.stamped_sectors_max), "store"))
        data += bytes(sectors * SECTOR_BYTES - len(data))
        chunk_bytes = self.chunk_sectors * SECTOR_BYTES

        def put(offset, piece):
            data[offset:offset + len(piece)] = piece[:max(0, len(data) - offset)]

        header = struct.pack("<4sIII", *self.header.values())
        put(0, header.ljust(chunk_bytes, b"\0"))
        areas = len(self.exceptions) // self.per_area + 1
        for area in range(areas):
            mine = self.exceptions[area * self.per_area:(area + 1) * self.per_area]
            packed = b"".join(struct.pack("<QQ", *pair) for pair in mine)
            put(self.area_chunk(area) * chunk_bytes, packed.ljust(chunk_bytes, b"\0"))
        for (area, slot), pair in self.patches.items():
            put(self.area_chunk(area) * chunk_bytes + slot * 16, struct.pack("<QQ", *pair))
        if self.cut_sectors is not None:
            del data[self.cut_sectors * SECTOR_BYTES:]
        origin = stamped(0, self.origin_sectors, "origin gen 0")
        return Crafted(name, bytes(data), origin, self.table_chunk_sectors, **details)


def some_store(rng, **fixed):
    """A store of some chunk size that holds a few dozen chunks."""
    chunk_sectors = fixed.pop("chunk_sectors", None) or rng.choice(CHUNK_SIZES)
    chunks = max(6, min(60, 1000 // chunk_sectors))
    origin_chunks = max(4, min(40, 600 // chunk_sectors))
    return Store(**{"chunk_sectors": chunk_sectors, "chunks": chunks, "origin_chunks": origin_chunks, **fixed})


def some_old(rng, store):
    return rng.randrange(store.origin_chunk_count)


def some_olds(rng, store, count):
    """Old chunks with runs among them, none twice."""
    olds = []
    while len(olds) < count and len(olds) < store.origin_chunk_count:
        first = rng.randrange(store.origin_chunk_count)
        for old in range(first, min(first + rng.choice((1, 1, 2, 3, 6)), store.origin_chunk_count)):
            if old not in olds and len(olds) < count:
                olds.append(old)
    return olds


def filled(rng, most=20, **fixed):
    store = some_store(rng, **fixed)
    count = rng.randint(2, max(2, min(most, store.data_chunk_count - 2)))
    return store.add_in_order(some_olds(rng, store, count))
