import Fuzzing

/// Takes the bytes for the structures of each file system in turn.
fuzz { bytes in
  examineExt4(bytes)
}
