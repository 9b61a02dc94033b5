"""corpus/lvm/README.md: what the volume groups are, with a table of the cases."""

import json

from .readme import cell

TEXT = """\
# Volume groups that LVM2 made

Each folder here has the physical volumes of one or more volume groups with snapshots: Debian's lvm2 made them under a
real kernel, and no image was changed afterwards. What is recorded of each is what lvm2 and the kernel say of a copy
that is activated afresh, in another boot, so that the images are as they were left.

    corpus/lab --install            # qemu, the kernels, lvm2 and the rest, once
    corpus/lvm/make --all           # every case anew: a few minutes
    corpus/lvm/make linear          # one case
    corpus/lvm/make --list

lvm2 makes up identifiers and notes the time, and where a machine was cut its timing matters too, so a case that is made
again is another one: its digests change. `make` is the recipe's main program, `../recipe/lvm_cases.py` has the cases,
`../recipe/lvm.py` what their scripts can call, and `../lab` is the machine.

Volumes are filled with the stamps of [the corpus of stores](../README.md): a sector is its number *on the volume that
it was written to*, and by whom; `origin gen 0` was written before the snapshot was made.

## case.json

| key | meaning |
|---|---|
| `name`, `summary` | the case, and what is odd about it |
| `kernel`, `lvm2` | the releases that made it, and that were asked about it |
| `commands` | the shell script that was run, with `/dev/mapper/pv0` and so on as `$pv0`; `lvcreate` and its kind are lvm2's, with `-qq -y`, the other commands those of `../recipe/lvm.py` |
| `pvs` | the images, in the order `pv0`, `pv1`, ... |
| `groups` | the volume groups |
| `volumes` | what `lvs -a` lists, hidden volumes too |
| `before` | snapshots as they were at some time: most have been removed or merged since |

An image in `pvs`:

| key | meaning |
|---|---|
| `file` | from the case's folder, packed with xz |
| `byteCount`, `sha256` | of the unpacked image, which is a whole disk where there is a partition table |
| `byteOffset` | where in the image the physical volume begins: 0, or that of its partition |
| `uuid` | the physical volume's; null where lvm2 does not list it, as it is not in the group any more |
| `vg` | the name of its group, null of an orphan |

A group in `groups`:

| key | meaning |
|---|---|
| `name`, `uuid`, `seqno` | as in its metadata |
| `extentByteCount` | |
| `exported` | whether it is; its volumes are listed and hashed from a copy that was imported |

A volume in `volumes`. It is as lvm2 says with all volumes active, a merge that was put off having begun:

| key | meaning |
|---|---|
| `name`, `vg`, `uuid` | without the brackets that lvm2 puts around the names of hidden volumes |
| `segtype` | of its first segment; of a snapshot, that of its store |
| `byteCount` | its size; of a snapshot, the size of its store |
| `attr`, `origin`, `dataPercent` | as lvs prints them, null for nothing |
| `chunkByteCount` | of a snapshot, in the metadata of lvm2; of others 0, or what a stripe has |
| `status` | of a snapshot that is not being merged: what `dmsetup status` prints after the target's name |
| `sha256` | of all the device shows, be it origin, snapshot or another volume; null where a read fails and for hidden and inactive volumes. Of an origin whose snapshot is being merged, this is what it shows at once |
| `cowSha256` | of a snapshot's store, the device NAME-cow, all of it |

An entry of `before`:

| key | meaning |
|---|---|
| `volume` | vg/name of the snapshot |
| `seqno` | of the group, while the snapshot was there: look for its segments in the metadata of this number |
| `sha256` | of what the snapshot showed then, which in `overflow`, `removed-reused` and `shortened` is no longer all there, or not where the newest metadata say |

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
