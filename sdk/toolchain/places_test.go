package toolchain_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/sdk/toolchain"
)

func TestWhereACallFailed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module acme.test/weather\n\ngo 1.26\n",
		"main.go":         "package main\n\nfunc main() {}\n\nfunc spin() {}\n",
		"sub/sub.go":      "package sub\n\ntype T struct{}\n\nfunc (t *T) Work() {}\n",
		"sub/sub_test.go": "package sub\n\nfunc (t *T) Other() {}\n",
		"Cargo.toml":      "[package]\nname = \"acme-weather\"\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"runtime.mallocgc", "main.spin", "acme.test/weather/sub.(*T).Work", "other.test/x.F",
		"_ZN12acme_weather4spin17h0123456789abcdefE", "_RNvCsabc_12acme_weather5crash", "_ZN4core3fmt5write17h0123456789abcdefE"}
	places := toolchain.PlacesOf(dir, names)
	for name, c := range map[string]struct {
		logs   []string
		frames []uint32
		want   string
	}{
		"nothing is known": {nil, nil, ""},
		"an exception": {[]string{"TypeError: no\n    at parse (node_modules/yaml/dist/index.js:3:1)\n    at k (writ:index)\n    at <anonymous> (src/main.ts:12:5)"}, nil,
			"at src/main.ts:12:5"},
		"a Go panic": {[]string{"tool crash panicked: no", "goroutine 1 [running]:", "panic({0x1, 0x2})", "\truntime/panic.go:860 +0x1c",
			"main.crash()", "\tacme.test/weather/main.go:80 +0x16"}, nil, "at main.go:80"},
		"a Rust panic":                 {[]string{"thread '<unnamed>' panicked at src/lib.rs:7:9:", "no"}, nil, "at src/lib.rs:7:9"},
		"a Go function":                {nil, []uint32{0, 1}, "in spin, which begins at main.go:5"},
		"a method of a package":        {nil, []uint32{3, 2}, "in T.Work, which begins at sub.go:5"},
		"a Rust function":              {nil, []uint32{6, 4}, "in acme_weather::spin"},
		"a Rust function, newer names": {nil, []uint32{6, 5}, "in acme_weather::crash"},
		"none of the author's":         {nil, []uint32{0, 3, 6, 99}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []effect.LogLine
			for _, text := range c.logs {
				lines = append(lines, effect.LogLine{Level: effect.Fault, Text: text})
			}
			if got := places.Where(lines, c.frames); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
