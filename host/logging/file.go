package logging

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Bounds of the log of a home.
const (
	maxPart  = 8 << 20 // bytes of one part, after which the next one begins
	maxParts = 8       // parts that are kept
)

const partSuffix = ".jsonl"

var partForm = regexp.MustCompile(`^[0-9]{8}\.jsonl$`)

// IsPart says that a file of this name, in the folder of a log, is a part of it.
func IsPart(name string) bool { return partForm.MatchString(name) }

// File appends lines to the log of a home, which any number of processes share: parts with rising numbers
// in one folder. Each line is one write at the end of a part, so that lines of different processes do not
// mix; nothing is renamed, so that nobody writes to what another has put away. A part that is full is
// followed by the next; the oldest are deleted. Parts can be read by their owner alone.
//
// Its use is not safe for more than one goroutine.
type File struct {
	dir  string
	size int64 // of a part
	keep int

	part   *os.File // nil before the first line, and after a failure
	number int
	torn   bool // what a process left at the end of the part is no whole line
}

// NewFile makes a File in a folder, which is made with the first line.
func NewFile(dir string) *File { return &File{dir: dir, size: maxPart, keep: maxParts} }

// Write appends one line. After an error the next one tries anew.
func (f *File) Write(line []byte) (int, error) {
	if err := f.prepare(int64(len(line))); err != nil {
		f.close()
		return 0, fmt.Errorf("writing log: %w", err)
	}
	out := line
	if f.torn {
		out = append([]byte{'\n'}, line...)
	}
	if _, err := f.part.Write(out); err != nil {
		f.close()
		return 0, fmt.Errorf("writing log: %w", err)
	}
	f.torn = false
	return len(line), nil
}

// prepare sees to it that there is a part with room for n bytes.
func (f *File) prepare(n int64) error {
	if f.part != nil {
		info, err := f.part.Stat() // others write to it too
		if err != nil {
			return err
		}
		if info.Size()+n <= f.size || info.Size() == 0 {
			return nil
		}
		f.close()
		f.number++
		return f.open(f.number)
	}
	if err := os.Mkdir(f.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// A link would have others read, or something else overwritten.
	if info, err := os.Lstat(f.dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder", f.dir)
	}
	numbers, err := parts(f.dir)
	if err != nil {
		return err
	}
	last := 1
	if len(numbers) > 0 {
		last = numbers[len(numbers)-1]
	}
	if err := f.open(last); err != nil {
		return err
	}
	return f.prepare(n)
}

func (f *File) open(number int) error {
	path := filepath.Join(f.dir, partName(number))
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	part, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	f.part, f.number, f.torn = part, number, false
	if info, err := part.Stat(); err == nil && info.Size() > 0 {
		var last [1]byte
		if _, err := part.ReadAt(last[:], info.Size()-1); err == nil {
			f.torn = last[0] != '\n'
		}
	}
	return f.drop()
}

// drop deletes the oldest parts.
func (f *File) drop() error {
	numbers, err := parts(f.dir)
	if err != nil {
		return err
	}
	for len(numbers) > f.keep {
		// Some systems delete no file that is open elsewhere: then it goes with a later part.
		_ = os.Remove(filepath.Join(f.dir, partName(numbers[0])))
		numbers = numbers[1:]
	}
	return nil
}

func (f *File) close() {
	if f.part != nil {
		f.part.Close()
		f.part = nil
	}
}

// Close closes the part that is written. A later Write opens it again.
func (f *File) Close() error {
	f.close()
	return nil
}

var _ io.WriteCloser = (*File)(nil)

func partName(number int) string { return fmt.Sprintf("%08d%s", number, partSuffix) }

// parts are the numbers of the parts in a folder, in order. A folder that is not there has none.
func parts(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		if !partForm.MatchString(e.Name()) {
			continue
		}
		if n, err := strconv.Atoi(e.Name()[:8]); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
