// What the linker puts in place of libFuzzer's own where that is asked to (--wrap): to note the
// operands of each comparison takes as long as all else, and our mutations do without.

@_cdecl("__wrap___sanitizer_cov_trace_cmp8")
public func ignoreComparison(_ left: UInt64, _ right: UInt64) {}

@_cdecl("__wrap___sanitizer_cov_trace_const_cmp8")
public func ignoreComparisonWithConstant(_ left: UInt64, _ right: UInt64) {}

@_cdecl("__wrap___sanitizer_cov_trace_const_cmp1")
public func ignoreSmallComparisonWithConstant(_ left: UInt8, _ right: UInt8) {}
