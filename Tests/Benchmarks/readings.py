"""Tables that are read: by dmsnap, by plain C, by thin_check and by lvmsync."""

import json
import os
import subprocess

from measuring import Comparison, Failure, Missing, bind, numbers, program, run

# What others do in seconds is measured on so many times fewer mappings, and compared by the mapping.
THIN_CHECK_PART = 8
LVMSYNC_PART = 64

# lvmsync's reader, out of its gem, which finds a store by the name of a volume; here it is a file.
LVMSYNC = """
require "lvm/snapshot"
class Reader < LVM::Snapshot
  def initialize(path)
    @path = path
  end
  private def metadata_device
    @path
  end
end
puts Reader.new(ARGV[0]).differences.size
"""


def lvmsync():
    """The command that reads with lvmsync; RUBYLIB may name where it is, if it is not a gem."""
    ruby = program("ruby", "ruby")
    if isinstance(ruby, Missing):
        return ruby
    if subprocess.run([ruby, "-e", 'require "lvm/snapshot"'], capture_output=True).returncode != 0:
        return Missing("not installed: gem install lvmsync")
    return [ruby, "-e", LVMSYNC]


def thin_metadata(yardstick, folder, count):
    """A thin pool's metadata with that many scattered mappings; Missing without its tools."""
    restore = program("thin_restore", "thin-provisioning-tools")
    if isinstance(restore, Missing):
        return restore
    description, metadata = folder / "thin.xml", folder / "thin.bin"
    run([yardstick, "generate-thin", description, str(count)])
    with open(metadata, "wb") as file:
        file.truncate(max(16 << 20, 40 * count))  # its leaves are half empty: some 33 bytes a mapping
    run([restore, "-i", description, "-o", metadata])
    description.unlink()
    return metadata


class Readings:
    """Audit, inspect and table of one store, of which ours and the yardstick's must tell the same."""

    def __init__(self, dmsnap, yardstick, store, count):
        self.files = [store]
        self.count = count
        self.commands = {
            "C scan": [yardstick, "scan", store],
            "inspect": [dmsnap, "inspect", store, "--format", "json"],
            "C audit": [yardstick, "audit", store],
            "audit": [dmsnap, "audit", store, "--format", "json"],
            "C table": [yardstick, "table", store],
            "table": [dmsnap, "table", store, "--format", "csv"],
        }
        self.counts = {}
        counted = numbers(run(self.commands["C scan"]))
        found = json.loads(run(self.commands["inspect"]).output)["table"]
        if (found["exceptionCount"], found["runCount"]) != (counted["exceptions"], counted["runs"]):
            raise Failure(f"inspect counts otherwise than the yardstick: {found}, {counted}")

    def add_others(self, yardstick, folder, chunk_sectors):
        """Adds what reads the like: thin_check, and lvmsync on a smaller store."""
        checker = program("thin_check", "thin-provisioning-tools")
        metadata = thin_metadata(yardstick, folder, self.count // THIN_CHECK_PART)
        missing = next((part for part in (checker, metadata) if isinstance(part, Missing)), None)
        if not missing:
            self.files.append(metadata)
        self.add("thin_check", missing or [checker, metadata], self.count // THIN_CHECK_PART)

        reader, count = lvmsync(), self.count // LVMSYNC_PART
        if not isinstance(reader, Missing):
            store, origin = folder / "few.cow", folder / "few.img"
            run([yardstick, "generate-scattered", store, origin, str(count), str(chunk_sectors)])
            self.files.append(store)
            reader = [*reader, store]
            if int(run(reader).output) != count:
                raise Failure("lvmsync counts otherwise than the yardstick")
        self.add("lvmsync", reader, count)

    def add(self, name, command, count):
        self.commands[name] = command
        self.counts[name] = count

    def contenders(self, prepare):
        def read(name, command):
            prepare()
            result = run(command, keep_output=False)
            result.count = self.counts.get(name, self.count)
            return result

        return bind(self.commands, read)


def measure_reading(result, arguments, yardstick, folder):
    store, count, sectors = folder / "scattered.cow", arguments.exceptions, arguments.chunk_sectors
    run([yardstick, "generate-scattered", store, folder / "scattered.img", str(count), str(sectors)])
    readings = Readings(arguments.dmsnap, yardstick, store, count)
    readings.add_others(yardstick, folder, sectors)
    result.begin(f"{count} scattered exceptions in chunks of {sectors} sectors; thin_check of "
                 f"{count // THIN_CHECK_PART} mappings, lvmsync of {count // LVMSYNC_PART}, by the mapping")
    result.compare([
        Comparison("audit", "C audit", 1.2, count),
        Comparison("audit", "thin_check", 1 / 15),
        Comparison("audit", "lvmsync"),
        Comparison("inspect", "C audit", 2, count),  # it tells how many findings there are: the same checks
        Comparison("inspect", "C scan"),
        Comparison("inspect", "thin_check"),
        Comparison("inspect", "lvmsync"),
        Comparison("table", "C table"),
    ], readings.contenders, readings.files)


TERABYTE_EXCEPTIONS = 1 << 28  # of 4 KiB each
TERABYTE_PEAKS = {1: 3 << 30, 64: 200 << 20}  # the run's length: bytes of memory at the most


def measure_terabyte(result, arguments, yardstick, folder):
    for length, peak_bytes_max in TERABYTE_PEAKS.items():
        store, origin = folder / "terabyte.cow", folder / "terabyte.img"
        run([yardstick, "generate-scattered", store, origin, str(TERABYTE_EXCEPTIONS), "8", str(length)])
        readings = Readings(arguments.dmsnap, yardstick, store, TERABYTE_EXCEPTIONS)
        result.begin(f"a terabyte: {TERABYTE_EXCEPTIONS} exceptions in runs of {length}")
        result.compare([
            Comparison("audit", "C audit", 1.5, peak_bytes_max=peak_bytes_max),
            Comparison("inspect", "C audit", 1.5, peak_bytes_max=peak_bytes_max),
            Comparison("table", "C table", 1.5, peak_bytes_max=peak_bytes_max),
        ], readings.contenders, readings.files, caches=["warm"])  # cold, each would wait for a million reads
        os.remove(store)
        os.remove(origin)
