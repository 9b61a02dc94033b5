"""Volume groups made up from a seed: PVs, and the script that has lvm2 make a group with snapshots on them.

Each group is its own, by its name and the seed, so that one of them can be made alone.
"""

import dataclasses
import random

from recipe.lvm import Disk, Group

EXTENT_KIBS = (16, 32, 64, 128, 256)
CHUNK_KIBS = (4, 8, 16, 32, 64)
# The origin's type, how many PVs it takes, and lvcreate's options, with the stripes' size for %d
TYPES = [
    ("linear", 1, "--type linear"),
    ("linear", 1, "--type linear"),
    ("striped", 2, "--type striped -i 2 -I %dk"),
    ("striped", 3, "--type striped -i 3 -I %dk"),
    ("raid1", 2, "--type raid1 -m 1"),
    ("raid1", 3, "--type raid1 -m 2"),
    ("mirror", 2, "--type mirror -m 1 --mirrorlog core"),
    ("mirror", 3, "--type mirror -m 1 --mirrorlog disk"),
    ("raid0", 2, "--type raid0 -i 2 -I %dk"),
    ("raid0", 3, "--type raid0_meta -i 3 -I %dk"),
    ("raid10", 4, "--type raid10 -i 2 -m 1 -I %dk"),
    ("raid4", 3, "--type raid4 -i 2 -I %dk"),
    ("raid5", 3, "--type raid5_ls -i 2 -I %dk"),
    ("raid5", 4, "--type raid5_ra -i 3 -I %dk"),
    ("raid5", 3, "--type raid5_n -i 2 -I %dk"),
    ("raid6", 5, "--type raid6_zr -i 3 -I %dk"),
    ("raid6", 5, "--type raid6_nc -i 3 -I %dk"),
]
SYNCED = ("raid1", "mirror", "raid10", "raid4", "raid5", "raid6")


@dataclasses.dataclass
class Origin:
    name: str
    kind: str
    sector_count: int
    snapshots: list  # names


@dataclasses.dataclass
class MadeUpGroup(Group):
    origins: list[Origin] = dataclasses.field(default_factory=list)
    left_out: int | None = None  # a PV that the others can do without when it comes to metadata


def craft(seed, count):
    return [craft_group(f"{number:03d}", random.Random(f"{seed}/{number}")) for number in range(count)]


def craft_group(name, rng):
    pv_count = rng.choice((2, 2, 3, 3, 4, 5))
    disks = [Disk(2048 * rng.randint(12, 18) + 8 * rng.randrange(256)) for _ in range(pv_count)]
    extent_kib = rng.choice(EXTENT_KIBS)
    copies = [rng.choice((1, 1, 1, 2, 0)) for _ in disks]
    if not any(copies):
        copies[rng.randrange(pv_count)] = 1
    lines = [pvcreate(f"$pv{number}", copies[number], rng) for number in range(pv_count)]
    lines.append(f"vgcreate -s {extent_kib}k vg " + " ".join(f"$pv{number}" for number in range(pv_count)))

    origins = []
    for number in range(rng.choice((1, 1, 2))):
        origins.append(craft_origin(f"origin{number}", pv_count, extent_kib, lines, rng))
    for origin in origins:
        use_origin(origin, extent_kib, pv_count, lines, rng)
    lines += ["lvchange --addtag old vg/origin0\nlvchange --deltag old vg/origin0"] * rng.randint(0, 4)
    for origin in origins:
        end_snapshots(origin, lines, rng)

    spare = [number for number in range(pv_count) if any(copies[:number] + copies[number + 1:])]
    return MadeUpGroup(name, disks, "\n".join(lines), origins=origins, left_out=rng.choice(spare) if spare else None)


def pvcreate(pv, copies, rng):
    options = [f"--pvmetadatacopies {copies}"]
    if rng.random() < 0.5:
        options.append(f"--metadatasize {rng.choice((64, 128, 500))}k")
    if rng.random() < 0.5:
        options.append(f"--dataalignment {rng.choice((8, 24, 64, 192, 1024))}k")
        options.append(f"--dataalignmentoffset {rng.choice((0, 4, 7))}k")
    return f"pvcreate {' '.join(options)} {pv}"


def craft_origin(name, pv_count, extent_kib, lines, rng):
    kind, _, options = rng.choice([kind for kind in TYPES if kind[1] <= pv_count])
    kib = rng.randint(384, 1536)
    if "%d" in options:
        options %= rng.choice([size for size in (4, 8, 16, 32, 64) if size <= extent_kib])
    lines.append(f"lvcreate {options} -n {name} -L {kib}k vg")
    if kind == "linear" and rng.random() < 0.5:
        kib += 256
        lines.append(f"lvextend -L +256k vg/{name} $pv{rng.randrange(pv_count)}")
    if kind in SYNCED:
        lines.append(f"in_sync vg/{name}")
    lines.append(f"fill vg/{name}")
    return Origin(name, kind, kib * 2, [])


def use_origin(origin, extent_kib, pv_count, lines, rng):
    """Snapshots, taken at different times, and writes to all that is there; some get more than there is room for."""
    generation = 0
    for number in range(rng.choice((1, 1, 2, 2, 3))):
        snapshot = f"{origin.name}snap{number}"
        chunk_kib = rng.choice(CHUNK_KIBS)
        # lvm2 makes a store no larger than its origin could ever fill.
        overflows = rng.random() < 0.1
        kib = max(extent_kib, 3 * chunk_kib) if overflows else origin.sector_count + 512
        on = rng.choice(("", f"$pv{rng.randrange(pv_count)}"))
        lines.append(f"lvcreate -s -n {snapshot} -c {chunk_kib}k -L {kib if overflows else kib // 4}k "
                     f"vg/{origin.name} {on}".rstrip())
        if not overflows:
            lines.append(f"lvextend -L {kib}k vg/{snapshot} $pv{rng.randrange(pv_count)}")
        origin.snapshots.append(snapshot)
        for _ in range(rng.randint(1, 3)):
            generation += 1
            target = rng.choice([origin.name, *origin.snapshots])
            label = f"{target[-5:]} gen {generation}"
            piece = rng.choice((1, 8, 64))
            # It says so when a store has become full.
            lines.append(f'stamp vg/{target} "{label}" {piece} {some_ranges(origin, rng)} >/dev/null')


def some_ranges(origin, rng):
    ranges = []
    for _ in range(rng.randint(1, 6)):
        count = rng.choice((1, 8, 20, 64, 150))
        ranges.append(f"{rng.randrange(origin.sector_count - count)}:{count}")
    return " ".join(ranges)


def end_snapshots(origin, lines, rng):
    """What becomes of them. Merges that are to be finished come first: what is removed must not change afterwards."""
    fates = rng.choices(("stays", "removed", "merged", "put off"), (5, 2, 1, 2), k=len(origin.snapshots))
    for fate in ("merged", "removed", "put off"):
        ended = [name for name, its in zip(origin.snapshots, fates) if its == fate]
        # A second merge would undo the first, and there can be one at a time.
        for snapshot in ended if fate == "removed" else ended[:1]:
            volume = f"vg/{snapshot}"
            end = {
                "merged": f"before {volume}\nlvconvert -i 1 --merge {volume}",
                "removed": f"before {volume}\nlvremove {volume}",
                "put off": f"before {volume}\nexec 3</dev/vg/{origin.name}\nlvconvert --merge {volume}\nexec 3<&-",
            }[fate]
            # lvm2 does not merge what has become invalid, and what it showed is gone.
            lines.append(f"if valid {volume}; then\n{end}\nfi")
