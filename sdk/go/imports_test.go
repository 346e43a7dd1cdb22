package servlet_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a servlet does not call must not be among its imports: the approval screen says "can never" on
// the strength of that list.
func TestUnusedImportsAreDropped(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two Wasm modules")
	}
	always := []string{"error_write", "input_len", "input_read", "log", "output_write"}
	operations := []string{"http_start", "op_close", "op_len", "op_read", "op_status", "op_wait"}
	pages := []string{"op_close", "op_len", "op_read", "op_status", "op_wait", "web_start"}
	keeping := []string{"kv_start", "op_close", "op_len", "op_read", "op_status", "op_wait"}
	rows := []struct {
		name, body string
		want       []string
	}{
		{"a tool that only computes", `return in.Name, nil`, always},
		{"a tool that reads a setting and fetches", `
			key, _ := servlet.Config(in.Name)
			r, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: "/" + key})
			servlet.Progress(1, 1, "done")
			return string(r.Body), err`, slices.Sorted(slices.Values(slices.Concat(always, operations, []string{"config_get", "progress"})))},
		{"a tool that fetches pages", `
			p, err := servlet.FetchPage(ctx, servlet.PageRequest{URL: in.Name})
			return p.URL + string(p.Body), err`, slices.Sorted(slices.Values(slices.Concat(always, pages)))},
		{"a tool that keeps data", `
			v, _, err := servlet.KV.Get(ctx, in.Name)
			return string(v), err`, slices.Sorted(slices.Values(slices.Concat(always, keeping)))},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := importsOf(t, build(t, `package main

import (
	"context"

	servlet "github.com/writ-run/writ/sdk/go"
)

type in struct{ Name string }

func init() {
	servlet.AddTool(servlet.Tool{Name: "t", Description: "d"}, func(ctx context.Context, in in) (string, error) {
		`+row.body+`
	})
}

func main() {}
`), "writ1")
			if !slices.Equal(got, row.want) {
				t.Errorf("imports %v\nwant    %v", got, row.want)
			}
		})
	}
}

// build compiles a main package that uses this SDK.
func build(t *testing.T, source string) []byte {
	t.Helper()
	sdk, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]string{
		"main.go": source,
		"go.mod": "module example.test/servlet\n\ngo 1.26\n\nrequire github.com/writ-run/writ/sdk/go v0.0.0\n\n" +
			"replace github.com/writ-run/writ/sdk/go => " + sdk + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "out.wasm", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	module, err := os.ReadFile(filepath.Join(dir, "out.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// importsOf lists the functions that a module imports from a namespace, sorted.
func importsOf(t *testing.T, module []byte, namespace string) []string {
	t.Helper()
	const header, importSection = 8, 2
	var names []string
	r := reader{module[header:]}
	for len(r.rest) > 0 {
		id := r.bytes(1)[0]
		section := reader{r.bytes(r.number())}
		if id != importSection {
			continue
		}
		for range section.number() {
			from := string(section.bytes(section.number()))
			name := string(section.bytes(section.number()))
			if kind := section.bytes(1)[0]; kind != 0 {
				t.Fatalf("import %s.%s is no function", from, name)
			}
			section.number() // its type
			if from == namespace {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("no imports from %s: is %.20q a servlet?", namespace, strings.ToValidUTF8(string(module), "."))
	}
	slices.Sort(names)
	return names
}

// reader reads the numbers and bytes of a Wasm binary.
type reader struct{ rest []byte }

func (r *reader) bytes(n int) []byte {
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) number() (n int) {
	for shift := 0; ; shift += 7 {
		b := r.bytes(1)[0]
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}
