"""Where merges and exports are measured: folders of file systems, and a loop device."""

import contextlib
import os
import pathlib
import subprocess

from measuring import MIB

XFS_BYTES_MIN = 400 * MIB  # mkfs.xfs makes none of 300
ROOT_NEEDED = "loop devices and mounts need root"


def file_system(folder):
    """The name of the file system that a folder is on."""
    shown = subprocess.run(["df", "--output=fstype", folder], check=True, capture_output=True, text=True).stdout
    return shown.split()[-1]


@contextlib.contextmanager
def xfs(folder, byte_count):
    """A folder on an XFS that can share extents (reflink), in a file."""
    image, mountpoint = folder / "xfs.img", folder / "xfs"
    with open(image, "wb") as file:
        file.truncate(max(byte_count, XFS_BYTES_MIN))
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    mountpoint.mkdir()
    subprocess.run(["mount", "-t", "xfs", "-o", "loop", image, mountpoint], check=True)
    try:
        yield mountpoint
    finally:
        subprocess.run(["umount", mountpoint], check=True)
        image.unlink()


class FileCopy:
    """A fresh copy of an origin, as a file: all of it allocated where the origin is, nothing shared."""

    def __init__(self, origin):
        self.origin = origin
        self.path = origin.with_suffix(".copy")

    def refresh(self):
        self.path.unlink(missing_ok=True)
        subprocess.run(["cp", "--reflink=never", self.origin, self.path], check=True)
        os.sync()


class DeviceCopy:
    """A fresh copy of an origin, on a loop device."""

    def __init__(self, origin, device):
        self.origin = origin
        self.path = device

    def refresh(self):
        subprocess.run(["dd", f"if={self.origin}", f"of={self.path}", f"bs={MIB}", "conv=fsync", "status=none"],
                       check=True)
        os.sync()


@contextlib.contextmanager
def device_copy(origin):
    backing = origin.with_suffix(".disk")
    with open(backing, "wb") as file:
        file.truncate(origin.stat().st_size)
    shown = subprocess.run(["losetup", "--find", "--show", backing], check=True, capture_output=True, text=True)
    device = pathlib.Path(shown.stdout.strip())
    try:
        yield DeviceCopy(origin, device)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
        backing.unlink()
