package approval

import (
	"fmt"
	"io/fs"
	"path/filepath"
)

// maxCount bounds the walk of CountFiles: a disk is not read through to draw a screen.
const maxCount = 10_000

// CountFiles says how many files lie below a directory, for a person who wants to be sure that it is
// the right one. Links are not followed; what cannot be read is not counted.
func CountFiles(path string) string {
	files, seen := 0, 0
	_ = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		if seen++; seen > maxCount {
			return fs.SkipAll
		}
		if err != nil {
			return fs.SkipDir
		}
		if !entry.IsDir() {
			files++
		}
		return nil
	})
	if seen > maxCount {
		return fmt.Sprintf("over %d files", files)
	}
	return counted(files, "file")
}
