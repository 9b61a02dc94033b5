public import Blkid
public import BlockIO

/// Why the content of a snapshot could not be examined.
public enum ContentError: Error, Sendable {
  case table(TableError)
  case probe(BlkidError)
  case io(BlockIOError)
}
