package toolchain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/schema"
)

// callsFolder has the files with a servlet's calls and what they have to answer.
const callsFolder = "tests"

// maxCalls bounds one such file, in bytes.
const maxCalls = 4 << 20

// wantedCall is one call of a file. Exactly one of Text, Structured and Error says what is wanted.
type wantedCall struct {
	Name       string            `json:"name"`
	Tool       string            `json:"tool"`
	Arguments  json.RawMessage   `json:"arguments"`
	Config     map[string]string `json:"config"`     // the settings that the operator made
	Text       *string           `json:"text"`       // the texts of the content, joined by line ends
	Structured json.RawMessage   `json:"structured"` // the structured content, as JSON
	Error      *string           `json:"error"`      // a part of what the model is told went wrong
}

// CallReport is what one call came to.
type CallReport struct {
	File    string           `json:"file"`
	Name    string           `json:"name"`
	Failure string           `json:"failure,omitempty"` // empty: the answer is the wanted one
	Logs    []effect.LogLine `json:"logs,omitempty"`
	Fuel    uint64           `json:"fuel"`
	Wall    time.Duration    `json:"wall_ns"`
}

// TestOptions of a test.
type TestOptions struct {
	Dir      string // source folder with servlet.toml
	CacheDir string // as in Options
}

// Test builds the source and makes the calls of its tests folder, each in a fresh sandbox that has the
// settings which the call names and can reach nothing else. It writes no file.
func Test(ctx context.Context, o TestOptions) (reports []CallReport, err error) {
	files, err := filepath.Glob(filepath.Join(o.Dir, callsFolder, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%w: %s has no %s/*.json with calls", ErrDeclaration, o.Dir, callsFolder)
	}
	t, end, err := newTester(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	for _, file := range files {
		calls, err := readCalls(file)
		if err != nil {
			return nil, err
		}
		for _, c := range calls {
			reports = append(reports, t.call(ctx, filepath.ToSlash(filepath.Join(callsFolder, filepath.Base(file))), c))
		}
	}
	return reports, nil
}

func readCalls(path string) ([]wantedCall, error) {
	raw, err := readSource(path, maxCalls)
	if err != nil {
		return nil, declined([]error{err})
	}
	var file struct {
		Calls []wantedCall `json:"calls"`
	}
	if err := strictjson.Decode(raw, &file); err != nil {
		return nil, declined([]error{fmt.Errorf("%s: %w", path, err)})
	}
	if len(file.Calls) == 0 {
		return nil, declined([]error{fmt.Errorf("%s: it has no calls", path)})
	}
	for i, c := range file.Calls {
		wants := 0
		for _, is := range []bool{c.Text != nil, c.Structured != nil, c.Error != nil} {
			if is {
				wants++
			}
		}
		if c.Name == "" || c.Tool == "" || wants != 1 {
			return nil, declined([]error{fmt.Errorf("%s: call %d: it needs a name, a tool, and one of text, structured and error", path, i+1)})
		}
	}
	return file.Calls, nil
}

// tester makes calls of one servlet, under the decisions that a host makes.
type tester struct {
	servlet capabilities.Servlet
	code    *sandbox.Code
	inputs  map[string]*schema.Schema
}

// newTester builds the source in memory. end frees what it made.
func newTester(ctx context.Context, o TestOptions) (t tester, end func() error, err error) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // a file with it never exists
	a, err := assemble(ctx, o.Dir, o.CacheDir, key)
	if err != nil {
		return t, nil, err
	}
	file, err := capabilities.Seal(a.module, a.manifest, key)
	if err != nil {
		return t, nil, fmt.Errorf("testing: %w", err)
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		return t, nil, fmt.Errorf("testing: %w", err)
	}
	if t.servlet, err = unverified.Verify(); err != nil {
		return t, nil, fmt.Errorf("testing: %w", err)
	}
	t.inputs = map[string]*schema.Schema{}
	for _, tool := range t.servlet.Tools() {
		if t.inputs[tool.Name], err = schema.CompileInput(tool.InputSchema); err != nil {
			return t, nil, fmt.Errorf("testing: %w", err)
		}
	}
	engine, err := sandbox.New(ctx, sandbox.Config{CacheDir: o.CacheDir})
	if err != nil {
		return t, nil, fmt.Errorf("testing: %w", err)
	}
	end = func() error { return engine.Close(context.WithoutCancel(ctx)) }
	if t.code, err = engine.Compile(ctx, a.admitted); err != nil {
		return t, nil, errors.Join(fmt.Errorf("testing: %w", err), end())
	}
	return t, end, nil
}

// call makes one call, as a host that granted no more than the settings.
func (t tester) call(ctx context.Context, file string, c wantedCall) CallReport {
	r := CallReport{File: file, Name: capabilities.Printable(c.Name, 200)}
	input, known := t.inputs[c.Tool]
	if !known {
		r.Failure = fmt.Sprintf("the servlet has no tool %q", capabilities.Printable(c.Tool, 80))
		return r
	}
	if c.Arguments == nil {
		c.Arguments = json.RawMessage("{}")
	}
	if err := input.Check(c.Arguments); err != nil {
		r.Failure = c.compareError(err.Error())
		return r
	}
	request, err := json.Marshal(map[string]any{"method": "tools/call", "params": map[string]any{"name": c.Tool, "arguments": c.Arguments}})
	if err != nil {
		r.Failure = err.Error()
		return r
	}
	warden, err := t.guard(c)
	if err != nil {
		r.Failure = err.Error()
		return r
	}
	l := capabilities.EffectiveLimits(t.servlet.Manifest().Limits)
	out := t.code.Run(ctx, sandbox.Call{Entry: sandbox.EntryCall, Input: request, Host: warden, Limits: sandbox.Limits{
		Memory: int64(l.MemoryMB) << 20, Wall: time.Duration(l.WallMS) * time.Millisecond, Output: l.ResultKB << 10,
		Log: 64 << 10, HostCalls: 100_000,
	}})
	if err := warden.End(); err != nil {
		r.Failure = err.Error()
		return r
	}
	r.Logs, r.Fuel, r.Wall = out.Logs, out.Fuel, out.Wall
	if out.Fault != nil {
		r.Failure = c.compareError(out.Fault.Text)
		return r
	}
	r.Failure = c.compare(out.Output)
	return r
}

// compare tells how a result differs from the wanted one.
func (c wantedCall) compare(output []byte) string {
	var result struct {
		Content           []struct{ Text string }
		StructuredContent json.RawMessage
		IsError           bool
	}
	if err := json.Unmarshal(output, &result); err != nil {
		return "the answer is no result: " + capabilities.Printable(string(output), 200)
	}
	var texts []string
	for _, block := range result.Content {
		texts = append(texts, block.Text)
	}
	text := strings.Join(texts, "\n")
	switch {
	case result.IsError:
		return c.compareError(text)
	case c.Error != nil:
		return differ(text, "an error with "+*c.Error)
	case c.Text != nil && text != *c.Text:
		return differ(text, *c.Text)
	case c.Structured != nil && !sameJSON(result.StructuredContent, c.Structured):
		return differ(string(result.StructuredContent), string(c.Structured))
	}
	return ""
}

func (c wantedCall) compareError(text string) string {
	if c.Error == nil || !strings.Contains(text, *c.Error) {
		want := "no error"
		if c.Error != nil {
			want = "an error with " + *c.Error
		}
		return differ("the error "+text, want)
	}
	return ""
}

func differ(got, want string) string {
	return fmt.Sprintf("got %s, want %s", capabilities.Printable(got, 300), capabilities.Printable(want, 300))
}

// sameJSON compares values, not spellings.
func sameJSON(a, b []byte) bool {
	decode := func(raw []byte) (v any, err error) {
		d := json.NewDecoder(bytes.NewReader(raw))
		err = d.Decode(&v)
		return v, err
	}
	x, errX := decode(a)
	y, errY := decode(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// guard is what a host puts before a call of which the operator granted the settings alone.
func (t tester) guard(c wantedCall) (*guard.Guard, error) {
	m := t.servlet.Manifest()
	rights := capabilities.Rights{Tools: []string{c.Tool}}
	for _, declared := range m.Capabilities.Config {
		rights.Config = append(rights.Config, declared.Key)
	}
	digest := t.servlet.ManifestDigest()
	grant := capabilities.Grant{Servlet: m.Name, Publisher: t.servlet.KeyID(), Manifest: digest, Rights: rights}
	policy, err := capabilities.Effective(m, digest, grant, capabilities.Local(capabilities.DefaultSpace), "test", c.Tool, c.Config)
	if err != nil {
		return nil, err
	}
	return guard.New(guard.Config{Policy: policy, Recorder: unrecorded{}})
}

// unrecorded takes the records of a test's calls, which nobody reads.
type unrecorded struct{}

func (unrecorded) Record(context.Context, guard.Event) error { return nil }
