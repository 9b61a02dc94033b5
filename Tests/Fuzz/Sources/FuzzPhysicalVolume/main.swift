import BlockIO
import Fuzzing
import LVM2

/// Takes the bytes for a device, makes its checksums right, and reads its label and its texts.
fuzz { bytes in
  var device = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  repairLabels(of: &device)
  let source = MemorySource(device)
  guard let label = try? PhysicalVolumeLabel.find(in: source) else { return }
  for area in label.metadataAreas {
    read(source, area)
    repairArea(at: area.byteOffset, of: &device)
    read(MemorySource(device), area)
  }
}

/// Reads an area in every way, and holds its texts against what was found where.
func read(_ source: MemorySource, _ area: PhysicalVolumeLabel.Area) {
  guard let area = try? MetadataArea(source, area), let committed = try? area.committed(),
    let history = try? area.history()
  else { preconditionFailure("memory cannot be read") }
  precondition(history.versions.filter(\.isCommitted).count == (committed.version == nil ? 0 : 1))
  precondition(Set(history.versions.map(\.text)).count == history.versions.count)
  for version in history.versions {
    precondition(area.byteRange.contains(version.byteOffset))
    let again = try? VolumeGroup(parsing: version.text)
    precondition(again == version.volumeGroup)
  }
  for problem in history.problems { precondition(problem.description.utf8.count < 600) }
}

/// Writes the right checksum into whatever may be a label.
func repairLabels(of device: inout [UInt8]) {
  for start in stride(from: 0, to: min(device.count, 2048) / 512 * 512, by: 512) {
    put(LVMChecksum(device[start + 20..<start + 512]), at: start + 16, of: &device)
  }
}

/// Writes the right checksums of a text that does not wrap around, and of its header.
func repairArea(at byteOffset: UInt64, of device: inout [UInt8]) {
  guard byteOffset <= UInt64(device.count), device.count - Int(byteOffset) >= 512 else { return }
  let start = Int(byteOffset)
  func number(at position: Int) -> UInt64 {
    device[start + position..<start + position + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
  let room = UInt64(device.count - start)
  let (textStart, textCount) = (number(at: 40), number(at: 48))
  if textStart >= 512, textStart <= room, textCount <= room - textStart {
    let text = device[start + Int(textStart)..<start + Int(textStart + textCount)]
    put(LVMChecksum(text), at: start + 56, of: &device)
  }
  put(LVMChecksum(device[start + 4..<start + 512]), at: start, of: &device)
}

func put(_ checksum: LVMChecksum, at position: Int, of device: inout [UInt8]) {
  for index in 0..<4 {
    device[position + index] = UInt8(truncatingIfNeeded: checksum.value >> (8 * UInt32(index)))
  }
}
