"""Volume groups in the lab: lvm2 makes them on a pack's images, and is asked about copies of what it made."""

import dataclasses
import json
import subprocess
import tempfile

from .cases import GUEST_COMMANDS
from .kernel import LabFailure, Pack, run_lab
from .stamps import SECTOR_BYTES

# lvm2 as if typed, but it asks nothing and says only what went wrong. The rest is what the cases have in common.
LVM_COMMANDS = GUEST_COMMANDS + r"""
export LVM_SUPPRESS_FD_WARNINGS=1
hostname lab
for command in pvcreate pvchange pvmove vgcreate vgchange vgextend vgreduce vgexport vgimport vgck vgrename \
               lvcreate lvchange lvconvert lvextend lvreduce lvremove lvrename; do
  eval "$command() { lvm $command -qq -y \"\$@\"; }"
done
field() { lvm $1 --noheadings --nosuffix --units b -o $2 $3 | tr -d ' '; }

# stamp VG/LV LABEL PIECE FIRST:COUNT...: stamped sectors, in pieces
stamp() { device=$1; shift; /lab/guest stamp /dev/$device "$@"; }
fill() { stamp $1 "${2:-origin gen 0}" 1024 0:$(blockdev --getsz /dev/$1); }
digest() { sha256sum $1 2>/dev/null | cut -d' ' -f1; }
# The snapshot as it is, for what becomes of it: while the group has this seqno, it is there
before() { echo "@before $1 $(field vgs vg_seqno ${1%/*}) $(digest /dev/$1)"; }
valid() { [ "$(field lvs lv_snapshot_invalid $1)" = "" ]; }
in_sync() { until [ "$(field lvs sync_percent $1)" = 100.00 ]; do usleep 50000; done; }
# A PV goes, and comes back as it then was
unplug() { dmsetup remove $1; }
plug() { eval "dmsetup create $1 --table \"0 \$$1_count linear /dev/vda \$$1_at\""; }
"""

# Whatever is in the groups is activated, and said. There is an exported group too; this is a copy of it.
ASKING = r"""
say() { lvm $1 -a --reportformat json --units b --nosuffix -o $2 >/lab/said/$case.$1 2>/dev/null; }
say vgs vg_name,vg_uuid,vg_seqno,vg_extent_size,vg_exported
lvm vgck >/lab/said/$case.vgck 2>&1
vgimport -a 2>/dev/null
vgchange -ay --poll n 2>/dev/null
say pvs pv_name,pv_uuid,vg_name,pe_start
say lvs lv_name,vg_name,segtype,lv_size,origin,data_percent,lv_attr,chunk_size,lv_uuid,lv_dm_path,seg_pe_ranges
lvm lvs --noheadings -o lv_dm_path >/tmp/paths 2>/dev/null
for path in $(cat /tmp/paths); do
  [ -b $path ] || continue
  echo "$path $(digest $path)"
  [ ! -b $path-cow ] || echo "$path-cow $(digest $path-cow)"
done >/lab/said/$case.digests
dmsetup status --target snapshot >/lab/said/$case.statuses
vgchange -an 2>/dev/null
"""


@dataclasses.dataclass
class Disk:
    """What a PV lies on: an image of so many sectors, all of it, or the part of it that sfdisk makes a partition."""
    sector_count: int
    label: str = ""  # sfdisk's script
    first: int = 0  # of the PV, as the script has it
    pv_sector_count: int = 0

    @property
    def pv_count(self):
        return self.pv_sector_count or self.sector_count

    def add(self, pack):
        """Room on the pack, with the partition table in it; the answer is the disk's first sector."""
        if not self.label:
            return pack.reserve(self.sector_count)
        with tempfile.NamedTemporaryFile() as image:
            image.truncate(self.sector_count * SECTOR_BYTES)
            subprocess.run(["sfdisk", "-q", image.name], input=self.label, text=True, check=True)
            return pack.add(image.read())


@dataclasses.dataclass
class Group:
    """One or more volume groups to be made: PVs, and the script that has lvm2 make something of them.

    The script finds /dev/mapper/pv0 and so on, as $pv0, and LVM_COMMANDS.
    """
    name: str
    disks: list[Disk]
    script: str
    kernel: str = "6.1"
    power_cut: bool = False


@dataclasses.dataclass
class Before:
    """A snapshot that was there while the group had this seqno."""
    volume: str  # vg/lv
    seqno: int
    sha256: str


@dataclasses.dataclass
class Said:
    """What lvm2 and the kernel say of a copy, activated: rows of vgs, pvs and lvs, digests and statuses by device."""
    checked: str  # what vgck prints: nothing if all is well
    groups: list
    pvs: list
    volumes: list  # the first segment's row of each
    ranges: dict  # by UUID: "pv0:0-15" and the like, where all segments of a volume are
    digests: dict  # by /dev/mapper/NAME; None for what cannot be read
    statuses: dict  # by NAME


def devices(places, disks):
    lines = []
    for number, (place, disk) in enumerate(zip(places, disks)):
        lines.append(f"pv{number}=/dev/mapper/pv{number}; pv{number}_at={place + disk.first}; "
                     f"pv{number}_count={disk.pv_count}\nplug pv{number}\n")
    return "".join(lines)


def in_subshell(name, setup, script):
    """A subshell keeps what a script sets to itself; all the devices go, whatever the script has left."""
    return f"echo '@case {name}'\n(\nset -e\n{setup}{script}\n)\nsync\ndmsetup remove_all\n"


def make_groups(groups, folder, share):
    """Has lvm2 make some groups in one boot. Returns the disks' images of each, and what the scripts said before."""
    pack = Pack(folder / "groups.img")
    scripts, places = [LVM_COMMANDS], {}
    for group in groups:
        places[group.name] = [disk.add(pack) for disk in group.disks]
        close = "\nvgchange -an\necho @done\n" if not group.power_cut else ""
        scripts.append(in_subshell(group.name, devices(places[group.name], group.disks), group.script + close))
    cut = any(group.power_cut for group in groups)
    lines = run_lab("".join(scripts), kernel=groups[0].kernel, disks=[pack.path], share=share, lvm=True,
                    kill_on="POWER-CUT" if cut else None, timeout=900)
    befores, done, name = {group.name: [] for group in groups}, set(), None
    for line in lines:
        key, *words = line.split() or [""]
        if key == "@case":
            name = words[0]
        elif key == "@before":
            befores[name].append(Before(words[0], int(words[1]), words[2]))
        elif key in ("@done", "POWER-CUT"):
            done.add(name)
        elif key not in ("@live", "WARNING:", "See"):  # lvm2 warns of what the scripts do on purpose
            print(f"  {name}: {line}", flush=True)
    for group in groups:
        if group.name not in done:
            raise LabFailure(f"{group.name}: the script did not come to its end")
    return {group.name: ([pack.read(place, disk.sector_count) for place, disk in zip(places[group.name], group.disks)],
                         befores[group.name]) for group in groups}


def ask_lvm(groups, images, folder, share):
    """Activates copies of some groups' images and returns what is Said of each, by name."""
    pack = Pack(folder / "copies.img")
    (share / "said").mkdir(exist_ok=True)
    scripts = [LVM_COMMANDS]
    for group in groups:
        places = [pack.add(image) for image in images[group.name]]
        scripts.append(in_subshell(group.name, devices(places, group.disks) + f"case={group.name}\nset +e\n", ASKING))
    name = None
    for line in run_lab("".join(scripts), kernel=groups[0].kernel, disks=[pack.path], share=share, lvm=True,
                        timeout=900):
        if line.startswith("@case "):
            name = line.split()[1]
        else:
            print(f"  {name}, asked: {line}", flush=True)
    return {group.name: read_said(share / "said", group.name) for group in groups}


def read_said(folder, name):
    def rows(program, report):
        return json.loads((folder / f"{name}.{program}").read_text())["report"][0][report]

    digests = dict(line.split() if " " in line.strip() else (line.strip(), None)
                   for line in (folder / f"{name}.digests").read_text().splitlines())
    statuses = dict(line.split(": ", 1) for line in (folder / f"{name}.statuses").read_text().splitlines()
                    if ": " in line)
    volumes, ranges = {}, {}
    for row in rows("lvs", "lv"):
        volumes.setdefault(row["lv_uuid"], row)
        ranges[row["lv_uuid"]] = ranges.get(row["lv_uuid"], []) + row["seg_pe_ranges"].split()
    return Said((folder / f"{name}.vgck").read_text(), rows("vgs", "vg"), rows("pvs", "pv"), list(volumes.values()),
                ranges, digests, statuses)
