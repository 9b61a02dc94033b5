"""Runs of programs, in turn, and what comes of comparing them."""

import dataclasses
import functools
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

MIB = 1 << 20
EXCEPTION_BYTES_MAX = 24


class Failure(Exception):
    pass


@dataclasses.dataclass
class Run:
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str = ""
    count: int = 1  # of what it did: ratios are between the times for one


@dataclasses.dataclass
class Missing:
    """What stands for a contender that cannot be had here, and why."""

    reason: str


@dataclasses.dataclass
class Comparison:
    """One line of the result: a contender of ours, another, and how much slower ours may be."""

    ours: str
    theirs: str
    ratio_max: float | None = None
    exception_count: int | None = None  # where memory is limited, by this many exceptions
    peak_bytes_max: int | None = None


def program(name, package):
    """Where a program is, or what to install."""
    return shutil.which(name) or Missing(f"not installed: apt-get install {package}")


def run(command, keep_output=True, environment=None):
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as talk:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=talk, env=environment,
                                   stdout=output if keep_output else subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            talk.seek(0)
            raise Failure(f"`{' '.join(map(str, command))}` ended with status {process.returncode}: "
                          + talk.read(500).decode(errors="replace").strip())
        output.seek(0)
        # A process begins with its parent's peak: below Python's own, some 17 MiB, there is nothing to see.
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output.read().decode())


def numbers(run):
    """What the yardstick prints: a name and a number in each line."""
    return {name: int(number) for name, number in (line.split() for line in run.output.splitlines())}


def forget(*paths):
    """Takes files that are there out of the page cache; only those, as reading a program again costs time, too."""
    os.sync()
    for path in filter(os.path.exists, paths):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def bind(commands, body):
    """What `measure` runs: for each command that can be had, `body` of its name and itself."""
    return {name: command if isinstance(command, Missing) else functools.partial(body, name, command)
            for name, command in commands.items()}


def measure(contenders, rounds):
    """Runs all contenders (name: function that makes a Run, or Missing) in turn; a first round does not count."""
    runs = {name: contender if isinstance(contender, Missing) else [] for name, contender in contenders.items()}
    names, order = [name for name in runs if not isinstance(runs[name], Missing)], random.Random(1)
    for number in range(rounds + 1):
        for name in names:
            result = contenders[name]()
            if number > 0:
                runs[name].append(result)
        order.shuffle(names)
    return runs


class Result:
    """The lines of the result, and which requirements were missed."""

    def __init__(self, rounds, base_peak_bytes):
        self.rounds = rounds
        self.base_peak_bytes = base_peak_bytes
        self.missed = []

    def begin(self, title):
        self.title = title
        print(f"\n### {title}\n\n"
              "| dmsnap            | other            | from |      ms |  its ms |  ratio | spread        | limit    |   CPU "
              "|    MiB | its MiB | B/exc |\n"
              "|-------------------|------------------|------|--------:|--------:|-------:|---------------|----------|------:"
              "|-------:|--------:|------:|", flush=True)

    def miss(self, text):
        self.missed.append(f"{self.title}: {text}")

    def cannot(self, title, reason):
        """Says that something is not measured at all; that is no pass."""
        self.title = title
        print(f"\n### {title}\n\nnot measured: {reason}", flush=True)
        self.miss(f"not measured: {reason}")

    def compare(self, comparisons, contenders, files, caches=("warm", "cold")):
        """Measures with the input in the page cache, then without; `files` is what to take out of it.

        `contenders` makes functions of what to do before each run.
        """
        preparations = {"warm": lambda: None, "cold": lambda: forget(*files)}
        for cache in caches:
            runs = measure(contenders(preparations[cache]), self.rounds)
            for comparison in comparisons:
                self.add(comparison, runs, cache)

    def add(self, comparison, runs, cache):
        ours, theirs = runs[comparison.ours], runs[comparison.theirs]
        head = f"| {comparison.ours:17} | {comparison.theirs:16} | {cache} |"
        limit = f"≤ {comparison.ratio_max:.3g}" if comparison.ratio_max else ""
        what = f"{comparison.ours}, {cache}"
        missing = next((side for side in (ours, theirs) if isinstance(side, Missing)), None)
        if missing:
            print(f"{head} {missing.reason} |", flush=True)
            if limit:
                self.miss(f"{what}: {limit} x {comparison.theirs} could not be checked; {missing.reason}")
            return
        ratios = [a.seconds / a.count / (b.seconds / b.count) for a, b in zip(ours, theirs)]
        ratio = statistics.median(ratios)
        cpu = statistics.median(a.cpu_seconds / a.count / max(b.cpu_seconds / b.count, 1e-12)
                                for a, b in zip(ours, theirs))
        milliseconds = [1000 * statistics.median(run.seconds for run in side) for side in (ours, theirs)]
        peaks = [max(run.peak_bytes for run in side) for side in (ours, theirs)]
        if comparison.ratio_max and ratio > comparison.ratio_max:
            self.miss(f"{what}: {ratio:.3g} x {comparison.theirs}; {limit} is required")
        if comparison.peak_bytes_max and peaks[0] > comparison.peak_bytes_max:
            self.miss(f"{what}: {peaks[0] // MIB} MiB; ≤ {comparison.peak_bytes_max // MIB} MiB is required")
        each = ""
        if comparison.exception_count:
            each = max(0, peaks[0] - self.base_peak_bytes) / comparison.exception_count
            if each > EXCEPTION_BYTES_MAX:
                self.miss(f"{what}: {each:.1f} bytes an exception; ≤ {EXCEPTION_BYTES_MAX} are required")
            each = f"{each:.1f}"
        spread = f"{min(ratios):.2g}–{max(ratios):.2g}"
        print(f"{head} {milliseconds[0]:7.0f} | {milliseconds[1]:7.0f} | {ratio:6.3g} | {spread:13} | {limit:8} "
              f"| {cpu:5.2f} | {peaks[0] / MIB:6.1f} | {peaks[1] / MIB:7.1f} | {each:>5} |", flush=True)
