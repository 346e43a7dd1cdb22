package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/cmd/clients/config"
)

var (
	at    = config.Path{Key: "servers", Name: "writ"}
	entry = []config.Field{
		{Name: "command", Value: "/opt/writ"}, {Name: "args", Value: []string{"run", "--space", "work"}},
		{Name: "enabled", Value: true, Once: true},
	}
	other = []config.Field{
		{Name: "command"}, {Name: "args"}, {Name: "url", Value: "http://127.0.0.1:8787/mcp"},
		{Name: "enabled", Value: true, Once: true},
	}
)

// edits are files with what they become when the entry is put in.
var edits = []struct {
	name          string
	syntax        config.Syntax
	before, after string
}{
	{"an empty file", config.JSONC, "", `{
  "servers": {
    "writ": {
      "command": "/opt/writ",
      "args": ["run", "--space", "work"],
      "enabled": true
    }
  }
}
`},
	{"a file of white space", config.JSONC, "\n", `
{
  "servers": {
    "writ": {
      "command": "/opt/writ",
      "args": ["run", "--space", "work"],
      "enabled": true
    }
  }
}`},
	{"an empty object", config.JSONC, "{}\n", `{"servers": {
  "writ": {
    "command": "/opt/writ",
    "args": ["run", "--space", "work"],
    "enabled": true
  }
}}
`},
	{"no servers yet, tabs", config.JSONC, "{\n\t\"theme\": \"dark\"\n}\n", "{\n\t\"theme\": \"dark\",\n\t\"servers\": {\n\t\t\"writ\": {\n\t\t\t\"command\": \"/opt/writ\",\n\t\t\t\"args\": [\"run\", \"--space\", \"work\"],\n\t\t\t\"enabled\": true\n\t\t}\n\t}\n}\n"},
	{"empty servers", config.JSONC, "{\n  \"servers\": {},\n  \"z\": 1\n}\n", `{
  "servers": {"writ": {"command": "/opt/writ", "args": ["run", "--space", "work"], "enabled": true}},
  "z": 1
}
`},
	{"comments and trailing commas", config.JSONC, "// mine\n{\n    \"servers\": {\n        // first\n        \"a\": {}, // last\n    }, // end\n}\n", `// mine
{
    "servers": {
        // first
        "a": {}, // last
        "writ": {
            "command": "/opt/writ",
            "args": ["run", "--space", "work"],
            "enabled": true
        },
    }, // end
}
`},
	{"a comment before the brace", config.JSONC, "{\n  \"servers\": {\n    \"a\": {} /* one */ // two\n  }\n}", `{
  "servers": {
    "a": {}, /* one */ // two
    "writ": {
      "command": "/opt/writ",
      "args": ["run", "--space", "work"],
      "enabled": true
    }
  }
}`},
	{"one line", config.JSONC, `{"a":1,"servers":{"b":{}}}`, `{"a":1,"servers":{"b":{},"writ":{"command":"/opt/writ","args":["run","--space","work"],"enabled":true}}}`},
	{"one line without servers", config.JSONC, `{"a": 1}`, `{"a": 1, "servers": { "writ": {"command": "/opt/writ", "args": ["run", "--space", "work"], "enabled": true} }}`},
	{"DOS lines and a byte order mark", config.JSONC, "\xef\xbb\xbf{\r\n  \"a\": 1\r\n}\r\n", "\xef\xbb\xbf{\r\n  \"a\": 1,\r\n  \"servers\": {\r\n    \"writ\": {\r\n      \"command\": \"/opt/writ\",\r\n      \"args\": [\"run\", \"--space\", \"work\"],\r\n      \"enabled\": true\r\n    }\r\n  }\r\n}\r\n"},
	{"toml, empty", config.TOML, "", "[servers.writ]\ncommand = \"/opt/writ\"\nargs = [\"run\", \"--space\", \"work\"]\nenabled = true\n"},
	{"toml, no last newline", config.TOML, "a = 1", "a = 1\n\n[servers.writ]\ncommand = \"/opt/writ\"\nargs = [\"run\", \"--space\", \"work\"]\nenabled = true"},
	{"toml, comments", config.TOML, "# mine\nmodel = 'o' # which\n\n[servers.a]\nargs = [\n  1, # one\n]\n# end\n", "# mine\nmodel = 'o' # which\n\n[servers.a]\nargs = [\n  1, # one\n]\n# end\n\n[servers.writ]\ncommand = \"/opt/writ\"\nargs = [\"run\", \"--space\", \"work\"]\nenabled = true\n"},
	{"yaml, empty", config.YAML, "", "servers:\n  writ:\n    command: \"/opt/writ\"\n    args: [\"run\", \"--space\", \"work\"]\n    enabled: true\n"},
	{"yaml, no last newline", config.YAML, "a: 1", "a: 1\nservers:\n  writ:\n    command: \"/opt/writ\"\n    args: [\"run\", \"--space\", \"work\"]\n    enabled: true"},
	{"yaml, comments", config.YAML, "# mine\nservers: # all\n    # of me\n    a:\n        text: |\n            # no comment\n\n        args:\n        - x\n    # end\nz: 1\n", "# mine\nservers: # all\n    writ:\n      command: \"/opt/writ\"\n      args: [\"run\", \"--space\", \"work\"]\n      enabled: true\n    # of me\n    a:\n        text: |\n            # no comment\n\n        args:\n        - x\n    # end\nz: 1\n"},
	{"yaml, empty in braces", config.YAML, "servers: {} # none\n", "servers: {\"writ\": {\"command\": \"/opt/writ\", \"args\": [\"run\", \"--space\", \"work\"], \"enabled\": true}} # none\n"},
	{"yaml, braces", config.YAML, "{\"a\": 1}\n", "{\"servers\": { \"writ\": {\"command\": \"/opt/writ\", \"args\": [\"run\", \"--space\", \"work\"], \"enabled\": true} }, \"a\": 1}\n"},
}

func TestPutAndDrop(t *testing.T) {
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			after, err := e.syntax.Put([]byte(e.before), at, entry)
			if err != nil || string(after) != e.after {
				t.Fatalf("put: %v\n%s\nwant\n%s", err, after, e.after)
			}
			roundTrip(t, e.syntax, []byte(e.before), after)
		})
	}
}

// roundTrip holds the promises of an edit: nothing else was touched, doing it again changes nothing,
// and taking it out gives the bytes from before, also after the entry was changed to another kind.
func roundTrip(t *testing.T, s config.Syntax, before, after []byte) {
	t.Helper()
	if !onlyInserted(before, after) {
		t.Errorf("something else was touched:\n%q\n%q", before, after)
	}
	again, err := s.Put(after, at, entry)
	if err != nil || !bytes.Equal(again, after) {
		t.Errorf("again: %v\n%q\n%q", err, again, after)
	}
	back, err := s.Drop(after, at)
	if err != nil || !bytes.Equal(back, before) {
		t.Errorf("back: %v\n%q\nwant\n%q", err, back, before)
	}
	changed, err := s.Put(after, at, other)
	if err != nil {
		t.Fatalf("changing it: %v", err)
	}
	back, err = s.Drop(changed, at)
	if err != nil || !bytes.Equal(back, before) {
		t.Errorf("back from\n%s\n%v\n%q\nwant\n%q", changed, err, back, before)
	}
	if gone, err := s.Drop(before, at); err != nil || !bytes.Equal(gone, before) {
		t.Errorf("dropping what is not there: %v, %q", err, gone)
	}
}

// onlyInserted says that after is before with at most a comma and one more piece put in.
func onlyInserted(before, after []byte) bool {
	head := 0
	for head < len(before) && head < len(after) && before[head] == after[head] {
		head++
	}
	rest, long := before[head:], after[head:]
	if bytes.HasSuffix(long, rest) {
		return true
	}
	if len(long) == 0 || long[0] != ',' {
		return false
	}
	for n := range len(rest) {
		if bytes.HasPrefix(long[1:], rest[:n+1]) && bytes.HasSuffix(long, rest[n+1:]) {
			return true
		}
	}
	return false
}

func TestOnlyInsertedCanFail(t *testing.T) {
	for _, pair := range [][2]string{{`{"a":1}`, `{"a":3,"b":2}`}, {"a: 1\n", "a: 2\nb: 2\n"}, {"ab", "a"}, {`{"a":1 }`, `{"a":1,"b":2}`}} {
		if onlyInserted([]byte(pair[0]), []byte(pair[1])) {
			t.Errorf("%q", pair)
		}
	}
}

// What a person or the client added to the entry stays when the entry is changed, and goes with it.
func TestMembersOfOthersStay(t *testing.T) {
	for _, c := range []struct {
		syntax         config.Syntax
		before, change string
	}{
		{config.JSONC, `{"servers": {"writ": {
  // mine
  "env": {"A": "1"}, "command": "/old", /* which */ "enabled": false
}}}`, `{"servers": {"writ": {
  // mine
  "env": {"A": "1"}, "command": "/opt/writ", /* which */ "enabled": false, "args": ["run", "--space", "work"]
}}}`},
		{config.TOML, "[servers.writ]\n# mine\ncommand = '/old' # which\nenabled = false\n\n[servers.writ.env]\nA = \"1\"\n", "[servers.writ]\n# mine\ncommand = \"/opt/writ\" # which\nenabled = false\nargs = [\"run\", \"--space\", \"work\"]\n\n[servers.writ.env]\nA = \"1\"\n"},
		{config.YAML, "servers:\n  writ:\n    # mine\n    command: /old\n    enabled: false\n    env:\n      A: '1'\n", "servers:\n  writ:\n    # mine\n    command: \"/opt/writ\"\n    enabled: false\n    env:\n      A: '1'\n    args: [\"run\", \"--space\", \"work\"]\n"},
	} {
		got, err := c.syntax.Put([]byte(c.before), at, entry)
		if err != nil || string(got) != c.change {
			t.Errorf("%v\n%s\nwant\n%s", err, got, c.change)
		}
		rest, err := c.syntax.Drop(got, at)
		if err != nil || strings.Contains(string(rest), "mine") {
			t.Errorf("dropped: %v\n%s", err, rest)
		}
	}
}

// The entry is taken out of a file that went on changing around it.
func TestDropAfterOtherChanges(t *testing.T) {
	for _, c := range []struct {
		syntax       config.Syntax
		before, want string
	}{
		{config.JSONC, "{\"servers\": {\"writ\": {\"command\": \"x\"}, // one\n\"b\": {}}}", "{\"servers\": { // one\n\"b\": {}}}"},
		{config.JSONC, "{\"servers\": {\"a\": {}, // one\n\"writ\": {}, \"b\": {}}}", "{\"servers\": {\"a\": {}, // one\n \"b\": {}}}"},
		{config.JSONC, "{\"servers\": {\"a\": {},\n \"writ\": {},\n},}", "{\"servers\": {\"a\": {},\n},}"},
		{config.JSONC, "// keep\n{\n  \"servers\": {\n    \"writ\": {}\n  }\n}\n", "// keep\n{\n}\n"},
		{config.TOML, "[servers.writ]\na = 1\n\n# about b\n[servers.b]\nx = 1\n\n[servers.writ.env]\nk = 1\n", "\n# about b\n[servers.b]\nx = 1\n"},
		{config.TOML, "servers.writ.a = 1\nservers.b.c = 2\n", "servers.b.c = 2\n"},
		{config.TOML, "[servers]\nwrit = { a = 1 }\nb = { c = 2 }\n", "[servers]\nb = { c = 2 }\n"},
		{config.YAML, "servers:\n  a: 1\n  writ:\n    x: |\n      y\n    args:\n    - run\n\n  # about b\n  b: 2\n", "servers:\n  a: 1\n\n  # about b\n  b: 2\n"},
		{config.YAML, "servers: {a: {}, writ: {x: 'it''s }'}}\n", "servers: {a: {}}\n"},
		{config.YAML, "servers: {writ: {x: 1}, a: {}}\n", "servers: {a: {}}\n"},
	} {
		got, err := c.syntax.Drop([]byte(c.before), at)
		if err != nil || string(got) != c.want {
			t.Errorf("%q: %v\n%q\nwant\n%q", c.before, err, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	secret := "sk-verysecretvalue"
	for _, c := range []struct {
		name   string
		syntax config.Syntax
		text   string
		want   string
	}{
		{"cut off", config.JSONC, "{\n  \"a\": [1,\n", "line 3, column 1: it ends in the middle"},
		{"no comma", config.JSONC, "{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: invalid character '\"'"},
		{"wide characters before it", config.JSONC, "{\"ééé\": !}", "line 1, column 9: invalid character '!'"},
		{"a value that is quoted by the parser", config.JSONC, "{\"k\": sk-verysecretvalue}", "line 1, column 7: this is no JSON"},
		{"a bad escape in a secret", config.JSONC, "{\"k\": \"sk-verysecretvalue\\x\"}", "line 1, column 7: this is no JSON"},
		{"an array", config.JSONC, "[]", "line 1, column 1: the file holds no object"},
		{"servers are no object", config.JSONC, "{\n \"servers\": null}", "line 2, column 13: \"servers\" is no object"},
		{"servers twice", config.JSONC, "{\"servers\": {},\n\"servers\": {}}", "line 2, column 1: \"servers\" is there twice"},
		{"the entry twice", config.JSONC, "{\"servers\": {\"writ\": {}, \"writ\": {}}}", "\"writ\" is there twice"},
		{"UTF-16", config.JSONC, "\xff\xfe{\x00}\x00", "UTF-16: save it as UTF-8"},
		{"too deep", config.JSONC, strings.Repeat("[", 2000), "column 1001: more than 1000 brackets"},
		{"too deep behind text", config.JSONC, `{"a": "[[[\"", "b": ` + strings.Repeat("[", 2000), "more than 1000 brackets"},
		{"toml, cut off", config.TOML, "a = [1,\n", "line 1, column 8: this is no TOML"},
		{"toml, twice", config.TOML, "a = 1\na = 2\n", "line 2, column"},
		{"toml, one line", config.TOML, "x = 1\nservers = { a = {} }\n", "line 2, column 1: \"servers\" is written on one line"},
		{"toml, another kind", config.TOML, "[[servers]]\na = 1\n", "cannot be changed"},
		{"toml, deep", config.TOML, "a = " + strings.Repeat("[", 500_000), "this is no TOML"},
		{"yaml, cut off", config.YAML, "a: [1,\n", "line 2, column 1: this is no YAML"},
		{"yaml, tabs", config.YAML, "a:\n\tb: 1\n", "line 2, column"},
		{"yaml, a list", config.YAML, "- a\n", "line 1, column 1: the file holds no mapping"},
		{"yaml, two documents", config.YAML, "a: 1\n---\nb: 1\n", "more than one document"},
		{"yaml, nothing below", config.YAML, "a: 1\nservers:\n", "line 2, column 1: \"servers\" holds no entries"},
		{"yaml, twice", config.YAML, "servers: {}\nservers: {}\n", "twice"},
		{"yaml, an alias", config.YAML, "x: &x {a: 1}\nservers: *x\n", "holds no entries"},
		{"yaml, a bomb", config.YAML, bomb(), "aliases expand"},
		{"yaml, odd line end", config.YAML, "a: 1\u2028b: 2\n", "unusual kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.syntax.Put([]byte(c.text), at, entry)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q\n%.200s", err, c.want, got)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("the error shows the file: %q", err)
			}
		})
	}
}

func bomb() string {
	text := "a0: &a0 {x: 1}\n"
	for i := range 20 {
		text += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
	}
	return text
}

func TestOtherWaysOfWritingAnEntryAreLeftToAPerson(t *testing.T) {
	for _, c := range []struct {
		syntax config.Syntax
		text   string
	}{
		{config.TOML, "[servers]\nwrit = { command = 'x' }\n"},
		{config.TOML, "servers.writ.command = 'x'\n"},
		{config.TOML, "[servers.writ]\n[servers.writ.args]\nx = 1\n"},
		{config.YAML, "servers: {writ: {command: x, env: {A: &a 1}}}\n"},
	} {
		if got, err := c.syntax.Put([]byte(c.text), at, entry); !errors.Is(err, config.ErrByHand) {
			t.Errorf("%q: %v\n%s", c.text, err, got)
		}
	}
}
