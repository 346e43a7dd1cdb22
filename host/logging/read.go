package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxLine is how long a line may be that is read, in bytes.
const maxLine = 256 << 10

// followEvery is how often a log is looked at that is followed.
const followEvery = 150 * time.Millisecond

// Line is one line of a log. Its texts may be a servlet's: they are not fit for a terminal as they are.
type Line struct {
	Time    time.Time  `json:"time"`
	Level   slog.Level `json:"level"`
	Message string     `json:"msg"`
	Space   string     `json:"space"`
	Alias   string     `json:"alias"`
	Tool    string     `json:"tool"`
	Call    string     `json:"call"`
	Source  string     `json:"source"` // "servlet": Message is what a servlet wrote

	Raw json.RawMessage `json:"-"` // the whole line
}

// reader reads the parts of a folder, each from where it was left.
type reader struct {
	dir  string
	done map[int]int64 // bytes of a part that were read, by its number
}

// Read hands every line of a folder's log to each, the oldest first. Lines that are none are left out: the
// last one of a process that was killed may be torn.
func Read(dir string, each func(Line) error) error {
	r := reader{dir, map[int]int64{}}
	return r.more(each)
}

// Follow is Read, and then hands each what any process appends, until ctx ends; then its error is nil.
// caughtUp is called once, after what was there at first.
func Follow(ctx context.Context, dir string, each func(Line) error, caughtUp func() error) error {
	r := reader{dir, map[int]int64{}}
	if err := r.more(each); err != nil {
		return err
	}
	if err := caughtUp(); err != nil {
		return err
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := r.more(each); err != nil {
				return err
			}
		}
	}
}

func (r *reader) more(each func(Line) error) error {
	numbers, err := parts(r.dir)
	if err != nil {
		return fmt.Errorf("reading log: %w", err)
	}
	there := map[int]int64{}
	for _, n := range numbers {
		read, err := readPart(filepath.Join(r.dir, partName(n)), r.done[n], each)
		if err != nil {
			return err
		}
		there[n] = read
	}
	r.done = there // parts that were deleted are forgotten
	return nil
}

// readPart reads whole lines from an offset on, and returns how far it came.
func readPart(path string, from int64, each func(Line) error) (int64, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
		return from, nil
	}
	if err != nil {
		return from, fmt.Errorf("reading log: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() <= from {
		return from, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return from, nil
	}
	if err != nil {
		return from, fmt.Errorf("reading log: %w", err)
	}
	defer f.Close()
	buffer := make([]byte, 0, 64<<10)
	chunk := make([]byte, 64<<10)
	skip := false // within a line that is too long
	at := from
	for {
		n, err := f.ReadAt(chunk, at)
		at += int64(n)
		buffer = append(buffer, chunk[:n]...)
		for {
			end := bytes.IndexByte(buffer, '\n')
			if end < 0 {
				break
			}
			if line, ok := parse(buffer[:end]); ok && !skip {
				if err := each(line); err != nil {
					return at, err
				}
			}
			skip = false
			buffer = buffer[end+1:]
		}
		if len(buffer) > maxLine {
			skip, buffer = true, buffer[:0]
		}
		if errors.Is(err, io.EOF) {
			return at - int64(len(buffer)), nil // the rest is being written
		}
		if err != nil {
			return at, fmt.Errorf("reading log: %w", err)
		}
	}
}

// known are the members that Line has fields for, and those that say nothing to a person.
var known = map[string]bool{"time": true, "level": true, "msg": true, "space": true, "alias": true, "tool": true, "source": true, "pid": true}

// Rest are the members without a field of their own, as name=value in order of their names.
func (l Line) Rest() []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(l.Raw, &members) != nil {
		return nil
	}
	var rest []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := string(members[name])
		if known[name] || value == `""` {
			continue
		}
		if plain, ok := strings.CutPrefix(value, `"`); ok && !strings.ContainsAny(value, ` \=`) {
			value = strings.TrimSuffix(plain, `"`)
		}
		rest = append(rest, name+"="+value)
	}
	return rest
}

func parse(raw []byte) (Line, bool) {
	var l Line
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &l) != nil {
		return Line{}, false
	}
	l.Raw = bytes.Clone(raw)
	return l, true
}
