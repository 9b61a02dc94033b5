public enum BlkidPlaceholder {}
