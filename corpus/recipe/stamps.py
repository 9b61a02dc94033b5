"""Sectors that say what they are.

A stamped sector is one line of 32 bytes, sixteen times over: its own number and who wrote it when. A wrong byte in a
result so explains itself, and images full of stamps pack well. guest.c writes the same stamps inside the guest.
"""

SECTOR_BYTES = 512
STAMP_BYTES = 32


def stamp(sector, label):
    line = f"sector {sector:010d} {label:<13.13s}\n".encode()
    return line * (SECTOR_BYTES // STAMP_BYTES)


def stamped(first, count, label):
    return b"".join(stamp(sector, label) for sector in range(first, first + count))
