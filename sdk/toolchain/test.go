package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/sdk/toolchain/calls"
	"github.com/writ-run/writ/sdk/toolchain/recording"
)

// callsFolder has the files with a servlet's calls and what they have to answer.
const callsFolder = "tests"

// CallReport is what one call came to. Its texts are fit for a terminal, but for the lines of the log.
type CallReport struct {
	File        string             `json:"file"`
	Line        int                `json:"line"` // of the call, or of what it wants where that differs
	Name        string             `json:"name"`
	Failure     string             `json:"failure,omitempty"`     // why nothing could be compared, in a line
	Differences []calls.Difference `json:"differences,omitempty"` // between what was wanted and what came
	Requests    []string           `json:"requests,omitempty"`    // that are not recorded, or were not answered
	Unused      []string           `json:"unused,omitempty"`      // recorded requests that were not made
	Denied      []string           `json:"denied,omitempty"`      // what the guard refused
	Updated     bool               `json:"updated,omitempty"`     // its file now wants what came
	Where       string             `json:"where,omitempty"`       // in the source, as Places.Where says it; empty: not known
	Logs        []effect.LogLine   `json:"logs,omitempty"`
	Fuel        uint64             `json:"fuel"`
	Wall        time.Duration      `json:"wall_ns"`
}

// Failed tells whether the call did not do what its file wants.
func (r CallReport) Failed() bool {
	return r.Failure != "" || len(r.Requests) > 0 || len(r.Unused) > 0 || len(r.Differences) > 0 && !r.Updated
}

// TestReport is what a test came to.
type TestReport struct {
	Calls   []CallReport    `json:"calls"`
	Hostile []HostileReport `json:"hostile,omitempty"` // by tool
	Seed    uint64          `json:"seed"`
	Written []string        `json:"written,omitempty"` // files that were updated or recorded
}

// TestOptions of a test.
type TestOptions struct {
	Dir      string         // source folder with servlet.toml
	CacheDir string         // as in Options
	Run      *regexp.Regexp // calls whose "file: name" it matches; nil: all
	Update   bool           // write what came into the files of calls
	Hostile  int            // hostile inputs for each tool; 0: none
	Seed     uint64         // of the hostile inputs

	// Record does real exchanges, within what servlet.toml requests, and keeps them; else every exchange is
	// answered from what was kept, and nothing is sent.
	Record  bool
	Hosts   map[string]string // origins for http capabilities whose origin is the operator's to choose, by id
	Secrets map[string]capabilities.SecretValue
	Network guard.Network // for Record
}

// Test builds the source and makes the calls of its tests folder, each in a fresh sandbox that has what
// servlet.toml requests and its file gives, and can reach nothing else. It writes no file but with Update and
// Record, and those when all calls were made.
func Test(ctx context.Context, o TestOptions) (report TestReport, err error) {
	files, err := readTests(o)
	if err != nil {
		return report, err
	}
	t, end, err := newTester(ctx, o)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, end()) }()
	report.Seed = o.Seed
	if err := t.checkHosts(files); err != nil {
		return report, err
	}
	for _, f := range files {
		reports, err := t.file(ctx, f)
		if err != nil {
			return report, err
		}
		report.Calls = append(report.Calls, reports...)
		if f.changed != nil {
			report.Written = append(report.Written, f.calls.Name)
		}
		if f.recorded != nil {
			report.Written = append(report.Written, f.exchangesName())
		}
	}
	if o.Run != nil && len(report.Calls) == 0 {
		return report, fmt.Errorf("%w: no call has a \"FILE: NAME\" that %s matches", ErrDeclaration, capabilities.Printable(o.Run.String(), 100))
	}
	for _, f := range files {
		if err := f.write(o.Dir); err != nil {
			return report, err
		}
	}
	if o.Hostile > 0 {
		report.Hostile, err = t.hostile(ctx)
	}
	return report, err
}

// testFile is a file of calls with its exchanges.
type testFile struct {
	calls    *calls.File
	known    recording.File
	kept     *keptHere
	changed  []byte // what the file of calls has to become; nil: what it is
	recorded []byte // likewise
}

func (f *testFile) exchangesName() string {
	return strings.TrimSuffix(f.calls.Name, ".json") + recording.Suffix
}

// readTests reads all files before anything is built.
func readTests(o TestOptions) (files []*testFile, err error) {
	names, err := filepath.Glob(filepath.Join(o.Dir, callsFolder, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("%w: %s cannot be searched for files", ErrDeclaration, o.Dir)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: %s has no %s/*.json with calls", ErrDeclaration, o.Dir, callsFolder)
	}
	source, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("reading the tests: %w", err)
	}
	defer source.Close()
	for _, name := range names {
		if strings.HasSuffix(name, recording.Suffix) {
			continue
		}
		f, err := readTest(source, filepath.Base(name), o.Update)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: %s has no %s/*.json with calls", ErrDeclaration, o.Dir, callsFolder)
	}
	return files, nil
}

// readTest reads a file of the source's tests, and its exchanges.
func readTest(source *os.Root, name string, open bool) (*testFile, error) {
	short := callsFolder + "/" + name
	raw, err := readInside(source, filepath.FromSlash(short), calls.MaxFile)
	if err != nil {
		return nil, declined([]error{unreadable(short, err)})
	}
	f := &testFile{kept: &keptHere{}}
	if f.calls, err = calls.Parse(short, raw, open); err != nil {
		return nil, declined([]error{err})
	}
	raw, err = readInside(source, filepath.FromSlash(f.exchangesName()), recording.MaxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		f.known, err = recording.Parse(f.exchangesName(), raw)
	} else {
		err = unreadable(f.exchangesName(), err)
	}
	if err != nil {
		return nil, declined([]error{err})
	}
	return f, nil
}

func unreadable(name string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// file makes the calls of one file, in order.
func (t tester) file(ctx context.Context, f *testFile) (reports []CallReport, err error) {
	found := map[int][]calls.Difference{}
	var recorded []recording.Exchange
	made := map[string]bool{}
	for i, c := range f.calls.Calls {
		if t.options.Run != nil && !t.options.Run.MatchString(f.calls.Name+": "+c.Name) {
			continue
		}
		r, exchanges := t.call(ctx, f, i)
		if len(r.Differences) > 0 {
			found[i] = r.Differences
		}
		if len(r.Requests) == 0 {
			recorded, made[c.Name] = append(recorded, exchanges...), true
		}
		reports = append(reports, r)
	}
	if t.options.Update && len(found) > 0 {
		var left map[int]bool
		if f.changed, left, err = f.calls.Update(found); err != nil {
			return nil, err
		}
		n := 0
		for i, c := range f.calls.Calls {
			if t.options.Run != nil && !t.options.Run.MatchString(f.calls.Name+": "+c.Name) {
				continue
			}
			reports[n].Updated = len(found[i]) > 0 && !left[i]
			n++
		}
	}
	if t.options.Record {
		f.recorded, err = f.known.With(recorded, made, t.options.Hosts)
	}
	return reports, err
}

// write puts the new files in the place of the old.
func (f *testFile) write(dir string) error {
	for name, data := range map[string][]byte{f.calls.Name: f.changed, f.exchangesName(): f.recorded} {
		if data == nil {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("writing %s: it is no regular file", name)
		}
		if err := replaceFile(path, data); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// checkHosts refuses to record what would go nowhere: an origin that the operator has to choose and did not,
// or one that nobody may choose.
func (t tester) checkHosts(files []*testFile) error {
	if !t.options.Record {
		return nil
	}
	open := map[string]bool{}
	for _, h := range t.servlet.Manifest().Capabilities.HTTP {
		if open[h.ID] = h.Origin == "user"; !open[h.ID] {
			continue
		}
		for _, f := range files {
			if t.options.Hosts[h.ID] == "" && f.known.Hosts[h.ID] == "" {
				return fmt.Errorf("%w: the origin of http %q is yours to choose: name it with --host %s=ORIGIN", ErrDeclaration, h.ID, h.ID)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.options.Hosts)) {
		if isOpen, known := open[id]; !known || !isOpen {
			return fmt.Errorf("%w: servlet.toml has no http %q whose origin is yours to choose", ErrDeclaration, capabilities.Printable(id, 64))
		}
	}
	return nil
}
