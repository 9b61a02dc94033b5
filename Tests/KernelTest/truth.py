"""What salvage can and must find in a damaged store, from the pristine one: nothing of dmsnap is asked."""

import dataclasses

from damages import SECTOR, SLOT

CERTAIN_MIN = 4  # with fewer exceptions nobody can tell the chunk size once the header is gone


@dataclasses.dataclass
class Truth:
    survivors: dict  # position in the table: (old, new), of which the sixteen bytes are still there
    kept: list  # those of them whose data chunk still lies in the store, at least its beginning
    lost_exceptions: list  # (old, new), of which the sixteen bytes are gone
    gaps: list  # (first position, count) between two survivors that tell the old chunks


def truth(it, damaged):
    survivors, gone = {}, []
    for position, pair in enumerate(it.exceptions):
        at = it.slot_at(position)
        same = damaged.store[at:at + SLOT] == it.store[at:at + SLOT]
        if same and not damaged.is_unreadable(at, SLOT):
            survivors[position] = pair
        else:
            gone.append(pair)
    kept = [pair for pair in survivors.values() if pair[1] * it.chunk_bytes < len(damaged.store)]
    return Truth(survivors, kept, gone, known_gaps(survivors))


def known_gaps(survivors):
    gaps, before = [], None
    for position in sorted(survivors):
        if before is not None and position - before > 1:
            if survivors[position][0] - survivors[before][0] == position - before:
                gaps.append((before + 1, position - before - 1))
        before = position
    return gaps


def sectors_of(pair, it, damaged):
    """(sector of the origin, byte of the store, or None where it cannot be had) for each sector of an exception."""
    old, new = pair
    for index in range(it.chunk_sectors):
        sector, at = old * it.chunk_sectors + index, new * it.chunk_bytes + index * SECTOR
        if (sector + 1) * SECTOR <= len(it.origin):
            there = at + SECTOR <= len(damaged.store) and not damaged.is_unreadable(at, SECTOR)
            yield sector, at if there else None


def view(it, damaged, pairs):
    """The origin overlaid with the data of those exceptions; zeros for what cannot be had."""
    image = bytearray(it.origin)
    for pair in pairs:
        for sector, at in sectors_of(pair, it, damaged):
            data = bytes(SECTOR) if at is None else damaged.store[at:at + SECTOR]
            image[sector * SECTOR:(sector + 1) * SECTOR] = data
    return bytes(image)


def lost_sectors(it, damaged, found, pairs):
    """The origin's sectors that a salvage of `pairs` has to list as lost."""
    lost = {sector for pair in pairs for sector, at in sectors_of(pair, it, damaged) if at is None}
    mapped = {old for old, _ in pairs}
    chunks = [old for old, _ in found.survivors.values() if old not in mapped]
    for first, count in found.gaps:
        start = found.survivors[first - 1][0] + 1
        chunks += range(start, start + count)
    end = len(it.origin) // SECTOR
    return lost | {sector for old in chunks
                   for sector in range(old * it.chunk_sectors, (old + 1) * it.chunk_sectors) if sector < end}


def orphans_due(it, damaged, found):
    """new chunk: old chunk, of the lost exceptions whose data still lies in the store and holds something."""
    due = {}
    for old, new in found.lost_exceptions:
        data = damaged.store[new * it.chunk_bytes:(new + 1) * it.chunk_bytes]
        if len(data) == it.chunk_bytes and any(data):
            due[new] = old
    return due
