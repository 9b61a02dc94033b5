"""Data that is copied or shared: merges, undos and exports by dmsnap, plain C, qemu-img and cp.

All that others leave in the page cache is flushed by `sync -d`, as ours and the yardstick's flush by themselves.
"""

import os
import subprocess

from measuring import MIB, Comparison, Failure, Missing, bind, program, run


def flushed(command, path):
    """A command line that runs a command and flushes the file that it leaves."""
    return ["sh", "-c", 'path=$1; shift; "$@" && sync -d "$path"', "sh", path, *command]


def check_same(path, expected, byte_count, command):
    compared = subprocess.run(["cmp", "-n", str(byte_count), path, expected], capture_output=True, text=True)
    if compared.returncode != 0:
        raise Failure(f"`{' '.join(map(str, command))}` left other bytes than the yardstick: "
                      f"{compared.stdout}{compared.stderr}".strip())


class Images:
    """A store and its origin, what the merge makes of that, and the same change as a qcow2 overlay."""

    def __init__(self, dmsnap, yardstick, folder, shape):
        self.dmsnap, self.yardstick = dmsnap, yardstick
        self.store, self.origin = folder / "runs.cow", folder / "runs.img"
        self.expected, self.overlay = folder / "runs.merged", folder / "runs.qcow2"
        run([yardstick, "generate-runs", self.store, self.origin, *map(str, shape)])
        self.changed_byte_count = shape[0]
        self.byte_count = self.origin.stat().st_size
        subprocess.run(["cp", "--reflink=never", self.origin, self.expected], check=True)
        run([yardstick, "merge", self.store, self.expected])
        self.qemu_img = program("qemu-img", "qemu-utils")
        if isinstance(self.qemu_img, Missing):
            return
        for command in (["create", "-f", "qcow2", "-b", self.expected, "-F", "raw", self.overlay],
                        ["rebase", "-b", self.origin, "-F", "raw", self.overlay]):
            run([self.qemu_img, *command])
        os.sync()

    def or_missing(self, command):
        """A command of qemu-img's, or why there is none."""
        return self.qemu_img if isinstance(self.qemu_img, Missing) else [self.qemu_img, *command]

    def discard(self):
        for path in (self.store, self.origin, self.expected, self.overlay):
            path.unlink(missing_ok=True)


class Merges:
    """Merges of one store into copies of its origin, which must all end in the same bytes."""

    def __init__(self, images, copy):
        self.images, self.copy = images, copy
        self.undo = images.origin.with_suffix(".undo")
        self.noise, self.pasted = images.origin.with_suffix(".noise"), images.origin.with_suffix(".pasted")
        run([images.yardstick, "generate-noise", self.noise, str(images.changed_byte_count)])
        ours = [images.dmsnap, "merge", images.store, "--origin", copy.path]
        self.save = [*ours, "--undo", self.undo]
        commit = images.or_missing(["commit", "-q", "-d", images.overlay])
        self.commands = {
            "C merge": [images.yardstick, "merge", images.store, copy.path],
            "C merge again": [images.yardstick, "merge", images.store, copy.path],
            "merge --no-undo": [*ours, "--no-undo"],
            "merge --undo": self.save,
            "its undo": [images.dmsnap, "merge", self.undo, "--origin", copy.path, "--no-undo"],
            "qemu-img commit": commit if isinstance(commit, Missing) else flushed(commit, copy.path),
            "cp": flushed(["cp", "--reflink=never", self.noise, self.pasted], self.pasted),
        }
        if not isinstance(commit, Missing):
            run([images.qemu_img, "rebase", "-u", "-b", copy.path, "-F", "raw", images.overlay])
        self.files = [images.store, copy.path, self.undo, self.noise, images.overlay]

    def contenders(self, prepare):
        def merge(name, command):
            for path in (self.undo, self.pasted):
                path.unlink(missing_ok=True)
            self.copy.refresh()
            if name == "its undo":
                run(self.save)
                os.sync()
            prepare()
            result = run(command)
            if name != "cp":
                end = self.images.origin if name == "its undo" else self.images.expected
                check_same(self.copy.path, end, self.images.byte_count, command)
            return result

        return bind(self.commands, merge)

    def discard(self):
        for path in (self.undo, self.noise, self.pasted):
            path.unlink(missing_ok=True)


class Exports:
    """Exports of one store, which must all be the same bytes; `cp` copies the origin, which is as large."""

    def __init__(self, images):
        self.images = images
        self.image = images.origin.with_suffix(".exported")
        files = [images.store, "--origin", images.origin, "--to", self.image]
        convert = images.or_missing(["convert", "-O", "raw", images.overlay, self.image])
        copy = flushed(["cp", "--sparse=always", "--reflink=never", images.origin, self.image], self.image)
        self.commands = {
            "export": [images.dmsnap, "export", *files],
            "merge --to": [images.dmsnap, "merge", *files],
            "qemu-img convert": convert if isinstance(convert, Missing) else flushed(convert, self.image),
            "cp --sparse": copy,
            "cp --sparse again": copy,
        }
        if not isinstance(convert, Missing):
            run([images.qemu_img, "rebase", "-u", "-b", images.origin, "-F", "raw", images.overlay])
        self.files = [images.store, images.origin, images.overlay]

    def contenders(self, prepare):
        def export(name, command):
            self.image.unlink(missing_ok=True)
            os.sync()
            prepare()
            result = run(command)
            if not name.startswith("cp"):
                check_same(self.image, self.images.expected, self.images.byte_count, command)
            return result

        return bind(self.commands, export)

    def discard(self):
        self.image.unlink(missing_ok=True)


def measure_merges(result, where, images, copy, no_undo_max=1, undo_max=2, commit_max=1):
    """How much slower ours may be than plain C's and qemu-img's; None where nothing is required."""
    merges = Merges(images, copy)
    result.begin(f"{where}: merge of {images.changed_byte_count // MIB} MiB")
    result.compare([
        Comparison("merge --no-undo", "C merge", no_undo_max),
        Comparison("merge --no-undo", "qemu-img commit", commit_max),
        Comparison("merge --no-undo", "cp"),
        Comparison("merge --undo", "C merge", undo_max),
        Comparison("merge --undo", "qemu-img commit"),
        Comparison("merge --undo", "cp"),
        Comparison("its undo", "C merge"),
        Comparison("C merge again", "C merge"),  # how far from 1 chance alone takes a ratio
    ], merges.contenders, merges.files)
    merges.discard()


def measure_exports(result, where, images, ratio_max=None):
    exports = Exports(images)
    result.begin(f"{where}: export of {images.byte_count // MIB} MiB, {images.origin.stat().st_blocks * 512 // MIB} "
                 f"MiB of it data, {images.changed_byte_count // MIB} MiB of that from the store")
    result.compare([
        *(Comparison(ours, theirs, ratio_max)
          for ours in ("export", "merge --to") for theirs in ("qemu-img convert", "cp --sparse")),
        Comparison("cp --sparse again", "cp --sparse"),
    ], exports.contenders, exports.files)
    exports.discard()
