"""How Linux reads and merges a persistent snapshot store: a second opinion, written from the kernel's rules and from
nothing of dmsnap. It is slow and literal on purpose; the numbers wrap where the kernel's do.

The rules are those of dm-snap-persistent.c, dm-exception-store.[ch] and dm-snap.c of Linux 6.1 and 6.12. The two differ
in where an exception goes that comes behind all others in its bucket, see ExceptionTable.insert, and in how many
buckets there are at most.
"""

import dataclasses
import struct

SECTOR = 512
MASK = (1 << 64) - 1
NUMBER_BITS = 56  # of a new chunk in memory; the 8 bits above count the chunks that follow
NUMBER_MASK = (1 << NUMBER_BITS) - 1
COUNT_ONE = 1 << NUMBER_BITS
BUCKET_CHUNKS_SHIFT = 8
BUCKETS_MIN = 64
BUCKETS_MAX = {"6.1": 2 * 1024 * 1024 // 8, "6.12": 2 * 1024 * 1024 // 16}  # 2 MiB of them; 6.12's hold a lock each
CHUNK_SECTORS_MAX = (2**31 - 1) >> 9
DEFAULT_CHUNK_SECTORS = 32
MAGIC = 0x70416E53
COPY_SECTORS_MAX = 1024  # kcopyd copies in pieces of 512 KiB, each of which fails or succeeds on its own


class Panic(Exception):
    """The kernel runs into a BUG_ON."""


class Refused(Exception):
    """The table is not loaded. The text is what the kernel logs, or the errno where it logs nothing else."""


@dataclasses.dataclass
class CoreException:
    old: int
    new: int  # with the count in the top byte

    @property
    def count(self):
        return self.new >> NUMBER_BITS

    @property
    def number(self):
        return self.new & NUMBER_MASK

    def count_up(self):
        self.new = (self.new + COUNT_ONE) & MASK
        if not self.count:
            raise Panic("dm_consecutive_chunk_count_inc")

    def count_down(self):
        if not self.count:
            raise Panic("dm_consecutive_chunk_count_dec")
        self.new -= COUNT_ONE

    def covers(self, chunk):
        return self.old <= chunk <= (self.old + self.count) & MASK


class ExceptionTable:
    """The hash table of completed exceptions, its buckets lists whose order is seen from outside."""

    def __init__(self, kernel, store_sectors, table_chunk_sectors):
        self.keeps_order = kernel == "6.1"
        # The table is made before the header is read, so that the table's chunk size counts, not the header's.
        chunks = min(store_sectors // (table_chunk_sectors or 1), BUCKETS_MAX[kernel])
        self.mask = (1 << (max(chunks, BUCKETS_MIN).bit_length() - 1)) - 1
        self.buckets = {}

    def bucket(self, old):
        return self.buckets.setdefault((old >> BUCKET_CHUNKS_SHIFT) & self.mask, [])

    def insert(self, old, new):
        bucket = self.bucket(old)
        for at, e in enumerate(bucket):
            if old == (e.old + e.count + 1) & MASK and new == (e.number + e.count + 1) & MASK:
                e.count_up()
                return
            if old == (e.old - 1) & MASK and new == (e.number - 1) & MASK:
                e.count_up()
                e.old = (e.old - 1) & MASK
                e.new = (e.new - 1) & MASK
                return
            if old < e.old:
                bucket.insert(at, CoreException(old, new))
                return
        # Behind all others: 6.1 puts it last, 6.12 first.
        bucket.insert(len(bucket) if self.keeps_order else 0, CoreException(old, new))

    def lookup(self, chunk):
        return next((e for e in self.bucket(chunk) if e.covers(chunk)), None)

    def remove(self, chunk):
        """Takes one merged chunk out. False if it is in the middle of a run or not there at all."""
        e = self.lookup(chunk)
        if e is None:
            return False
        if not e.count:
            bucket = self.bucket(chunk)
            del bucket[next(at for at, other in enumerate(bucket) if other is e)]
            return True
        if chunk == e.old:
            e.old = (e.old + 1) & MASK
            e.new = (e.new + 1) & MASK
        elif chunk != (e.old + e.count) & MASK:
            return False
        e.count_down()
        return True


class Snapshot:
    """A store loaded over an origin."""

    def __init__(self, store, origin, kernel, table_chunk_sectors):
        self.store = bytearray(store)
        self.origin = bytearray(origin)
        self.store_sectors = len(store) // SECTOR
        self.origin_sectors = len(origin) // SECTOR
        self.table = ExceptionTable(kernel, self.store_sectors, table_chunk_sectors)
        self.chunk_sectors = table_chunk_sectors or DEFAULT_CHUNK_SECTORS
        self.valid = True
        self.is_new = False
        self.merge_failed = False
        self.next_free = 2
        self.area = self.committed = 0
        self.read_metadata()

    # MARK: the store

    def chunk(self, number):
        """A whole chunk, which must lie inside the store."""
        first = number * self.chunk_sectors
        if first + self.chunk_sectors > self.store_sectors:
            raise Refused("-EIO")
        return bytes(self.store[first * SECTOR:(first + self.chunk_sectors) * SECTOR])

    def write_chunk(self, number, data):
        self.chunk(number)
        first = number * self.chunk_sectors * SECTOR
        self.store[first:first + len(data)] = data

    @property
    def chunk_bytes(self):
        return self.chunk_sectors * SECTOR

    @property
    def exceptions_per_area(self):
        return self.chunk_bytes // 16

    def area_chunk(self, area):
        return 1 + area * (self.exceptions_per_area + 1)

    def read_metadata(self):
        magic, valid, version, chunk_sectors = struct.unpack_from("<IIII", self.chunk(0))
        if magic == 0:
            self.is_new = True
            self.write_chunk(0, struct.pack("<IIII", MAGIC, 1, 1, self.chunk_sectors).ljust(self.chunk_bytes, b"\0"))
            try:
                self.write_chunk(1, bytes(self.chunk_bytes))
            except Refused:
                raise Refused("zero_disk_area(0) failed")
            return
        if magic != MAGIC:
            raise Refused("Invalid or corrupt snapshot")
        if chunk_sectors != self.chunk_sectors:
            if chunk_sectors == 0 or chunk_sectors & (chunk_sectors - 1):
                raise Refused(f"invalid on-disk chunk size {chunk_sectors}: Chunk size is not a power of 2")
            if chunk_sectors > CHUNK_SECTORS_MAX:
                raise Refused(f"invalid on-disk chunk size {chunk_sectors}: Chunk size is too high")
            self.chunk_sectors = chunk_sectors
        if version != 1:
            signed = version - (1 << 32) if version >> 31 else version
            raise Refused(f"unable to handle snapshot disk version {signed}")
        if not valid:
            self.valid = False
            return
        self.read_exceptions()

    def area_exceptions(self, area):
        return list(struct.iter_unpack("<QQ", self.chunk(self.area_chunk(area))))

    def read_exceptions(self):
        while True:
            for index, (old, new) in enumerate(self.area_exceptions(self.area)):
                if new == 0:
                    self.committed = index
                    # A free chunk behind the last used one; past the area that would be there.
                    if self.next_free % (self.exceptions_per_area + 1) == 1:
                        self.next_free += 1
                    return
                if self.next_free <= new:
                    self.next_free = (new + 1) & MASK
                self.table.insert(old, new)
            self.area += 1

    # MARK: what it looks like

    @property
    def status(self):
        if not self.valid:
            return "Invalid"
        if self.merge_failed:
            return "Merge failed"
        allocated = self.next_free * self.chunk_sectors & MASK
        return f"{allocated}/{self.store_sectors} {(self.area + 2) * self.chunk_sectors}"

    def store_sector(self, chunk):
        """Where a chunk's data begin in the store, or None where the origin has them."""
        e = self.table.lookup(chunk)
        return None if e is None else (e.number + chunk - e.old) * self.chunk_sectors & MASK

    def view(self):
        """The snapshot's bytes, zeros for what cannot be read, and (byte offset, byte count) of that."""
        if not self.valid:
            return bytes(len(self.origin)), [(0, len(self.origin))]
        data, unreadable = bytearray(self.origin), []
        for first in range(0, self.origin_sectors, self.chunk_sectors):
            place = self.store_sector(first // self.chunk_sectors)
            if place is None:
                continue
            for sector in range(first, min(first + self.chunk_sectors, self.origin_sectors)):
                source = (place + sector - first) & MASK
                at = sector * SECTOR
                if source < self.store_sectors:
                    data[at:at + SECTOR] = self.store[source * SECTOR:(source + 1) * SECTOR]
                else:
                    data[at:at + SECTOR] = bytes(SECTOR)
                    add_range(unreadable, at, SECTOR)
        return bytes(data), unreadable

    # MARK: the merge

    def merge(self):
        """Runs the merge to its end; origin, store and status are then as the kernel leaves them."""
        if not self.valid:
            return
        # The last area stays in memory as it was read, with what is behind its terminator.
        area = self.area_exceptions(self.area) if not self.is_new else []
        while True:
            if not self.committed:
                if not self.area:
                    return
                self.area -= 1
                area = self.area_exceptions(self.area)
                self.committed = self.exceptions_per_area
            count = self.consecutive(area)
            old, new = ((number + 1 - count) & MASK for number in area[self.committed - 1])
            if not self.copy_back(old, new, count):
                self.merge_failed = True
                return
            area[self.committed - count:self.committed] = [(0, 0)] * count
            self.write_chunk(self.area_chunk(self.area), b"".join(struct.pack("<QQ", *pair) for pair in area))
            self.committed -= count
            self.next_free = self.area_chunk(self.area) + self.committed + 1
            if not self.take_out(old, count):
                self.merge_failed = True
                return

    def consecutive(self, area):
        """How many of the last exceptions of an area are one run."""
        last_old, last_new = area[self.committed - 1]
        count = 1
        while count < self.committed and area[self.committed - 1 - count] == ((last_old - count) & MASK,
                                                                              (last_new - count) & MASK):
            count += 1
        return count

    def take_out(self, old, count):
        chunk = (old + count - 1) & MASK
        while True:
            if not self.table.remove(chunk):
                return False
            if not chunk > old:
                return True
            chunk -= 1

    def copy_back(self, old, new, count):
        """Copies a run to the origin. The origin's end cuts it short, unless it begins behind it: then it wraps."""
        target = old * self.chunk_sectors & MASK
        source = new * self.chunk_sectors & MASK
        sectors = min(count * self.chunk_sectors, (self.origin_sectors - target) & MASK)
        good = True
        for first in range(0, sectors, COPY_SECTORS_MAX):
            piece = min(COPY_SECTORS_MAX, sectors - first)
            to, of = (target + first) & MASK, (source + first) & MASK
            if of + piece > self.store_sectors or to + piece > self.origin_sectors:
                good = False
                continue
            self.origin[to * SECTOR:(to + piece) * SECTOR] = self.store[of * SECTOR:(of + piece) * SECTOR]
        return good


def add_range(ranges, offset, count):
    if ranges and sum(ranges[-1]) == offset:
        ranges[-1] = (ranges[-1][0], ranges[-1][1] + count)
    else:
        ranges.append((offset, count))
