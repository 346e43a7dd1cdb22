package abi_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/sdk/toolchain"
	"github.com/writ-run/writ/testdata/cargo"
)

var update = flag.Bool("update", false, "write the table of README.md anew")

// languages are the SDKs, the folders with the servlet in each, and the file that its tools are in.
var languages = []struct{ name, folder, source string }{
	{"Go", "go", "main.go"}, {"Rust", "rust", "src/lib.rs"}, {"TypeScript", "typescript", "main.ts"},
}

// TestTranscripts has the servlet of every language hold every conversation, and README.md say so.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("transcripts/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	transcripts := map[string]transcript{}
	for _, file := range files {
		if transcripts[file], err = readTranscript(file); err != nil {
			t.Fatal(err)
		}
	}
	shown, all := results{}, true
	for _, language := range languages {
		t.Run(language.folder, func(t *testing.T) {
			if language.folder == "rust" {
				all = false // until it is known that it is not skipped
				cargo.Need(t)
				t.Setenv("CARGO_TARGET_DIR", cargo.Target())
				all = true
			}
			s := build(t, language.folder)
			s.source = language.source
			for _, file := range files {
				name := strings.TrimSuffix(filepath.Base(file), ".txtar")
				held := t.Run(name, func(t *testing.T) { s.hold(t, transcripts[file]) })
				shown.add(transcripts[file], language.name, held)
			}
		})
	}
	if all && !t.Failed() {
		shown.check(t)
	}
}

// servlet is what one language made.
type servlet struct {
	capabilities.Servlet
	code   *sandbox.Code
	source string // file
}

func build(t *testing.T, folder string) servlet {
	t.Helper()
	out, cache := filepath.Join(t.TempDir(), "abi.wasm"), filepath.Join(t.TempDir(), "code")
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	if _, err := toolchain.Build(t.Context(), toolchain.Options{Dir: folder, Output: out, Key: key, CacheDir: cache}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := unverified.Verify()
	if err != nil {
		t.Fatal(err)
	}
	admitted, err := sandbox.Admit(s.Module(), capabilities.ABI, s.Manifest().Capabilities.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	engine, err := sandbox.New(t.Context(), sandbox.Config{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	code, err := engine.Compile(t.Context(), admitted)
	if err != nil {
		t.Fatal(err)
	}
	return servlet{Servlet: s, code: code}
}

// hold is one transcript.
func (s servlet) hold(t *testing.T, want transcript) {
	if want.tool != "" {
		s.describes(t, want)
	}
	if want.called == "" {
		return
	}
	first := s.call(t, want)
	if want.twice && first == s.call(t, want) {
		t.Errorf("two calls answer %s", first)
	}
}

// describes compares what is signed about a tool.
func (s servlet) describes(t *testing.T, want transcript) {
	wanted, err := value(want.signed)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range s.Manifest().Tools {
		got, err := value(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got.(map[string]any)["name"] == want.tool {
			if !includes(got, wanted) {
				t.Errorf("signed is\n%s\nwant\n%s", raw, want.signed)
			}
			return
		}
	}
	t.Errorf("there is no tool %s", want.tool)
}

// call makes the call in a fresh sandbox and returns its answer.
func (s servlet) call(t *testing.T, want transcript) string {
	docs := t.TempDir()
	for name, text := range want.before {
		path := filepath.Join(docs, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := s.guard(t, want.called, docs)
	host := newReplay(files, want.host)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	input, err := json.Marshal(map[string]any{"method": "tools/call", "params": map[string]any{"name": want.called, "arguments": want.arguments}})
	if err != nil {
		t.Fatal(err)
	}
	out := s.code.Run(ctx, sandbox.Call{
		Entry: sandbox.EntryCall, Input: input, Host: host,
		Limits: sandbox.Limits{Memory: 64 << 20, Wall: time.Minute, Output: 1 << 20, Log: 64 << 10, HostCalls: 100_000},
		Progress: func(done, total float64, text string) {
			host.progress(done, total, text)
			if want.cancel {
				cancel()
			}
		},
	})
	if err := files.End(); err != nil {
		t.Error(err)
	}
	for _, problem := range host.problems() {
		t.Error(problem)
	}
	compareLogs(t, out.Logs, want.log, s.source)
	if after := tree(t, docs); !maps.Equal(after, want.after) {
		t.Errorf("the files are %q, want %q", after, want.after)
	}
	compare(t, out, want)
	return string(out.Output)
}

// guard gives the tool the folder, and everything that the manifest wants; what it asks for is the
// transcript's to answer.
func (s servlet) guard(t *testing.T, tool, docs string) *guard.Guard {
	t.Helper()
	m, digest := s.Manifest(), s.ManifestDigest()
	rights := capabilities.Rights{
		Tools: []string{tool},
		FS:    map[string]capabilities.FSRight{"docs": {Guest: "/docs", Path: docs, Mode: capabilities.ModeFull}},
	}
	grant := capabilities.Grant{Servlet: m.Name, Publisher: s.KeyID(), Manifest: digest, Rights: rights}
	policy, err := capabilities.Effective(m, digest, grant, capabilities.Local(capabilities.DefaultSpace), "abi", tool, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(guard.Config{Policy: policy, Recorder: unread{}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// unread takes the records that nobody reads.
type unread struct{}

func (unread) Record(context.Context, guard.Event) error { return nil }

var levels = map[effect.LogLevel]string{effect.Debug: "debug", effect.Info: "info", effect.Warn: "warn", effect.Fault: "error"}

// compareLogs wants lines that have the wanted texts, in their order.
func compareLogs(t *testing.T, logs []effect.LogLine, want []string, source string) {
	t.Helper()
	if len(want) == 0 && len(logs) > 0 {
		t.Errorf("it logs %v", logs)
	}
	left := logs
	for _, line := range want {
		level, text, _ := strings.Cut(strings.ReplaceAll(line, "SOURCE", source), " ")
		i := slices.IndexFunc(left, func(l effect.LogLine) bool { return levels[l.Level] == level && strings.Contains(l.Text, text) })
		if i < 0 {
			t.Errorf("no line %q in its place in %v", line, logs)
			return
		}
		left = left[i+1:]
	}
}

func compare(t *testing.T, out sandbox.Outcome, want transcript) {
	t.Helper()
	if out.Fault != nil {
		if !slices.Contains(want.faults, string(out.Fault.Kind)) {
			t.Errorf("it fails: %v; log: %v", out.Fault, out.Logs)
		}
		return
	}
	if want.faults != nil {
		t.Errorf("it does not fail, and answers %s", out.Output)
	}
	if want.answer == nil {
		return
	}
	got, err := value(out.Output)
	wanted, err2 := value(want.answer)
	if err != nil || err2 != nil || !includes(got, wanted) || isError(got) != isError(wanted) {
		t.Errorf("it answers\n%s\nwant\n%s\n%v %v", out.Output, want.answer, err, err2)
	}
}

func isError(result any) bool { return result.(map[string]any)["isError"] == true }

// tree has the files below a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		out[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// results say which transcripts each language holds, by feature.
type results map[string]*feature

type feature struct {
	shows []string
	held  map[string]int
}

func (r results) add(of transcript, language string, held bool) {
	f := r[of.feature]
	if f == nil {
		f = &feature{held: map[string]int{}}
		r[of.feature] = f
	}
	if says := strings.ToUpper(of.says[:1]) + of.says[1:]; !slices.Contains(f.shows, says) {
		f.shows = append(f.shows, says)
	}
	if held {
		f.held[language]++
	}
}

// Where the table stands in README.md.
const (
	tableBegin = "<!-- what testdata/abi shows -->\n"
	tableEnd   = "<!-- end -->\n"
)

// check holds the table of README.md to what was seen.
func (r results) check(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString("| |")
	for _, language := range languages {
		b.WriteString(" " + language.name + " |")
	}
	b.WriteString(" which means |\n| --- |" + strings.Repeat(" --- |", len(languages)) + " --- |\n")
	for _, name := range slices.Sorted(maps.Keys(r)) {
		f := r[name]
		b.WriteString("| " + name + " |")
		for _, language := range languages {
			mark := "yes"
			if f.held[language.name] < len(f.shows) {
				mark = fmt.Sprintf("%d of %d", f.held[language.name], len(f.shows))
			}
			b.WriteString(" " + mark + " |")
		}
		b.WriteString(" " + strings.Join(f.shows, " ") + " |\n")
	}
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), tableBegin)
	old, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the table")
	}
	if old == b.String() {
		return
	}
	if !*update {
		t.Fatalf("README.md has another table than what was seen; to write it: go test ./testdata/abi -update\n%s", b.String())
	}
	if err := os.WriteFile("../../README.md", []byte(before+tableBegin+b.String()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
