"""What happens to the stores of place-test: areas lost in every way, bad sectors, and other people's chunks."""

import dataclasses
import struct
import subprocess

from views import SECTOR, Store, View, mapped

WIPED = 65536
RESIDUE_CHUNKS = 150
STARTING = 8  # exceptions: fewer are no sequence
DESTROYED = ("unreadable", "zeroes", "noise")
ANCHORS = {"ext4": "journal superblock", "xfs": "log's beginning", "btrfs": "superblock"}


@dataclasses.dataclass
class Loss:
    name: str
    patches: list = dataclasses.field(default_factory=list)  # (byte offset, bytes)
    unreadable: list = dataclasses.field(default_factory=list)  # (byte offset, byte count)
    size: int | None = None  # that the file is cut to, or lengthened
    # The rows that it counts for: "area", one alone; "first", area 0; "bad", sectors; "flight", as the kernel left it.
    counts: tuple = ()

    def apply(self, store, target):
        subprocess.run(["cp", "--sparse=always", store, target], check=True)
        with open(target, "r+b") as file:
            if self.size is not None:
                file.truncate(self.size)
            for at, data in self.patches:
                file.seek(at)
                file.write(data)
            for at, count in self.unreadable:  # nobody shall use what is there
                file.seek(at)
                file.write(b"\xbd" * count)
            return file.seek(0, 2)

    def mapfile(self, size):
        """As ddrescue writes it."""
        lines, at = ["# Mapfile. Created by GNU ddrescue version 1.27", "0x00000000     +               1"], 0
        for first, count in sorted(self.unreadable):
            if first > at:
                lines.append(f"0x{at:08X}  0x{first - at:08X}  +")
            lines.append(f"0x{first:08X}  0x{count:08X}  -")
            at = first + count
        if at < size:
            lines.append(f"0x{at:08X}  0x{size - at:08X}  +")
        return "\n".join(lines) + "\n"


def area(rng, store, number):
    """An area overwritten, with zeroes or with noise."""
    return store.area_chunk(number) * store.size, rng.choice((bytes, rng.randbytes))(store.size)


def clone_chunks(rng, clones, size):
    """Chunks that another clone of the same image wrote, as it left them, endlessly; None if there is no clone."""
    if not clones:
        return None
    clone = rng.choice(clones)
    store = Store(clone.file("cow.img"))
    image = mapped(clone.file("origin.img"))
    view = View(image, store.size, store if clone.mode == "overlay" else None)
    places = sorted({old * store.size // size * size for old, _ in store.exceptions})

    def endless():
        while True:
            start = rng.randrange(len(places))
            for at in places[start:start + rng.choice((1, 4, 16, 64))]:
                data = view.read(at, size)
                if any(data):
                    yield data.ljust(size, b"\0")
    return endless()


def losses(rng, made, store, clones, most_areas):
    """All that is done to a copy of that store."""
    if made.mode == "flight":
        yield from flights(rng, made, store)
        return
    if can_be_found(store):
        yield Loss("first 64 KiB wiped", [(0, bytes(WIPED))], counts=("first",))
    numbers = range(store.areas)
    if most_areas and most_areas < store.areas:
        numbers = [0, *sorted(rng.sample(range(1, store.areas), most_areas - 1))]
    for number in numbers:
        yield Loss(f"area {number} lost", [area(rng, store, number)], counts=("area", "first")[:1 + (number == 0)])
    for count in {2, store.areas // 2} - {0, 1}:
        if count <= store.areas:
            chosen = sorted(rng.sample(range(store.areas), count))
            yield Loss(f"areas {' '.join(map(str, chosen))} lost", [area(rng, store, number) for number in chosen])
    if store.areas > 1:
        yield Loss("every area lost", [area(rng, store, number) for number in range(store.areas)])
    for _ in range(2):
        yield bad_sectors(rng, store)
    yield from anchor_lost(rng, made, store)
    for how in DESTROYED:
        yield data_destroyed(rng, store, how)
    others = clone_chunks(rng, clones, store.size)
    if others:
        yield from residues(rng, store, others)


def can_be_found(store):
    """Whether areas are left when the beginning is wiped: without any, nothing tells that it is a store."""
    return len(store.exceptions) > store.per_area + 4


def bad_sectors(rng, store):
    """Some in two areas, and some in data."""
    spots = set()
    for number in rng.sample(range(store.areas), min(2, store.areas)):
        at = store.area_chunk(number) * store.size
        for _ in range(rng.choice((1, 2, store.chunk_sectors))):
            spots.add(at + rng.randrange(store.chunk_sectors) * SECTOR)
    for _, new in rng.sample(store.exceptions, min(20, len(store.exceptions))):
        spots.add(new * store.size + rng.randrange(store.chunk_sectors) * SECTOR)
    return Loss("bad sectors", unreadable=[(at, SECTOR) for at in sorted(spots)], counts=("bad",))


def anchor_lost(rng, made, store):
    """The chunk that generations are told by wiped, together with an area."""
    old = made.anchor // store.size if made.anchor is not None else None
    new = dict(store.exceptions).get(old)
    if new is None:
        return
    for number in sorted(rng.sample(range(store.areas), min(2, store.areas))):
        yield Loss(f"{ANCHORS[made.file_system]} wiped, area {number} lost",
                   [area(rng, store, number), (new * store.size, bytes(store.size))])


def data_destroyed(rng, store, how):
    """An area lost, and data chunks near it destroyed: what is missing of a log or a home leaves no trace."""
    number = rng.randrange(store.areas)
    first = number * store.per_area
    named = store.exceptions[first:first + store.per_area]
    count = min(len(named), rng.choice((1, 2, 4, 8, 32)))
    start = rng.randrange(len(named) - count + 1)
    spots = [new * store.size for _, new in named[start:start + count]]
    lost = area(rng, store, number)
    name = f"area {number} lost, {count} chunks {how}"
    if how == "unreadable":
        return Loss(name, [lost], [(at, store.size) for at in spots])
    fill = rng.randbytes if how == "noise" else bytes
    return Loss(name, [lost, *((at, fill(store.size)) for at in spots)])


def residues(rng, store, others):
    """Another clone's chunks: behind the table's end, and in a store that overflowed."""
    behind = [chunk for chunk in range(store.next_free, store.next_free + RESIDUE_CHUNKS) if store.is_data(chunk)]
    left = [(chunk * store.size, next(others)) for chunk in behind]
    size = max(len(store.data), (behind[-1] + 1) * store.size)
    last = store.areas - 1
    yield Loss("another clone's chunks behind the end, last area lost", [area(rng, store, last), *left], size=size)
    if last:
        number = rng.randrange(last)
        yield Loss(f"another clone's chunks behind the end, area {number} lost", [area(rng, store, number), *left],
                   size=size)
    # As the kernel leaves it: no longer valid, full to the end, the last area never written.
    first = last * store.per_area
    pending = [new for _, new in store.exceptions[first:]]
    replaced = rng.sample(pending, len(pending) // 3)
    patches = [(4, struct.pack("<I", 0)), (store.area_chunk(last) * store.size, bytes(store.size))]
    patches += [(new * store.size, next(others)) for new in replaced]
    yield Loss("overflowed, another clone's chunks in flight", patches, size=store.next_free * store.size)


def flights(rng, made, store):
    # Where the table names nothing of what was written there is no place to start from.
    yield Loss("overflowed", counts=("flight",) if len(store.exceptions) >= STARTING else ())
    if can_be_found(store):
        yield Loss("overflowed, first 64 KiB wiped", [(0, bytes(WIPED))])
    named = {new for _, new in store.exceptions}
    pending = [new for new in range(2, store.chunks) if store.is_data(new) and new not in named]
    before = View(mapped(made.file("before.img")), store.size)
    replaced = rng.sample(pending, len(pending) // 4)
    yield Loss("overflowed, an earlier snapshot's chunks in flight",
               [(new * store.size, before.chunk(rng.randrange(before.chunk_count)).ljust(store.size, b"\0"))
                for new in replaced])
