//go:build wasip1

// Command probe does what its input says and tells what came of it: {"do":"...","text":"...","n":0}.
package main

import (
	crand "crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/writ-run/writ/testdata/guests/abi"
)

func main() {}

type request struct {
	Do   string   `json:"do"`
	Text string   `json:"text"`
	N    int      `json:"n"`
	List []string `json:"list"`
}

var (
	calls int
	keep  [][]byte
)

//go:wasmexport servlet_call
func call() int32 {
	var req request
	if err := json.Unmarshal(abi.Input(), &req); err != nil {
		return fail(err)
	}
	do, ok := map[string]func(request) (any, error){
		"echo":   func(q request) (any, error) { return q.Text, nil },
		"fail":   func(q request) (any, error) { return nil, errors.New(q.Text) },
		"count":  count,
		"dump":   dump,
		"random": random,
		"clock":  clock,
		"sleep":  sleep,
		"spin":   spin,
		"grow":   grow,
		"panic":  func(q request) (any, error) { panic(q.Text) },
		"exit":   func(q request) (any, error) { os.Exit(q.N); return nil, nil },
		"late":   func(q request) (any, error) { abi.Output([]byte(`"early"`)); os.Exit(0); return nil, nil },
		"log":    logs,
		"output": output,
		"config": func(q request) (any, error) { v, code := abi.Config(q.Text); return []any{v, code}, nil },
		"fetch":  fetch,
		"files":  files,
		"read":   func(q request) (any, error) { b, err := os.ReadFile(q.Text); return string(b), err },
		"report": report,
		"nest":   func(q request) (any, error) { return nest(q.N), nil },
		"decode": decode,
	}[req.Do]
	if !ok {
		return fail(fmt.Errorf("cannot do %q", req.Do))
	}
	res, err := do(req)
	if err != nil {
		return fail(err)
	}
	out, err := json.Marshal(res)
	if err != nil {
		return fail(err)
	}
	abi.Output(out)
	return 0
}

//go:wasmexport servlet_describe
func describe() int32 {
	v, code := abi.Config("KEY")
	_, err := os.ReadDir("/data")
	out, _ := json.Marshal(map[string]any{"config": v, "code": code, "http": abi.HTTPStart(`{}`, nil), "files": fmt.Sprint(err), "progress": abi.Progress(1, 2, "")})
	abi.Output(out)
	return 0
}

func fail(err error) int32 {
	abi.Error(err.Error())
	return 1
}

func count(request) (any, error) {
	calls++
	return calls, nil
}

// dump tells all that a program can learn of where it runs.
func dump(request) (any, error) {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	open := []string{}
	for fd := range uintptr(64) {
		if f := os.NewFile(fd, ""); f != nil {
			if st, err := f.Stat(); err == nil {
				open = append(open, fmt.Sprintf("%d %v", fd, st.Mode()))
			}
		}
	}
	found := []string{}
	for _, p := range []string{"/", ".", "/etc/passwd", "/proc/self/environ", "/dev/null", "..", "/tmp"} {
		if _, err := os.Stat(p); err == nil {
			found = append(found, p)
		}
	}
	return map[string]any{"args": os.Args, "env": os.Environ(), "host": host, "dir": dir, "uid": os.Getuid(), "open": open, "found": found}, nil
}

func random(request) (any, error) {
	b := make([]byte, 100_000)
	if _, err := crand.Read(b); err != nil {
		return nil, err
	}
	return []any{hex.EncodeToString(b[len(b)-16:]), rand.Uint64()}, nil
}

// nest calls itself n times.
func nest(n int) int {
	var kept [8]int
	kept[n%8] = n
	if n == 0 {
		return 0
	}
	return nest(n-1) + kept[n%8] - n + 1
}

// decode decodes n arrays inside each other, which the library does by recursion, and counts them.
func decode(q request) (any, error) {
	var v any
	if err := json.Unmarshal([]byte(strings.Repeat("[", q.N)+strings.Repeat("]", q.N)), &v); err != nil {
		return nil, err
	}
	n := 0
	for list, ok := v.([]any); ok; n++ {
		if len(list) == 0 {
			return n + 1, nil
		}
		list, ok = list[0].([]any)
	}
	return n, nil
}

// clock counts the readings of a busy clock that are not whole milliseconds.
func clock(q request) (any, error) {
	fine := 0
	for range 1000 {
		if time.Now().Nanosecond()%int(time.Millisecond) != 0 {
			fine++
		}
	}
	return []any{fine, time.Now().Unix()}, nil
}

func sleep(q request) (any, error) {
	from := time.Now()
	time.Sleep(time.Duration(q.N) * time.Millisecond)
	return time.Since(from) >= time.Duration(q.N)*time.Millisecond, nil
}

func spin(request) (any, error) {
	for i := 0; ; i++ {
		calls += i
	}
}

func grow(q request) (any, error) {
	for range q.N {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		keep = append(keep, b)
	}
	return len(keep), nil
}

func logs(q request) (any, error) {
	fmt.Print(q.Text)
	fmt.Fprint(os.Stderr, strings.Join(q.List, ""))
	for level := range uint32(5) {
		abi.Log(level, fmt.Sprintf("level %d\nof %s", level, q.Text))
	}
	return nil, nil
}

func output(q request) (any, error) {
	var last int32
	for range q.N {
		last = abi.Output(make([]byte, 1<<10))
	}
	if q.Text != "" {
		return nil, fmt.Errorf("%s: %d", q.Text, last)
	}
	return nil, nil
}

func report(q request) (any, error) {
	for i := range q.N {
		abi.Progress(float64(i), float64(q.N), q.Text)
	}
	return abi.Progress(-1, 0, ""), nil
}

// fetch starts all of list, then collects the answers in the order in which they come.
func fetch(q request) (any, error) {
	var ids []int32
	got := []any{}
	for _, head := range q.List {
		id := abi.HTTPStart(head, []byte(q.Text))
		if id < 0 {
			got = append(got, []any{head, id})
			continue
		}
		ids = append(ids, id)
	}
	for len(ids) > 0 {
		id := abi.Wait(-1, ids...)
		if id <= 0 {
			return nil, fmt.Errorf("wait: %d", id)
		}
		head, _ := abi.Part(id, 0)
		body, _ := abi.Part(id, 1)
		text, _ := abi.Part(id, 2)
		got = append(got, []any{id, abi.Status(id), head, body, text})
		abi.Close(id)
		for i := range ids {
			if ids[i] == id {
				ids = append(ids[:i], ids[i+1:]...)
				break
			}
		}
	}
	return got, nil
}

// files does all that a program does with files below the directory text, and returns what it saw.
func files(q request) (any, error) {
	saw := []string{}
	note := func(what string, err error) {
		switch {
		case err == nil:
			saw = append(saw, what)
		case errors.Is(err, fs.ErrPermission):
			saw = append(saw, what+": permission")
		case errors.Is(err, fs.ErrNotExist):
			saw = append(saw, what+": not exist")
		default:
			saw = append(saw, what+": "+errors.Unwrap(err).Error())
		}
	}
	dir := q.Text
	name := filepath.Join(dir, "a.txt")
	note("write", os.WriteFile(name, []byte("hello"), 0o666))
	b, err := os.ReadFile(name)
	note("read "+string(b), err)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(" world")
		f.Close()
	}
	note("append", err)
	f, err = os.OpenFile(name, os.O_RDWR, 0)
	if err == nil {
		at := make([]byte, 5)
		_, err = f.ReadAt(at, 6)
		note("read at "+string(at), err)
		_, err = f.WriteAt([]byte("W"), 6)
		note("write at", err)
		end, err := f.Seek(0, 2)
		note(fmt.Sprint("seek ", end), err)
		note("truncate", f.Truncate(7))
		note("sync", f.Sync())
		f.Close()
	} else {
		note("open", err)
	}
	b, err = os.ReadFile(name)
	note("read "+string(b), err)
	when := time.Unix(1_000_000_000, 0)
	note("times", os.Chtimes(name, when, when))
	st, err := os.Stat(name)
	if err == nil {
		note(fmt.Sprint("stat ", st.Size(), st.Mode().IsRegular(), st.ModTime().Unix()), nil)
	} else {
		note("stat", err)
	}
	note("mkdir", os.Mkdir(filepath.Join(dir, "sub"), 0o777))
	note("rename", os.Rename(name, filepath.Join(dir, "sub", "b.txt")))
	for i := range q.N {
		os.WriteFile(filepath.Join(dir, "sub", fmt.Sprintf("many-%04d", i)), nil, 0o666)
	}
	list, err := os.ReadDir(filepath.Join(dir, "sub"))
	note(fmt.Sprint("list ", len(list)), err)
	n := 0
	err = filepath.WalkDir(dir, func(string, fs.DirEntry, error) error { n++; return nil })
	note(fmt.Sprint("walk ", n), err)
	note("rmdir full", os.Remove(filepath.Join(dir, "sub")))
	note("remove all", os.RemoveAll(filepath.Join(dir, "sub")))
	note("symlink", os.Symlink("/etc", filepath.Join(dir, "link")))
	note("link", os.Link(filepath.Join(dir, "x"), filepath.Join(dir, "y")))
	_, err = os.Readlink(filepath.Join(dir, "x"))
	note("readlink", err)
	_, err = os.Stat(filepath.Join(dir, "gone"))
	note("stat gone", err)
	runtime.GC()
	return saw, nil
}
