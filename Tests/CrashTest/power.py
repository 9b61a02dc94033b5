"""Power cuts in the middle of merges, in machines of their own whose kernel, caches and disks all go at once."""

import collections
import contextlib
import pathlib
import random
import shutil
import subprocess
import tempfile

from recipe.kernel import run_lab
from runs import MERGING, SAVING, SECTOR, STATES, Failure, difference, system, system_program
from shapes import guest, made

CUTS_MAX = 3
UNDO_DISK_MEBIBYTES = 40
DELAYS = {0: 2, SAVING: 3, MERGING: 6}  # seconds, at the most, from a state to the cut
TRIES = 5
HALF_MERGED = "half merged"
BY_LINUX = "undone by Linux itself"

# The machine has /dev/vda, the origin, /dev/vdb, the store, and /dev/vdc, a file system for the undo file. Little is
# kept in the cache, and the origin takes long to write, so that a cut finds it half written.
PRELUDE = """
set -e
cd /proc/sys/vm
echo 5 >dirty_writeback_centisecs; echo 1 >dirty_expire_centisecs
echo 65536 >dirty_background_bytes; echo 131072 >dirty_bytes
mkdir -p /tmp/run /undo
cp /lab/run/* /tmp/run
mount -t ext4 /dev/vdc /undo
undo=/undo/undo.cow
dmsnap() { /tmp/run/ld-linux-x86-64.so.2 --library-path /tmp/run /tmp/run/dmsnap "$@"; }
state() {
  set -- $(dd if=$undo bs=1 skip=28 count=1 2>/dev/null | hexdump -v -e '1/1 "%d"')
  echo ${1:-0}
}
"""
CUT = """
dmsetup create slow --table "0 $(blockdev --getsz /dev/vda) delay /dev/vda 0 0 /dev/vda 0 20"
dmsnap merge /dev/vdb --origin /dev/mapper/slow --undo $undo --quiet &
merge=$!
while kill -0 $merge 2>/dev/null && [ $(state) -lt UNTIL ]; do usleep 1000; done
usleep DELAY
if kill -0 $merge 2>/dev/null; then echo "@cut $(state)"; sleep 100; fi
wait $merge && echo @late
"""
FINISH = """
echo "@state $(state)"
dmsnap merge /dev/vdb --origin /dev/vda --undo $undo || echo "@failed merge: $?"
cp /dev/vda /lab/merged.img
dmsnap merge $undo --origin /dev/vda --no-undo || echo "@failed undo: $?"
cd /; umount /undo
"""
# Linux takes back from wherever the cut was, with nothing but the undo store.
UNDO_BY_LINUX = """
echo "@state $(state)"
[ $(state) -eq 2 ] || exit 0
losetup /dev/loop0 $undo
dmsetup create undo --table "0 SECTORS snapshot-merge /dev/vda /dev/loop0 P CHUNK"
left=600
until set -- $(dmsetup status undo); [ "${4%/*}" = "$5" ] || [ $left -eq 0 ]; do
  left=$((left - 1))
  usleep 100000
done
echo "@status $*"
dmsetup remove undo
losetup -d /dev/loop0
cd /; umount /undo
"""


class Cuts:
    """All rounds, and what was seen in them."""

    def __init__(self, program, kernel, seed):
        self.program, self.kernel, self.seed = program, kernel, seed
        self.shape = made(guest, seed)
        self.delays = dict(DELAYS)  # shorter, once that was too late
        self.hit = collections.Counter()  # cuts, by the state of the undo file
        self.too_late = 0  # cuts that the merge did not wait for
        self.left = collections.Counter()  # how they left the origin
        self.ends = collections.Counter()

    def round(self, number):
        rng = random.Random(f"{self.seed}/power/{number}")
        with tempfile.TemporaryDirectory(prefix="dmsnap-crash-test.") as folder:
            machine = Machine(self, pathlib.Path(folder))
            by_linux = number % 4 == 0
            for _ in range(1 if by_linux else rng.randint(1, CUTS_MAX)):
                self.cut(rng, machine, MERGING if by_linux else rng.choice((0, SAVING, MERGING, MERGING)))
            if not (by_linux and self.undo_by_linux(machine)):
                self.finish(machine)
            if machine.store.read_bytes() != self.shape.store:
                raise Failure("the store was written to")

    def cut(self, rng, machine, until):
        for _ in range(TRIES):
            delay = int(rng.uniform(0, self.delays[until]) * 1e6)
            said = machine.run(CUT.replace("UNTIL", str(until)).replace("DELAY", str(delay)), kill_on="@cut")
            if "cut" in said:
                break
            if "late" not in said:
                raise Failure(f"the merge did not end well: {machine.lines}")
            self.too_late += 1
            self.delays[until] /= 2
            machine.renew()
        else:
            raise Failure(f"the merge was always faster than the cut, {TRIES} times")
        state = int(said["cut"])
        self.hit[STATES[state]] += 1
        origin = machine.origin.read_bytes()
        if origin == self.shape.origin:
            self.left["as it was"] += 1
        elif state < MERGING:
            raise Failure(f"the origin is not as it was, though cut while {STATES[state]}: "
                          f"{difference(origin, self.shape.origin)}")
        else:
            self.left["merged" if origin == self.shape.merged else HALF_MERGED] += 1

    def finish(self, machine):
        """The same command, and then the undo."""
        said = machine.run(FINISH)
        if "failed" in said:
            raise Failure(f"after the cut, with the undo file {STATES[int(said['state'])]}, {machine.lines}")
        machine.require(machine.share / "merged.img", self.shape.merged, "the merge must leave it")
        machine.require(machine.origin, self.shape.origin, "it was before the merge")
        self.ends["finished by the same command, and undone"] += 1

    def undo_by_linux(self, machine):
        """False if it turns out that nothing was saved yet."""
        sectors = len(self.shape.origin) // SECTOR
        said = machine.run(UNDO_BY_LINUX.replace("SECTORS", str(sectors))
                           .replace("CHUNK", str(self.shape.chunk_sectors)))
        if int(said["state"]) != MERGING:
            return False
        if "status" not in said:
            raise Failure(f"Linux does not merge the undo store: {machine.lines}")
        machine.require(machine.origin, self.shape.origin, f"it was before the merge; Linux says {said['status']}")
        self.ends[BY_LINUX] += 1
        return True

    def summary(self):
        yield f"Linux {self.kernel}, cut while " + ", ".join(f"{name}: {n}" for name, n in self.hit.most_common())
        yield "the origin was then " + ", ".join(f"{name}: {n}" for name, n in self.left.most_common())
        yield f"too late, the merge had ended: {self.too_late}"
        yield from (f"{name}: {n}" for name, n in self.ends.most_common())

    def unproven(self):
        seen = self.hit + self.left + self.ends
        return [name for name in (STATES[MERGING], HALF_MERGED, BY_LINUX) if not seen[name]]


class Machine:
    """Three disks, and what is run with them."""

    def __init__(self, cuts, folder):
        self.kernel, self.shape = cuts.kernel, cuts.shape
        self.origin, self.store, self.undo_disk = (folder / f"{name}.disk" for name in ("origin", "store", "undo"))
        self.share, self.lines = folder / "share", []
        take_along(cuts.program.path, self.share / "run")
        self.store.write_bytes(self.shape.store)
        self.renew()

    def renew(self):
        """The origin as it was, and no undo file."""
        self.origin.write_bytes(self.shape.origin)
        self.undo_disk.unlink(missing_ok=True)
        with open(self.undo_disk, "wb") as file:
            file.truncate(UNDO_DISK_MEBIBYTES << 20)
        system(system_program("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-m", "0", self.undo_disk)

    def run(self, script, kill_on=None):
        """Boots, and returns what the script said in lines that begin with @, by their first word."""
        self.lines = run_lab(PRELUDE + script, kernel=self.kernel, disks=[self.origin, self.store, self.undo_disk],
                             share=self.share, kill_on=kill_on)
        words = (line[1:].partition(" ") for line in self.lines if line.startswith("@"))
        return {word: rest for word, _, rest in words}

    def require(self, path, expected, how):
        found = path.read_bytes()
        if found != expected:
            raise Failure(f"{path.name} is not as {how}: {difference(found, expected)}; {self.lines}")


def take_along(program, folder):
    """dmsnap with all libraries that it needs: the machine has none."""
    folder.mkdir(parents=True)
    shutil.copy(program, folder / "dmsnap")
    for word in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split():
        if word.startswith("/"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(word, folder / pathlib.Path(word).name)
