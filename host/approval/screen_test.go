package approval_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
)

var update = flag.Bool("update", false, "rewrite the golden screens")

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestScreenIsTheGoldenText(t *testing.T) {
	for _, p := range profiles(t) {
		t.Run(p.name, func(t *testing.T) {
			plan, err := p.about.Propose(p.choice)
			if err != nil {
				t.Fatal(err)
			}
			visible := strings.NewReplacer("\x1b", "␛")
			got := fmt.Sprintf("-- 80 columns --\n%s-- 60 columns --\n%s-- 80 columns, colour --\n%s-- details --\n%s-- signed --\n%s",
				plan.Text, plan.Screen(60, false), visible.Replace(plan.Screen(80, true)), plan.Details(80, false), plan.Signed(80, false))
			golden(t, p.name, got)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the screen differs from %s (go test -update rewrites it); got:\n%s", path, got)
	}
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for _, p := range profiles(t) {
		plan, err := p.about.Propose(p.choice)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{40, 59, 60, 69, 70, 80, 81, 132, 200} {
			for _, text := range []string{plan.Screen(width, false), plan.Details(width, false), plan.Signed(width, false)} {
				for line := range strings.Lines(text) {
					if n := terminalColumns(strings.TrimSuffix(line, "\n")); n > width {
						t.Errorf("%s at %d: %d columns: %q", p.name, width, n, line)
					}
				}
			}
		}
	}
}

// terminalColumns is a second, cruder measure than the one that draws: it counts everything that is
// not plainly narrow as two.
func terminalColumns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r >= 0x3000 && r < 0x3040 || r >= 0xff01 && r <= 0xff60 || r >= 0x1f000:
			n += 2
		default:
			n++
		}
	}
	return n
}

func TestColourAddsNothingButColour(t *testing.T) {
	for _, p := range profiles(t) {
		plan, err := p.about.Propose(p.choice)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{60, 80} {
			styled := plan.Screen(width, true)
			if !strings.Contains(styled, "\x1b[") {
				t.Errorf("%s: no colour at all", p.name)
			}
			if got := ansi.ReplaceAllString(styled, ""); got != plan.Screen(width, false) {
				t.Errorf("%s at %d: the words differ with colour:\n%s", p.name, width, got)
			}
		}
	}
}

// A publisher's text that reached the terminal as it is could redraw everything above it.
func TestNothingUnprintableIsDrawn(t *testing.T) {
	for _, p := range profiles(t) {
		plan, err := p.about.Propose(p.choice)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{plan.Text, plan.Screen(50, false), plan.Details(80, false), plan.Signed(80, false)} {
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if clean := capabilities.Printable(line, len(line)+1); clean != line {
					t.Errorf("%s: %q", p.name, line)
				}
			}
		}
	}
}

// Rows are what a person counts: no text may look like one more of them.
func TestNoTextForgesARow(t *testing.T) {
	row := regexp.MustCompile(`^ ?\d+ (files|web|secret|config|data|tools) `)
	for _, p := range profiles(t) {
		plan, err := p.about.Propose(p.choice)
		if err != nil {
			t.Fatal(err)
		}
		c := p.about.Manifest.Capabilities
		want := len(c.FS) + len(c.HTTP) + len(c.Secrets) + len(c.Config) + 1
		if c.Web != nil {
			want++
		}
		if c.KV != nil {
			want++
		}
		got := 0
		for line := range strings.Lines(plan.Text) {
			if row.MatchString(line) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d rows drawn, %d asked:\n%s", p.name, got, want, plan.Text)
		}
	}
}

func TestEverySignedByteIsThereOnDemand(t *testing.T) {
	poison := tool("look", "Looks.\nsecond line", `,"title":"T","annotations":{"title":"A"},"_meta":{"test.acme/x":"deep"},"outputSchema":{"type":"object","properties":{"o":{"enum":["E1","E2"],"default":"DEF","examples":["EX"],"$comment":"COM"}}}`)
	d := drafted(t, manifest("notes", "1.0.0", []json.RawMessage{poison}, capabilities.Capabilities{}, nil))
	plan, err := d.Propose(approval.Choice{Tools: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	var signed strings.Builder
	tools, _, _ := strings.Cut(plan.Signed(60, false), "What else was signed:")
	for line := range strings.Lines(tools) {
		if text, ok := strings.CutPrefix(line, "   | "); ok {
			signed.WriteString(strings.TrimSpace(text))
		}
	}
	squeeze := strings.NewReplacer(" ", "", "\n", "")
	if got, want := squeeze.Replace(signed.String()), squeeze.Replace(string(poison)); got != want {
		t.Errorf("what was signed is shown as\n%s\nof\n%s", got, want)
	}
}

// Escapes are longer than what they stand for, which must not push the end of a line out of sight.
func TestSignedCutsNothing(t *testing.T) {
	plan, err := hostile(t).Propose(approval.Choice{As: "filesystem"})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(plan.Details(80, false) + plan.Signed(80, false)) {
		if strings.HasPrefix(line, "   | ") && strings.Contains(line, "…") {
			t.Errorf("cut: %s", line)
		}
	}
}

// The details show each text once, and the signed object only of a tool whose summary would leave a
// text out, or cut it: that text would reach the AI unread.
func TestDetailsShowEveryTextOnce(t *testing.T) {
	for _, row := range []struct {
		name, description, rest string
		signed                  string // a text that only the signed object has; empty: it is not shown
	}{
		{"a plain tool", "Looks.", `,"title":"T","annotations":{"readOnlyHint":true},"outputSchema":{"type":"object","properties":{"words":{"type":"integer","description":"how many"}},"required":["words"]}`, ""},
		{"a title for clients", "Looks.", `,"title":"T","annotations":{"title":"UNREAD"}`, "UNREAD"},
		{"a text beside the description", "Looks.", `,"_meta":{"test.acme/x":"UNREAD"}`, "UNREAD"},
		{"a name beside it", "Looks.", `,"_meta":{"test.acme/UNREAD":1}`, "test.acme/UNREAD"},
		{"choices", "Looks.", `,"outputSchema":{"type":"object","properties":{"o":{"type":"string","enum":["UNREAD"]}}}`, "UNREAD"},
		{"a text deep in a schema", "Looks.", `,"outputSchema":{"type":"object","properties":{"o":{"type":"object","properties":{"p":{"type":"string","description":"UNREAD"}}}}}`, "UNREAD"},
		{"a text that the summary cuts", strings.Repeat("long ", 100) + "UNREAD", "", "UNREAD"},
		{"a text that its escapes make too long", strings.Repeat(`"`, 300) + "UNREAD", "", "UNREAD"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := drafted(t, manifest("notes", "1.0.0", []json.RawMessage{tool("look", row.description, row.rest)}, capabilities.Capabilities{}, nil))
			plan, err := d.Propose(approval.Choice{Tools: []string{"*"}})
			if err != nil {
				t.Fatal(err)
			}
			details := plan.Details(200, false)
			if row.signed == "" {
				if strings.Contains(details, "|") || strings.Count(details, `"Looks."`) != 1 || !strings.Contains(details, `result "words": "integer", always, "how many"`) {
					t.Errorf("got\n%s", details)
				}
				return
			}
			summary, signed, _ := strings.Cut(details, "as signed, ")
			if strings.Contains(summary, row.signed) || !strings.Contains(signed, row.signed) {
				t.Errorf("%s is not shown as signed:\n%s", row.signed, details)
			}
		})
	}
}
