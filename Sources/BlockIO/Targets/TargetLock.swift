internal import CLinux
internal import Glibc
internal import SystemPackage

/// The locks that keep others from a target while it is written.
enum TargetLock {
  /// Locks all of a file or device for as long as the descriptor `number` is open.
  ///
  /// There are two independent kinds: udev and loop device tools use flock(), qemu uses a record
  /// lock. The record lock belongs to the open file (OFD), so that closing another descriptor does
  /// not end it. On a file system without one kind of lock, nothing holds that kind.
  ///
  /// - Throws: The holder of a lock on any byte of it, if there is one.
  static func take(
    _ number: CInt, of identity: FileIdentity, name: String
  ) throws(BlockIOError) {
    if flock(number, LOCK_EX | LOCK_NB) != 0, Glibc.errno == EWOULDBLOCK {
      throw refusal(number, identity, name)
    }
    // SMB turns flock() into a record lock, at which our own second lock would fail.
    guard dmsnap_is_on_smb(number) == 0 else { return }
    if dmsnap_lock_all(number) != 0, [EAGAIN, EACCES].contains(Glibc.errno) {
      flock(number, LOCK_UN)  // or we would name ourselves
      throw refusal(number, identity, name)
    }
  }

  /// Throws the holder of a lock on any byte of a file, if there is one, and locks nothing.
  static func checkFree(
    _ number: CInt, of identity: FileIdentity, name: String
  ) throws(BlockIOError) {
    // A shared lock fails where somebody writes, and two that look do not meet each other.
    if flock(number, LOCK_SH | LOCK_NB) != 0 {
      if Glibc.errno == EWOULDBLOCK { throw refusal(number, identity, name) }
    } else {
      flock(number, LOCK_UN)
    }
    if dmsnap_is_locked(number) == 1 { throw refusal(number, identity, name) }
  }

  private static func refusal(
    _ number: CInt, _ identity: FileIdentity, _ name: String
  ) -> BlockIOError {
    let lockers = ProcessUse.lockers(of: number, identity)
    let who = lockers.isEmpty ? "another process" : lockers.joined(separator: ", ")
    return BlockIOError(name, .open, .refused("is locked by \(who)"))
  }
}
