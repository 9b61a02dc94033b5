#if Nbdkit
  internal import BlockIO
  public import CNbdkit
  internal import Glibc
  internal import Serving
  internal import Synchronization
  internal import SystemPackage

  // The plugin's table of functions. nbdkit calls them from several threads, one at a time for each
  // connection: with more, Debian's nbdkit 1.32 aborts when a client goes away in mid-read.

  /// The parameters and, once all is opened, the served snapshot.
  private struct Plugin {
    var parameters: [(key: String, value: String)] = []
    var served: Served?
    /// Whether another process started this one, and gets the report.
    var isSupervised = false

    static let shared = Mutex(Plugin())

    /// The snapshot being served; nbdkit accepts no connections before it is set.
    static var served: Served? { shared.withLock { $0.served } }

    /// Opens the inputs that the parameters name.
    static func open() throws {
      let parameters = shared.withLock { $0.parameters }
      var descriptor: Int32?
      let outcome: ServeOutcome
      var failure: (any Error)?
      do {
        let request = try ServeRequest(parameters: parameters)
        descriptor = request.report
        let served = try Served(request) { say("\($0)") }
        shared.withLock { ($0.served, $0.isSupervised) = (served, descriptor != nil) }
        outcome = .served(served.report)
        if descriptor == nil {
          for note in served.report.notes { debug(note) }
        }
      } catch {
        failure = error
        outcome = .failed(ServeFailure(error))
      }
      if let descriptor {
        // nbdkit ignores it only later.
        signal(SIGPIPE, SIG_IGN)
        do { try outcome.write(to: descriptor) } catch {
          // The process that asked for it is gone.
          say("\(error)")
          shared.withLock { $0.served }?.discard()
          throw error
        }
      }
      if let failure {
        if descriptor == nil { say("\(failure)") }
        throw failure
      }
    }
  }

  extension Plugin {
    /// Flushes the layer, and ends a process that another one started: the exit status is the
    /// message to that one.
    static func finish() {
      let (served, isSupervised) = shared.withLock { ($0.served, $0.isSupervised) }
      guard let end = served?.end(), isSupervised else { return }
      _exit(end.rawValue)
    }

    /// Lets SIGUSR1 end the process, which nbdkit would not do while clients are connected.
    ///
    /// - Returns: Whether it can.
    static func listen() -> Bool {
      // Not initialised here: sigemptyset() does that.
      let signals = UnsafeMutablePointer<sigset_t>.allocate(capacity: 1)
      defer { unsafe signals.deallocate() }
      unsafe sigemptyset(signals)
      unsafe sigaddset(signals, SIGUSR1)
      // Threads that nbdkit starts later have this thread's mask.
      guard unsafe pthread_sigmask(SIG_BLOCK, signals, nil) == 0 else { return false }
      let set = unsafe signals.pointee
      return BackgroundThread.start {
        var (set, number) = (set, Int32(0))
        while unsafe sigwait(&set, &number) != 0 {}
        finish()
      }
    }
  }

  /// The clients that are connected, in a bounded number; nbdkit has no bound.
  private enum Crowd {
    /// Their maximum number.
    private static let countMax = 1024

    private struct State {
      var count = 0
      var countMax = 0
      var key = pthread_key_t()
      var isTold = false
    }

    private static let state = Mutex(State())

    /// Makes room for as many as the system allows.
    ///
    /// With no descriptor left, nbdkit would try to accept the next client again and again: half of
    /// them are for those that are about to be turned away.
    ///
    /// - Returns: Whether they can be counted.
    static func begin() -> Bool {
      var limit = rlimit()
      let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
      guard unsafe getrlimit(kind, &limit) == 0 else { return false }
      limit.rlim_cur = limit.rlim_max
      unsafe setrlimit(kind, &limit)
      let room = Int(clamping: limit.rlim_max) / 2
      return state.withLock { state in
        state.countMax = min(countMax, max(room, 1))
        // Each client has a thread, from before it has said anything until it is gone.
        return unsafe pthread_key_create(&state.key) { _ in Crowd.leave() } == 0
      }
    }

    /// Counts a client, by whose thread it is called.
    ///
    /// - Returns: Whether there is room for it.
    static func admit() -> Bool {
      let (isAdmitted, isNews) = state.withLock { state in
        guard state.count < state.countMax else {
          defer { state.isTold = true }
          return (false, !state.isTold)
        }
        let mark = unsafe UnsafeRawPointer(bitPattern: 1)
        guard unsafe pthread_setspecific(state.key, mark) == 0 else { return (false, false) }
        state.count += 1
        return (true, false)
      }
      if isNews { say("too many clients are connected: others are rejected") }
      return isAdmitted
    }

    private static func leave() { state.withLock { $0.count -= 1 } }
  }

  private func say(_ message: String) {
    unsafe message.withCString { unsafe dmsnap_nbdkit_error($0) }
  }
  private func debug(_ message: String) {
    unsafe message.withCString { unsafe dmsnap_nbdkit_debug($0) }
  }

  /// One client's connection to a part of the snapshot.
  private final class Connection {
    let served: Served
    let part: ServedPart
    let bytes: Range<UInt64>

    init(_ served: Served, _ part: ServedPart) {
      (self.served, self.part) = (served, part)
      bytes = served.bytes(of: part)
    }

    /// The connection that a handle stands for.
    static func of(_ handle: UnsafeMutableRawPointer?) -> Connection? {
      unsafe handle.map { unsafe Unmanaged<Connection>.fromOpaque($0).takeUnretainedValue() }
    }
  }

  /// Performs a request; if it fails, the client gets EIO.
  private func answering(_ body: () throws -> Void) -> Int32 {
    do {
      try body()
      return 0
    } catch {
      // Errors caused by a client are not news.
      debug("\(error)")
      nbdkit_set_error(EIO)
      return -1
    }
  }

  /// Calls `body` with the bytes of a connection's snapshot that a request is for.
  private func answering(
    _ handle: UnsafeMutableRawPointer?, _ count: UInt32, _ offset: UInt64,
    _ body: (Connection, Range<UInt64>) throws -> Void
  ) -> Int32 {
    answering {
      guard let connection = unsafe Connection.of(handle) else { return }
      let start = connection.bytes.lowerBound + offset
      try body(connection, start..<start + UInt64(count))
    }
  }

  private let parametersHelp = """
    store=PATH          (required) The COW store: a file, device, part, or vg/lv.
    origin=PATH         What the snapshot was taken of; found automatically with pv=.
    reading=READING     kernel (the default), kernel-6.12 or salvage.
    place=LEVEL         none, proven or likely; implies reading=salvage.
    chunk-size=SECTORS, generation=N, sibling=STORE, map=MAPFILE
                        As for the dmsnap command.
    pv=PATH, vgcfg=FILE, seqno=N, leg=N
                        Volume groups, as for the dmsnap command.
    lost=POLICY         What lost bytes read as: error (the default), zero, origin, pattern.
    partition=N         Serve this partition only; without it, each is an export.
    layer=FILE          Keep what is written in FILE, a new COW store over the snapshot.
    limit=BYTES         How long that may become.
    """

  /// The table, which lives as long as the process.
  private func makeTable() -> UnsafeMutablePointer<nbdkit_plugin> {
    let pointer = UnsafeMutablePointer<nbdkit_plugin>.allocate(capacity: 1)
    unsafe pointer.initialize(to: nbdkit_plugin())
    func text(_ string: String) -> UnsafePointer<CChar>? { unsafe UnsafePointer(strdup(string)) }
    unsafe pointer.pointee._struct_size = UInt64(MemoryLayout<nbdkit_plugin>.size)
    unsafe pointer.pointee._api_version = NBDKIT_API_VERSION
    unsafe pointer.pointee._thread_model = NBDKIT_THREAD_MODEL_SERIALIZE_REQUESTS
    unsafe pointer.pointee.name = text("dmsnap")
    unsafe pointer.pointee.longname = text("device-mapper snapshots")
    unsafe pointer.pointee.description = text("Serves the snapshot that a COW store holds.")
    unsafe pointer.pointee.magic_config_key = text("store")
    unsafe pointer.pointee.config_help = text(parametersHelp)
    unsafe pointer.pointee.config = { key, value in
      guard let key = unsafe key, let value = unsafe value else { return -1 }
      let parameter = unsafe (key: String(cString: key), value: String(cString: value))
      Plugin.shared.withLock { $0.parameters.append(parameter) }
      return 0
    }
    // Errors that come before nbdkit goes into the background end it with status 1.
    unsafe pointer.pointee.get_ready = {
      do { try Plugin.open() } catch { return -1 }
      return 0
    }
    // Its threads are gone once nbdkit is in the background.
    unsafe pointer.pointee.after_fork = {
      let isSupervised = Plugin.shared.withLock { $0.isSupervised }
      guard Crowd.begin() else {
        say("clients cannot be counted")
        return -1
      }
      if !isSupervised || Plugin.listen() { return 0 }
      say("there can be no thread that waits for a signal")
      return -1
    }
    unsafe pointer.pointee.unload = { Plugin.finish() }
    unsafe pointer.pointee.preconnect = { _ in Crowd.admit() ? 0 : -1 }
    unsafe pointer.pointee.open = { _ in
      guard let served = Plugin.served, let name = unsafe nbdkit_export_name() else { return nil }
      let wanted = unsafe String(cString: name)
      // A client that names nothing gets the snapshot, or the only part that is served.
      guard
        let part = served.parts.first(where: { $0.exportName == wanted })
          ?? (wanted.isEmpty ? served.parts.first : nil)
      else {
        debug("there is no export \(wanted)")
        nbdkit_set_error(ENOENT)
        return nil
      }
      return unsafe Unmanaged.passRetained(Connection(served, part)).toOpaque()
    }
    unsafe pointer.pointee.close = { handle in
      // A client that disconnects without a flush need not lose its writes. If this fails, the
      // layer reports it.
      try? unsafe Connection.of(handle)?.served.layer?.flush()
      unsafe handle.map { unsafe Unmanaged<Connection>.fromOpaque($0).release() }
    }
    unsafe pointer.pointee.get_size = { handle in
      unsafe Connection.of(handle).flatMap { Int64(exactly: $0.bytes.count) } ?? -1
    }
    unsafe addRequests(to: pointer)
    unsafe addFacts(to: pointer)
    return unsafe pointer
  }

  /// The functions that move bytes.
  private func addRequests(to pointer: UnsafeMutablePointer<nbdkit_plugin>) {
    unsafe pointer.pointee.pread = { handle, memory, count, offset, _ in
      unsafe answering(handle, count, offset) { connection, bytes in
        guard let memory = unsafe memory else { return }
        let buffer = unsafe IOBuffer(borrowing: memory, byteCount: Int(count))
        try connection.served.source.read(at: bytes.lowerBound, into: buffer, 0..<Int(count))
      }
    }
    unsafe pointer.pointee.pwrite = { handle, memory, count, offset, flags in
      unsafe answering(handle, count, offset) { connection, bytes in
        guard let memory = unsafe memory, let layer = connection.served.layer else { return }
        let buffer = unsafe IOBuffer(
          borrowing: UnsafeMutableRawPointer(mutating: memory), byteCount: Int(count))
        try layer.write(at: bytes.lowerBound, from: buffer, 0..<Int(count))
        if flags & UInt32(NBDKIT_FLAG_FUA) != 0 { try layer.flush() }
      }
    }
    unsafe pointer.pointee.flush = { handle, _ in
      answering { try unsafe Connection.of(handle)?.served.layer?.flush() }
    }
    unsafe pointer.pointee.cache = { handle, count, offset, _ in
      unsafe answering(handle, count, offset) { connection, bytes in
        connection.served.source.willRead(bytes)
      }
    }
    unsafe pointer.pointee.extents = { handle, count, offset, flags, list in
      unsafe answering(handle, count, offset) { connection, bytes in
        // nbdkit 1.32 aborts if a client goes away while several are sent.
        let isOne = NBDKIT_VERSION_MINOR < 34 || flags & UInt32(NBDKIT_FLAG_REQ_ONE) != 0
        // To ask where a hole is takes as long as to read 64 KiB.
        let extents = try connection.served.view.extents(
          in: bytes, under: connection.served.layer, holesFrom: isOne ? 1 << 16 : 0,
          atMost: isOne ? 1 : 4096)
        for extent in extents {
          guard
            unsafe nbdkit_add_extent(
              list, extent.range.lowerBound - connection.bytes.lowerBound,
              UInt64(extent.range.count),
              extent.isHole ? UInt32(NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO) : 0) == 0
          else {
            throw BlockIOError(
              connection.served.view.name, .seek, .system(Errno(rawValue: errno)), at: extent.range)
          }
        }
      }
    }
  }

  /// The functions that state a connection's capabilities.
  private func addFacts(to pointer: UnsafeMutablePointer<nbdkit_plugin>) {
    unsafe pointer.pointee.can_write = { unsafe Connection.of($0)?.served.layer != nil ? 1 : 0 }
    unsafe pointer.pointee.can_flush = { unsafe Connection.of($0)?.served.layer != nil ? 1 : 0 }
    unsafe pointer.pointee.can_fua = {
      unsafe Connection.of($0)?.served.layer != nil ? NBDKIT_FUA_NATIVE : NBDKIT_FUA_NONE
    }
    // A flush by one connection is seen by all.
    unsafe pointer.pointee.can_multi_conn = { _ in 1 }
    unsafe pointer.pointee.can_cache = { _ in NBDKIT_CACHE_NATIVE }
    unsafe pointer.pointee.can_extents = { _ in 1 }
    unsafe pointer.pointee.is_rotational = { _ in 0 }
    unsafe pointer.pointee.list_exports = { _, _, list in
      for part in Plugin.served?.parts ?? [] {
        let isAdded = unsafe part.exportName.withCString { name in
          unsafe (part.type ?? "").withCString { unsafe nbdkit_add_export(list, name, $0) }
        }
        if isAdded != 0 { return -1 }
      }
      return 0
    }
    unsafe pointer.pointee.default_export = { _, _ in
      unsafe (Plugin.served?.parts.first?.exportName ?? "").withCString {
        unsafe nbdkit_strdup_intern($0)
      }
    }
    unsafe pointer.pointee.export_description = { handle in
      guard let type = unsafe Connection.of(handle)?.part.type else { return nil }
      return unsafe type.withCString { unsafe nbdkit_strdup_intern($0) }
    }
  }

  /// The entry point that nbdkit looks for when it loads the plugin.
  @_cdecl("plugin_init")
  public func pluginInit() -> UnsafeMutablePointer<nbdkit_plugin> { unsafe makeTable() }
#else
  internal import BlockIO

  /// The entry point that nbdkit looks for when it loads the plugin; this one can do nothing.
  @_cdecl("plugin_init")
  public func pluginInit() -> UnsafeMutableRawPointer? {
    // If it is closed, there is nowhere to report it.
    try? OutputStream.standardError.write(
      "dmsnap: this plugin was built without nbdkit (the trait Nbdkit)\n")
    return nil
  }
#endif
