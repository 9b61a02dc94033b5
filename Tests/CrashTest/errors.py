"""Merges that meet errors of their disks: each says so, loses nothing, and comes to its end when the disk is well."""

import contextlib
import pathlib
import tempfile

from disks import failing_disk
from runs import (COULD_NOT_FINISH, DONE, MERGING, REFUSED, SECTOR, STATES, Bench, Failure, loop_device, mounted,
                  system, system_program)
from shapes import made, small

CASES = {}


def case(make):
    CASES[make.__name__.replace("_", "-")] = make
    return make


class Setting:
    """A folder, and what is to be taken down at the end of a case."""

    def __init__(self, program, seed, folder, stack):
        self.program, self.folder, self.stack = program, folder, stack
        self.shape = made(small, seed)
        self.files = folder / "files"
        self.files.mkdir()

    def disk(self, name, content):
        return self.stack.enter_context(failing_disk(self.folder / f"disk-{name}", name, content))

    def bench(self, **places):
        return Bench(self.program, self.shape, self.files, **places)

    def origin_on_disk(self):
        disk = self.disk("origin.img", self.shape.origin)
        return disk, self.bench(origin=disk.path)

    def store_on_disk(self):
        disk = self.disk("store.cow", self.shape.store)
        return disk, self.bench(store=disk.path)

    def mapped(self, part):
        """Bytes of the origin that an exception is for: the first, the last, or one between."""
        olds = sorted(old for old, _ in self.shape.exceptions)
        old = olds[min(len(olds) - 1, int(len(olds) * part))]
        return old * self.shape.chunk_bytes, (old + 1) * self.shape.chunk_bytes


def run(case, program, seed):
    with tempfile.TemporaryDirectory(prefix="dmsnap-crash-test.") as folder, contextlib.ExitStack() as stack:
        case(Setting(program, seed, pathlib.Path(folder), stack))


def require_state(bench, state):
    if bench.state != state:
        raise Failure(f"{bench.undo} is {STATES[bench.state]}, and should be {STATES[state]}")


def go_on(bench):
    """The cause is gone: the same command ends, and the undo gives the origin back."""
    bench.finish()
    bench.take_back()
    bench.require_evidence()


# MARK: the origin

def cut_off(setting, part):
    """A merge that could not write a chunk of the origin."""
    disk, bench = setting.origin_on_disk()
    disk.fail("write", *setting.mapped(part))
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.origin, byte=True, hint=True)
    disk.heal()
    bench.require_between()
    require_state(bench, MERGING)
    return disk, bench


@case
def origin_write_first(setting):
    _, bench = cut_off(setting, 0)
    go_on(bench)


@case
def origin_write_middle(setting):
    _, bench = cut_off(setting, 0.5)
    go_on(bench)


@case
def origin_write_last(setting):
    _, bench = cut_off(setting, 1)
    go_on(bench)


@case
def origin_write_then_undo(setting):
    """Somebody gives up, and takes back what was merged until then."""
    _, bench = cut_off(setting, 0.5)
    bench.take_back()
    go_on(bench)


@case
def origin_write_twice(setting):
    disk, bench = cut_off(setting, 0.3)
    disk.fail("write", *setting.mapped(0.7))
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.origin, byte=True, hint=True)
    disk.heal()
    go_on(bench)


@case
def origin_write_without_undo(setting):
    disk, bench = setting.origin_on_disk()
    disk.fail("write", *setting.mapped(0.5))
    ended = bench.program.run(*bench.merge_without_undo_line).require(COULD_NOT_FINISH)
    ended.require_complaint(bench.origin, byte=True, hint=True)
    disk.heal()
    bench.require_between()
    bench.program.run(*bench.merge_without_undo_line).require(DONE)
    bench.require_merged()
    bench.require_evidence()


@case
def origin_write_while_undoing(setting):
    disk, bench = setting.origin_on_disk()
    bench.finish()
    disk.fail("write", *setting.mapped(0.5))
    bench.unmerge().require(COULD_NOT_FINISH).require_complaint(bench.origin, byte=True, hint=True)
    disk.heal()
    bench.require_between()
    bench.take_back()
    bench.require_evidence()


@case
def origin_flush(setting):
    disk, bench = setting.origin_on_disk()
    disk.fail("flush")
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.origin, hint=True)
    disk.heal()
    bench.require_between()
    require_state(bench, MERGING)
    go_on(bench)


@case
def origin_write_back(setting):
    """A device whose errors come late: the write is cached, and only the flush fails."""
    disk = setting.disk("origin.img", setting.shape.origin)
    device = setting.stack.enter_context(loop_device(disk.path))
    bench = setting.bench(origin=device)
    disk.fail("write", *setting.mapped(0.5))
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.origin, hint=True)
    disk.heal()
    system(system_program("blockdev", "util-linux"), "--flushbufs", device)
    bench.require_between()
    require_state(bench, MERGING)
    go_on(bench)


@case
def origin_read_while_saving(setting):
    disk, bench = setting.origin_on_disk()
    disk.fail("read", *setting.mapped(0.5))
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.origin, byte=True, hint=True)
    disk.heal()
    bench.require_original()
    go_on(bench)


def fail_outside(setting, disk):
    """The first sector of chunks that no exception is for: 32 of them, for each rule slows every read down."""
    mapped, chunk_bytes = {old for old, _ in setting.shape.exceptions}, setting.shape.chunk_bytes
    outside = [old for old in range(len(setting.shape.origin) // chunk_bytes) if old not in mapped]
    for old in outside[::max(1, len(outside) // 32)]:
        disk.fail("read", old * chunk_bytes, old * chunk_bytes + SECTOR)


@case
def origin_read_elsewhere(setting):
    """What the merge leaves alone cannot be read as it begins, and later on it can."""
    disk, bench = setting.origin_on_disk()
    fail_outside(setting, disk)
    bench.merge().require(DONE, COULD_NOT_FINISH)
    disk.heal()
    bench.require_between()
    go_on(bench)


@case
def origin_read_elsewhere_later(setting):
    """What the merge left alone cannot be read when it is to be undone, and later on it can."""
    disk, bench = setting.origin_on_disk()
    bench.finish()
    fail_outside(setting, disk)
    bench.unmerge().require(DONE, REFUSED, COULD_NOT_FINISH)
    disk.heal()
    bench.require_between()
    bench.take_back()
    bench.require_evidence()


# MARK: the store

def unreadable_store(setting, first, end):
    disk, bench = setting.store_on_disk()
    disk.fail("read", first, end)
    return disk, bench


@case
def store_data(setting):
    _, new = setting.shape.exceptions[len(setting.shape.exceptions) // 2]
    first = new * setting.shape.chunk_bytes
    disk, bench = unreadable_store(setting, first, first + setting.shape.chunk_bytes)
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.store, byte=True, hint=True)
    bench.require_between()
    disk.heal()
    go_on(bench)


def unreadable_metadata(setting, first, end):
    """Linux refuses such a store, and so may dmsnap."""
    disk, bench = unreadable_store(setting, first, end)
    bench.merge().require(REFUSED, COULD_NOT_FINISH).require_complaint(bench.store)
    bench.require_original()
    disk.heal()
    go_on(bench)


@case
def store_table(setting):
    chunk_bytes = setting.shape.chunk_bytes
    unreadable_metadata(setting, chunk_bytes, 2 * chunk_bytes)


@case
def store_header(setting):
    unreadable_metadata(setting, 0, SECTOR)


# MARK: the undo file

@case
def undo_read(setting):
    """The way back cannot be read, for a while."""
    bench = setting.bench()
    bench.finish()
    disk = setting.disk("undo.cow", bench.undo.read_bytes())
    half = setting.shape.undo_byte_count // 2
    disk.fail("read", half, half + SECTOR)
    bench.undo.unlink()
    bench.undo = disk.path
    bench.unmerge().require(REFUSED).require_complaint(bench.undo)
    bench.require_merged()  # it was read to its end before anything was written
    disk.heal()
    bench.take_back()
    bench.require_evidence()


def resumed_on_disk(setting):
    """A merge that was cut off, and whose undo file lies on a disk that can fail."""
    _, bench = cut_off(setting, 0.5)
    disk = setting.disk("undo.cow", bench.undo.read_bytes())
    bench.undo.unlink()
    bench.undo = disk.path
    return disk, bench


@case
def undo_read_while_going_on(setting):
    disk, bench = resumed_on_disk(setting)
    half = setting.shape.undo_byte_count // 2
    disk.fail("read", half, half + SECTOR)
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.undo, byte=True, hint=True)
    bench.require_between()
    disk.heal()
    go_on(bench)


@case
def undo_state(setting):
    """Whoever goes on first makes sure that the undo file's state is on the medium."""
    disk, bench = resumed_on_disk(setting)
    disk.fail("write", 0, SECTOR)
    half = bench.origin.read_bytes()
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.undo, byte=True, hint=True)
    if bench.origin.read_bytes() != half:
        raise Failure(f"{bench.origin} was written though the state of {bench.undo} could not be")
    disk.heal()
    go_on(bench)


@case
def undo_write(setting):
    """A file system that takes the old data into its cache, and cannot write them."""
    disk = setting.disk("undo.fs", 16 << 20)
    device = setting.stack.enter_context(loop_device(disk.path))
    # Blocks as large as pages: Linux writes the others in pieces, and the loop driver takes it for a success when only
    # the first of them, which is small, was written.
    system(system_program("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-b", "4096", "-O", "^has_journal", "-m", "0",
           device)
    mountpoint = setting.stack.enter_context(mounted(device, setting.folder / "undo"))
    bench = setting.bench(undo=mountpoint / "undo.cow")
    disk.fail("large-write")
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.undo, hint=True)
    bench.require_original()
    disk.heal()
    go_on(bench)
