"""Stores large enough for a merge to be caught in the middle, and what merging them must give.

The bytes to expect are those of the kernel's rules as Tests/KernelTest/model.py has them: dmsnap is not asked.
"""

import dataclasses
import functools
import random

import model
from crafting import Store

SECTOR = 512
TAIL = b"behind the last whole sector, where no merge may write"


@dataclasses.dataclass(frozen=True)
class Shape:
    """A store, its origin as it was, and the origin as its merge leaves it."""
    name: str
    chunk_sectors: int
    store: bytes
    origin: bytes
    merged: bytes
    exceptions: tuple  # (old, new), in table order

    @property
    def chunk_bytes(self):
        return self.chunk_sectors * SECTOR

    @property
    def undo_byte_count(self):
        """Of an undo store: a header, a chunk for each exception, an area for each so many, one more for the end."""
        per_area = self.chunk_bytes // 16
        count = len(self.exceptions)
        return (1 + count + count // per_area + 1) * self.chunk_bytes

    @property
    def without_tail(self):
        """For an origin that is a device, which has no part of a sector."""
        end = len(self.origin) // SECTOR * SECTOR
        return dataclasses.replace(self, origin=self.origin[:end], merged=self.merged[:end])

    @property
    def over_zeros(self):
        """The same store, over an origin that is zero all over."""
        zeros = bytes(len(self.origin))
        return dataclasses.replace(self, origin=zeros, merged=view(self.store, zeros, self.chunk_sectors))


def view(store, origin, chunk_sectors):
    """What the snapshot shows, which is what a merge has to make of the origin."""
    image, unreadable = model.Snapshot(store, origin, "6.1", chunk_sectors).view()
    assert not unreadable and image != origin
    return image


def shape(name, chunk_sectors, origin_chunks, olds, origin_extra=0, tail=b""):
    count = len(olds)
    per_area = chunk_sectors * SECTOR // 16
    store = Store(chunk_sectors, chunks=count + count // per_area + 4, origin_chunks=origin_chunks,
                  origin_extra=origin_extra)
    store.stamped_sectors_max = store.chunks * chunk_sectors
    crafted = store.add_in_order(olds).crafted(name)
    merged = view(crafted.store, crafted.origin, chunk_sectors)
    return Shape(name, chunk_sectors, crafted.store, crafted.origin + tail, merged + tail, tuple(store.exceptions))


def runs(rng, chunk_count, most):
    """Old chunks of runs whose order is mixed, about half of all."""
    pieces, first = [], rng.randint(0, 5)
    while first < chunk_count:
        count = min(rng.randint(1, most), chunk_count - first)
        pieces.append(range(first, first + count))
        first += count + rng.randint(1, most)
    rng.shuffle(pieces)
    return [old for piece in pieces for old in piece]


def scattered(rng):
    return shape("scattered", 8, 16384, rng.sample(range(16384), 8192))


def long_runs(rng):
    return shape("runs", 8, 16384, runs(rng, 16384, 700))


def sectors(rng):
    return shape("sectors", 1, 32768, rng.sample(range(32768), 12000))


def odd(rng):
    """Its origin ends within a chunk, which is among the exceptions, and, as a file, within a sector."""
    olds = rng.sample(range(1280), 640)
    return shape("odd", 32, 1281, [*olds[:77], 1280, *olds[77:]], origin_extra=-19, tail=TAIL)


def large_chunks(rng):
    return shape("large-chunks", 128, 1024, runs(rng, 1024, 6))


def small(rng):
    """For what need not be caught in the middle."""
    return shape("small", 8, 1024, rng.sample(range(1024), 400))


def guest(rng):
    """For an emulated machine: small, and slow to merge."""
    return shape("guest", 8, 8192, rng.sample(range(8192), 4096))


SHAPES = {"scattered": scattered, "runs": long_runs, "sectors": sectors, "odd": odd, "large-chunks": large_chunks}


@functools.cache
def made(make, seed):
    return make(random.Random(f"{seed}/{make.__name__}"))
