"""Runs of dmsnap, and the files that they are judged by."""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import time

SECTOR = 512
BLOCK = 1 << 16
DONE, REFUSED, COULD_NOT_FINISH = 0, 4, 5
TIMEOUT = 120  # seconds; the longest merge here takes one
STATES = {0: "before the undo file", 1: "saving", 2: "merging", 3: "finished"}
SAVING, MERGING, FINISHED = 1, 2, 3
XFS_MEBIBYTES = 400  # the smallest that mkfs.xfs makes is 300
# The ways that a message can say how to go on. Its words are its own affair.
HINT = re.compile(r"\bagain\b|\bsame command\b|\bgo(es)? on\b|\bmake room\b|\bto undo\b", re.IGNORECASE)


class Failure(Exception):
    """Something that must not be."""


class Impossible(Exception):
    """What this machine or user cannot do, so that a case is left out."""


@dataclasses.dataclass
class Ended:
    """A run that is over. The status is negative where a signal ended it."""
    line: list
    status: int
    output: str
    errors: str
    complaints: list

    def require(self, *statuses):
        if self.status not in statuses:
            raise Failure(f"{self}: status {self.status}, not {' or '.join(map(str, statuses))}: "
                          f"{self.errors.strip()[-600:] or '(not a word)'}")
        return self

    def require_complaint(self, *names, byte=False, hint=False):
        """Standard error must be lines of dmsnap's, and say all that. If not, the case fails, but only at its end: of
        the bytes something is to be known as well."""
        lines = self.errors.splitlines()
        lacks = [f"the name {name}" for name in names if str(name) not in self.errors]
        lacks += ["which byte"] if byte and not re.search(r"\bbytes? \d+", self.errors) else []
        lacks += ["how to go on"] if hint and not HINT.search(self.errors) else []
        lacks += [] if lines and all(line.startswith("dmsnap: ") for line in lines) else ["lines of dmsnap's own"]
        if lacks:
            self.complaints.append(f"{self}: status {self.status}, and the message has not {', '.join(lacks)}: "
                                   f"{self.errors.strip()[-600:]!r}")
        return self

    def __str__(self):
        return " ".join(map(str, self.line))


class Program:
    """dmsnap, as it was built."""

    def __init__(self, path):
        self.path = path
        self.complaints = []  # about messages, of all runs

    def start(self, *arguments):
        line = [str(self.path), *map(str, arguments)]
        # The name of a crash is its signal; a backtrace takes longer than a merge.
        return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=os.environ | {"SWIFT_BACKTRACE": "enable=no"})

    def wait(self, process):
        try:
            output, errors = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failure(f"{' '.join(process.args)}: no end after {TIMEOUT} s") from None
        return Ended(["dmsnap", *process.args[1:]], process.returncode, output, errors, self.complaints)

    def run(self, *arguments):
        return self.wait(self.start(*arguments))


    @contextlib.contextmanager
    def case(self):
        """Fails what runs in it also where it was only a message that was not right."""
        self.complaints.clear()
        yield
        if self.complaints:
            raise Failure("\n  ".join(self.complaints))


class Bench:
    """A store, an origin and an undo file, and the commands that are given with them."""

    def __init__(self, program, shape, folder, *, store=None, origin=None, undo=None):
        """Makes those files in the folder that are not given, or not there."""
        self.program, self.shape, self.folder = program, shape, folder
        self.store = store or folder / "store.cow"
        self.origin = origin or folder / "origin.img"
        self.undo = undo or folder / "undo.cow"
        for path, content in ((self.store, shape.store), (self.origin, shape.origin)):
            if not path.exists():
                path.write_bytes(content)

    # MARK: commands

    @property
    def merge_line(self):
        return ["merge", self.store, "--origin", self.origin, "--undo", self.undo]

    @property
    def merge_without_undo_line(self):
        return ["merge", self.store, "--origin", self.origin, "--no-undo"]

    @property
    def undo_line(self):
        return ["merge", self.undo, "--origin", self.origin, "--no-undo"]

    def merge(self):
        return self.program.run(*self.merge_line)

    def unmerge(self):
        return self.program.run(*self.undo_line)

    def finish(self):
        """The command, once more, has to come to its end."""
        self.merge().require(DONE)
        self.require_merged()

    def take_back(self):
        self.unmerge().require(DONE)
        self.require_original()

    # MARK: what there is afterwards

    @property
    def state(self):
        """What the undo file says of itself; 0 while there is none, or no manifest in it."""
        with contextlib.suppress(FileNotFoundError), open(self.undo, "rb", buffering=0) as file:
            manifest = os.pread(file.fileno(), 16, 16)
            return manifest[12] if manifest[:8] == b"dmsnapun" else 0
        return 0

    def origin_bytes(self):
        # A device may be longer than what was written to it.
        return self.origin.read_bytes()[:len(self.shape.origin)]

    def require_original(self):
        self.require(self.shape.origin, "it was before the merge")

    def require_merged(self):
        self.require(self.shape.merged, "the merge must leave it")

    def require(self, expected, how):
        found = self.origin_bytes()
        if found != expected:
            raise Failure(f"{self.origin} is not as {how}, with the undo file {STATES[self.state]}: "
                          f"{difference(found, expected)}")

    def require_between(self):
        """Each sector of the origin is as it was, or as the merge leaves it."""
        found, before, after = self.origin_bytes(), self.shape.origin, self.shape.merged
        if len(found) != len(before):
            raise Failure(f"{self.origin}: {len(found)} bytes instead of {len(before)}")
        for block in range(0, len(found), BLOCK):
            some = found[block:block + BLOCK]
            if some in (before[block:block + BLOCK], after[block:block + BLOCK]):
                continue
            for at in range(block, block + len(some), SECTOR):
                if found[at:at + SECTOR] not in (before[at:at + SECTOR], after[at:at + SECTOR]):
                    raise Failure(f"{self.origin}: byte {at} is neither as before the merge nor as after it: "
                                  f"{found[at:at + 32]!r}")

    def require_evidence(self):
        """The store is as it was, and there is nothing that nobody asked for."""
        if self.store.read_bytes()[:len(self.shape.store)] != self.shape.store:
            raise Failure(f"{self.store} was written to")
        known = {self.store, self.origin, self.undo}
        strange = [path.name for path in self.folder.iterdir() if path.is_file() and path not in known]
        if strange:
            raise Failure(f"{', '.join(strange)} was left behind")


def difference(found, expected):
    """What is wrong, in words."""
    if len(found) != len(expected):
        return f"{len(found)} bytes instead of {len(expected)}"
    wrong = [at for at in range(0, len(found), SECTOR) if found[at:at + SECTOR] != expected[at:at + SECTOR]]
    first = next(at for at in range(wrong[0], len(found)) if found[at] != expected[at])
    return (f"{len(wrong)} sectors differ, the first at byte {first}: {found[first:first + 32]!r} instead of "
            f"{expected[first:first + 32]!r}")


# MARK: devices and file systems

def system_program(name, package):
    """Where a program is; Debian keeps some in folders that are not in an ordinary user's PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Impossible(f"there is no {name} (package {package})")
    return found


def system(*line):
    ran = subprocess.run(list(map(str, line)), capture_output=True, text=True)
    if ran.returncode:
        why = ran.stderr.strip().partition("\n")[0]
        raise Impossible(f"{line[0]}: {why or f'status {ran.returncode}'}")
    return ran.stdout.strip()


@contextlib.contextmanager
def loop_device(path):
    """A block device over a file."""
    losetup = system_program("losetup", "mount")
    device = system(losetup, "--find", "--show", path)
    try:
        if not os.access(device, os.R_OK | os.W_OK):
            raise Impossible(f"{device} cannot be written by this user")
        yield pathlib.Path(device)
    finally:
        subprocess.run([losetup, "--detach", device], capture_output=True)  # what was found out is not to be hidden


@contextlib.contextmanager
def mounted(source, mountpoint, *options):
    """A file system on a device or, with the options for it, of another kind."""
    mountpoint.mkdir(exist_ok=True)
    system("mount", *options, source, mountpoint)
    try:
        yield mountpoint
    finally:
        for _ in range(50):  # somebody may still look at it
            with contextlib.suppress(Impossible):
                system("umount", mountpoint)
                break
            time.sleep(0.1)


@contextlib.contextmanager
def file_system(folder, kind, mebibytes):
    """A small file system of its own, in a file: ext4, or xfs, which shares extents between files."""
    image = folder / f"{kind}.fs"
    with open(image, "wb") as file:
        file.truncate(mebibytes << 20)
    makers = {"ext4": ("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-m", "0", "-E", "lazy_itable_init=0"),
              "xfs": ("mkfs.xfs", "xfsprogs", "-q", "-m", "reflink=1")}
    name, package, *options = makers[kind]
    system(system_program(name, package), *options, image)
    with loop_device(image) as device, mounted(device, folder / kind) as mountpoint:
        yield mountpoint
