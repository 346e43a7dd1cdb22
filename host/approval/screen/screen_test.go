package screen_test

import (
	"strings"
	"testing"

	"github.com/writ-run/writ/host/approval/screen"
)

func TestQuoteCannotBeClosedFromInside(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{`plain`, `"plain"`},
		{`a" b`, `"a\" b"`},
		{`a\" b`, `"a\\\" b"`},
		{"a\nb", `"a\u000ab"`},
		{"\x1b[2J", `"\u001b[2J"`},
		{"\u202eabc", `"\u202eabc"`},
		{`\u202e`, `"\\u202e"`}, // spelled out, it does not read like an escaped one
		{"a   b", `"a \u0020 b"`},
		{"a\u3000\u2003b", `"a\u3000\u2003b"`},
		{"a\u2800b", `"a\u2800b"`},
		{"x\u0301\u0302\u0303", "\"x\u0301\u0302\\u0303\""},
		{" \u0301", ` \u0301`},
		{"0123456789", `"0123456789"`},
		{"01234567890123456789x", `"0123456789012345678…"`},
	} {
		if got := screen.Quote(row.text, 20); !strings.Contains(got, row.want) {
			t.Errorf("%q: got %s, want %s", row.text, got, row.want)
		}
	}
}

func TestEmptyViewDrawsNoTable(t *testing.T) {
	if text := screen.Draw(screen.View{Name: "x", Version: "1"}, 80, false); strings.Contains(text, "WANTS") {
		t.Errorf("got %s", text)
	}
}

func TestDangerIsAWord(t *testing.T) {
	v := screen.View{Name: "x", Version: "1", Rows: []screen.Row{{Label: "web", Danger: true, Wants: "any page", Gives: "nothing"}},
		Warnings: []string{"one", "DANGER: two"}}
	for _, width := range []int{50, 80} {
		text := screen.Draw(v, width, false)
		for _, want := range []string{"DANGER: any page", "\nWARNING: one", "\nDANGER: two"} {
			if !strings.Contains(text, want) {
				t.Errorf("at %d no %q in\n%s", width, want, text)
			}
		}
	}
}

// FuzzDraw draws hostile texts everywhere: no line is too wide for its terminal, none has a control
// character, and colour changes no word.
func FuzzDraw(f *testing.F) {
	f.Add("name", "why", 80)
	f.Add("\x1b[31m全角\u202e", "a\"b   c\u0301\u0301\u0301\u0301", 40)
	f.Add("👩‍👩‍👧‍👦👍🏽", strings.Repeat("word ", 100), 60)
	f.Add(strings.Repeat("ｘ", 200), strings.Repeat("x", 500), 0)
	f.Fuzz(func(t *testing.T, name, said string, width int) {
		width = min(max(width, -1), 300)
		v := screen.View{Name: name, Version: said, Signer: name, Intro: []string{said}, Outro: []string{name}, Warnings: []string{said},
			Rows: []screen.Row{{Label: name, Wants: said, Gives: name, Note: said, Said: said, Danger: len(said)%2 == 0}}}
		text := screen.Draw(v, width, false)
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }) {
				t.Errorf("control character in %q", line)
			}
			if n := len([]rune(line)); n > 4*max(width, screen.MinWidth) {
				t.Errorf("%d characters in a line of width %d", n, width)
			}
		}
		colour := screen.Draw(v, width, true)
		for _, code := range []string{"\x1b[1m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m"} {
			colour = strings.ReplaceAll(colour, code, "")
		}
		if colour != text {
			t.Errorf("colour changes words:\n%q\n%q", colour, text)
		}
	})
}
