"""The cases: what each is, and the shell script that has the kernel make it.

A script runs in the guest with /dev/mapper/origin and /dev/mapper/store in place and the commands of GUEST_COMMANDS.
Its last act is `live`, which reports the snapshot's status before everything is taken down.
"""

import dataclasses
import random
from typing import Callable

from .stamps import SECTOR_BYTES, stamped

GUEST_COMMANDS = r"""
generation=1
sectors() { blockdev --getsz /dev/mapper/$1; }

over_store() { echo "0 $(sectors origin) $1 /dev/mapper/origin /dev/mapper/store $2 $3 $4 $5"; }

# The snapshot; its options are those of the target: P 8
snapshot() { dmsetup create snap --table "$(over_store snapshot "$@")"; }
# The origin as its users see it, so that the snapshot gets its copies
use_origin() { dmsetup create live-origin --table "0 $(sectors origin) snapshot-origin /dev/mapper/origin"; }
# Stamped sectors, in pieces: write_snapshot PIECE FIRST:COUNT...
write_snapshot() { /lab/guest stamp /dev/mapper/snap "snap gen $generation" "$@"; }
write_origin() { /lab/guest stamp /dev/mapper/live-origin "origin gen $generation" "$@"; }

live() { echo "@live $(dmsetup status ${1:-snap} | cut -d' ' -f4-)"; }
close() { for name in "$@"; do dmsetup remove $name; done; }
wipe() { dd if=/dev/zero of=/dev/mapper/store bs=$1 count=1 conv=notrunc 2>/dev/null; sync; }

begin_merge() { dmsetup create merging --table "$(over_store snapshot-merge "$@")"; }
end_merge() {
  until dmsetup status merging | grep -qE ' ([0-9]+)/[0-9]+ \1$|failed'; do usleep 1000; done
  dmsetup suspend merging; live merging; close merging
}

# replace store|origin FIRST COUNT TARGET...: part of the device gets another target, while it is in use
replace() {
  name=$1; first=$2; count=$3; shift 3
  eval "at=\$${name}_at size=\$${name}_count"
  after=$((first + count))
  {
    [ $first -eq 0 ] || echo "0 $first linear /dev/vda $at"
    echo "$first $count $*"
    [ $after -eq $size ] || echo "$after $((size - after)) linear /dev/vda $((at + after))"
  } | dmsetup load $name
  dmsetup resume $name
}
# stall store|origin FIRST COUNT: from now on writes there do not arrive; reads and flushes do
stall() {
  eval "place=\$((${1}_at + $2))"
  dmsetup create stalled --table "0 $3 delay /dev/vda $place 0 /dev/vda $place 1000000000 /dev/vda $place 0"
  replace $1 $2 $3 linear /dev/mapper/stalled 0
}
until_stalled() { until [ "$(dmsetup status stalled | cut -d' ' -f5)" -gt 0 ]; do usleep 1000; done; }
# The power goes when a write waits at the stalled sectors and the disk has nothing else to do
power_cut() {
  until_stalled
  usleep 50000
  until grep -q '^ *0 *0$' /sys/block/vda/inflight; do usleep 1000; done
  live $1
  echo POWER-CUT
  sleep 60
}
"""

STAMPED = ("stamped-4m", lambda: stamped(0, 8192, "origin gen 0"))
STAMPED_ODD = ("stamped-odd", lambda: stamped(0, 4101, "origin gen 0"))
ZERO = ("zero-1m", lambda: bytes(1 << 20))


@dataclasses.dataclass
class Case:
    name: str
    summary: str
    script: str
    store_sectors: int
    options: str = "P 8"
    origin: tuple[str, Callable[[], bytes]] = STAMPED
    kernel: str = "6.1"
    power_cut: bool = False
    # What is done to the images after the kernel has left them, where no kernel would do it
    afterwards: Callable[[bytes, bytes], tuple[bytes, bytes]] = lambda store, origin: (store, origin)


CASES: list[Case] = []


def case(name, summary, script, **details):
    CASES.append(Case(name, summary, script, **details))


def of_chunks(chunk_sectors, chunks):
    """FIRST:COUNT for each chunk, or for each run of chunks, in the order given."""
    runs = [(chunk, 1) if isinstance(chunk, int) else (chunk.start, len(chunk)) for chunk in chunks]
    return " ".join(f"{first * chunk_sectors}:{count * chunk_sectors}" for first, count in runs)


def shuffled(numbers, seed):
    numbers = list(numbers)
    random.Random(seed).shuffle(numbers)
    return numbers


def written(options, chunk_sectors, chunks):
    return f"snapshot {options}\nwrite_snapshot {chunk_sectors} {of_chunks(chunk_sectors, chunks)}\nlive"


# MARK: ordinary stores

case("fresh", "Activated and never written: a header and one empty area.",
     "snapshot P 8\nlive", store_sectors=512)
case("fresh-default-chunk", "Activated with chunk size 0 in the table: the kernel chose 32 sectors.",
     "snapshot P 0\nlive", store_sectors=512, options="P 0")
WRITTEN = "snapshot P 8\nwrite_snapshot 8 80:32 400:8\nwrite_snapshot 1 803:1 1601:2\nlive"
case("written", "Written through the snapshot: whole chunks, and single sectors whose chunks were copied first.",
     WRITTEN, store_sectors=512)
case("written-6.12", "The same as `written`, made by Linux 6.12.", WRITTEN, store_sectors=512, kernel="6.12")
case("rewritten", "The same chunks written three times over: one exception each, the last data.",
     "snapshot P 8\nfor generation in 1 2 3; do write_snapshot 8 80:32; done\nlive", store_sectors=512)
case("copied", "Chunks copied because the origin was written; the origin is newer than its snapshot.",
     "snapshot P 8\nuse_origin\nwrite_origin 8 80:32 400:8\nwrite_origin 1 803:1 1601:2\nlive", store_sectors=512)
case("written-and-copied", "Both sides written, some chunks on both: what the snapshot wrote wins.",
     "snapshot P 8\nuse_origin\nwrite_snapshot 8 80:32\nwrite_origin 8 96:32\nwrite_snapshot 1 120:4\n"
     "generation=2\nwrite_origin 8 80:16\nlive", store_sectors=512)
case("identical", "Exceptions that hold nothing new: sectors rewritten with what they held.",
     'snapshot P 8\n/lab/guest stamp /dev/mapper/snap "origin gen 0" 8 80:32\nwrite_snapshot 8 160:8\nlive',
     store_sectors=512)
case("random-order", "300 chunks written in random order: no runs, old chunks out of order, two areas.",
     written("P 8", 8, shuffled(range(0, 900, 3), seed=1)), store_sectors=2560)
case("descending", "Chunks written from the last to the first: runs that the kernel cannot merge as one.",
     written("P 8", 8, range(199, 99, -1)), store_sectors=1024)
case("zero-origin", "An origin of zeros, as of a sparse volume or a live system's overlay.",
     written("PO 8", 8, [*range(0, 200, 5)]), store_sectors=1024, options="PO 8", origin=ZERO)
case("reactivated", "Written, taken down, activated again and written further.",
     "snapshot P 8\nwrite_snapshot 8 80:80\nclose snap\nsnapshot P 8\ngeneration=2\nwrite_snapshot 8 400:80\nlive",
     store_sectors=512)
case("discarded", "Loaded with discard_zeroes_cow: a discarded chunk keeps its exception, and its data are zeros.",
     "snapshot P 8 1 discard_zeroes_cow\nwrite_snapshot 8 80:64\n"
     "blkdiscard -o $((96 * 512)) -l $((16 * 512)) /dev/mapper/snap\nlive", store_sectors=512)

# MARK: the ends of areas

for count in (255, 256, 257, 512):
    case(f"exceptions-{count}", f"Exactly {count} exceptions; an area holds 256.",
         written("P 8", 8, [range(count)]), store_sectors=4224)
case("exceptions-512-6.12", "The same as `exceptions-512`, made by Linux 6.12.",
     written("P 8", 8, [range(512)]), store_sectors=4224, kernel="6.12")
case("many-areas", "700 exceptions, in three areas.",
     written("P 8", 8, [range(700)]), store_sectors=5704)
case("many-small-areas", "500 exceptions of one sector, 32 an area: sixteen areas.",
     written("P 1", 1, [*range(0, 1000, 2)]), store_sectors=560, options="P 1")
case("reactivated-at-boundary", "Taken down with its first area just full, activated again and written further.",
     f"snapshot P 8\nwrite_snapshot 8 {of_chunks(8, [range(256)])}\nclose snap\nsnapshot P 8\ngeneration=2\n"
     f"write_snapshot 8 {of_chunks(8, [range(300, 310)])}\nlive", store_sectors=4224)

# MARK: chunk sizes and odd sizes

case("chunk-1", "Chunks of one sector; 40 exceptions in two areas.",
     written("P 1", 1, [range(5, 45)]), store_sectors=128, options="P 1")
case("chunk-16", "Chunks of 16 sectors (8 KiB).",
     written("P 16", 16, [3, 5, range(100, 120)]), store_sectors=1024, options="P 16")
case("chunk-32", "Chunks of 32 sectors (16 KiB), the kernel's default.",
     written("P 32", 32, [3, 5, range(100, 120)]), store_sectors=1024, options="P 32")
case("chunk-128", "Chunks of 128 sectors (64 KiB), partly copied.",
     "snapshot P 128\nuse_origin\nwrite_snapshot 128 256:128\nwrite_snapshot 8 1280:8\nwrite_origin 8 5120:8\nlive",
     store_sectors=1280, options="P 128")
case("chunk-1024", "Chunks of 1024 sectors (512 KiB), the largest that LVM makes.",
     "snapshot P 1024\nwrite_snapshot 8 1024:8 5000:8\nlive", store_sectors=5120, options="P 1024")
case("chunk-larger-than-origin", "Chunks of 8192 sectors over an origin of 4101.",
     "snapshot P 8192\nwrite_snapshot 1 4100:1\nlive", store_sectors=24576, options="P 8192", origin=STAMPED_ODD)
case("table-contradicts-header", "The table says chunks of 16 sectors, the header 8: the header wins.",
     written("P 8", 8, [range(10, 20)]), store_sectors=512, options="P 16")
case("odd-origin", "An origin of 4101 sectors, its partial last chunk written through the snapshot.",
     "snapshot P 8\nwrite_snapshot 8 80:8\nwrite_snapshot 1 4097:4\nlive", store_sectors=512, origin=STAMPED_ODD)
case("odd-origin-copied",
     "An origin of 4101 sectors, its partial last chunk copied; 3 stale sectors follow in the store.",
     "snapshot P 8\nwrite_snapshot 8 0:400\nclose snap\nwipe 4096\nsnapshot P 8\nuse_origin\ngeneration=2\n"
     "write_origin 1 4098:2\nlive", store_sectors=512, origin=STAMPED_ODD)
case("odd-store", "A store of 27 chunks and 5 sectors: the partial last chunk is never used.",
     "snapshot PO 8\nwrite_snapshot 8 80:208\nlive", store_sectors=221, options="PO 8")

# MARK: full stores

case("overflow-p", "Overflowed by a write to the snapshot (P): invalid, with every exception still in place.",
     "snapshot P 8\nwrite_snapshot 8 80:320\nlive", store_sectors=256)
case("overflow-p-origin", "Overflowed by a write to the origin (P): invalid, and the origin has changed since.",
     "snapshot P 8\nuse_origin\nwrite_origin 8 80:320\nlive", store_sectors=256)
case("overflow-po", "Overflowed by a write to the snapshot (PO): Overflow until it is closed, valid on disk.",
     "snapshot PO 8\nwrite_snapshot 8 80:320\nlive", store_sectors=256, options="PO 8")
case("overflow-po-origin", "Overflowed by a write to the origin (PO): still invalid.",
     "snapshot PO 8\nuse_origin\nwrite_origin 8 80:320\nlive", store_sectors=256, options="PO 8")
case("full", "Every chunk of the store in use, and not one write too many.",
     "snapshot P 8\nwrite_snapshot 8 80:240\nlive", store_sectors=256)
case("filled-to-boundary",
     "258 chunks: the area to follow would lie beyond the end, and the 256th exception destroys it.",
     "snapshot P 8\nwrite_snapshot 8 0:2048\nlive", store_sectors=2064)
case("store-io-error", "A chunk of the store could not be written: invalid, all before it in place.",
     "snapshot P 8\nwrite_snapshot 8 80:80\nreplace store 160 8 error\nwrite_snapshot 8 160:160\n"
     "live", store_sectors=512)

# MARK: merges

RUNS = [range(100, 120), range(40, 50), range(300, 364), 7, range(500, 510)]  # merged from the last to the first
FILL = f"snapshot P 8\nwrite_snapshot 8 {of_chunks(8, RUNS)}\nclose snap\n"
case("merged", "Merged completely: the exceptions are gone, the data chunks are still there.",
     FILL + "begin_merge P 8\nend_merge", store_sectors=1024)
case("merged-many-areas", "Merged completely, three areas of exceptions.",
     f"snapshot P 8\nwrite_snapshot 8 {of_chunks(8, [range(700)])}\nclose snap\nbegin_merge P 8\nend_merge",
     store_sectors=5704)
case("merged-and-reused", "Merged completely, then used as a snapshot again.",
     FILL + "begin_merge P 8\nend_merge\nsnapshot P 8\ngeneration=2\nwrite_snapshot 8 1600:32\nlive",
     store_sectors=1024)
case("merge-cut-copied", "Power cut in the merge: the last run is on the origin and still in the table.",
     FILL + "stall store 8 8\nbegin_merge P 8\npower_cut merging", store_sectors=1024, power_cut=True)
case("merge-cut-copying", "Power cut in the merge: a run half on the origin, nothing cleared.",
     FILL + f"stall origin {505 * 8} 8\nbegin_merge P 8\npower_cut merging", store_sectors=1024, power_cut=True)
case("merge-cut-between", "Power cut in the merge: three runs of five merged and cleared.",
     FILL + f"stall origin {40 * 8} 80\nbegin_merge P 8\npower_cut merging", store_sectors=1024, power_cut=True)
case("merge-cut-last", "Power cut in the merge: all but the first run merged; it has been copied in part.",
     FILL + f"stall origin {110 * 8} 80\nbegin_merge P 8\npower_cut merging", store_sectors=1024, power_cut=True)
case("merge-cut-area", "Power cut in the merge of two areas: the second is all cleared, the first begun.",
     f"snapshot P 8\nwrite_snapshot 8 {of_chunks(8, range(0, 640, 2))}\nclose snap\n"
     f"stall origin {200 * 8} 8\nbegin_merge P 8\npower_cut merging", store_sectors=2800, power_cut=True)
case("merge-cut-6.12", "Power cut in the merge, by Linux 6.12: three runs of five merged and cleared.",
     FILL + f"stall origin {40 * 8} 80\nbegin_merge P 8\npower_cut merging", store_sectors=1024, power_cut=True,
     kernel="6.12")

# MARK: other power cuts

case("cut-uncommitted", "Power cut while writing: a chunk of data is in the store, its exception is not.",
     "snapshot P 8\nwrite_snapshot 8 80:80\nstall store 8 8\nwrite_snapshot 8 400:8 &\npower_cut",
     store_sectors=512, power_cut=True)
case("cut-at-area-end", "Power cut as the first area fills: the next is zeroed, the 256th exception not yet there.",
     f"snapshot P 8\nwrite_snapshot 8 {of_chunks(8, [range(255)])}\nstall store 8 8\n"
     "write_snapshot 8 4000:8 &\npower_cut",
     store_sectors=4224, power_cut=True)

# MARK: reused stores and lost headers

OLD_GENERATION = f"snapshot P 8\nwrite_snapshot 8 {of_chunks(8, [range(600)])}\nclose snap\n"
case("reused", "A new store over an old one of the same chunk size: its areas 1 and 2 are still there.",
     OLD_GENERATION + "wipe 4096\nsnapshot P 8\ngeneration=2\nwrite_snapshot 8 7200:160\nlive", store_sectors=5704)
case("reused-past-area", "A new store over an old one, grown past its first area: one old area is left.",
     OLD_GENERATION + "wipe 4096\nsnapshot P 8\ngeneration=2\n"
     f"write_snapshot 8 {of_chunks(8, [range(700, 970)])}\nlive",
     store_sectors=5704)
case("reused-other-chunk", "A new store of 16-sector chunks over an old one of 8.",
     OLD_GENERATION + "wipe 4096\nsnapshot P 16\ngeneration=2\nwrite_snapshot 16 7200:160\nlive",
     store_sectors=5704, options="P 16")
case("reset-64k", "The first 64 KiB zeroed and activated again, as a live system's overlay is reset.",
     OLD_GENERATION + "wipe 65536\nsnapshot P 8\nlive", store_sectors=5704)
case("magic-wiped", "The four bytes of the magic zeroed, nothing else: activating it would empty the first area.",
     f"snapshot P 8\nwrite_snapshot 8 {of_chunks(8, [range(300)])}\nlive\nclose snap\nwipe 4", store_sectors=2560)
case("magic-wiped-activated", "The magic zeroed and the store activated: 256 exceptions of 300 lost, area 1 intact.",
     f"snapshot P 8\nwrite_snapshot 8 {of_chunks(8, [range(300)])}\nclose snap\nwipe 4\nsnapshot P 8\nlive",
     store_sectors=2560)

# MARK: file systems

FILE_SYSTEM = """
export E2FSPROGS_FAKE_TIME=1760000000
uuid=6f1d0c52-3c1b-4a55-9a53-0d6d736e6170
/sbin/mke2fs -q -F -t ext4 -b 1024 -I 256 -U $uuid -E hash_seed=$uuid,lazy_itable_init=0,nodiscard -L holiday \
  /dev/mapper/origin 4096
edit() { debugfs -w -f $2 $1 >/dev/null 2>&1; sync; }
text() { i=0; while [ $i -lt $2 ]; do echo "$1, line $i"; i=$((i + 1)); done; }
text "the letter as it was" 400 >/tmp/letter; text "the diary as it was" 900 >/tmp/diary; text "a list" 30 >/tmp/list
chmod 644 /tmp/letter /tmp/diary /tmp/list
cat >/tmp/before <<END
mkdir papers
write /tmp/letter papers/letter
write /tmp/diary papers/diary
write /tmp/list list
END
text "the letter as changed" 500 >/tmp/letter2; text "a note, new" 60 >/tmp/note; chmod 644 /tmp/letter2 /tmp/note
cat >/tmp/after <<END
rm papers/letter
write /tmp/letter2 papers/letter
rm list
write /tmp/note papers/note
END
edit /dev/mapper/origin /tmp/before
export E2FSPROGS_FAKE_TIME=1760003600
snapshot P 8
"""
EXT4 = ("ext4-4m", lambda: bytes(4 << 20))
case("ext4-origin-changed", "An ext4 origin, files changed in it after the snapshot was taken.",
     FILE_SYSTEM + "use_origin\nedit /dev/mapper/live-origin /tmp/after\nlive", store_sectors=2048, origin=EXT4)
case("ext4-snapshot-changed", "An ext4 origin, files changed in the snapshot.",
     FILE_SYSTEM + "edit /dev/mapper/snap /tmp/after\nlive", store_sectors=2048, origin=EXT4)

# MARK: images cut after the kernel left them

case("store-cut-in-data", "The store shortened afterwards, as lvreduce did: exceptions beyond its end.",
     written("P 8", 8, [range(100)]), store_sectors=1024,
     afterwards=lambda store, origin: (store[:60 * 8 * SECTOR_BYTES], origin))
case("store-cut-at-area", "The store shortened afterwards to where its second area begins: it no longer loads.",
     written("P 8", 8, [range(300)]), store_sectors=2560,
     afterwards=lambda store, origin: (store[:258 * 8 * SECTOR_BYTES], origin))
case("origin-too-short", "The origin shortened afterwards: exceptions for chunks that it no longer has.",
     written("P 8", 8, [range(10, 20), range(900, 910)]), store_sectors=512,
     afterwards=lambda store, origin: (store, origin[:2 << 20]))
