internal import SnapshotFormat

extension SequenceWalk {
  /// The content of a chunk, as far as it matters.
  struct Look {
    /// Its kind of content, in a few bytes.
    struct Kind {
      let profile: ContentProfile
      /// Whether it begins like a block of a journal, which belongs to no file.
      let isJournal: Bool
    }

    let kind: Kind
    /// All zero where nothing is numbered.
    let numbers: Numbering.Numbers

    var profile: ContentProfile { kind.profile }
    var isZero: Bool { kind.profile.isZero }
  }
}

extension SequenceWalk.Look {
  /// Looks at the content of a chunk.
  init(_ content: Span<UInt8>, _ numbering: Numbering?) {
    let isJournal =
      content.count >= 4 && content.littleEndian(at: 0, as: UInt32.self) == 0x9839_3bc0
    kind = Kind(profile: ContentProfile(content), isJournal: isJournal)
    numbers = numbering?.numbers(of: content) ?? .zero
  }
}
