package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/sdk/go/servlettest"
)

// inFolder gives the test a folder with some files, and the servlet on it.
func inFolder(t *testing.T, files map[string]string) (*servlettest.Servlet, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := docs
	t.Cleanup(func() { docs = before })
	docs = folder{real: dir, shown: "/docs"}
	return servlettest.New(t, servlettest.Host{}), dir
}

// row is one call and what it must answer. want is the whole text; contains is a part of it.
type row struct {
	name, tool, arguments string
	want, contains        string
	isError               bool
}

func check(t *testing.T, s *servlettest.Servlet, dir string, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := s.Call(row.tool, row.arguments)
			text := r.Text()
			if row.contains == "" && text != row.want || !strings.Contains(text, row.contains) || r.IsError != row.isError {
				t.Errorf("error %v, got:\n%s\nwant:\n%s%s", r.IsError, text, row.want, row.contains)
			}
			if strings.Contains(text, dir) {
				t.Errorf("the answer tells where the folder is: %s", text)
			}
		})
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestReading(t *testing.T) {
	s, dir := inFolder(t, map[string]string{
		"a.txt": "one\ntwo\nthree\n", "open.txt": "one\ntwo", "empty.txt": "", "bom.txt": "\ufeffhi",
		"data.bin": "a\x00b", "utf16.txt": "\xff\xfeh\x00", "latin.txt": "caf\xe9",
		"big.txt": strings.Repeat("0123456789abcde\n", 40_000), "long.txt": strings.Repeat("x", maxText+10), "sub/": "",
	})
	check(t, s, dir, []row{
		{name: "whole", tool: "read_text_file", arguments: `{"path":"/docs/a.txt"}`, want: "one\ntwo\nthree\n"},
		{name: "relative", tool: "read_text_file", arguments: `{"path":"sub/../a.txt"}`, want: "one\ntwo\nthree\n"},
		{name: "empty", tool: "read_text_file", arguments: `{"path":"empty.txt"}`, want: ""},
		{name: "byte order mark", tool: "read_text_file", arguments: `{"path":"bom.txt"}`, want: "hi"},
		{name: "head", tool: "read_text_file", arguments: `{"path":"a.txt","head":2}`, want: "one\ntwo\n"},
		{name: "more head than there is", tool: "read_text_file", arguments: `{"path":"open.txt","head":9}`, want: "one\ntwo"},
		{name: "tail", tool: "read_text_file", arguments: `{"path":"a.txt","tail":2}`, want: "two\nthree\n"},
		{name: "tail without a last line break", tool: "read_text_file", arguments: `{"path":"open.txt","tail":1}`, want: "two"},
		{name: "more tail than there is", tool: "read_text_file", arguments: `{"path":"a.txt","tail":9}`, want: "one\ntwo\nthree\n"},
		{name: "tail of nothing", tool: "read_text_file", arguments: `{"path":"empty.txt","tail":1}`, want: ""},
		{name: "head of a big file", tool: "read_text_file", arguments: `{"path":"big.txt","head":1}`, want: "0123456789abcde\n"},
		{name: "tail across chunks", tool: "read_text_file", arguments: `{"path":"big.txt","tail":2000}`, want: strings.Repeat("0123456789abcde\n", 2000)},
		{name: "deny head and tail", tool: "read_text_file", arguments: `{"path":"a.txt","head":1,"tail":1}`, contains: "head or tail, not both", isError: true},
		{name: "deny a big file", tool: "read_text_file", arguments: `{"path":"big.txt"}`, want: "/docs/big.txt has 625.0 KB and one answer carries 512.0 KB: read a part with head or tail", isError: true},
		{name: "deny too many lines", tool: "read_text_file", arguments: `{"path":"big.txt","tail":39000}`, contains: "ask for fewer", isError: true},
		{name: "deny one endless line", tool: "read_text_file", arguments: `{"path":"long.txt","head":1}`, contains: "ask for fewer", isError: true},
		{name: "deny binary", tool: "read_text_file", arguments: `{"path":"data.bin"}`, contains: "/docs/data.bin is not a text file", isError: true},
		{name: "deny another encoding", tool: "read_text_file", arguments: `{"path":"latin.txt"}`, contains: "is not a text file", isError: true},
		{name: "deny UTF-16", tool: "read_text_file", arguments: `{"path":"utf16.txt"}`, contains: "is UTF-16 text", isError: true},
		{name: "deny a directory", tool: "read_text_file", arguments: `{"path":"sub"}`, contains: "/docs/sub is a directory", isError: true},
		{name: "deny what is not there", tool: "read_text_file", arguments: `{"path":"none.txt"}`, contains: "/docs/none.txt does not exist", isError: true},
		{name: "deny a path through a file", tool: "read_text_file", arguments: `{"path":"a.txt/b"}`, contains: "/docs/a.txt/b is not a directory, or leads through a file", isError: true},
		{name: "several, one of them missing", tool: "read_multiple_files", arguments: `{"paths":["open.txt","none.txt","/etc/passwd"]}`,
			want: "open.txt:\none\ntwo\n---\nnone.txt: Error - /docs/none.txt does not exist; list_directory and search_files show what does\n---\n/etc/passwd: Error - /etc/passwd is outside of /docs, the only folder here"},
	})
}

func TestPathsStayInTheFolder(t *testing.T) {
	s, dir := inFolder(t, map[string]string{"a.txt": "a"})
	for _, path := range []string{"/etc/passwd", "/", "..", "../x", "a/../../x", "/docs/../etc/passwd", "/docsx/a", "/docs/../docs/../x", "//etc"} {
		for _, tool := range []string{"read_text_file", "list_directory", "get_file_info", "create_directory", "search_files"} {
			arguments, _ := json.Marshal(map[string]string{"path": path})
			if tool == "search_files" {
				arguments, _ = json.Marshal(map[string]string{"path": path, "pattern": "*"})
			}
			r := s.Call(tool, arguments)
			if !r.IsError || r.Text() != path+" is outside of /docs, the only folder here" {
				t.Errorf("%s of %q answered %q", tool, path, r.Text())
			}
		}
	}
	check(t, s, dir, []row{
		{name: "deny NUL", tool: "read_text_file", arguments: `{"path":"a\u0000"}`, contains: "no NUL", isError: true},
		{name: "allow the folder in other words", tool: "read_text_file", arguments: `{"path":"/docs//./a.txt"}`, want: "a"},
	})
}

func TestReadingMedia(t *testing.T) {
	s, _ := inFolder(t, map[string]string{"a.PNG": "\x89PNG", "b.wav": "RIFF", "c.pdf": "%PDF", "big.png": strings.Repeat("x", maxMedia+1)})
	rows := []struct{ path, kind, mime, data string }{
		{"a.PNG", "image", "image/png", "\x89PNG"},
		{"b.wav", "audio", "audio/wav", "RIFF"},
		{"c.pdf", "resource", "application/octet-stream", "%PDF"},
	}
	for _, row := range rows {
		r := s.Call("read_media_file", pathInput{Path: row.path})
		if r.IsError || len(r.Content) != 1 || r.Content[0].Type != row.kind {
			t.Errorf("%s: got %+v", row.path, r)
			continue
		}
		mime, data := r.Content[0].MIMEType, r.Content[0].Data
		if res := r.Content[0].Resource; res != nil {
			mime, data = res.MIMEType, res.Blob
			if res.URI != "file:///docs/c.pdf" {
				t.Errorf("URI is %s", res.URI)
			}
		}
		if mime != row.mime || string(data) != row.data {
			t.Errorf("%s: got %s %q", row.path, mime, data)
		}
	}
	if r := s.Call("read_media_file", pathInput{Path: "big.png"}); !r.IsError || !strings.Contains(r.Text(), "one answer carries 2.0 MB") {
		t.Errorf("got %q", r.Text())
	}
}

func TestListing(t *testing.T) {
	s, dir := inFolder(t, map[string]string{"b.txt": "12345", "a.md": "1", "sub/deep/x.log": "", "sub/y.md": "y", "none/": ""})
	if err := os.Symlink("b.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	check(t, s, dir, []row{
		{name: "the folder", tool: "list_directory", arguments: `{}`, want: "[FILE] a.md\n[FILE] b.txt\n[LINK] link\n[DIR] none\n[DIR] sub"},
		{name: "an empty one", tool: "list_directory", arguments: `{"path":"none"}`, want: "/docs/none is empty."},
		{name: "deny a file", tool: "list_directory", arguments: `{"path":"a.md"}`, contains: "/docs/a.md is not a directory", isError: true},
		{name: "sizes by size", tool: "list_directory_with_sizes", arguments: `{"path":"sub","sortBy":"size"}`,
			want: "[FILE]        1 B  y.md\n[DIR]              deep\n\nTotal: 1 files, 1 directories\nCombined size: 1 B"},
		{name: "deny another order", tool: "list_directory_with_sizes", arguments: `{"sortBy":"date"}`, contains: `expected one of "name", "size"`, isError: true},
		{name: "the allowed directories", tool: "list_allowed_directories", arguments: `{}`, want: "Allowed directories:\n/docs"},
		{name: "a search in the directory itself", tool: "search_files", arguments: `{"pattern":"*.MD"}`, want: "/docs/a.md"},
		{name: "a search at any depth", tool: "search_files", arguments: `{"pattern":"**/*.md"}`, want: "/docs/a.md\n/docs/sub/y.md"},
		{name: "a search further down", tool: "search_files", arguments: `{"path":"sub","pattern":"*"}`, want: "/docs/sub/deep\n/docs/sub/y.md"},
		{name: "a search without what is excluded", tool: "search_files", arguments: `{"pattern":"**","excludePatterns":["deep","*.txt"]}`, want: "/docs/a.md\n/docs/link\n/docs/none\n/docs/sub\n/docs/sub/y.md"},
		{name: "a search that finds nothing", tool: "search_files", arguments: `{"pattern":"*.go"}`, contains: "No matches."},
		{name: "deny a broken pattern", tool: "search_files", arguments: `{"pattern":"[a"}`, contains: `pattern "[a": a [ has no ]`, isError: true},
		{name: "a tree", tool: "directory_tree", arguments: `{"path":"sub","excludePatterns":["*.log"]}`,
			want: "[\n  {\n    \"name\": \"deep\",\n    \"type\": \"directory\",\n    \"children\": [\n      {\n        \"name\": \"x.log\",\n        \"type\": \"file\"\n      }\n    ]\n  },\n  {\n    \"name\": \"y.md\",\n    \"type\": \"file\"\n  }\n]"},
		{name: "a tree of nothing", tool: "directory_tree", arguments: `{"path":"none"}`, want: "[]"},
		{name: "a file's information", tool: "get_file_info", arguments: `{"path":"b.txt"}`, contains: `{"path":"/docs/b.txt","type":"file","size":5,"modified":"20`},
		{name: "a link's information", tool: "get_file_info", arguments: `{"path":"link"}`, contains: `"type":"link"`},
	})
}

func TestListingIsBounded(t *testing.T) {
	s, dir := inFolder(t, nil)
	for i := range maxEntries + 5 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check(t, s, dir, []row{
		{name: "list", tool: "list_directory", arguments: `{}`, contains: "[FILE] 1999\nand 5 more; search_files finds them by name"},
		{name: "search", tool: "search_files", arguments: `{"pattern":"*"}`, contains: "There are more than 2000 matches: narrow the pattern."},
		{name: "tree", tool: "directory_tree", arguments: `{}`, contains: "more than 2000 entries", isError: true},
	})
}

func TestChanging(t *testing.T) {
	s, dir := inFolder(t, map[string]string{"a.txt": "old", "sub/b.txt": "b", "target": "kept"})
	if err := os.Symlink("target", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	check(t, s, dir, []row{
		{name: "create", tool: "write_file", arguments: `{"path":"new.txt","content":"hello"}`, want: "Created /docs/new.txt (5 B)."},
		{name: "replace", tool: "write_file", arguments: `{"path":"a.txt","content":"new"}`, want: "Replaced /docs/a.txt (3 B)."},
		{name: "write through a link", tool: "write_file", arguments: `{"path":"link","content":"through"}`, want: "Replaced /docs/link (7 B)."},
		{name: "deny a missing directory", tool: "write_file", arguments: `{"path":"no/x.txt","content":""}`, want: "there is no directory /docs/no; create_directory makes it", isError: true},
		{name: "deny a directory", tool: "write_file", arguments: `{"path":"sub","content":""}`, want: "/docs/sub is a directory", isError: true},
		{name: "directories", tool: "create_directory", arguments: `{"path":"x/y/z"}`, want: "Created /docs/x/y/z."},
		{name: "a directory again", tool: "create_directory", arguments: `{"path":"x/y/z"}`, want: "/docs/x/y/z exists already."},
		{name: "deny a directory over a file", tool: "create_directory", arguments: `{"path":"a.txt"}`, contains: "/docs/a.txt", isError: true},
		{name: "move", tool: "move_file", arguments: `{"source":"sub/b.txt","destination":"x/c.txt"}`, want: "Moved /docs/sub/b.txt to /docs/x/c.txt."},
		{name: "deny a destination that exists", tool: "move_file", arguments: `{"source":"a.txt","destination":"new.txt"}`, want: "/docs/new.txt exists already: choose another destination", isError: true},
		{name: "deny a source that does not", tool: "move_file", arguments: `{"source":"none","destination":"n"}`, contains: "/docs/none does not exist", isError: true},
		{name: "deny a destination nowhere", tool: "move_file", arguments: `{"source":"a.txt","destination":"no/a.txt"}`, contains: "there is no directory /docs/no", isError: true},
		{name: "deny the folder itself", tool: "move_file", arguments: `{"source":".","destination":"x/all"}`, contains: "/docs itself cannot be moved", isError: true},
	})
	for name, want := range map[string]string{"new.txt": "hello", "a.txt": "new", "target": "through", "x/c.txt": "b"} {
		if got := read(t, dir, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if info, err := os.Lstat(filepath.Join(dir, "link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".writ-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestToolsAndTheirHints(t *testing.T) {
	s, _ := inFolder(t, nil)
	var got []string
	for _, tool := range s.Tools() {
		line := tool.Name
		for _, hint := range []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} {
			if tool.Annotations[hint] {
				line += " " + strings.TrimSuffix(hint, "Hint")
			}
		}
		got = append(got, line)
	}
	want := []string{
		"read_text_file readOnly", "read_media_file readOnly", "read_multiple_files readOnly",
		"list_directory readOnly", "list_directory_with_sizes readOnly", "directory_tree readOnly",
		"search_files readOnly", "get_file_info readOnly", "list_allowed_directories readOnly",
		"write_file destructive idempotent", "edit_file destructive", "create_directory idempotent", "move_file destructive",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
