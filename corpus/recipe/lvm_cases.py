"""The cases of corpus/lvm: what each is, and the shell script that has lvm2 make it; see LVM_COMMANDS."""

import dataclasses

from .lvm import Disk, Group


@dataclasses.dataclass
class LVMCase(Group):
    summary: str = ""


CASES: list[LVMCase] = []
SMALL = Disk(12288)  # 6 MiB: lvm2's first MiB, and 80 extents of 64 KiB


def case(name, summary, script, disks=(SMALL,), **details):
    CASES.append(LVMCase(name, list(disks), script.strip(), summary=summary, **details))


ORIGIN = """
vgcreate -s 64k vg $pv0
lvcreate -n origin -L 1m vg
fill vg/origin
"""
SNAPSHOT = """
lvcreate -s -n snap -c 4k -L 512k vg/origin
"""
WRITES = """
stamp vg/snap "snap gen 1" 8 80:32 400:8
stamp vg/snap "snap gen 1" 1 803:1 1601:2
stamp vg/origin "origin gen 1" 8 88:8 1200:24
"""

# MARK: where the extents are

case("linear", "An origin and its snapshot, both linear; written through both.",
     ORIGIN + SNAPSHOT + WRITES)
case("linear-6.12", "The same as `linear`, made by Linux 6.12.",
     ORIGIN + SNAPSHOT + WRITES, kernel="6.12")
case("striped", "The origin is striped over two PVs by 16 KiB, the snapshot's store by 4 KiB.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate -n origin -L 1m -i2 -I16k vg
fill vg/origin
lvcreate -s -n snap -c 4k -L 512k -i2 -I4k vg/origin
""" + WRITES, disks=[SMALL] * 2)
case("cow-segments", "The store spans two PVs, and has exceptions' data on both.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate -n origin -L 1m vg $pv0
fill vg/origin
lvcreate -s -n snap -c 4k -L 256k vg/origin $pv0
lvextend -L 512k vg/snap $pv1
stamp vg/snap "snap gen 1" 8 0:400
stamp vg/origin "origin gen 1" 8 1000:160
""", disks=[SMALL] * 2)
case("two-snapshots", "Two snapshots of one origin, taken one after the other, with chunks of 4 KiB and of 16 KiB.",
     ORIGIN + """
lvcreate -s -n early -c 4k -L 512k vg/origin
stamp vg/origin "origin gen 1" 8 160:64
lvcreate -s -n late -c 16k -L 768k vg/origin
stamp vg/origin "origin gen 2" 8 200:64
stamp vg/early "early gen 1" 8 80:32
stamp vg/late "late gen 1" 1 83:2 1999:3
""")
case("read-only", "The snapshot is read-only, so that only copies are in it.",
     ORIGIN + "lvcreate -s -n snap -pr -c 4k -L 512k vg/origin\n"
     'stamp vg/origin "origin gen 1" 8 80:32 1200:24')
case("virtual-origin", "The origin is a zero target of 16 MiB, as lvcreate --virtualsize makes it.", """
vgcreate -s 64k vg $pv0
lvcreate --type snapshot -n sparse -c 4k -L 512k --virtualsize 16m vg
stamp vg/sparse "snap gen 1" 8 80:32 4000:8
stamp vg/sparse "snap gen 1" 1 32767:1
""")
case("chunk-differs", "The store was detached and attached again with chunks of 8 KiB; its header says 4 KiB.",
     ORIGIN + SNAPSHOT + WRITES + """
lvconvert --splitsnapshot vg/snap
lvconvert -s -Zn -c 8k vg/origin vg/snap
""")
case("split", "The store has been detached: it is an ordinary volume now, with its header and exceptions.",
     ORIGIN + SNAPSHOT + WRITES + """
before vg/snap
lvconvert --splitsnapshot vg/snap
""")
case("renamed", "Group, origin and snapshot have been renamed, to names with hyphens.",
     ORIGIN + SNAPSHOT + WRITES + """
lvrename vg/origin data-origin
lvrename vg/snap snap-before-update
vgchange -an vg
vgrename vg main-group
""")

# MARK: origins of more than one device

case("raid1", "The origin is RAID 1 over two PVs, in sync.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate --type raid1 -m1 -n origin -L 1m vg
in_sync vg/origin
fill vg/origin
""" + SNAPSHOT + WRITES, disks=[SMALL] * 2)
case("raid1-degraded", "RAID 1; the first leg was away while the origin was written, and is out of date.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate --type raid1 -m1 -n origin -L 1m vg
in_sync vg/origin
fill vg/origin
lvcreate -s -n snap -c 4k -L 512k vg/origin $pv1
stamp vg/snap "snap gen 1" 8 80:32 400:8
vgchange -an vg
unplug pv0
vgchange -ay vg 2>/dev/null
stamp vg/origin "origin gen 2" 8 88:8 1200:24
vgchange -an vg 2>/dev/null
plug pv0
""", disks=[SMALL] * 2)
case("raid1-rebuilding", "RAID 1, once linear; the power was cut while the second leg was being filled.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate -n origin -L 1m vg $pv0
fill vg/origin
""" + SNAPSHOT + WRITES + """
stall pv1 $((2048 + 1024)) 8
lvconvert --type raid1 -m1 -R 64k vg/origin $pv1
power_cut vg-snap
""", disks=[SMALL] * 2, power_cut=True)
case("raid5-degraded", "RAID 5; the first leg was away while the origin was written, and is out of date.", """
vgcreate -s 64k vg $pv0 $pv1 $pv2
lvcreate --type raid5 -i2 -I16k -n origin -L 1m vg
in_sync vg/origin
fill vg/origin
lvcreate -s -n snap -c 4k -L 512k vg/origin $pv1
stamp vg/snap "snap gen 1" 8 80:32 400:8
vgchange -an vg
unplug pv0
vgchange -ay vg 2>/dev/null
stamp vg/origin "origin gen 2" 8 88:8 1200:240
vgchange -an vg 2>/dev/null
plug pv0
""", disks=[SMALL] * 3)
case("mirror-core", "The origin is a mirror of the old kind over two PVs, its log in memory.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate --type mirror -m1 --mirrorlog core -n origin -L 1m vg
in_sync vg/origin
fill vg/origin
""" + SNAPSHOT + WRITES, disks=[SMALL] * 2)
case("mirror-disk", "The origin is a mirror of the old kind over two PVs, its log on a third.", """
vgcreate -s 64k vg $pv0 $pv1 $pv2
lvcreate --type mirror -m1 --mirrorlog disk -n origin -L 1m vg $pv0 $pv1 $pv2
in_sync vg/origin
fill vg/origin
""" + SNAPSHOT + WRITES, disks=[SMALL] * 3)
case("raid0", "The origin is RAID 0 over two PVs by 16 KiB.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate --type raid0 -i2 -I16k -n origin -L 1m vg
fill vg/origin
""" + SNAPSHOT + WRITES, disks=[SMALL] * 2)
case("raid10", "The origin is RAID 10 over four PVs by 16 KiB.", """
vgcreate -s 64k vg $pv0 $pv1 $pv2 $pv3
lvcreate --type raid10 -i2 -m1 -I16k -n origin -L 1m vg
in_sync vg/origin
fill vg/origin
""" + SNAPSHOT + WRITES, disks=[SMALL] * 4)
for level, stripes in (("raid4", 2), ("raid5", 2), ("raid6", 3)):
    count = stripes + (2 if level == "raid6" else 1)
    case(level, f"The origin is RAID {level[-1]} over {count} PVs by 16 KiB.", f"""
vgcreate -s 64k vg {" ".join(f"$pv{number}" for number in range(count))}
lvcreate --type {level} -i{stripes} -I16k -n origin -L {512 * stripes}k vg
in_sync vg/origin
fill vg/origin
lvcreate -s -n snap -c 4k -L 512k vg/origin
stamp vg/snap "snap gen 1" 8 80:32 400:8
stamp vg/snap "snap gen 1" 1 803:1 1601:2
stamp vg/origin "origin gen 1" 8 88:8 1200:24
""", disks=[SMALL] * count)
case("thin", "The origin is a thin volume; the snapshot's store is not in its pool.", """
vgcreate -s 64k vg $pv0
lvcreate --type thin-pool -c 64k --poolmetadatasize 2m -L 1536k -n pool vg
lvcreate --type thin -V 1m --thinpool pool -n origin vg
fill vg/origin
""" + SNAPSHOT + WRITES, disks=[Disk(20480)])
case("raid-layouts", "All the layouts of RAID 5 and 6 that lvcreate makes, a volume each, without snapshots.", """
vgcreate -s 64k vg $pv0 $pv1 $pv2 $pv3 $pv4
for type in raid5_la raid5_ra raid5_ls raid5_rs raid5_n raid6_zr raid6_nr raid6_nc \
    raid6_n_6 raid6_la_6 raid6_ra_6 raid6_ls_6 raid6_rs_6; do
  lvcreate --type $type -i3 -I8k -n $type -L 192k vg
  in_sync vg/$type
  fill vg/$type $type
done
""", disks=[SMALL] * 5)

# MARK: the life of a snapshot

case("overflow", "The store has become full, and the snapshot invalid.", ORIGIN + """
lvcreate -s -n snap -c 4k -L 128k vg/origin
stamp vg/snap "snap gen 1" 8 80:160
before vg/snap
stamp vg/origin "origin gen 1" 8 800:400
""")
case("shortened", "The store is shorter than its exceptions reach: lvreduce has cut off half of it.",
     ORIGIN + SNAPSHOT + """
stamp vg/snap "snap gen 1" 8 0:800
before vg/snap
vgchange -an vg
lvreduce -L 256k vg/snap
""")
case("removed", "The snapshot has been removed; its extents are free, and as they were.",
     ORIGIN + SNAPSHOT + WRITES + """
before vg/snap
lvremove vg/snap
""")
case("removed-reused", "The snapshot has been removed, and a new volume lies on the second quarter of its extents.",
     ORIGIN + SNAPSHOT + """
stamp vg/snap "snap gen 1" 8 0:800
before vg/snap
lvremove vg/snap
lvcreate -n new -l 2 vg $pv0:18-19
fill vg/new "new gen 1"
""")
case("merge-pending", "The merge was postponed because the origin was in use, and has not begun.",
     ORIGIN + SNAPSHOT + WRITES + """
before vg/snap
exec 3</dev/vg/origin
lvconvert --merge vg/snap
exec 3<&-
""")
case("merge-cut", "The power was cut in the merge: of the runs, some are merged, one is half on the origin.",
     ORIGIN + SNAPSHOT + """
stamp vg/snap "snap gen 1" 8 80:80 400:8 600:160 1600:80
before vg/snap
stall pv0 $((2048 + 664)) 8
lvconvert -b --merge vg/snap
power_cut vg-origin
""", power_cut=True)
case("merged", "The merge has finished: the origin is what the snapshot was.",
     ORIGIN + SNAPSHOT + WRITES + """
before vg/snap
lvconvert -i 1 --merge vg/snap
""")
case("pvmove", "The origin is on its way from one PV to another: one segment has moved, and been written to since, the next had begun.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate -n origin -L 512k vg $pv0
lvcreate -n between -L 64k vg $pv0
lvextend -L 1m vg/origin $pv0
fill vg/origin
fill vg/between "between"
lvcreate -s -n snap -c 4k -L 512k vg/origin $pv0
stamp vg/snap "snap gen 1" 8 80:32 400:8
stamp vg/origin "origin gen 1" 8 88:8 1200:24
stall pv1 $((2048 + 1280)) 8
pvmove -i 1 -n origin $pv0 $pv1 &
until_stalled
stamp vg/origin "origin gen 2" 8 16:8
power_cut vg-snap
""", disks=[SMALL] * 2, power_cut=True)

# MARK: groups and PVs

case("two-mdas", "Each PV has two metadata areas, the second at its end.", """
pvcreate --pvmetadatacopies 2 $pv0
pvcreate --pvmetadatacopies 2 $pv1
vgcreate -s 64k vg $pv0 $pv1
lvcreate -n origin -L 1m vg $pv1
fill vg/origin
lvcreate -s -n snap -c 4k -L 512k vg/origin $pv0
""" + WRITES, disks=[SMALL] * 2)
case("no-mda", "Of three PVs only the second has metadata.", """
pvcreate --pvmetadatacopies 0 $pv0
pvcreate $pv1
pvcreate --pvmetadatacopies 0 $pv2
vgcreate -s 64k vg $pv0 $pv1 $pv2
lvcreate -n origin -L 1m vg $pv0
fill vg/origin
lvcreate -s -n snap -c 4k -L 512k vg/origin $pv2
""" + WRITES, disks=[SMALL] * 3)
case("alignment", "Extents begin at an odd place; the ring of the small metadata area has wrapped more than once, and its "
     "newest text begins at its end and ends at its beginning.", """
pvcreate --metadatasize 32k --dataalignment 40k --dataalignmentoffset 7k $pv0
vgcreate -s 16k vg $pv0
lvcreate -n origin -L 1m vg
fill vg/origin
lvcreate -s -n gone -c 4k -L 128k vg/origin
lvremove vg/gone
for number in $(seq 20); do lvchange --addtag tag$number vg/origin; lvchange --deltag tag$number vg/origin; done
""" + SNAPSHOT + WRITES + """
number() { dd if=$pv0 bs=8 skip=$((512 + $1)) count=1 2>/dev/null | od -A n -t u8; }
until [ $(($(number 5) + $(number 6))) -gt $(number 4) ]; do
  lvchange --addtag again vg/snap
  lvchange --deltag again vg/snap
done
""")
case("outdated-pv", "A PV was away when it was taken out of the group; its metadata are old, and say otherwise.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate -n origin -L 1m vg $pv0
fill vg/origin
lvcreate -s -n first -c 4k -L 128k vg/origin $pv1
lvremove vg/first
vgchange -an vg
unplug pv1
vgreduce --removemissing vg 2>/dev/null
vgchange -ay vg
""" + SNAPSHOT + WRITES + """
vgchange -an vg
plug pv1
""", disks=[SMALL] * 2)
case("groups", "Two groups, one of them exported, and a PV that belongs to none.", """
vgcreate -s 64k vg $pv0
vgcreate -s 128k other $pv1
pvcreate $pv2
for group in vg other; do
  lvcreate -n origin -L 1m $group
  fill $group/origin
  lvcreate -s -n snap -c 4k -L 512k $group/origin
  stamp $group/snap "$group gen 1" 8 80:32
done
vgchange -an other
vgexport other
""", disks=[SMALL] * 3)
GPT = """label: gpt
label-id: 6D5D1F5C-0000-4000-8000-000000000001
first-lba: 34
start=64, size=100, type=L, uuid=6D5D1F5C-0000-4000-8000-000000000002
start=200, size=12000, type=lvm, uuid=6D5D1F5C-0000-4000-8000-000000000003
"""
DOS = """label: dos
label-id: 0x6d5d1f5c
start=64, size=100, type=83
start=200, size=12088, type=5
start=280, size=12000, type=8e
"""
case("partitioned", "Whole disks: one PV is the second partition of a GPT, the other a logical partition.", """
vgcreate -s 64k vg $pv0 $pv1
lvcreate -n origin -L 1m vg $pv0
fill vg/origin
lvcreate -s -n snap -c 4k -L 512k vg/origin $pv1
""" + WRITES, disks=[Disk(12288, GPT, first=200, pv_sector_count=12000),
                     Disk(12288, DOS, first=280, pv_sector_count=12000)])
