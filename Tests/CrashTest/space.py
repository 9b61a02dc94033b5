"""Merges that run out of room: before anything was written, or in the middle."""

import os

from runs import (COULD_NOT_FINISH, DONE, MERGING, REFUSED, STATES, XFS_MEBIBYTES, Failure, file_system, mounted,
                  system)

CASES = {}


def case(make):
    CASES["room-" + make.__name__.replace("_", "-")] = make
    return make


def fill(folder, leave):
    """A file that takes all room of a file system but so many bytes."""
    ballast = folder / "ballast"
    with open(ballast, "wb") as file:
        room = os.statvfs(folder)
        count = room.f_bavail * room.f_frsize - leave
        if count > 0:
            os.posix_fallocate(file.fileno(), 0, count)
        os.fsync(file.fileno())
    return ballast


def go_on(bench):
    """There is room again: the same command ends, and the undo gives the origin back."""
    bench.finish()
    bench.take_back()
    bench.require_evidence()


def refused(bench):
    """Too little room for the undo file, which is known before anything is written."""
    bench.merge().require(REFUSED).require_complaint(bench.undo)
    if bench.undo.exists():
        raise Failure(f"{bench.undo} was left behind")
    bench.require_original()


# MARK: none for the undo file

@case
def none_on_tmpfs(setting):
    byte_count = setting.shape.undo_byte_count
    small = setting.folder / "small"
    bench = setting.bench(undo=small / "undo.cow")
    with mounted("tmpfs", small, "-t", "tmpfs", "-o", f"size={byte_count - 4096}"):
        refused(bench)
    with mounted("tmpfs", small, "-t", "tmpfs", "-o", f"size={byte_count + 65536}"):
        go_on(bench)


@case
def none_on_ext4(setting):
    small = setting.stack.enter_context(file_system(setting.folder, "ext4", 8))
    bench = setting.bench(undo=small / "undo.cow")
    ballast = fill(small, setting.shape.undo_byte_count - 8192)
    refused(bench)
    ballast.unlink()
    go_on(bench)


@case
def none_left(setting):
    """The undo file has its room already; nothing that comes after needs more."""
    small = setting.stack.enter_context(file_system(setting.folder, "ext4", 8))
    bench = setting.bench(undo=small / "undo.cow")
    bench.merge().require(DONE)
    fill(small, 0)
    bench.merge().require(DONE)  # there is nothing left to do, and no room is needed for that
    bench.take_back()
    bench.require_evidence()


# MARK: none for the origin, in the middle of the merge

def filled_up(bench, ballast):
    """The merge has begun, and could not write everything."""
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.origin, hint=True)
    bench.require_between()
    if bench.state != MERGING:
        raise Failure(f"{bench.undo} is {STATES[bench.state]}, and should be {STATES[MERGING]}")
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.origin, hint=True)  # it is not better now
    bench.require_between()
    ballast.unlink()
    go_on(bench)


def sparse_origin(setting, kind, mebibytes):
    """An origin that is a hole all over, which the merge fills; its file system has room for a part of it."""
    small = setting.stack.enter_context(file_system(setting.folder, kind, mebibytes))
    setting.shape = setting.shape.over_zeros
    origin = small / "origin.img"
    with open(origin, "wb") as file:
        file.truncate(len(setting.shape.origin))
    bench = setting.bench(origin=origin)
    return bench, fill(small, setting.shape.undo_byte_count // 2)


@case
def none_for_holes_on_ext4(setting):
    filled_up(*sparse_origin(setting, "ext4", 16))


@case
def none_for_holes_then_undo(setting):
    """Somebody gives up, and takes back what was merged until then."""
    bench, ballast = sparse_origin(setting, "ext4", 16)
    bench.merge().require(COULD_NOT_FINISH).require_complaint(bench.origin, hint=True)
    # The old data are zeros, which have to be written as well where there was a hole.
    ended = bench.unmerge().require(DONE, COULD_NOT_FINISH)
    if ended.status == COULD_NOT_FINISH:
        ended.require_complaint(bench.origin, hint=True)
        bench.require_between()
        ballast.unlink()
        bench.unmerge().require(DONE)
    bench.require_original()
    bench.require_evidence()


@case
def none_for_holes_on_xfs(setting):
    filled_up(*sparse_origin(setting, "xfs", XFS_MEBIBYTES))


@case
def none_for_shared_extents(setting):
    """The origin shares its extents with a copy, so that each write to it takes room."""
    small = setting.stack.enter_context(file_system(setting.folder, "xfs", XFS_MEBIBYTES))
    bench = setting.bench(origin=small / "origin.img")
    system("cp", "--reflink=always", bench.origin, small / "copy")
    filled_up(bench, fill(small, setting.shape.undo_byte_count // 2))


@case
def little_for_everything_on_xfs(setting):
    """Origin and undo file on one file system that shares extents, and hardly any room. What comes first is dmsnap's
    affair: to refuse, to stop or to end."""
    small = setting.stack.enter_context(file_system(setting.folder, "xfs", XFS_MEBIBYTES))
    bench = setting.bench(origin=small / "origin.img", undo=small / "undo.cow")
    ballast = fill(small, setting.shape.undo_byte_count // 2)
    ended = bench.merge().require(DONE, REFUSED, COULD_NOT_FINISH)
    if ended.status == REFUSED:
        bench.require_original()
    elif ended.status == COULD_NOT_FINISH:
        ended.require_complaint(hint=True)
    bench.require_between()
    ballast.unlink()
    go_on(bench)
