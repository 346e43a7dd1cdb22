package toolchain

import (
	"errors"
	"strings"
	"testing"
)

func TestDeclarationRefusals(t *testing.T) {
	const head = "name = \"x\"\nversion = \"1.0.0\"\n"
	rows := []struct{ name, text, want string }{
		{"no TOML", "name = \n", "servlet.toml:1: expected value but found '\\n' instead"},
		{"the same key twice", head + "name = \"y\"\n", "servlet.toml:3: Key 'name' has already been defined."},
		{"an unknown key", head + "author = \"me\"\n", `servlet.toml:3: unknown name "author"`},
		{"a key that only signing may set", head + "\nseq = 7\n", `servlet.toml:4: unknown name "seq"`},
		{"another case", "Name = \"x\"\n", `servlet.toml:1: unknown name "Name"`},
		{"an unknown key deep inside", head + "[[capabilities.http]]\nid = \"a\"\n\n[[capabilities.http]]\nid = \"b\"\nmethod = [\"GET\"]\n", `servlet.toml:8: unknown name "method"`},
		{"an unknown kind", head + "[capabilities]\nshell = true\n", `servlet.toml:4: unknown name "shell"`},
		{"one table in place of several", head + "[capabilities.fs]\nid = \"docs\"\n", `servlet.toml:3: capabilities.fs: want a list of tables, as in [[name]], not a table`},
		{"a number in place of a text", "name = 1\n", `servlet.toml:1: name: want a text, not a number`},
		{"half a megabyte", head + "[limits]\nmemory_mb = 1.5\n", `servlet.toml:4: limits.memory_mb: want a whole number`},
		{"a text in place of a list", head + "[uses]\nread = \"fs:docs\"\n", `servlet.toml:4: uses.read: want a list, not a text`},
		{"a text in place of a number", head + "[limits]\nwall_ms = \"x\"\n", `servlet.toml:4: limits.wall_ms: want a whole number, not a text`},
		{"a value of several lines", head + "[uses]\nread = [\n  \"fs:docs\",\n  7,\n]\n", `servlet.toml:4: uses.read[1]: want a text, not a number`},
		{"a date", head + "[[capabilities.config]]\nkey = \"K\"\ndefault = 2026-01-01\n", "servlet.toml:5: a date is not a value here"},
		{"an infinite number", head + "[limits]\nwall_ms = inf\n", "servlet.toml:1: a number that is not finite"},
		{"an escape sequence", "\"a\\u001b[2J\" = 1\n", `\x1b[2J`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := parseDeclaration("servlet.toml", row.text)
			if err == nil || !strings.Contains(err.Error(), row.want) || !errors.Is(err, ErrDeclaration) {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("not one clean line: %q", err)
			}
		})
	}
}

func TestDeclarationReadsTheWholeManifest(t *testing.T) {
	d, err := parseDeclaration("servlet.toml", `
name = "acme/x"
version = "1.2.3"
description = "d"

[[capabilities.http]]
id = "api"
origin = "user"
methods = ["GET"]
paths = ["/v1/"]
why = "w"
auth = {type = "header", name = "Authorization", value = "Bearer {secret:K}"}
params = [{name = "q", max = 10}]

[capabilities.web]
methods = ["GET"]

[[capabilities.fs]]
id = "docs"
guest = "/docs"
mode = "rw"

[[capabilities.config]]
key = "UNITS"
default = "metric"

[[capabilities.secrets]]
key = "K"
use = "egress"

[capabilities.kv]
quota_kb = 256
scope = "caller"

[uses]
a = ["http:api", "kv:ro"]

[limits]
memory_mb = 32
wall_ms = 1000
http_calls = 1
result_kb = 8
`)
	if err != nil {
		t.Fatal(err)
	}
	m := d.manifest()
	raw, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"name":"acme/x"`, `"auth":{"type":"header"`, `"params":[{"name":"q","max":10}]`, `"web":{"methods":["GET"]}`,
		`"fs":[{"id":"docs","guest":"/docs","mode":"rw"}]`, `"config":[{"key":"UNITS","default":"metric"}]`,
		`"secrets":[{"key":"K","use":"egress"}]`, `"kv":{"quota_kb":256,"scope":"caller"}`,
		`"uses":{"a":["http:api","kv:ro"]}`, `"limits":{"memory_mb":32,"wall_ms":1000,"http_calls":1,"result_kb":8}`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the manifest lacks %s: %s", want, raw)
		}
	}
}

func TestSplitPath(t *testing.T) {
	got := splitPath(`capabilities.http[0].params[12].name`)
	if strings.Join(got, " ") != "capabilities http 0 params 12 name" {
		t.Errorf("got %q", got)
	}
	if got := splitPath(`uses["a b"][0]`); strings.Join(got, "|") != "uses|a b|0" {
		t.Errorf("got %q", got)
	}
}

func FuzzDeclaration(f *testing.F) {
	f.Add("name = \"x\"\n[uses]\na = [\"kv\"]\n")
	f.Add("a = [\n1,\n]\n[[b]]\nc = 1979-05-27\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDeclaration("servlet.toml", text)
		if err != nil && strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("more than one line: %q", err)
		}
		if err == nil {
			_ = d.manifest()
		}
	})
}
