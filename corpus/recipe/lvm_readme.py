"""corpus/lvm/README.md: what the volume groups are, with a table of the cases."""

import json

from .readme import cell

TEXT = """\
# Volume groups that LVM2 made

Each folder here holds the physical volumes of one or more volume groups with snapshots. Debian's lvm2 made them under a
real kernel, and no image was changed afterwards. Recorded with each is what lvm2 and the kernel report of a copy that
is activated in another boot; the images themselves are as they were left.

    corpus/lab --install            # qemu, the kernels, lvm2 and the rest, once
    corpus/lvm/make --all           # every case anew: a few minutes
    corpus/lvm/make linear          # one case
    corpus/lvm/make --list

lvm2 invents identifiers and records the time, and if a machine was cut, its timing matters too: a case that is made
again has other digests. `make` is the recipe's main program, `../recipe/lvm_cases.py` has the cases, `../recipe/lvm.py`
what their scripts can call, and `../lab` is the machine.

Volumes are filled with the stamps of [the corpus of stores](../README.md): a sector has its number *on the volume that
it was written to*, and its writer; `origin gen 0` was written before the snapshot was made.

## case.json

| key | meaning |
|---|---|
| `name`, `summary` | the case, and what is special about it |
| `kernel`, `lvm2` | the releases that made it, and that reported on it |
| `commands` | the shell script that was run, see below |
| `pvs` | the images, in the order `pv0`, `pv1`, ... |
| `groups` | the volume groups |
| `volumes` | what `lvs -a` lists, including hidden volumes |
| `before` | snapshots as they once were: most have been removed or merged since |

In `commands`, `$pv0` and so on are `/dev/mapper/pv0` and so on. `lvcreate` and its kind are lvm2's, with `-qq -y`; the
other commands are those of `../recipe/lvm.py`.

An image in `pvs`:

| key | meaning |
|---|---|
| `file` | relative to the case's folder, packed with xz |
| `byteCount`, `sha256` | of the unpacked image, which is a whole disk if there is a partition table |
| `byteOffset` | where in the image the physical volume begins: 0, or the start of its partition |
| `uuid` | the physical volume's; null if lvm2 does not list it because it is no longer in the group |
| `vg` | the name of its group; null for an orphan |

A group in `groups`:

| key | meaning |
|---|---|
| `name`, `uuid`, `seqno` | as in its metadata |
| `extentByteCount` | the size of an extent |
| `exported` | whether it is; its volumes are listed and hashed from a copy that was imported |

A volume in `volumes`, as lvm2 reports it with all volumes active and a postponed merge begun:

| key | meaning |
|---|---|
| `name`, `vg`, `uuid` | without the brackets that lvm2 puts around the names of hidden volumes |
| `segtype` | of its first segment; for a snapshot, that of its store |
| `byteCount` | its size; for a snapshot, the size of its store |
| `attr`, `origin`, `dataPercent` | as lvs prints them; null for nothing |
| `chunkByteCount` | for a snapshot, as in lvm2's metadata; for others 0, or a stripe's |
| `status` | for a snapshot that is not being merged: what `dmsetup status` prints after the target's name |
| `sha256` | of everything that the device shows, see below |
| `cowSha256` | of a snapshot's complete store, the device NAME-cow |

`sha256` covers the device of an origin, a snapshot or another volume. It is null if a read fails, and for hidden and
inactive volumes. For an origin whose snapshot is being merged, it is what the origin shows at once.

An entry of `before`:

| key | meaning |
|---|---|
| `volume` | vg/name of the snapshot |
| `seqno` | of the group while the snapshot existed: its segments are in the metadata of this number |
| `sha256` | of what the snapshot showed then |

In `overflow`, `removed-reused` and `shortened`, that content is no longer all there, or not where the newest metadata
says.

## The cases

"""


def write_readme(corpus, cases):
    """The table has the cases that are on disk, in the recipe's order."""
    rows = ["| case | made by | PVs | volumes | |", "|---|---|---|---|---|"]
    for case in cases:
        path = corpus / case.name / "case.json"
        if not path.exists():
            continue
        made = json.loads(path.read_text())
        volumes = ", ".join(f"{volume['name']}" for volume in made["volumes"] if volume["sha256"] or volume["status"])
        rows.append("| " + " | ".join(map(cell, (
            f"`{made['name']}`", made["kernel"], len(made["pvs"]), volumes, made["summary"]))) + " |")
    (corpus / "README.md").write_text(TEXT + "\n".join(rows) + "\n")
