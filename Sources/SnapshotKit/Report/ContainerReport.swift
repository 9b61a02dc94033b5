/// A format that must be unpacked first, and how.
struct ContainerReport: Encodable {
  let type: String
  let advice: String

  init(_ format: ContainerFormat) { (type, advice) = (format.type, format.advice) }
}
