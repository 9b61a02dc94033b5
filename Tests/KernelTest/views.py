"""What a snapshot is: its origin, seen through a store's table. For large images: they are mapped, not read."""

import mmap
import struct

SECTOR, SLOT = 512, 16


def mapped(path):
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)


class Store:
    """An intact store, its exceptions in the order of the table."""

    def __init__(self, path, chunk_sectors=None):
        self.data = mapped(path)
        self.chunk_sectors = chunk_sectors or struct.unpack_from("<I", self.data, 12)[0]
        self.size = self.chunk_sectors * SECTOR
        self.per_area = self.size // SLOT
        self.chunks = len(self.data) // self.size
        self.exceptions = list(self.read())

    def area_chunk(self, area):
        return 1 + area * (self.per_area + 1)

    def is_data(self, chunk):
        return chunk > 1 and chunk % (self.per_area + 1) != 1

    def read(self):
        area = 0
        while (at := self.area_chunk(area) * self.size) + self.size <= len(self.data):
            for old, new in struct.iter_unpack("<QQ", self.data[at:at + self.size]):
                if new == 0:
                    return
                yield old, new
            area += 1

    @property
    def areas(self):
        """How many areas hold exceptions."""
        return -(-len(self.exceptions) // self.per_area)

    @property
    def next_free(self):
        return max((new for _, new in self.exceptions), default=1) + 1

    def chunk(self, new):
        return self.data[new * self.size:(new + 1) * self.size]


class View:
    """The origin seen through a table; `image` with no table is what it is."""

    def __init__(self, image, size, store=None):
        self.image, self.size, self.store = image, size, store
        self.news = dict(store.exceptions) if store else {}
        self.chunk_count = -(-len(image) // size)

    def chunk(self, old):
        at = old * self.size
        new = self.news.get(old)
        if new is None:
            return self.image[at:at + self.size]
        return self.store.chunk(new)[:max(0, len(self.image) - at)]

    def read(self, at, count):
        first, last = at // self.size, (at + count - 1) // self.size
        data = b"".join(self.chunk(old) for old in range(first, last + 1))
        return data[at - first * self.size:][:count]

    def write(self, path):
        """The whole snapshot as a file, for other programs."""
        with open(path, "r+b") as file:
            for old in self.news:
                file.seek(old * self.size)
                file.write(self.chunk(old))


def is_same(data, expected):
    """Whether a chunk of a store holds one of the origin, whose last may be short."""
    return data[:len(expected)] == expected
