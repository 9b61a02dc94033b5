"""corpus/README.md: what the corpus is, with a table of the cases."""

import json

TEXT = """\
# Stores that Linux wrote

Each folder here holds a persistent snapshot store that a real kernel wrote, the origin under it, and what two kernels
report of the pair. No case was made by hand: the recipe drives Debian's kernels under qemu. Its only later change is to
shorten an image, in the three cases whose summary says so.

    corpus/lab --install        # qemu, the kernels and the rest, once
    corpus/make --all           # every case anew: a few minutes
    corpus/make merged          # one case
    corpus/make --list

The images are reproducible, byte for byte, on any machine. `make` is the recipe's main program, `recipe/cases.py` has
the cases, `lab` is the machine that runs a shell script on a kernel (`corpus/lab --help`). Complete volume groups, as
lvm2 made them, are in [lvm](lvm/README.md); file systems under snapshots in [file-systems](file-systems/README.md).

## Stamps

A sector is one line of 32 bytes, repeated sixteen times: its number on the device that it was written to, and its
writer.

    sector 0000000123 origin gen 0

`origin gen 0` is the origin before any change; `origin gen 1` and `snap gen 1` were written to the origin and through
the snapshot while it was active; a second generation of writes has `gen 2`. A chunk of zeros in a store was never
written.

## case.json

| key | meaning |
|---|---|
| `name`, `summary` | the case, and what is special about it |
| `kernel` | the release that wrote the store |
| `chunkSectors` | the chunk size in the table (0: the kernel's default); the header's may differ |
| `table` | the line for dmsetup, with ORIGIN and STORE for the two devices |
| `store`, `origin` | `file` in the case's folder, packed with xz; `byteCount`, `sha256` of the unpacked image |
| `live` | the status of the snapshot (or merge) when the store was made, before it was closed |
| `says` | by kernel, what it reports of a freshly loaded copy of the two |

An answer in `says`:

| key | meaning |
|---|---|
| `load` | `ok`, or `error` if the table is refused; then nothing else follows |
| `log` | what device-mapper logged while loading |
| `status` | as `dmsetup status` prints it, after the target's name |
| `view.sha256` | of the snapshot, as long as the origin, with zeros for what could not be read |
| `view.unreadable` | byte offset and byte count of what could not be read |
| `merge.status`, `merge.log` | of a snapshot-merge target, when it had finished |
| `merge.originSha256`, `merge.storeSha256` | of the two images after that |

`origin` is the origin that lies under the store now: if a merge was interrupted, it is partly merged. Cases whose
origin was not written share it, in `origins/`. A store that is `Invalid` still loads, and every read of its snapshot
fails. A store whose magic is zero loads too: the kernel takes it for a new one, and empties it.

## The cases

"""


def cell(text):
    return str(text).replace("|", "\\|")


def write_readme(corpus, cases):
    """The table has the cases that are on disk, in the recipe's order."""
    rows = ["| case | written by | chunk | status when made | loaded again | |", "|---|---|---|---|---|---|"]
    for case in cases:
        path = corpus / case.name / "case.json"
        if not path.exists():
            continue
        made = json.loads(path.read_text())
        statuses = {answer["status"] or "refused" for answer in made["says"].values()}
        rows.append("| " + " | ".join(map(cell, (
            f"`{made['name']}`", made["kernel"], made["chunkSectors"], made["live"],
            " or ".join(sorted(statuses)), made["summary"]))) + " |")
    (corpus / "README.md").write_text(TEXT + "\n".join(rows) + "\n")
