"""Merges, and the undoing of them, that are killed at any moment; what was killed goes on, or is taken back."""

import collections
import contextlib
import pathlib
import random
import signal
import tempfile
import time

from runs import (COULD_NOT_FINISH, DONE, FINISHED, MERGING, REFUSED, SAVING, STATES, XFS_MEBIBYTES, Bench, Failure,
                  Impossible, file_system, loop_device)
from shapes import SHAPES, made

KILLS_MAX = 4
POLL = 0.0002  # seconds
SIGNALS = (signal.SIGKILL,) * 4 + (signal.SIGINT, signal.SIGTERM)
PLACES = ("files", "files", "device", "xfs")  # where the origin and the undo file lie


class Kills:
    """All rounds, and what was seen in them."""

    def __init__(self, program, seed):
        self.program, self.seed = program, seed
        self.hit = collections.Counter()  # merges that were killed, by the state of the undo file
        self.too_late = 0  # what had come to its end before
        self.signals = collections.Counter()
        self.ends = collections.Counter()
        self.chains = collections.Counter()
        self.skipped, self.why_skipped = collections.Counter(), {}  # by place
        self.durations = {}

    def round(self, number):
        """One round; a Failure tells what is wrong with it."""
        rng = random.Random(f"{self.seed}/{number}")
        shape = made(SHAPES[rng.choice(sorted(SHAPES))], self.seed)
        place, has_undo = rng.choice(PLACES), rng.random() < 0.85
        with tempfile.TemporaryDirectory(prefix="dmsnap-crash-test.") as folder, contextlib.ExitStack() as stack:
            try:
                bench = self.bench(shape, place, pathlib.Path(folder), stack)
            except Impossible as impossible:
                self.skipped[place] += 1
                self.why_skipped[place] = impossible
                bench, place = self.bench(shape, "files", pathlib.Path(folder), stack), "files"
            try:
                if has_undo:
                    self.with_undo(rng, bench)
                else:
                    self.without_undo(rng, bench)
                bench.require_evidence()
            except Failure as failure:
                raise Failure(f"{shape.name} on {place}: {failure}") from None

    def bench(self, shape, place, folder, stack):
        files, origin = folder / "files", None
        if place == "device":
            shape, backing = shape.without_tail, folder / "origin.backing"
            backing.write_bytes(shape.origin)
            origin = stack.enter_context(loop_device(backing))
        elif place == "xfs":
            files = stack.enter_context(file_system(folder, "xfs", XFS_MEBIBYTES))
        files.mkdir(exist_ok=True)
        return Bench(self.program, shape, files, origin=origin)

    # MARK: rounds

    def with_undo(self, rng, bench):
        kills = rng.randint(1, KILLS_MAX)
        self.chains[kills] += 1
        for _ in range(kills):
            state = self.killed_merge(rng, bench)
            if state == FINISHED:
                break
        if state < MERGING:
            self.refuse_undo(bench)
        elif rng.random() < 0.5:
            self.undo_at_once(rng, bench, state)
            return
        bench.finish()
        if rng.random() < 0.3:
            bench.merge().require(DONE)  # there is nothing left to do
            bench.require_merged()
        self.undo(rng, bench)
        self.ends["finished by the same command"] += 1

    def undo_at_once(self, rng, bench, state):
        self.undo(rng, bench)
        if state == FINISHED:
            bench.merge().require(REFUSED)  # the undo file is of a merge that is no more
            bench.require_original()
        elif rng.random() < 0.5:
            bench.finish()
            self.undo(rng, bench)
            self.ends["undone, merged again, undone again"] += 1
        self.ends["undone from where it was killed"] += 1

    def refuse_undo(self, bench):
        bench.require_original()
        if bench.state == SAVING:
            bench.unmerge().require(REFUSED)
            bench.require_original()

    def undo(self, rng, bench):
        """Takes the merge back, and kills that a few times as well."""
        kills = rng.choice((0, 0, 1, 2))
        for _ in range(kills):
            ended = self.killed(rng, bench, bench.undo_line, until=None)
            bench.require_between()
            if ended is not None:
                break
            self.hit["undoing"] += 1
        bench.take_back()

    def without_undo(self, rng, bench):
        for _ in range(rng.randint(1, KILLS_MAX)):
            ended = self.killed(rng, bench, bench.merge_without_undo_line, until=None)
            bench.require_between()
            if ended is None:
                self.hit["merging without undo"] += 1
        bench.program.run(*bench.merge_without_undo_line).require(DONE)
        bench.require_merged()
        self.ends["merged without undo, by the same command"] += 1

    # MARK: kills

    def killed_merge(self, rng, bench):
        """Kills the merge and returns the state it was found in, with the origin looked at."""
        until = rng.choice((None, SAVING, MERGING, MERGING, MERGING))
        ended = self.killed(rng, bench, bench.merge_line, until)
        state = bench.state
        if ended is not None:
            bench.require_merged()
            return state
        self.hit[STATES[state]] += 1
        if state < MERGING:
            bench.require_original()
        elif state == MERGING:
            bench.require_between()
        else:
            bench.require_merged()
        return state

    def killed(self, rng, bench, line, until):
        """Starts a command and ends it, some time after the undo file has come so far. None if that was in time, how
        it ended otherwise."""
        duration = self.duration(bench)
        number = rng.choice(SIGNALS)
        delay = rng.uniform(0, duration) * (0.9 if until is None else rng.choice((0, 0.1, 0.3)))
        process = bench.program.start(*line)
        while until is not None and process.poll() is None and bench.state < until:
            time.sleep(POLL)
        time.sleep(delay)
        process.send_signal(number)
        ended = bench.program.wait(process)
        if ended.status == DONE:
            self.too_late += 1
            return ended
        if number != signal.SIGKILL and ended.status == COULD_NOT_FINISH:
            ended.require_complaint(hint=True)  # stopped by itself, and said so
            self.signals[f"{number.name}, stopped by itself"] += 1
            return None
        ended.require(-number)
        self.signals[number.name] += 1
        return None

    def duration(self, bench):
        """How long the merge takes when nobody disturbs it, once measured for each shape."""
        name = bench.shape.name
        if name not in self.durations:
            with tempfile.TemporaryDirectory(prefix="dmsnap-crash-test.") as folder:
                undisturbed = Bench(bench.program, bench.shape, pathlib.Path(folder))
                start = time.monotonic()
                undisturbed.merge().require(DONE)
                self.durations[name] = time.monotonic() - start
        return self.durations[name]

    # MARK: the end

    def summary(self):
        yield "killed while " + ", ".join(f"{name}: {count}" for name, count in self.hit.most_common())
        yield "by " + ", ".join(f"{name}: {count}" for name, count in self.signals.most_common())
        yield f"too late, the command had ended: {self.too_late}"
        yield ("chains of " + ", ".join(f"{length}: {count}" for length, count in sorted(self.chains.items()))
               + " kills before it went on")
        yield from (f"{name}: {count}" for name, count in self.ends.most_common())

    def unproven(self):
        """What no kill has hit, so that nothing is known of it."""
        return [name for name in (STATES[SAVING], STATES[MERGING], "undoing", "merging without undo")
                if not self.hit[name]]
