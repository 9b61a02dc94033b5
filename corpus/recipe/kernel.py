"""Asking a live kernel: images packed on one disk, a script run in the lab, the answers read back."""

import contextlib
import dataclasses
import hashlib
import lzma
import os
import pathlib
import shutil
import subprocess
import tempfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from .stamps import SECTOR_BYTES

HERE = pathlib.Path(__file__).resolve().parent
LAB = HERE.parent / "lab"
ALIGNMENT_SECTORS = 8
KERNELS = ("6.1", "6.12")
MACHINE_ENDED = 70  # lab's status
PANIC = "panic"


class LabFailure(Exception):
    pass


class MachineEnded(LabFailure):
    """The guest's kernel went down before the script came to its end; `lines` is what had been printed."""

    def __init__(self, message, lines):
        super().__init__(message)
        self.lines = lines


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def run_lab(script, *, kernel, disks=(), share=None, kill_on=None, timeout=300, memory=512, lvm=False):
    """Runs a shell script in the guest, with the disks as /dev/vda and so on, and returns what it printed, as lines."""
    command = [str(LAB), "--kernel", kernel, "--timeout", str(timeout), "--memory", str(memory)]
    command += [word for disk in disks for word in ("--disk", str(disk))]
    command += ["--lvm"] if lvm else []
    command += ["--share", str(share)] if share else []
    command += ["--kill-on", kill_on] if kill_on else []
    ran = subprocess.run([*command, "-"], input=script, capture_output=True, text=True)
    if ran.returncode != 0:
        message = f"kernel {kernel}: status {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr}"
        raise MachineEnded(message, ran.stdout.splitlines()) if ran.returncode == MACHINE_ENDED else LabFailure(message)
    return ran.stdout.splitlines()


@contextlib.contextmanager
def workshop():
    """A folder to share with the guest; the program of guest.c is in it."""
    compiler = next((name for name in ("gcc", "clang", "cc") if shutil.which(name)), None)
    if compiler is None:
        raise LabFailure("no C compiler for the guest's helper: run `corpus/lab --install` first")
    with tempfile.TemporaryDirectory(prefix="dmsnap-lab.") as folder:
        program = os.path.join(folder, "guest")
        subprocess.run([compiler, "-O2", "-Wall", "-static", "-o", program, str(HERE / "guest.c")], check=True)
        yield pathlib.Path(folder)


def put_modules(share, kernel, name):
    """The file system's modules in the shared folder, and the order in which the guest takes them."""
    spec = spec_from_loader("lab", SourceFileLoader("lab", str(LAB)))
    lab = module_from_spec(spec)
    spec.loader.exec_module(lab)
    release = os.path.basename(lab.find_kernel(kernel)).removeprefix("vmlinuz-")
    known = {os.path.basename(path) for path in lab.module_files(release, lab.MODULES)}
    order = []
    for path in lab.module_files(release, [name]):
        if os.path.basename(path) not in known:
            data = pathlib.Path(path).read_bytes()
            order.append(os.path.basename(path).removesuffix(".xz"))
            (share / order[-1]).write_bytes(lzma.decompress(data) if path.endswith(".xz") else data)
    (share / f"order-{name}").write_text("\n".join(order))


class Pack:
    """A disk that many images lie on, one after the other; sparse where they are zero."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.file = open(self.path, "w+b")
        self.sector_count = 0

    def reserve(self, sector_count):
        """Room for an image; the answer is its first sector."""
        first = self.sector_count
        self.sector_count += -(-sector_count // ALIGNMENT_SECTORS) * ALIGNMENT_SECTORS
        self.file.truncate(self.sector_count * SECTOR_BYTES)
        return first

    def write(self, first, data):
        block = 65536
        for at in range(0, len(data), block):
            piece = data[at:at + block]
            if any(piece):
                self.file.seek(first * SECTOR_BYTES + at)
                self.file.write(piece)
        self.file.flush()

    def add(self, data):
        first = self.reserve(len(data) // SECTOR_BYTES)
        self.write(first, data)
        return first

    def read(self, first, sector_count):
        with open(self.path, "rb") as file:
            file.seek(first * SECTOR_BYTES)
            return file.read(sector_count * SECTOR_BYTES)


@dataclasses.dataclass
class Question:
    """A store over its origin, and the options of the target: "P 8" and the like."""
    name: str
    store: bytes
    origin: bytes
    options: str


@dataclasses.dataclass
class Answer:
    """What a kernel made of a store. Of a store that does not load, `error` says why and there is no more."""
    name: str
    log: list = dataclasses.field(default_factory=list)
    error: str | None = None  # an errno's name, or PANIC
    status: str | None = None
    unreadable: list = dataclasses.field(default_factory=list)  # (byte offset, byte count)
    view: bytes | None = None
    merge_status: str | None = None  # or PANIC
    merge_log: list = dataclasses.field(default_factory=list)
    merged_origin: bytes | None = None
    merged_store: bytes | None = None

    @property
    def panicked(self):
        return PANIC in (self.error, self.merge_status)


def ask(questions, *, kernel, share, timeout=900):
    """Asks a kernel about each store, on copies. All in one boot, but for the stores that it does not survive.

    A machine can also end for reasons of the host's. So a store that seems to bring the kernel down is asked about
    again, alone, and that answer holds.
    """
    answers, waiting, suspects = {}, list(questions), []
    while waiting or suspects:
        asked = waiting or [suspects.pop()]
        some = ask_in_one_boot(asked, kernel=kernel, share=share, timeout=timeout)
        if not some:
            raise LabFailure(f"kernel {kernel} did not answer for {asked[0].name}")
        if len(asked) > 1:
            suspects += [question for question in asked if question.name in some and some[question.name].panicked]
        answers |= some
        waiting = [question for question in waiting if question.name not in answers]
    return answers


def ask_in_one_boot(questions, *, kernel, share, timeout):
    with tempfile.TemporaryDirectory(prefix="dmsnap-ask.") as folder:
        pack = Pack(os.path.join(folder, "pack.img"))
        plan, places = [], {}
        for question in questions:
            store_count = len(question.store) // SECTOR_BYTES
            origin_count = len(question.origin) // SECTOR_BYTES
            place = (pack.add(question.store), store_count, pack.add(question.origin), origin_count,
                     pack.reserve(origin_count))
            places[question.name] = place
            plan.append(" ".join(map(str, (question.name, *place, question.options))))
        plan_file = share / f"plan-{kernel}"
        plan_file.write_text("\n".join(plan) + "\n")
        try:
            lines = run_lab(f"/lab/guest ask /dev/vda < /lab/{plan_file.name}", kernel=kernel, disks=[pack.path],
                            share=share, timeout=timeout)
        except MachineEnded as ended:
            lines = ended.lines
        answers = parse_answers(lines)
        for answer in answers.values():
            store, store_count, origin, origin_count, view = places[answer.name]
            if answer.error is None:
                answer.view = pack.read(view, origin_count)
            if answer.error is None and answer.merge_status != PANIC:
                answer.merged_origin = pack.read(origin, origin_count)
                answer.merged_store = pack.read(store, store_count)
    return answers


def parse_answers(lines):
    """The answers by name. The last is a PANIC, on loading or on merging, if its lines break off."""
    answers, answer, finished = {}, None, True
    for line in lines:
        key, _, value = line.partition(" ")
        if key == "case":
            answer, finished = Answer(value, error=PANIC), False
            answers[value] = answer
        elif key == "log":
            (answer.merge_log if answer.merge_status else answer.log).append(value)
        elif key == "load":
            answer.error = None if value == "ok" else value.removeprefix("error ")
        elif key == "status":
            answer.status = value
        elif key == "unreadable":
            first, count = map(int, value.split())
            answer.unreadable.append((first * SECTOR_BYTES, count * SECTOR_BYTES))
        elif key == "merging":
            answer.merge_status = PANIC
        elif key in ("merge-status", "merge-load"):
            answer.merge_status = value
        elif key == "end":
            finished = True
        else:
            raise LabFailure(f"unexpected line from the guest: {line}")
    if not finished and answer.merge_status != PANIC:
        answers[answer.name] = Answer(answer.name, error=PANIC)
    return answers
