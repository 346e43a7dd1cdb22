package logging

// NewSmallFile is NewFile with parts of other sizes, so many of them.
func NewSmallFile(dir string, size int64, keep int) *File {
	f := NewFile(dir)
	f.size, f.keep = size, keep
	return f
}
