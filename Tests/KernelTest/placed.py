"""Judges where dmsnap places what has no name, by content: nothing of dmsnap says what is right."""

import collections
import dataclasses
import hashlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import zlib

from blocks import BLOCK, NAMES
from views import SECTOR, Store, View, is_same, mapped

TIMEOUT = 600
LEVELS = ("none", "proven", "likely")
IN_USE = ("metadata", "data")
SHOWN_FAULTS = 6


@dataclasses.dataclass
class Tally:
    """Chunks, and what became of them."""
    right: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by strength
    placed: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    needed: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by what they are
    back: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    proven_back: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    harmed: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by level
    untold: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # needed, and nothing tells

    def __add__(self, other):
        return Tally(*(getattr(self, field.name) + getattr(other, field.name) for field in dataclasses.fields(self)))

    def __str__(self):
        right = ", ".join(f"{self.right[strength]} of {self.placed[strength]} {strength}" for strength in LEVELS[1:])
        back = ", ".join(f"{self.back[kind]} of {self.needed[kind]} {kind}" for kind in
                         ("metadata", "data", "journal", "free") if self.needed[kind])
        harmed = f"harmed {self.harmed['proven']} by proofs, {self.harmed['likely']} with what is likely"
        untold = f"; of {sum(self.untold.values())} nothing tells which writer's they are" if self.untold else ""
        return f"right {right}; back {back or 'all'}{untold}; {harmed}"

    def recall(self, kinds):
        """How many are back, how many of them by proofs alone, and how many are needed."""
        return tuple(sum(side[kind] for kind in kinds) for side in (self.back, self.proven_back, self.needed))


@dataclasses.dataclass
class Verdict:
    loss: object
    tally: Tally = dataclasses.field(default_factory=Tally)
    faults: list = dataclasses.field(default_factory=list)
    likely_wrong: list = dataclasses.field(default_factory=list)


class Judge:
    """Knows what a snapshot was, and holds against it what is made of damaged copies of its store."""

    def __init__(self, dmsnap, made, name):
        self.dmsnap, self.made, self.name = dmsnap, made, name
        self.store = Store(made.file(name), made.chunk_sectors)
        self.size = self.store.size
        self.origin = mapped(made.file("origin.img"))
        if made.mode == "flight":
            self.truth = View(mapped(made.file("before.img")), self.size)
            self.places = self.places_by_content()
        else:
            self.truth = View(self.origin, self.size, self.store)
            self.places = {new: old for old, new in self.store.exceptions}
        kinds = made.file("kinds2.bin" if name == "cow2.img" else "kinds.bin")
        self.kinds = kinds.read_bytes() if kinds.exists() else None
        self.untold = set(self.noise_of_two()) if made.kind == "flight-two" else set()
        self.sibling = made.file("cow.img" if name == "cow2.img" else "cow2.img") if made.mode == "siblings" else None
        self.sibling_view = View(self.origin, self.size, Store(self.sibling)) if self.sibling else None

    def places_by_content(self):
        """new chunk: the one chunk of the snapshot that has its content, and no exception."""
        found = collections.defaultdict(list)
        named = {old for old, _ in self.store.exceptions}
        for old in range(self.truth.chunk_count):
            data = self.truth.chunk(old)
            if old not in named and any(data):
                found[hashlib.blake2b(data, digest_size=16).digest()].append(old)
        taken = {new for _, new in self.store.exceptions}
        places = {new: old for old, new in self.store.exceptions}
        for new in range(2, self.store.chunks):
            if self.store.is_data(new) and new not in taken:
                digest = hashlib.blake2b(self.store.chunk(new), digest_size=16).digest()
                if len(found.get(digest, ())) == 1:
                    places[new] = found[digest][0]
        return places

    def noise_of_two(self):
        """Chunks of one of two writers, where the other's next chunk could stand as well: both are noise."""
        half, following = self.truth.chunk_count // 2, {}
        for _, old in sorted(self.places.items()):
            other = following.get(old < half)
            if other is not None and self.is_noise(old) and self.is_noise(other):
                yield old
            following[old >= half] = old + 1

    def is_noise(self, old):
        """Whether a chunk of the snapshot cannot be compressed: it has no numbers, no text, and no rows."""
        data = self.truth.chunk(old)
        return len(zlib.compress(data, 6)) >= len(data)

    # MARK: one loss

    def verdict(self, loss, keep):
        with tempfile.TemporaryDirectory(prefix="dmsnap-place.") as name:
            folder = pathlib.Path(name)
            damaged = folder / "store.cow"
            size = loss.apply(self.made.file(self.name), damaged)
            options = ["--origin", self.made.file("origin.img")]
            if loss.unreadable:
                (folder / "store.map").write_text(loss.mapfile(size))
                options += ["--map", folder / "store.map"]
            if self.sibling:
                options += ["--sibling", self.sibling]
            verdict = Verdict(loss)
            try:
                self.examine(verdict, folder, damaged, options)
            except (Unusable, KeyError, json.JSONDecodeError, subprocess.TimeoutExpired) as error:
                verdict.faults.append(f"{type(error).__name__}: {error}")
            if verdict.faults and keep:
                target = keep / f"{self.made.name}-{self.name.removesuffix('.img')}-{loss.name.replace(' ', '-')}"
                shutil.copytree(folder, target, dirs_exist_ok=True)
            return verdict

    def run(self, *arguments):
        """The status, and what was printed as JSON."""
        ran = subprocess.run([self.dmsnap, *map(str, arguments), "--format", "json", "--quiet"], capture_output=True,
                             text=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT)
        if ran.returncode not in (0, 1, 2):
            raise Unusable(f"{arguments[0]}: status {ran.returncode}: {(ran.stderr or ran.stdout)[-300:].strip()}")
        return ran.returncode, json.loads(ran.stdout)

    def examine(self, verdict, folder, damaged, options):
        reports, views = {}, {}
        fault = verdict.faults.append
        for level in LEVELS:
            new = folder / f"{level}.cow"
            status, report = self.run("salvage", damaged, *options, "--to", new, "--place", level)
            reports[level] = report
            made = Store(new)
            if made.size != self.size:
                raise Unusable(f"salvage: chunks of {made.chunk_sectors} sectors, not {self.size // SECTOR}")
            views[level] = View(self.origin, self.size, made)
            self.check_status(report, level, status, fault)
        self.check_counts(reports, self.run("inspect", damaged, *options)[1], fault)
        self.count_placements(verdict, mapped(damaged), reports["likely"])
        tally = verdict.tally
        for level in LEVELS[1:]:
            harmed = [old for old in views[level].news.keys() | views["none"].news.keys()
                      if self.is_wrong(views[level], old) and not self.is_wrong(views["none"], old)]
            tally.harmed[level] = len(harmed)
            if harmed and level == "proven":
                fault(f"{len(harmed)} chunks are harmed by what is proven, such as {sorted(harmed)[:3]}")
        self.count_needed(verdict, mapped(damaged), views)
        self.check_unreadable(verdict.loss, views["likely"], reports["likely"], fault)

    def is_wrong(self, view, old):
        return view.chunk(old) != self.truth.chunk(old)

    # MARK: what is said

    def check_status(self, report, level, status, fault):
        said = report["placement"]
        open_ones = report["unnamed"]["chunkCount"] - (said["provenCount"] if level != "none" else 0)
        leaked = sum(orphan["count"] for orphan in report["orphans"] if orphan.get("reason") == "leaked")
        if open_ones > leaked and status != 2:
            fault(f"salvage --place {level}: status {status}, {open_ones} chunks are likely or not placed")
        if level == "none" and report["placements"]:
            fault("salvage --place none: it places something")

    def check_counts(self, reports, inspected, fault):
        if inspected["placement"] != reports["likely"]["placement"]:
            fault(f"inspect says {inspected['placement']}, salvage {reports['likely']['placement']}")
        said, listed = reports["likely"]["placement"], collections.Counter()
        for placement in reports["likely"]["placements"]:
            listed[placement["strength"]] += placement["count"]
        if (said["provenCount"], said["likelyCount"]) != (listed["proven"], listed["likely"]):
            fault(f"salvage: {said} are said, {dict(listed)} listed")
        if said["orphanCount"] != said["provenCount"] + said["likelyCount"] + said["unplacedCount"]:
            fault(f"salvage: {said} do not add up")
        proofs = [set(expanded(reports[level]["placements"], "proven")) for level in LEVELS[1:]]
        if proofs[0] != proofs[1]:
            fault(f"salvage: {len(proofs[0] ^ proofs[1])} chunks are proven at one level only")
        if any(expanded(reports["proven"]["placements"], "likely")):
            fault("salvage --place proven: it places what is likely")

    def check_unreadable(self, loss, view, report, fault):
        """What cannot be read is the snapshot's nevertheless, from a sibling, or is listed as lost."""
        lost = [range(part["byteOffset"], part["byteOffset"] + part["byteCount"]) for part in report["lost"]]
        # Another chunk in a likely place is wrong as a whole, and counted as that.
        likely = dict(expanded(report["placements"], "likely"))
        invented = 0
        for at, _ in loss.unreadable:
            new, within = divmod(at, self.size)
            old = self.places.get(new)
            if old in view.news and likely.get(old, new) == new:
                shown, right = (side.chunk(old)[within:within + SECTOR] for side in (view, self.truth))
                invented += shown != right and not any(old * self.size + within in part for part in lost)
        if invented:
            fault(f"salvage: {invented} unreadable sectors are wrong in the view, and not listed as lost")

    # MARK: what is right

    def count_placements(self, verdict, damaged, report):
        wrong = collections.defaultdict(list)
        for placement in report["placements"]:
            strength = placement["strength"]
            for old, new in expanded([placement], strength):
                good = old < self.truth.chunk_count and self.is_right(damaged, new, old, verdict.loss)
                verdict.tally.placed[strength] += 1
                verdict.tally.right[strength] += good
                if not good:
                    wrong[strength].append(f"old {old} new {new} ({', '.join(placement['evidence'])})")
        verdict.likely_wrong = wrong["likely"]
        if wrong["proven"]:
            shown = "; ".join(wrong["proven"][:SHOWN_FAULTS])
            verdict.faults.append(f"{len(wrong['proven'])} proofs are wrong: {shown}")

    def is_right(self, damaged, new, old, loss):
        """Whether a chunk of the store is the snapshot's, in the sectors that can be read."""
        data, right = bytearray(damaged[new * self.size:(new + 1) * self.size]), self.truth.chunk(old)
        for at, count in loss.unreadable:
            if at // self.size == new:
                first = at - new * self.size
                data[first:first + count] = right[first:first + count].ljust(count, b"\0")
        return is_same(data, right)

    def count_needed(self, verdict, damaged, views):
        """What belongs to the snapshot, is there, and is not in the view without placements."""
        tally = verdict.tally
        for old in set(self.wanted(verdict.loss, damaged)):
            if self.is_wrong(views["none"], old):
                kind = self.kind(views["none"], old)
                if old in self.untold:
                    tally.untold[kind] += 1
                    continue
                tally.needed[kind] += 1
                tally.back[kind] += not self.is_wrong(views["likely"], old)
                tally.proven_back[kind] += not self.is_wrong(views["proven"], old)

    def wanted(self, loss, damaged):
        unreadable = {at // self.size for at, _ in loss.unreadable}
        if self.sibling_view:
            yield from (old for old, _ in self.since_younger() if self.sibling_view.chunk(old) == self.truth.chunk(old))
            return
        for new, old in self.places.items():
            data = damaged[new * self.size:(new + 1) * self.size]
            if new not in unreadable and is_same(data, self.truth.chunk(old)):
                yield old

    def since_younger(self):
        """The exceptions that were made when there were both, and that both have."""
        first = self.made.younger_next if self.name == "cow.img" else 0
        theirs = dict(self.sibling_view.store.exceptions)
        limit = 0 if self.name == "cow.img" else self.made.younger_next
        return [(old, new) for old, new in self.store.exceptions if new >= first and theirs.get(old, -1) >= limit]

    def kind(self, view, old):
        """The most important of the blocks that the view shows wrongly; data where there is no file system."""
        if self.kinds is None:
            return "data"
        shown, right = view.chunk(old), self.truth.chunk(old)
        found = {NAMES[self.kinds[(old * self.size + at) // BLOCK]]
                 for at in range(0, len(right), BLOCK) if shown[at:at + BLOCK] != right[at:at + BLOCK]}
        return next(kind for kind in ("metadata", "data", "journal", "free") if kind in found)

    def summary(self, verdicts, is_long):
        total = sum((verdict.tally for verdict in verdicts), Tally())
        lines = [f"{self.made.name} {self.name}: chunks of {self.made.chunk_sectors} sectors, "
                 f"{len(self.store.exceptions)} exceptions, {len(verdicts)} losses: {total}"]
        for verdict in verdicts:
            if is_long:
                lines.append(f"  {verdict.loss.name}: {verdict.tally}")
                lines += [f"    likely, and wrong: {what}" for what in verdict.likely_wrong[:SHOWN_FAULTS]]
            lines += [f"  {verdict.loss.name}: {fault}" for fault in verdict.faults]
        return "\n".join(lines)


class Unusable(Exception):
    """dmsnap made nothing that could be judged."""


def expanded(placements, strength):
    return [(placement["old"] + index, placement["new"] + index) for placement in placements
            if placement["strength"] == strength for index in range(placement["count"])]
