package toolchain_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/schema"
	"github.com/writ-run/writ/sdk/toolchain"
)

// installed is a servlet as a host has it: verified and compiled.
type installed struct {
	servlet capabilities.Servlet
	code    *sandbox.Code
}

// filesystem is servlets/filesystem, built once.
var filesystem = sync.OnceValues(func() (installed, error) {
	dir, err := os.MkdirTemp("", "writ-filesystem-")
	if err != nil {
		return installed{}, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "filesystem.wasm")
	if _, err := toolchain.Build(context.Background(), toolchain.Options{Dir: "../../servlets/filesystem", Output: out, Key: key, CacheDir: cacheDir}); err != nil {
		return installed{}, err
	}
	file, err := os.ReadFile(out)
	if err != nil {
		return installed{}, err
	}
	u, err := capabilities.Read(file)
	if err != nil {
		return installed{}, err
	}
	s, err := u.Verify()
	if err != nil {
		return installed{}, err
	}
	admitted, err := sandbox.Admit(s.Module(), capabilities.ABI, []capabilities.Kind{capabilities.KindFS})
	if err != nil {
		return installed{}, err
	}
	engine, err := sandbox.New(context.Background(), sandbox.Config{CacheDir: cacheDir})
	if err != nil {
		return installed{}, err
	}
	code, err := engine.Compile(context.Background(), admitted)
	return installed{s, code}, err
})

// events keeps what a guard records.
type events struct {
	mu  sync.Mutex
	all []guard.Event
}

func (e *events) Record(_ context.Context, one guard.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, one)
	return nil
}

// callFilesystem calls a tool as a host does: policy, guard, sandbox. mode is what the operator gave, none
// meaning that the folder was not granted.
func callFilesystem(t *testing.T, dir string, mode capabilities.Mode, tool, arguments string) (string, bool) {
	t.Helper()
	fs, err := filesystem()
	if err != nil {
		t.Fatal(err)
	}
	m := fs.servlet.Manifest()
	rights := capabilities.Rights{FS: map[string]capabilities.FSRight{}}
	for _, one := range fs.servlet.Tools() {
		rights.Tools = append(rights.Tools, one.Name)
		if one.Name != tool {
			continue
		}
		s, err := schema.CompileInput(one.InputSchema)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check([]byte(arguments)); err != nil {
			return err.Error(), true
		}
	}
	if mode != capabilities.ModeNone {
		rights.FS["docs"] = capabilities.FSRight{Guest: "/docs", Path: dir, Mode: mode}
	}
	policy, err := capabilities.Effective(m, fs.servlet.ManifestDigest(), capabilities.Grant{
		Servlet: m.Name, Publisher: fs.servlet.KeyID(), Manifest: fs.servlet.ManifestDigest(), Rights: rights,
	}, capabilities.Local(capabilities.DefaultSpace), "filesystem", tool, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(guard.Config{Policy: policy, Recorder: &events{}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.End()
	return textOf(t, fs.code.Run(t.Context(), sandbox.Call{
		Entry: sandbox.EntryCall, Host: g,
		Input: []byte(`{"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `}}`),
		Limits: sandbox.Limits{
			Memory: int64(m.Limits.MemoryMB) << 20, Wall: time.Duration(m.Limits.WallMS) * time.Millisecond,
			Output: m.Limits.ResultKB << 10, Log: 16 << 10, HostCalls: 100_000,
		},
	}))
}

// playground is a folder with a secret beside it and links to that secret.
func playground(t *testing.T) string {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "folder")
	for name, text := range map[string]string{
		"secret.txt": "SECRET", "folder/a.txt": "one\ntwo\n", "folder/sub/b.md": "b", "folder/script.sh": "#!/bin/sh\r\necho hi\r\n",
	} {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"out": filepath.Join(base, "secret.txt"), "out-relative": "../secret.txt", "out-dir": base, "inside": "a.txt",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFilesystemServlet(t *testing.T) {
	dir := playground(t)
	rows := []struct {
		name, tool, arguments, want string
		isError                     bool
	}{
		{"read", "read_text_file", `{"path":"/docs/a.txt"}`, "one\ntwo\n", false},
		{"read the end", "read_text_file", `{"path":"a.txt","tail":1}`, "two\n", false},
		{"read through a link inside", "read_text_file", `{"path":"inside"}`, "one\ntwo\n", false},
		{"read several", "read_multiple_files", `{"paths":["a.txt","sub/b.md"]}`, "a.txt:\none\ntwo\n\n---\nsub/b.md:\nb", false},
		{"list", "list_directory", `{}`, "[FILE] a.txt\n[LINK] inside\n[LINK] out\n[LINK] out-dir\n[LINK] out-relative\n[FILE] script.sh\n[DIR] sub", false},
		{"list with sizes", "list_directory_with_sizes", `{"path":"sub"}`, "[FILE]        1 B  b.md", false},
		{"tree", "directory_tree", `{"path":"sub"}`, `"name": "b.md"`, false},
		{"search", "search_files", `{"pattern":"**/*.MD"}`, "/docs/sub/b.md", false},
		{"information", "get_file_info", `{"path":"a.txt"}`, `"type":"file","size":8,`, false},
		{"allowed", "list_allowed_directories", `{}`, "Allowed directories:\n/docs", false},
		{"create", "write_file", `{"path":"new.txt","content":"hello"}`, "Created /docs/new.txt (5 B).", false},
		{"replace", "write_file", `{"path":"new.txt","content":"hello again"}`, "Replaced /docs/new.txt (11 B).", false},
		{"edit a file with CRLF", "edit_file", `{"path":"script.sh","edits":[{"oldText":"echo hi\n","newText":"echo bye\nexit\n"}]}`, "+echo bye\r\n+exit\r\n", false},
		{"directories", "create_directory", `{"path":"x/y"}`, "Created /docs/x/y.", false},
		{"move", "move_file", `{"source":"new.txt","destination":"x/y/moved.txt"}`, "Moved /docs/new.txt to /docs/x/y/moved.txt.", false},
		{"an argument that the schema refuses", "read_text_file", `{"path":"a.txt","head":0}`, "arguments.head", true},

		{"deny a path outside", "read_text_file", `{"path":"/etc/passwd"}`, "/etc/passwd is outside of /docs, the only folder here", true},
		{"deny climbing out", "read_text_file", `{"path":"sub/../../secret.txt"}`, "is outside of /docs", true},
		{"deny a link out", "read_text_file", `{"path":"out"}`, "/docs/out leads out of the folder", true},
		{"deny a relative link out", "read_text_file", `{"path":"out-relative"}`, "/docs/out-relative leads out of the folder", true},
		{"deny a directory link out", "read_text_file", `{"path":"out-dir/secret.txt"}`, "leads out of the folder", true},
		{"deny listing through a link out", "list_directory", `{"path":"out-dir"}`, "leads out of the folder", true},
		{"deny writing through a link out", "write_file", `{"path":"out","content":"gone"}`, "leads out of the folder", true},
		{"deny editing through a link out", "edit_file", `{"path":"out","edits":[{"oldText":"SECRET","newText":"gone"}]}`, "leads out of the folder", true},
		{"deny moving out", "move_file", `{"source":"a.txt","destination":"out-dir/a.txt"}`, "leads out of the folder", true},
		{"deny what is not there", "read_text_file", `{"path":"none"}`, "/docs/none does not exist", true},
		{"deny overwriting by a move", "move_file", `{"source":"a.txt","destination":"script.sh"}`, "exists already", true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			text, isError := callFilesystem(t, dir, capabilities.ModeFull, row.tool, row.arguments)
			if !strings.Contains(text, row.want) || isError != row.isError {
				t.Errorf("error %v: %s\nwant %s", isError, text, row.want)
			}
			if strings.Contains(text, filepath.Dir(dir)) || strings.Contains(text, "SECRET") {
				t.Errorf("the answer tells too much: %s", text)
			}
		})
	}
	for path, want := range map[string]string{
		"../secret.txt": "SECRET", "x/y/moved.txt": "hello again", "script.sh": "#!/bin/sh\r\necho bye\r\nexit\r\n", "a.txt": "one\ntwo\n",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".writ-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Control for the denials above: with the same folder but nothing granted, or read-only, the same calls
// that worked there are refused by the guard, not by the servlet's own manners.
func TestFilesystemServletHasWhatWasGranted(t *testing.T) {
	dir := playground(t)
	rows := []struct {
		name            string
		mode            capabilities.Mode
		tool, arguments string
		want            string
		isError         bool
	}{
		{"read-only: read", capabilities.ModeRead, "read_text_file", `{"path":"a.txt"}`, "one", false},
		{"read-only: write", capabilities.ModeRead, "write_file", `{"path":"a.txt","content":"x"}`, "read-only", true},
		{"read-only: edit", capabilities.ModeRead, "edit_file", `{"path":"a.txt","edits":[{"oldText":"one","newText":"1"}]}`, "read-only", true},
		{"read-only: a dry run", capabilities.ModeRead, "edit_file", `{"path":"a.txt","dryRun":true,"edits":[{"oldText":"one","newText":"1"}]}`, "+1", false},
		{"read-only: move", capabilities.ModeRead, "move_file", `{"source":"a.txt","destination":"b"}`, "read-only", true},
		{"read-only: directory", capabilities.ModeRead, "create_directory", `{"path":"d"}`, "read-only", true},
		{"nothing: read", capabilities.ModeNone, "read_text_file", `{"path":"a.txt"}`, "this tool was not given the folder, or not for that; whoever runs Writ can give it with `writ grant`", true},
		{"nothing: list", capabilities.ModeNone, "list_directory", `{}`, "this tool was not given the folder, or not for that; whoever runs Writ can give it with `writ grant`", true},
		{"nothing: write", capabilities.ModeNone, "write_file", `{"path":"a.txt","content":"x"}`, "this tool was not given the folder, or not for that; whoever runs Writ can give it with `writ grant`", true},
		{"nothing: what is allowed", capabilities.ModeNone, "list_allowed_directories", `{}`, "nobody granted it", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			text, isError := callFilesystem(t, dir, row.mode, row.tool, row.arguments)
			if !strings.Contains(text, row.want) || isError != row.isError {
				t.Errorf("error %v: %s\nwant %s", isError, text, row.want)
			}
		})
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a.txt")); err != nil || string(got) != "one\ntwo\n" {
		t.Errorf("a.txt holds %q (%v)", got, err)
	}
}

// The reading tools are read-only by what they may use, and so are their hints.
func TestFilesystemServletReadingToolsCannotWrite(t *testing.T) {
	fs, err := filesystem()
	if err != nil {
		t.Fatal(err)
	}
	m := fs.servlet.Manifest()
	var writing []string
	for _, tool := range fs.servlet.Tools() {
		if tool.ReadOnly == m.Writes(tool.Name) {
			t.Errorf("%s: read-only %v, but its uses are %v", tool.Name, tool.ReadOnly, m.Uses[tool.Name])
		}
		if m.Writes(tool.Name) {
			writing = append(writing, tool.Name)
		}
		if !json.Valid(tool.InputSchema) || len(m.Uses[tool.Name]) == 0 {
			t.Errorf("%s has no uses", tool.Name)
		}
	}
	if !slices.Equal(writing, []string{"write_file", "edit_file", "create_directory", "move_file"}) {
		t.Errorf("tools that write: %v", writing)
	}
}
