//go:build unix

package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// publish FILE NAME VERSION SEQ [WORD]... writes a release whose one tool "say" answers with its version.
// Words: "stranger" signs with another key, "expired" is what the file is, "text=TEXT" describes the tool,
// "tool=NAME" adds one, "site=ORIGIN" asks for a site as "api".
func publish(ts *testscript.TestScript, _ bool, args []string) {
	seq, err := strconv.ParseUint(args[3], 10, 64)
	ts.Check(err)
	key, err := readKey(built.key)
	ts.Check(err)
	m := capabilities.Manifest{
		Schema: capabilities.Schema, Name: args[1], Version: args[2], Seq: seq,
		Issued: "2026-01-01T00:00:00Z", Expires: "2999-01-01T00:00:00Z",
	}
	text := "Says hello."
	var tools []string
	for _, word := range args[4:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "stranger":
			key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
		case "expired":
			m.Issued, m.Expires = "2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"
		case "text":
			text = value
		case "tool":
			tools = append(tools, value)
		case "site":
			m.Capabilities.HTTP = []capabilities.HTTP{{ID: "api", Origin: value, Methods: []string{"GET"}, Paths: []string{"/"}}}
		default:
			ts.Fatalf("unknown word %s", word)
		}
	}
	for _, name := range append([]string{"say"}, tools...) {
		m.Tools = append(m.Tools, json.RawMessage(fmt.Sprintf(`{"name":%q,"description":%q,"inputSchema":{"type":"object"}}`, name, text)))
	}
	ts.Check(sealRelease(ts.MkAbs(args[0]), m, key))
}

// writeRelease writes a release of the tests' publisher, whose one tool "say" answers with its version.
func writeRelease(path string, m capabilities.Manifest) error {
	key, err := readKey(built.key)
	if err != nil {
		return err
	}
	m.Schema, m.Issued, m.Expires = capabilities.Schema, "2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
	if m.Description == "" {
		m.Description = "Says hello."
	}
	m.Tools = []json.RawMessage{json.RawMessage(fmt.Sprintf(`{"name":"say","description":%q,"inputSchema":{"type":"object"}}`, m.Description))}
	return sealRelease(path, m, key)
}

func sealRelease(path string, m capabilities.Manifest, key ed25519.PrivateKey) error {
	file, err := capabilities.Seal(sayer("version "+m.Version), m, key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, file, 0o644)
}

// sayer is a module whose every tool answers with a text.
func sayer(text string) []byte {
	answer := []byte(`{"content":[{"type":"text","text":"` + text + `"}]}`)
	m := &w.Module{}
	write := m.Import("writ1", "output_write", "ii", "i")
	m.Memory(w.Range(1, 2))
	m.Data(0, answer)
	m.Func("servlet_call", "", "i", w.I32(0), w.I32(int32(len(answer))), w.Call(write), w.Drop(), w.I32(0))
	return m.Bytes()
}

// files NAME serves the script's folder on loopback until the script ends and sets NAME to its address.
// What a path begins with says how: /cut/ ends half-way, /drip/ comes byte by byte, /huge/ never ends,
// /loop/ leads to itself, /down/ to http elsewhere, /to/FILE to FILE.
func files(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(fileServer(ts.MkAbs("."), nil))
	ts.Defer(func() {
		s.CloseClientConnections()
		s.Close()
	})
	ts.Setenv(args[0], s.URL)
}

// fileServer is the handler of files. /stall/ stops half-way, and says so to stalled.
func fileServer(dir string, stalled chan<- struct{}) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		how, name, deeper := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if !deeper {
			name = how
		}
		switch how {
		case "loop":
			http.Redirect(rw, r, "/loop/"+name, http.StatusFound)
			return
		case "down":
			http.Redirect(rw, r, "http://192.0.2.1/"+name+"?token=canary", http.StatusFound)
			return
		case "to":
			http.Redirect(rw, r, "/"+name, http.StatusFound)
			return
		case "huge":
			for piece := make([]byte, 1<<20); r.Context().Err() == nil; {
				rw.Write(piece)
			}
			return
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.Base(name)))
		if err != nil {
			http.NotFound(rw, r)
			return
		}
		send(rw, r, how, data, stalled)
	}
}

func send(rw http.ResponseWriter, r *http.Request, how string, data []byte, stalled chan<- struct{}) {
	switch how {
	case "cut", "stall":
		rw.Header().Set("Content-Length", fmt.Sprint(len(data)))
		rw.Write(data[:len(data)/2])
		if how == "stall" {
			rw.(http.Flusher).Flush()
			stalled <- struct{}{}
			<-r.Context().Done()
		}
	case "drip":
		for i := range data {
			if _, err := rw.Write(data[i : i+1]); err != nil {
				return
			}
			rw.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	default:
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(data))
	}
}

func TestBarLine(t *testing.T) {
	for _, row := range []struct {
		came, size int64
		since      time.Duration
		want       string
	}{
		{0, 7_400_000, 0, "downloading a.wasm  [....................]   0 %  0.0 of 7.4 MB"},
		{3_700_000, 7_400_000, 2 * time.Second, "downloading a.wasm  [##########..........]  50 %  3.7 of 7.4 MB, 1.9 MB/s"},
		{7_400_000, 7_400_000, 4 * time.Second, "downloading a.wasm  [####################] 100 %  7.4 of 7.4 MB, 1.9 MB/s"},
		{1_000_000, -1, time.Second, "downloading a.wasm  1.0 MB, 1.0 MB/s"},
		{0, 0, 0, "downloading a.wasm  0.0 MB"},
	} {
		if got := barLine("a.wasm", row.came, row.size, row.since); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}

// A download that is killed leaves nothing, since it is nowhere but in the memory of the process: the
// home, and the folder for temporary files, are as they were, and the next download works.
func TestKilledInMidDownload(t *testing.T) {
	dir := t.TempDir()
	home, temp, served := filepath.Join(dir, "home"), filepath.Join(dir, "tmp"), filepath.Join(dir, "served")
	for _, name := range []string{temp, served} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(built.small, "fast.wasm"))
	if err == nil {
		err = os.WriteFile(filepath.Join(served, "fast.wasm"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	stalled := make(chan struct{}, 1)
	s := httptest.NewServer(fileServer(served, stalled))
	defer s.Close()
	defer s.CloseClientConnections()
	writ := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), built.writ, args...)
		cmd.Env = append(os.Environ(), "WRIT_HOME="+home, "TMPDIR="+temp)
		return cmd
	}
	if out, err := writ("list").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	before := tree(t, dir)
	for _, args := range [][]string{{"install", s.URL + "/stall/fast.wasm", "--plan"}, {"inspect", s.URL + "/stall/fast.wasm"}} {
		cmd := writ(args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-stalled
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // it was killed
		if after := tree(t, dir); after != before {
			t.Errorf("%v left\n%s\nwhere was\n%s", args, after, before)
		}
	}
	if out, err := writ("install", s.URL+"/fast.wasm", "--plan").CombinedOutput(); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// The command, unlike a servlet's requests, goes through the proxy that the environment names; what it
// asks the proxy for is a tunnel, and never a file in clear.
func TestDownloadsGoThroughTheProxy(t *testing.T) {
	asked := make(chan string, 4)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		rw.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	cmd := exec.CommandContext(t.Context(), built.writ, "inspect", "https://files.example.test/hello.wasm?token=canary")
	cmd.Env = append(os.Environ(), "WRIT_HOME="+filepath.Join(t.TempDir(), "home"), "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=", "https_proxy=")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not reachable") || strings.Contains(string(out), "canary") {
		t.Errorf("%v %s", err, out)
	}
	if got := <-asked; got != "CONNECT files.example.test:443" || len(asked) > 0 {
		t.Errorf("the proxy was asked for %q and %d more", got, len(asked))
	}
}

// Two processes upgrade one servlet at once, to two versions: one of them does it, the other one says why
// not, and what is there is whole.
func TestTwoProcessesUpgradeAtOnce(t *testing.T) {
	dir := t.TempDir()
	writ := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), built.writ, args...)
		cmd.Env = append(os.Environ(), "WRIT_HOME="+filepath.Join(dir, "home"))
		return cmd
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := writ(args...).Output()
		if err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
		return string(out)
	}
	planned := func(args ...string) []string {
		t.Helper()
		var plan struct{ Digest string }
		if err := json.Unmarshal([]byte(run(append(args, "--plan", "--json")...)), &plan); err != nil {
			t.Fatal(err)
		}
		return append(args, "--approve", plan.Digest)
	}
	file := func(seq uint64) string {
		t.Helper()
		path := filepath.Join(dir, fmt.Sprint(seq, ".wasm"))
		if err := writeRelease(path, capabilities.Manifest{Name: "acme/hello", Version: fmt.Sprint(seq, ".0.0"), Seq: seq}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run(planned("install", file(1), "--tools", "*")...)
	var both [2]*exec.Cmd
	var said [2]bytes.Buffer
	for i := range both {
		both[i] = writ(planned("upgrade", "hello", "--from", file(uint64(i+2)))...)
		both[i].Stderr = &said[i]
	}
	for _, cmd := range both {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	won := -1
	for i, cmd := range both {
		if err := cmd.Wait(); err == nil && won < 0 {
			won = i
		} else if status := cmd.ProcessState.ExitCode(); status != exitDenied || strings.Count(said[i].String(), "\n") != 1 {
			t.Errorf("exit status %d: %s", status, said[i].String())
		}
	}
	if won < 0 {
		t.Fatal("none of both did it")
	}
	if out := run("call", "hello_say"); !strings.Contains(out, fmt.Sprintf("version %d.0.0", won+2)) {
		t.Errorf("%d won, and %s answers", won, out)
	}
	run("audit", "verify")
}

// tree lists every file below a folder, with its size.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			fmt.Fprintln(&all, path, info.Mode(), info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
