"""Odd and damaged stores, crafted from a seed: each family turns one thing in a store to what no kernel would write."""

import random

from crafting import Store, filled, some_old, some_olds, some_store

FOREIGN_MAGICS = (b"PAnS", b"pAnS", b"LUKS", b"\x01\0\0\0", b"\xff\xff\xff\xff", b"SnAP")
WILD = (1 << 20, 1 << 40, 1 << 55, (1 << 56) - 1, 1 << 63, (1 << 64) - 1)

# MARK: families

FAMILIES = {}


def family(count):
    def register(make):
        FAMILIES[make.__name__.replace("_", "-")] = (count, make)
        return make
    return register


@family(20)
def sane(rng, index):
    return filled(rng, extra_sectors=rng.choice((0, 0, 1)))


@family(60)
def duplicate_old(rng, index):
    """Old chunks that are there twice or more, before, inside and behind packed runs."""
    store = some_store(rng, chunk_sectors=rng.choice((1, 2, 4, 8, 16)))
    first = rng.randrange(2, 10)
    run = [(first + i, 2 + i) for i in range(rng.randint(3, 8))]
    doubles = [(rng.choice(run)[0], 12 + i) for i in range(rng.randint(1, 6))]
    if index % 3 == 0:  # packed runs that cover each other
        start = first + rng.randrange(-1, 3)
        doubles += [(start + i, 20 + i) for i in range(rng.randint(2, 4))]
    store.add(*run, *doubles)
    if index % 2:
        rng.shuffle(store.exceptions)
    if index % 5 == 0:
        store.add((first + 30, 26))  # one that comes behind all others in the bucket
    return store


@family(15)
def duplicate_old_simple(rng, index):
    """One chunk twice to five times and nothing else: the order alone decides."""
    store = some_store(rng, chunk_sectors=8)
    store.add(*((5, new) for new in rng.sample(range(2, 30), rng.randint(2, 5))))
    if index % 3 == 1:
        store.exceptions.insert(0, (9, 30))
    if index % 3 == 2:
        store.exceptions.insert(1, (3, 30))
    return store


@family(15)
def duplicate_new(rng, index):
    """Several old chunks that share one data chunk."""
    store = filled(rng)
    new = rng.choice(store.exceptions)[1]
    for at in rng.sample(range(len(store.exceptions)), min(2, len(store.exceptions))):
        store.exceptions[at] = (store.exceptions[at][0], new)
    return store


@family(60)
def top_byte(rng, index):
    """Run lengths in the top byte of the new chunk, which Linux never writes and always obeys."""
    chunk_sectors = rng.choice((1, 2, 8, 8, 16, 32, 64, 128))
    store = some_store(rng, chunk_sectors=chunk_sectors)
    count = rng.choice((1, 2, 3, 4, 7, 15, 100, 127, 128, 254, 255))
    first = some_old(rng, store)
    store.add((first, count << 56 | rng.randrange(1, store.chunks)))
    others = [(some_old(rng, store), rng.randrange(2, store.chunks)) for _ in range(rng.randint(0, 5))]
    if index % 4 == 0:  # one that goes on where the run ends
        others.append((first + count + 1, (store.exceptions[0][1] & 0xFFFFFF) + count + 1))
    if index % 4 == 1 and count < 255 and first > 0:  # one that ends where the run begins
        others.append((first - 1, (store.exceptions[0][1] & 0xFFFFFF) - 1 or 2))
    if index % 4 == 2:
        others.append((some_old(rng, store), rng.randint(1, 9) << 56 | rng.randrange(1, store.chunks)))
    store.add(*others)
    if index % 3 == 0:
        rng.shuffle(store.exceptions)
    return store


@family(24)
def top_byte_huge_chunk(rng, index):
    """Top bytes under large chunks: chunk to sector shifts them out of 64 bits."""
    chunk_sectors = (256, 512, 1024, 128)[index % 4]
    store = Store(chunk_sectors=chunk_sectors, chunks=6, origin_chunks=2 if chunk_sectors > 256 else 4)
    top = rng.choice((1, 2, 3, 8, 64, 128, 255))
    number = rng.choice((2, 3, 1 << 55, 1 << 48, (1 << 56) - 1, 5))
    store.add((some_old(rng, store), top << 56 | number))
    if index % 2:
        store.add((some_old(rng, store), 4))
    return store


@family(20)
def hole(rng, index):
    """A terminator with more exceptions behind it, in the same area and beyond."""
    store = filled(rng)
    slot = rng.randrange(len(store.exceptions))
    store.exceptions[slot] = (rng.choice((0, 0, 77, 1 << 63)), 0)
    return store


@family(30)
def wild_new(rng, index):
    """New chunks far beyond the store, and just at its end."""
    store = filled(rng, most=8)
    for at in rng.sample(range(len(store.exceptions)), rng.randint(1, 2)):
        wild = rng.choice((*WILD, store.chunks, store.chunks - 1, store.chunks + 1))
        store.exceptions[at] = (store.exceptions[at][0], wild)
    return store


@family(12)
def wild_new_wraps_free(rng, index):
    """A new chunk of 2^64-1: the next free chunk wraps to 0, and later exceptions raise it again."""
    store = filled(rng, most=6)
    place = rng.randrange(len(store.exceptions) + 1)
    store.exceptions.insert(place, (some_old(rng, store), (1 << 64) - 1))
    if index % 3 == 0:
        store.exceptions = [(3, (1 << 64) - 1), (1, 1)]
    return store


@family(30)
def wild_old(rng, index):
    """Old chunks far beyond the origin; in sectors, one of them comes round to the origin's beginning."""
    store = filled(rng, most=8)
    for at in rng.sample(range(len(store.exceptions)), rng.randint(1, 2)):
        wild = rng.choice((*WILD, (1 << 64) - 2, (1 << 64) // max(2, store.chunk_sectors)))
        store.exceptions[at] = (wild, store.exceptions[at][1])
    return store


@family(24)
def beyond_origin(rng, index):
    """Old chunks just past the origin's end, at it, and runs that cross it."""
    store = some_store(rng, origin_extra=rng.choice((0, 0, 1)) if index % 2 else 0)
    end = store.origin_chunk_count
    if index % 4 == 0:
        store.add_in_order([1, end])
    elif index % 4 == 1:
        store.add_in_order([1, end + rng.randint(1, 9)])
    elif index % 4 == 2:
        store.add_in_order([0, end - 1, end, end + 1])
    else:
        store.add_in_order([end, 1, 2])
    return store


@family(20)
def shuffled(rng, index):
    """A table in another order than it was made in, as a store edited or repaired might have."""
    store = filled(rng)
    if index % 2:
        rng.shuffle(store.exceptions)
    else:
        news = [new for _, new in store.exceptions]
        rng.shuffle(news)
        store.exceptions = [(old, new) for (old, _), new in zip(store.exceptions, news)]
    return store


@family(15)
def metadata_target(rng, index):
    """New chunks that point into a metadata area: the exceptions themselves become data."""
    store = filled(rng, most=12)
    areas = [store.area_chunk(area) for area in range(3)]
    for at in rng.sample(range(len(store.exceptions)), min(2, len(store.exceptions))):
        store.exceptions[at] = (store.exceptions[at][0], rng.choice(areas[:1] + areas))
    return store


@family(40)
def truncated(rng, index):
    """Stores cut at every place that matters: in the header, in an area, at an area, in a data chunk."""
    chunk_sectors = (1, 8, 8, 16)[index % 4]
    per_area = chunk_sectors * 32
    if chunk_sectors == 1:
        store = Store(chunk_sectors=1, chunks=120, origin_chunks=128).add_in_order(range(0, 70))
        second = per_area + 2
        places = (1, 2, 3, second - 1, second, second + 1, second + 5, 2 * second - 2, 2 * second - 1, 75)
    else:
        store = Store(chunk_sectors=chunk_sectors, chunks=per_area + 12, origin_chunks=40)
        count = per_area + 4 if index % 3 == 0 else 30
        store.origin_sectors = 60 * chunk_sectors
        store.add_in_order([old % 60 for old in range(count)] if count > 60 else range(count))
        area1 = (per_area + 2 - 1) * chunk_sectors
        cs = chunk_sectors
        places = (1, cs - 1, cs, cs + 1, 2 * cs - 1, 2 * cs, 5 * cs, 10 * cs + 3, 20 * cs, area1 - cs, area1, area1 + 1,
                  area1 + cs - 1, area1 + cs)
    store.cut_sectors = places[(index // 4) % len(places)]
    return store


HEADERS = (
    *({"valid": valid} for valid in (0, 2, 0xFFFFFFFF, 0x80000000)),
    *({"version": version} for version in (0, 2, 16, 0xFFFFFFFF)),
    *({"version": 2, "valid": 0}, {"version": 0, "valid": 0}),
    *({"chunk_sectors": size} for size in (0, 3, 7, 9, 24, 1 << 22, 1 << 31, 0xFFFFFFFF, 1, 2, 16, 32, 64)),
    *({"chunk_sectors": size, "valid": 0} for size in (0, 3, 16, 1 << 22)),
    *({"chunk_sectors": size, "version": 2} for size in (3, 16)),
    *({"magic": magic} for magic in FOREIGN_MAGICS),
    *({"magic": magic, "valid": 0} for magic in FOREIGN_MAGICS[:2]),
    {"magic": bytes(4)}, {"magic": bytes(4), "version": 9}, {"magic": bytes(4), "chunk_sectors": 3, "valid": 0},
)


@family(len(HEADERS))
def header(rng, index):
    store = Store(chunks=80, origin_chunks=24).add_in_order(some_olds(rng, Store(origin_chunks=24), 12))
    store.header |= HEADERS[index]
    return store


@family(12)
def other_chunk_size(rng, index):
    """A header whose chunk size is not the one that the table was written with."""
    written, said = rng.choice(((8, 16), (16, 8), (8, 32), (32, 8), (1, 8), (8, 1), (64, 8), (8, 128)))
    store = filled(rng, chunk_sectors=written)
    store.header["chunk_sectors"] = said
    store.table_chunk_sectors = said
    return store


@family(8)
def magic_zero_small(rng, index):
    """New stores with hardly any room: the header goes in, the first area may not."""
    store = Store(chunks=4, origin_chunks=8)
    store.header["magic"] = bytes(4)
    store.cut_sectors = (1, 7, 8, 9, 15, 16, 17, 24)[index]
    return store


@family(25)
def odd_origin(rng, index):
    """Origins that are not a whole number of chunks, their last chunk among the exceptions."""
    chunk_sectors = rng.choice((2, 4, 8, 16, 32, 128))
    store = some_store(rng, chunk_sectors=chunk_sectors, origin_extra=-rng.randint(1, chunk_sectors - 1))
    last = store.origin_chunk_count - 1
    olds = [old for old in some_olds(rng, store, 6) if old != last]
    olds.insert(rng.randrange(len(olds) + 1), last)
    return store.add_in_order(olds[:store.data_chunk_count - 1])


@family(10)
def odd_store(rng, index):
    """Exceptions for the store's partial last chunk, of which only the first sectors are there."""
    chunk_sectors = rng.choice((4, 8, 32))
    extra = rng.randint(1, chunk_sectors - 1)
    store = some_store(rng, chunk_sectors=chunk_sectors, extra_sectors=extra, origin_extra=rng.choice((0, -1)))
    store.add_in_order([1, 2])
    old = store.origin_chunk_count - 1 if index % 2 else 5
    return store.add((old, store.chunks))


@family(10)
def small_origin(rng, index):
    """An origin of a few sectors, smaller than a chunk."""
    store = Store(chunk_sectors=rng.choice((16, 64, 128)), chunks=8, origin_chunks=0, origin_extra=rng.randint(1, 15))
    return store.add_in_order([0] if index % 2 else [0, 1])


@family(40)
def areas(rng, index):
    """Chunks of one sector, 32 exceptions an area: areas just full, one short, one over, and runs across them."""
    count = (31, 32, 33, 63, 64, 65, 96, 100)[index % 8]
    store = Store(chunk_sectors=1, chunks=count + count // 32 + 4 + rng.randint(0, 3), origin_chunks=256)
    if index // 8 == 0:
        olds = list(range(count))
    elif index // 8 == 1:
        olds = list(range(count, 0, -1))
    elif index // 8 == 2:
        olds = rng.sample(range(256), count)
    else:
        olds = [rng.randrange(80) for _ in range(count)]
    store.add_in_order(olds)
    if index % 8 in (1, 4, 6) and index // 8 == 4:
        store.cut_sectors = store.area_chunk(count // 32)  # full, and the next area is not there
    return store


@family(10)
def stale_areas(rng, index):
    """What an older generation left beyond the terminator, which nobody looks at until its area fills."""
    store = Store(chunk_sectors=1, chunks=110, origin_chunks=128)
    store.add_in_order(range(10, 10 + (20, 31, 32, 33, 64)[index % 5]))
    for slot in range(32):
        area = len(store.exceptions) // 32 + 1
        store.patches[area, slot] = (slot + 60, store.area_chunk(area) + 1 + slot)
    if index >= 5:
        store.patches[len(store.exceptions) // 32, 31] = (99, 50)
    return store


@family(20)
def buckets(rng, index):
    """Old chunks so wild that they fall into the bucket of sane ones, by the number of buckets that this store has."""
    chunks = rng.choice((40, 70, 130, 300))
    store = Store(chunk_sectors=1, chunks=chunks, origin_chunks=64)
    bucket_count = max(64, 1 << (chunks.bit_length() - 1))
    alias = 256 * rng.choice((bucket_count, bucket_count, bucket_count // 2, bucket_count * 2))
    pairs = [(5, 3), (5, 4), (6, 9), (5 + alias, 12), (6 + alias, 13), (7, 20), (7, 21), (4 + alias, 11)]
    store.add(*rng.sample(pairs, rng.randint(4, len(pairs))))
    return store


@family(4)
def most_buckets(rng, index):
    """A store of so many chunks that the number of buckets is at its limit, another one in each kernel."""
    store = Store(chunk_sectors=1, chunks=(1 << 18) + 100, origin_chunks=16)
    return store.add((5 + (1 << 24 + index), 12), (5, 3), (5, 4))


@family(16)
def table_chunk_size(rng, index):
    """Another chunk size in the table than in the header. The header's wins, but the table's is used until it has been
    read: for the header itself, and for the number of buckets."""
    store = Store(chunk_sectors=8, chunks=130, origin_chunks=20)
    store.table_chunk_sectors = (0, 1, 2, 4, 16, 32, 64, 1024)[index % 8]
    if index < 8:
        sectors = store.chunks * store.chunk_sectors // (store.table_chunk_sectors or 1)
        alias = 256 * max(64, 1 << (sectors.bit_length() - 1))
        store.add((5 + alias * (1 << 40), 12), (5, 3), (5 + alias, 13), (5, 4), (6, 9), (6 + alias // 2, 10), (6, 11))
    else:
        store.add((5, 3), (6, 4))
        store.cut_sectors = 64
    return store


@family(60)
def soup(rng, index):
    """Anything anywhere, from so few numbers that they meet."""
    store = some_store(rng, chunk_sectors=rng.choice((1, 1, 2, 8, 8, 32)))
    olds = range(min(12, store.origin_chunk_count))
    for _ in range(rng.randint(3, 40 if store.chunk_sectors == 1 else 25)):
        old, new = rng.choice(olds), rng.randint(2, min(16, store.chunks - 1))
        if rng.random() < 0.1:
            new |= rng.choice((1, 2, 5, 255)) << 56
        if rng.random() < 0.05:
            new = rng.choice(WILD)
        if rng.random() < 0.05:
            old = rng.choice(WILD)
        if rng.random() < 0.3 and store.exceptions:
            old, new = ((number + 1) & (2**64 - 1) for number in store.exceptions[-1])
        store.add((old, new or 1))
    return store


@family(4)
def panic(rng, index):
    """A run of 256 chunks that the chunk before it would lengthen: the counter overflows, a BUG in the kernel."""
    store = some_store(rng, chunk_sectors=8)
    first = rng.randint(2, 9)
    return store.add((first, 255 << 56 | 20), *([(first + 1, 9)] if index % 2 else []), (first - 1, 19))


@family(2)
def panic_in_merge(rng, index):
    """A run of 256 chunks from number 2^56-1 on, and a duplicate of its first: it loads, but taking the duplicate out
    carries into the counter, a BUG in the kernel."""
    store = some_store(rng, chunk_sectors=8)
    old = rng.randint(1, 9)
    return store.add((old, (1 << 64) - 1), (30, 3), (old, 4)) if index else store.add((old, (1 << 64) - 1), (old, 4))


def craft(seed):
    """All stores of a seed."""
    stores = []
    for name, (count, make) in FAMILIES.items():
        for index in range(count):
            store = make(random.Random(f"{seed}/{name}/{index}"), index)
            tabled = name in ("magic-zero-small", "table-chunk-size")
            stores.append(store.crafted(f"{name}-{index:02d}", depends_on_table=tabled))
    return stores
