"""Disks that fail where a test wants it: files that nbdkit serves and nbdfuse shows, so that each error is real."""

import contextlib
import pathlib
import shlex
import subprocess
import time

from runs import Impossible, system_program

# What nbdkit asks, answered from a file, except where a line of the rules says that it cannot be had.
SCRIPT = """#!/bin/sh
image={image}
fails() {{  # fails KIND OFFSET COUNT
  while read -r kind first end; do
    if [ "$kind" = "$1" ] && [ "$2" -lt "$end" ] && [ $(($2 + $3)) -gt "$first" ]; then
      echo "EIO as was wanted" >&2
      exit 1
    fi
  done <{rules}
}}
case $1 in
  get_size) stat -c %s "$image" ;;
  can_write | can_flush) ;;
  pread)
    fails read "$4" "$3"
    dd if="$image" iflag=skip_bytes,count_bytes skip="$4" count="$3" bs=1M status=none ;;
  pwrite)
    fails write "$4" "$3"
    [ "$3" -lt 65536 ] || fails large-write "$4" "$3"
    dd of="$image" oflag=seek_bytes iflag=fullblock conv=notrunc seek="$4" bs=1M status=none ;;
  flush) fails flush 0 1 ;;
  *) exit 2 ;;
esac
"""
START_SECONDS = 20


class FailingDisk:
    """A file at `path` whose bytes are those of `image`, as long as nothing fails."""

    def __init__(self, folder, name):
        self.folder = folder
        self.image, self.rules, self.script = (folder / part for part in ("image", "rules", "script"))
        self.mountpoint = folder / "mounted"
        self.path = self.mountpoint / name

    def fail(self, kind, first=0, end=1 << 62):
        """From now on, reads, writes, large writes (of 64 KiB or more) or flushes fail that touch these bytes."""
        with open(self.rules, "a") as file:
            file.write(f"{kind} {first} {end}\n")

    def heal(self):
        self.rules.write_text("")

    @property
    def bytes(self):
        return self.image.read_bytes()


@contextlib.contextmanager
def failing_disk(folder, name, content):
    """A disk of that content, which does not fail yet. The content may be a length: then it is zeros."""
    folder.mkdir()
    disk = FailingDisk(folder, name)
    if isinstance(content, int):
        with open(disk.image, "wb") as file:
            file.truncate(content)
    else:
        disk.image.write_bytes(content)
    disk.heal()
    disk.mountpoint.mkdir()
    disk.script.write_text(SCRIPT.format(image=shlex.quote(str(disk.image)), rules=shlex.quote(str(disk.rules))))
    disk.script.chmod(0o755)
    line = [system_program("nbdfuse", "libnbd-bin"), str(disk.path), "--command", system_program("nbdkit", "nbdkit"),
            "-s", "sh", str(disk.script)]
    unmount = system_program("fusermount3", "fuse3")
    if not pathlib.Path("/dev/fuse").exists():
        raise Impossible("there is no /dev/fuse")
    with open(folder / "log", "w+b") as log:
        server = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until = time.monotonic() + START_SECONDS
            while not disk.path.exists():
                if server.poll() is not None or time.monotonic() > until:
                    raise Impossible(f"nbdfuse: {(folder / 'log').read_text().strip()[-300:]}")
                time.sleep(0.02)
            yield disk
        finally:
            disk.heal()
            subprocess.run([unmount, "-u", str(disk.mountpoint)], capture_output=True)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
