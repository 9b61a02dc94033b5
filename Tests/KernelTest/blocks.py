"""What the blocks of a snapshot's file system are: free, data, metadata or journal, as the file system's tools say."""

import re
import struct
import subprocess
import tempfile

from views import Store, View, mapped

BLOCK = 4096
FREE, DATA, METADATA, JOURNAL = range(4)
NAMES = ("free", "data", "metadata", "journal")


def describe(made):
    """Writes a byte for each block of each snapshot, where there is a file system, and notes where its anchor is."""
    if made.file_system is None:
        return
    snapshots = {"kinds.bin": "cow.img", "kinds2.bin": "cow2.img"} if made.mode != "flight" else {"kinds.bin": None}
    for name, store in snapshots.items():
        if store is None:
            kinds, made.anchor = KINDS[made.file_system](made.file("before.img"))
        elif made.file(store).exists():
            with tempfile.NamedTemporaryFile(dir=made.folder) as image:
                subprocess.run(["cp", "--sparse=always", made.file("origin.img"), image.name], check=True)
                store = Store(made.file(store))
                View(mapped(made.file("origin.img")), store.size, store).write(image.name)
                kinds, made.anchor = KINDS[made.file_system](image.name)
        else:
            continue
        made.file(name).write_bytes(kinds)


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def mark(kinds, at, count, kind):
    kinds[at // BLOCK:-(-(at + count) // BLOCK)] = bytes([kind]) * (-(-(at + count) // BLOCK) - at // BLOCK)


def ext4(path):
    """By bitmaps and descriptors; directories, extents and attributes are known by their forms."""
    data = mapped(path)
    kinds = bytearray([FREE]) * (len(data) // BLOCK)
    count, = struct.unpack_from("<I", data, 1024 + 4)
    per_group, = struct.unpack_from("<I", data, 1024 + 32)
    inodes_per_group, = struct.unpack_from("<I", data, 1024 + 40)
    inode_size, = struct.unpack_from("<H", data, 1024 + 88)
    size = struct.unpack_from("<H", data, 1024 + 254)[0] or 32
    groups = []
    for group in range(-(-count // per_group)):
        groups.append(struct.unpack_from("<III", data, BLOCK + group * size))
    for group, (bitmap, *_) in enumerate(groups):
        uninitialised = struct.unpack_from("<H", data, BLOCK + group * size + 18)[0] & 2
        bits = data[bitmap * BLOCK:bitmap * BLOCK + per_group // 8] if not uninitialised else bytes(per_group // 8)
        for block in range(group * per_group, min((group + 1) * per_group, count)):
            at = block - group * per_group
            if bits[at >> 3] >> (at & 7) & 1:
                piece = data[block * BLOCK:(block + 1) * BLOCK]
                kinds[block] = METADATA if is_ext4_metadata(piece) else DATA
    for block_bitmap, inode_bitmap, table in groups:
        mark(kinds, block_bitmap * BLOCK, BLOCK, METADATA)
        mark(kinds, inode_bitmap * BLOCK, BLOCK, METADATA)
        mark(kinds, table * BLOCK, inodes_per_group * inode_size, METADATA)
    inside = False
    for line in output("dumpe2fs", path).splitlines():
        if found := re.search(r"(?:superblock|Group descriptors|Reserved GDT blocks) at (\d+)(?:-(\d+))?", line):
            first, last = int(found[1]), int(found[2] or found[1])
            mark(kinds, first * BLOCK, (last - first + 1) * BLOCK, METADATA)
            inside = True
    if not inside:
        raise SystemExit("dumpe2fs says nothing of superblocks")
    journal = [int(word) for word in output("debugfs", "-R", "blocks <8>", path).split()]
    for block in journal:
        kinds[block] = JOURNAL
    kinds[min(journal)] = METADATA  # its superblock
    return kinds, min(journal) * BLOCK


def is_ext4_metadata(piece):
    tail = piece[-12:-4] == b"\0\0\0\0\x0c\0\0\xde"  # of a directory's block, under metadata_csum
    root = piece[4:9] == b"\x0c\0\x01\x02." and piece[20:22] == b".."
    index = piece[:8] == b"\0\0\0\0\0\x10\0\0" and not any(piece[8:12])
    return tail or root or index or piece[:2] == b"\x0a\xf3" or piece[:4] == b"\0\0\x02\xea"


XFS_MAGICS = (b"XFSB", b"XAGF", b"XAGI", b"XAFL", b"AB3B", b"AB3C", b"IAB3", b"FIB3", b"RMB3", b"R3FC", b"BMA3",
              b"XDB3", b"XDD3", b"XDF3", b"XARM", b"XSLM")
XFS_NODES = (b"\x3e\xbe", b"\x3b\xee", b"\x3d\xf1", b"\x3d\xff")


def xfs(path):
    """By the free space trees and the log's place; metadata are known by their magic numbers."""
    data = mapped(path)
    kinds = bytearray([DATA]) * (len(data) // BLOCK)
    log, group_blocks, log_blocks = (struct.unpack_from(form, data, at)[0]
                                     for form, at in ((">Q", 48), (">I", 84), (">I", 96)))
    shift = data[124]  # sb_agblklog
    for line in output("xfs_db", "-r", "-c", "freesp -d", path).splitlines():
        words = line.split()
        if len(words) == 3 and all(word.isdigit() for word in words):
            group, at, count = map(int, words)
            mark(kinds, (group * group_blocks + at) * BLOCK, count * BLOCK, FREE)
        elif line.split()[:1] == ["from"]:
            break
    for block, kind in enumerate(kinds):
        head = data[block * BLOCK:block * BLOCK + 16]
        inodes = head[:2] == b"IN" and head[4] == 3
        if kind == DATA and (head[:4] in XFS_MAGICS or inodes or head[8:10] in XFS_NODES):
            kinds[block] = METADATA
    first = (log >> shift) * group_blocks + (log & (1 << shift) - 1)
    mark(kinds, first * BLOCK, log_blocks * BLOCK, JOURNAL)
    return kinds, first * BLOCK


def btrfs(path):
    """By the trees of extents and of chunks, as btrfs-progs prints them."""
    data = mapped(path)
    kinds = bytearray([FREE]) * (len(data) // BLOCK)
    chunks = []  # (first logical byte, count, [first byte on the device])
    for line in output("btrfs", "inspect-internal", "dump-tree", "-t", "chunk", path).splitlines():
        if found := re.search(r"key \(FIRST_CHUNK_TREE CHUNK_ITEM (\d+)\)", line):
            chunks.append([int(found[1]), 0, []])
        elif found := re.match(r"\s+length (\d+) owner", line):
            chunks[-1][1] = int(found[1])
        elif found := re.match(r"\s+stripe \d+ devid \d+ offset (\d+)", line):
            chunks[-1][2].append(int(found[1]))
    node_size, = struct.unpack_from("<I", data, 65536 + 148)
    for line in output("btrfs", "inspect-internal", "dump-tree", "-t", "extent", path).splitlines():
        found = re.match(r"\s+item \d+ key \((\d+) (EXTENT_ITEM|METADATA_ITEM) (\d+)\)", line)
        if found:
            at, is_data = int(found[1]), found[2] == "EXTENT_ITEM"
            for first, count, stripes in chunks:
                if first <= at < first + count:
                    for stripe in stripes:
                        mark(kinds, stripe + at - first, int(found[3]) if is_data else node_size,
                             DATA if is_data else METADATA)
    for at in (65536, 64 << 20):
        mark(kinds, at, BLOCK, METADATA)
    return kinds, 65536


KINDS = {"ext4": ext4, "xfs": xfs, "btrfs": btrfs}
