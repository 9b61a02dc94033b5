"""Servers, and clients that do what they like."""

import hashlib
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import time

CHUNK = 4096


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def area_stride(chunk):
    return chunk // 16 + 1


def make_store(path, olds, content, chunk=CHUNK):
    """A store with a copy of each old chunk, in that order, as Linux lays it out."""
    per_area = chunk // 16
    with open(path, "wb") as file:
        file.write(struct.pack("<4sIII", b"SnAp", 1, 1, chunk // 512))
        for area in range(len(olds) // per_area + 1):
            part = olds[area * per_area:(area + 1) * per_area]
            first = 2 + area * area_stride(chunk)
            table = b"".join(struct.pack("<QQ", old, first + slot) for slot, old in enumerate(part))
            file.seek((first - 1) * chunk)
            file.write(table.ljust(chunk, b"\0"))
            for old in part:
                file.write(content(old))


class Server:
    """`dmsnap serve`, or nbdkit with its own file plugin."""

    def __init__(self, folder, words):
        self.socket = folder / f"socket-{random.getrandbits(32)}"
        self.uri = f"nbd+unix:///?socket={self.socket}"
        self.process = subprocess.Popen(
            [str(word) for word in words] + (["--socket", str(self.socket)] if "serve" in words else
                                             ["-U", str(self.socket)]),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        if "serve" in words:
            self.first_line = self.process.stdout.readline()
        deadline = time.monotonic() + 120
        while not self.socket.exists() or not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"serve-test: does not serve: {words}")
            time.sleep(0.02)

    def answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket))
            except OSError:
                return False
        return True

    def nbdkit(self):
        """The process of nbdkit."""
        children = run("pgrep", "-P", self.process.pid).stdout.split()
        return int(children[0]) if children else self.process.pid

    def memory(self):
        status = pathlib.Path(f"/proc/{self.nbdkit()}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024

    def end(self, number=signal.SIGTERM):
        os.killpg(self.process.pid, number)
        return self.process.wait(60)


class Client:
    """A client of NBD that needs no library: structured replies are not asked for."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        assert self.take(8) == b"NBDMAGIC"
        assert self.take(8) == b"IHAVEOPT"
        self.take(2)
        self.socket.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 1, 0))
        self.size, self.flags = struct.unpack(">QH", self.take(10))
        self.handle = 0

    def take(self, count):
        parts = bytearray()
        while len(parts) < count:
            part = self.socket.recv(count - len(parts))
            if not part:
                raise ConnectionError("the server is gone")
            parts += part
        return bytes(parts)

    def ask(self, kind, offset, count, data=b"", flags=0):
        self.handle += 1
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, flags, kind, self.handle, offset, count) + data)
        magic, error, handle = struct.unpack(">IIQ", self.take(16))
        assert magic == 0x67446698 and handle == self.handle
        return error, self.take(count) if kind == 0 and not error else b""

    def read(self, offset, count):
        error, data = self.ask(0, offset, count)
        if error:
            raise OSError(error, "read")
        return data

    def write(self, offset, data):
        return self.ask(1, offset, len(data), data)[0]

    def flush(self):
        return self.ask(3, 0, 0)[0]

    def close(self):
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 2, 0, 0, 0))
        self.socket.close()
