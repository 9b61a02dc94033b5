"""What the guests of place-test do: file systems are filled and churned, snapshots overflow. And what is written."""

import os
import shutil
import struct

MIB = 1 << 20
HOST_FOLDERS = ("/usr/bin", "/usr/include", "/usr/lib/python3", "/usr/lib/python3.11", "/usr/share/doc",
                "/usr/share/locale", "/usr/share/perl")
BIG = ("mail", "table", "archive")  # 16 MiB each: lines of text, a database's pages, and compressed data
BIG_BYTES = 16 * MIB
OPERATIONS = {8: 500, 16: 650, 32: 1000}  # by the sectors of a chunk: some thousand exceptions
WORDS = ("the of and to a in is snapshot store chunk area origin kernel writes reads table number which never always "
         "disk sector volume group daemon session opened closed for user from port accepted failed retry started "
         "stopped service unit loaded active queue length timeout after seconds bytes received sent").split()

# MARK: contents

def text(rng, count):
    """Lines of a log, each with its own number."""
    lines, length, number = [], 0, rng.randrange(10 ** 6)
    while length < count:
        number += rng.randrange(1, 9)
        words = " ".join(rng.choices(WORDS, k=9))
        line = f"Nov {number // 86400 % 30 + 1:2} host {rng.choice(WORDS)}[{number}]: {words}\n"
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[:count]


def pages(rng, count, size=4096):
    """A database: pages that carry their numbers, rows in the middle, and zeroes between."""
    made = []
    for number in range(count // size):
        rows = b"".join(struct.pack("<IHH32s", number * 40 + row, rng.randrange(9), 40, rng.choice(WORDS).encode())
                        for row in range(rng.randrange(20, size // 48)))
        head = struct.pack("<IIQQ", 0x10B6E, number, rng.randrange(1 << 32), len(rows))
        made.append(head + bytes(size - len(head) - len(rows)) + rows)
    return b"".join(made)


def packed(rng, count):
    return rng.randbytes(count)


CONTENTS = (text, pages, packed)


def raw_origin(rng, mib):
    """A volume without a file system, as databases have: several kinds of data, one after the other."""
    made, length = [], 0
    while length < mib * MIB:
        count = min(rng.choice((2, 4, 8)) * MIB, mib * MIB - length)
        made.append(rng.choice(CONTENTS)(rng, count))
        length += count
    return b"".join(made)


def write_tree(rng, root):
    """base/, which file systems are filled with, and big/ and new/, which come in later."""
    for folder in ("base/usr", "base/etc", "base/home/u/docs", "base/var/log", "base/var/lib", "big", "new"):
        (root / folder).mkdir(parents=True)
    found = []
    for top in HOST_FOLDERS:
        for folder, _, names in sorted(os.walk(top)):
            paths = (os.path.join(folder, name) for name in sorted(names))
            found += [path for path in paths if os.path.isfile(path) and not os.path.islink(path)
                      and 100 < os.path.getsize(path) < 900_000]
    rng.shuffle(found)
    room = 80 * MIB
    for path in found[:3000]:
        room -= os.path.getsize(path)
        if room > 0:
            target = root / "base" / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    for number, path in enumerate(found[3000:3500]):
        shutil.copyfile(path, root / f"new/f{number}")
    for number in range(len(found[3000:3500]), 500):  # a machine with few files
        (root / f"new/f{number}").write_bytes(rng.choice(CONTENTS)(rng, 4096 * rng.randrange(1, 40)))
    for number in range(150):
        (root / f"base/home/u/docs/doc{number}").write_bytes(text(rng, rng.randrange(500, 30_000)))
    for number in range(1, 7):
        (root / f"base/var/log/log{number}").write_bytes(text(rng, 300_000 * number))
        (root / f"base/var/lib/db{number}").write_bytes(pages(rng, 98 * 4096 * number))
    for name, content in zip(BIG, CONTENTS):
        (root / f"big/{name}").write_bytes(content(rng, BIG_BYTES))


# MARK: the guest

class Churn:
    """Shell commands of people, databases, logs and package managers, one after the other."""

    def __init__(self, rng):
        self.rng, self.number, self.new = rng, 0, []
        self.docs = [f"home/u/docs/doc{number}" for number in range(150)]

    def source(self):
        return f"/src/new/f{self.rng.randrange(500)}"

    def one(self):
        rng, kind = self.rng, self.rng.random()
        self.number += 1
        number = self.number
        doc = f"/mnt/{rng.choice(self.docs)}"
        if kind < 0.14:
            return f"[ -f {doc} ] && sed -i 's/the/t{number}e/' {doc}"
        if kind < 0.30:
            log = f"/mnt/var/log/log{rng.randrange(1, 7)}"
            line = f"Nov 26 host daemon[{number}]: $q of {number} $RANDOM"
            return f'for q in 1 2 3 4 5 6 7 8; do echo "{line}"; done >>{log}'
        if kind < 0.44:
            writes = [f"dd if={self.source()} of=/mnt/var/lib/db{rng.randrange(1, 7)} bs=4096 conv=notrunc "
                      f"count={rng.choice((1, 1, 2, 4))} seek={rng.randrange(90)} 2>/dev/null"
                      for _ in range(rng.randrange(1, 6))]
            return "; ".join(writes)
        if kind < 0.62:
            self.new.append(f"home/u/new{number}")
            return f"cp {self.source()} /mnt/{self.new[-1]}"
        if kind < 0.76:  # a package: all its files written, then all renamed
            names = [f"/mnt/usr/pkg{rng.randrange(40)}_{part}" for part in range(rng.randrange(2, 7))]
            return "; ".join([*(f"cp {self.source()} {name}.new" for name in names),
                              "sync" if rng.random() < 0.4 else "true", *(f"mv {name}.new {name}" for name in names)])
        if kind < 0.84:
            return f"rm -f /mnt/{rng.choice(self.docs + self.new[-20:])}"
        if kind < 0.89:
            folder = f"/mnt/home/u/dir{number}"
            return f"mkdir {folder}; for q in 1 2 3 4 5; do echo note $q {number} >{folder}/n$q; done"
        if kind < 0.94:
            return f"chmod 6{rng.randrange(8)}{rng.randrange(8)} {doc} 2>/dev/null"
        return "sync" if kind < 0.97 else f"cat {doc} >/dev/null 2>&1"

    def lines(self, count):
        for _ in range(count):
            yield self.one()
            if self.rng.random() < 0.3:
                yield f"usleep {self.rng.randrange(100_000, 600_000)}"


def prologue(file_system=None):
    """The modules that the lab's guest lacks, and impatient write-back, so that little time does for much."""
    return [f"for module in $(cat /lab/order-{file_system} 2>/dev/null); do insmod /lab/$module; done",
            "echo 600 >/proc/sys/vm/dirty_expire_centisecs; echo 200 >/proc/sys/vm/dirty_writeback_centisecs",
            "mkdir -p /mnt /src /old; O=$(blockdev --getsz /dev/vda)"]


def base_script(file_system):
    yield from prologue(file_system)
    yield f"mount -t ext4 -o ro,noload /dev/vdb /src; mount -t {file_system} /dev/vda /mnt || exit 9"
    yield "cp -a /src/base/. /mnt/"
    for part in range(16):  # in turns, so that they lie in pieces
        for name in BIG:
            yield (f"dd if=/src/big/{name} of=/mnt/var/lib/{name} bs=1M count=1 seek={part} skip={part} conv=notrunc "
                   "2>/dev/null")
        if part % 4 == 3:
            yield "sync"
    yield "umount /mnt && echo made"


def overlay_script(file_system, sectors, rng):
    churn = Churn(rng)
    yield from prologue(file_system)
    yield f'dmsetup create s --table "0 $O snapshot /dev/vda /dev/vdb PO {sectors}"'
    yield "mount -t ext4 -o ro,noload /dev/vdd /src"
    for part in range(2):
        yield f"mount -t {file_system} /dev/mapper/s /mnt || exit 9"
        yield from churn.lines(OPERATIONS[sectors] // 2)
        yield "umount /mnt"
    yield 'sync; echo "status $(dmsetup status s)"; dmsetup remove s'


def new_snapshot(name, store, sectors, first):
    yield "dmsetup suspend o"
    if first:
        yield 'dmsetup load o --table "0 $O snapshot-origin /dev/vda"'
    else:
        yield 'echo "younger $(dmsetup status s)"'
    yield f'dmsetup create {name} --table "0 $O snapshot /dev/vda {store} P {sectors}"; dmsetup resume o'


def origin_script(file_system, sectors, rng, siblings, mounts_older):
    churn, count = Churn(rng), OPERATIONS[sectors]
    yield from prologue(file_system)
    yield 'dmsetup create o --table "0 $O linear /dev/vda 0"; mount -t ext4 -o ro,noload /dev/vdd /src'
    yield f"mount -t {file_system} /dev/mapper/o /mnt || exit 9"
    yield from churn.lines(12)
    yield from new_snapshot("s", "/dev/vdb", sectors, True)
    yield from churn.lines(count if not siblings else count * 2 // 3)
    if siblings:
        yield from new_snapshot("t", "/dev/vdc", sectors, False)
        yield from churn.lines(count // 3)
        yield from older_writes(file_system, sectors, rng, mounts_older)
        yield from churn.lines(count // 3)
    yield 'umount /mnt; sync; echo "status $(dmsetup status s)"'
    yield "[ -e /dev/mapper/t ] && dmsetup remove t; dmsetup remove s; dmsetup remove o"


def older_writes(file_system, sectors, rng, mounts):
    """Writes through the older snapshot: to chunks that both have, and to any."""
    write = "dd if=/dev/urandom of=/dev/mapper/s bs=4096 count=1 conv=notrunc oflag=direct seek=%s 2>/dev/null"
    size = sectors * 512
    yield "sync; sleep 3"
    yield (f"for c in $(dd if=/dev/vdc bs={size} skip=1 count=1 iflag=direct 2>/dev/null | od -An -v -t u8 -w16 | "
           f"awk '$2 > 0 && NR % 29 == 5 {{print $1}}' | head -6); do {write % f'$((c * {sectors // 8}))'}; done")
    for _ in range(6):
        yield write % f"$(({rng.randrange(10**6)} % (O / 8)))"
    if mounts and file_system != "btrfs":  # which would not see that it is another one
        nouuid = "-o nouuid" if file_system == "xfs" else ""
        yield f"mount -t {file_system} {nouuid} /dev/mapper/s /old && echo older >/old/written && umount /old"


def flight_script(kind, sectors, rng, origin_bytes, index):
    yield from prologue()
    yield 'dmsetup create r --table "0 $O linear /dev/vda 0"'
    yield f'dmsetup create s --table "0 $O snapshot /dev/mapper/r /dev/vdb P {sectors}"'
    yield 'dmsetup create o --table "0 $O snapshot-origin /dev/mapper/r"'
    size = origin_bytes // MIB
    if kind == "flight-sequential":
        yield (f"dd if=/dev/vdc of=/dev/mapper/o bs=1M count={size - 12} seek={rng.randrange(1, 10)} conv=notrunc "
               "2>/dev/null; sync")
    elif kind == "flight-two":
        block, unit = rng.choice((("64k", 16), ("256k", 4), ("1M", 1)))
        first, second = rng.randrange(1, 8) * unit, (size // 2 + rng.randrange(4)) * unit
        count = (size // 2 - 8) * unit
        for at in (first, second):
            yield (f"dd if=/dev/vdc of=/dev/mapper/o bs={block} count={count} seek={at} oflag=direct conv=notrunc "
                   "2>/dev/null &")
        yield "wait; sync"
    else:
        names = BIG[index % 3:] + BIG[:index % 3]
        yield "mount -t ext4 /dev/mapper/o /mnt || exit 9"
        for number, name in enumerate(names[:2]):
            yield (f"dd if=/dev/vdc of=/mnt/var/lib/{name} bs=1M count=16 skip={16 * number} conv=notrunc 2>/dev/null; "
                   "sync")
            yield f"echo note >/mnt/home/u/docs/doc{number}; sync"
        yield "umount /mnt"
    yield 'echo "status $(dmsetup status s)"; dmsetup remove s; dmsetup remove o; dmsetup remove r'
