// Package builtin holds the servlets that ship with Writ, inside of the binary, so that the first one
// can be installed offline. It keeps their bytes and their digests and knows nothing of what is in them.
//
// "make build" and "make dist" pack the servlets into the folder payload, from where the next build
// embeds them. A build without that step, such as that of "go install", carries none, and says so.
//
// A servlet file is trusted here for its digest alone. The key that signs built-in servlets is public
// (capabilities.BuiltInKey), so that anyone can build the same bytes: whoever believes that key has to
// ask Holds first.
package builtin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"sync"
)

// Source is what an installation remembers of where a built-in servlet came from.
const Source = "built into writ"

// Errors that a caller may tell apart.
var (
	// ErrUnknown is a name that no servlet of the set has.
	ErrUnknown = errors.New("no such servlet is built into this writ")
	// ErrDamaged is a set whose bytes are not those that its index names: a broken build.
	ErrDamaged = errors.New("the servlets in this binary are damaged: get writ again")
)

// The names of the files of a set.
const (
	IndexFile = "index.json"
	FileTail  = ".wasm.gz"
)

const (
	maxFile  = 64 << 20 // bytes of a servlet file
	maxIndex = 1 << 20
)

// Servlet is what the index says of one servlet file.
type Servlet struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"` // of the file, lower-case hex
}

// Index lists a set. It is the content of its IndexFile.
type Index struct {
	Servlets []Servlet `json:"servlets"`
	// Probe is the servlet with which the demonstration tries to get out. It is no built-in servlet:
	// Holds does not know it. The zero value: there is none.
	Probe Servlet `json:"probe,omitzero"`
}

// Set is a set of servlet files. The zero Set has none.
type Set struct {
	files fs.FS
	index Index
}

//go:embed all:payload
var payload embed.FS

// Shipped is the set in this binary. It is empty when the build packed none.
var Shipped = sync.OnceValues(func() (*Set, error) {
	files, err := fs.Sub(payload, "payload")
	if err != nil {
		return nil, err
	}
	return Open(files)
})

// Open reads the index of a set. A folder without one is an empty set.
func Open(files fs.FS) (*Set, error) {
	f, err := files.Open(IndexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &Set{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening built-in servlets: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxIndex))
	set := &Set{files: files}
	if err == nil {
		err = json.Unmarshal(raw, &set.index)
	}
	if err == nil {
		err = set.index.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, IndexFile, err)
	}
	return set, nil
}

var (
	plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,23}$`)
	digest    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check refuses an index that would name a file outside of the set, or one servlet twice.
func (x Index) check() error {
	all := x.Servlets
	if x.Probe != (Servlet{}) {
		all = append(slices.Clip(all), x.Probe)
	}
	seen := map[string]bool{}
	for _, s := range all {
		if !plainName.MatchString(s.Name) || !digest.MatchString(s.SHA256) || s.Version == "" || seen[s.Name] {
			return fmt.Errorf("entry %q is not usable", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// Servlets lists the set, in the order of its index. The slice is the caller's.
func (s *Set) Servlets() []Servlet { return slices.Clone(s.index.Servlets) }

// Has says that a servlet of that name is in the set.
func (s *Set) Has(name string) bool {
	return s.find(func(v Servlet) bool { return v.Name == name }) >= 0
}

// Holds says that a servlet file of that digest (lower-case hex SHA-256) is in the set.
func (s *Set) Holds(sha256 string) bool {
	return s.find(func(v Servlet) bool { return v.SHA256 == sha256 }) >= 0
}

func (s *Set) find(is func(Servlet) bool) int { return slices.IndexFunc(s.index.Servlets, is) }

// File returns the bytes of a servlet file, which have the digest that the index names. It is
// errors.Is ErrUnknown or ErrDamaged.
func (s *Set) File(name string) ([]byte, error) {
	i := s.find(func(v Servlet) bool { return v.Name == name })
	if i < 0 {
		return nil, ErrUnknown
	}
	return s.read(s.index.Servlets[i])
}

// Probe returns the bytes of the demonstration's probe. It is errors.Is ErrUnknown or ErrDamaged.
func (s *Set) Probe() ([]byte, error) {
	if s.index.Probe == (Servlet{}) {
		return nil, ErrUnknown
	}
	return s.read(s.index.Probe)
}

func (s *Set) read(v Servlet) ([]byte, error) {
	packed, err := fs.ReadFile(s.files, v.Name+FileTail)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, v.Name, err)
	}
	unpack, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, v.Name, err)
	}
	file, err := io.ReadAll(io.LimitReader(unpack, maxFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, v.Name, err)
	}
	if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != v.SHA256 {
		return nil, fmt.Errorf("%w: %s has another digest than its index says", ErrDamaged, v.Name)
	}
	return file, nil
}
