import ArgumentParser
struct Identify: ParsableCommand {}
