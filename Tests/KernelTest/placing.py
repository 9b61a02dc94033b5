"""Stores for place-test, made by a live kernel: file systems under churn, and snapshots that overflow.

A folder each: the origin, the store, the younger sibling's store, what the snapshot was (where no intact table tells
it), what each of its blocks is (see blocks.py), and facts.json. Everything comes from the seed, but for the files of
this machine that the file systems are filled with, and the moments at which the kernel wrote what.
"""

import dataclasses
import json
import os
import pathlib
import random
import subprocess
import tempfile

import blocks
from churn import MIB, base_script, flight_script, origin_script, overlay_script, raw_origin, write_tree
from recipe.kernel import KERNELS, MachineEnded, put_modules, run_lab

FILE_SYSTEMS = ("ext4", "xfs", "btrfs")
MODES = ("overlay", "lvm", "siblings")
FLIGHTS = ("flight-sequential", "flight-two", "flight-ext4")
KINDS = (*(f"{fs}-{mode}" for fs in FILE_SYSTEMS for mode in MODES), *FLIGHTS)
CHUNK_SECTORS = (8, 16, 32)
TIMEOUT = 1800
BOOTS = 3
MODULES = ("xfs", "btrfs")
MKFS = {
    "ext4": ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-E", "lazy_itable_init=0,nodiscard"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-K"],
    "btrfs": ["mkfs.btrfs", "-q", "-f", "-K"],
}


@dataclasses.dataclass
class Made:
    """A store that was made."""
    folder: pathlib.Path
    kind: str
    chunk_sectors: int
    seed: int
    index: int
    kernel: str
    base: str  # clones of one image have the same
    file_system: str | None
    anchor: int | None = None  # byte of the journal's superblock, or what is like it
    younger_next: int | None = None  # the older's next free chunk when the younger was made
    status: str = ""

    @property
    def mode(self):
        return self.kind.split("-")[1] if not self.kind.startswith("flight") else "flight"

    @property
    def name(self):
        return self.folder.name

    def file(self, name):
        return self.folder / name

    def save(self):
        facts = {key: value for key, value in dataclasses.asdict(self).items() if key != "folder"}
        self.file("facts.json").write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, folder):
        return cls(folder, **json.loads((folder / "facts.json").read_text()))


class Maker:
    """Makes stores in a folder, one boot each; what is there already is not made again."""

    def __init__(self, stores, seed, kernel):
        self.stores, self.seed, self.kernel = pathlib.Path(stores), seed, kernel
        self.stores.mkdir(parents=True, exist_ok=True)

    def make(self, kind, index):
        folder = self.stores / f"{kind}-{self.kernel}-{self.seed}-{index}"
        if (folder / "facts.json").exists():
            return Made.load(folder)
        folder.mkdir(exist_ok=True)
        rng = random.Random(f"{self.seed}/{kind}/{index}/{self.kernel}")
        number = KINDS.index(kind)
        turn = index + self.seed + number + number // len(MODES) + KERNELS[::-1].index(self.kernel)
        sectors = CHUNK_SECTORS[turn % len(CHUNK_SECTORS)]
        made = Made(folder, kind, sectors, self.seed, index, self.kernel, "", None)
        if kind in FLIGHTS:
            self.overflow(made, rng)
        else:
            self.churn(made, rng)
        blocks.describe(made)
        made.save()
        return made

    def churn(self, made, rng):
        fs = made.file_system = made.kind.split("-")[0]
        base = self.base(fs)
        made.base = base.name
        script = (overlay_script(fs, made.chunk_sectors, rng) if made.mode == "overlay" else
                  origin_script(fs, made.chunk_sectors, rng, made.mode == "siblings", made.index % 2 == 1))
        copy(base, made.file("origin.img"))
        disks = [made.file("origin.img"), *(sparse(made.file(name), 160 * MIB) for name in ("cow.img", "cow2.img"))]
        lines = self.run(script, fs, [*disks, self.files()])
        made.status = said(lines, "status")
        if made.mode == "siblings":
            made.younger_next = int(said(lines, "younger").split()[3].split("/")[0]) // made.chunk_sectors
        else:
            made.file("cow2.img").unlink()
        if made.mode == "overlay":  # it was never written: one copy does for all
            made.file("origin.img").unlink()
            os.link(base, made.file("origin.img"))

    def overflow(self, made, rng):
        before, origin = made.file("before.img"), made.file("origin.img")
        if made.kind == "flight-ext4":
            made.file_system, base = "ext4", self.base("ext4")
            made.base = base.name
            os.link(base, before)
        else:
            before.write_bytes(raw_origin(rng, rng.choice((48, 64))))
        copy(before, origin)
        size = before.stat().st_size
        store = sparse(made.file("cow.img"), rng.randrange(6, 16) * MIB + rng.choice((0, 0, 512, 4096)))
        if made.index % 2:
            leave_residue(rng, before, store, made.chunk_sectors * 512)
        new = made.file("written.img")
        new.write_bytes(raw_origin(rng, 64))
        script = flight_script(made.kind, made.chunk_sectors, rng, size, made.index)
        lines = self.run(script, None, [origin, store, new])
        new.unlink()
        made.status = said(lines, "status")

    def base(self, file_system):
        """A file system of 384 to 512 MiB with a few thousand files, every other on a disk that was in use before."""
        path = self.stores / f"base-{file_system}-{self.seed}.img"
        if not path.exists():
            rng = random.Random(f"{self.seed}/base/{file_system}")
            part = sparse(path.with_suffix(".part"), rng.choice((384, 448, 512)) * MIB)
            if self.seed % 2 == 0:
                with open(part, "r+b") as file:
                    while file.tell() < part.stat().st_size:
                        file.write(rng.randbytes(8 * MIB))
            subprocess.run([*MKFS[file_system], part], check=True, capture_output=True)
            said(self.run(base_script(file_system), file_system, [part, self.files()]), "made")
            part.rename(path)
        return path

    def files(self):
        path = self.stores / f"files-{self.seed}.img"
        if not path.exists():
            part = sparse(path.with_suffix(".part"), 320 * MIB)
            with tempfile.TemporaryDirectory(dir=self.stores) as name:
                write_tree(random.Random(f"{self.seed}/files"), pathlib.Path(name))
                subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", name, part], check=True,
                               capture_output=True)
            part.rename(path)
        return path

    def run(self, script, file_system, disks):
        with tempfile.TemporaryDirectory(prefix="dmsnap-place.") as name:
            share = pathlib.Path(name)
            if file_system in MODULES:
                put_modules(share, self.kernel, file_system)
            text = "\n".join(["echo up", *script, ""])
            for attempt in range(BOOTS):
                try:
                    return run_lab(text, kernel=self.kernel, disks=disks, share=share, timeout=TIMEOUT)
                except MachineEnded as ended:  # on a busy host, a guest may not find its timer
                    if ended.lines or attempt == BOOTS - 1:
                        raise


def said(lines, word):
    for line in lines:
        if line.split(" ", 1)[0] == word:
            return line[len(word) + 1:]
    raise SystemExit(f"the guest did not say {word}:\n" + "\n".join(lines[-20:]))


def sparse(path, size):
    path.unlink(missing_ok=True)
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def copy(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)


def leave_residue(rng, before, store, size):
    """What an earlier snapshot's store left: its chunks, anywhere. The first is wiped, as lvm2 does."""
    with open(before, "rb") as source, open(store, "r+b") as target:
        count = before.stat().st_size // size
        for chunk in range(1, store.stat().st_size // size):
            source.seek(rng.randrange(count) * size)
            target.seek(chunk * size)
            target.write(source.read(size))
