package capabilities_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
)

// hostile are texts that show one thing and are another, with the code points that must be named.
var hostile = []struct{ name, text, found, printed string }{
	{"escape sequence", "a\x1b[2Jb", "U+001B", `a\u001b[2Jb`},
	{"link of a terminal", "\x1b]8;;http://evil.test\x07ok", "U+001B, U+0007", `\u001b]8;;http://evil.test\u0007ok`},
	{"eight-bit control", "a\u009bm", "U+009B", `a\u009bm`},
	{"carriage return", "safe\rrm -rf", "U+000D", `safe\u000drm -rf`},
	{"NUL", "a\x00b", "U+0000", `a\u0000b`},
	{"delete", "a\x7f", "U+007F", `a\u007f`},
	{"right-to-left override", "\u202egnp.exe", "U+202E", `\u202egnp.exe`},
	{"isolate", "\u2066a\u2069", "U+2066, U+2069", `\u2066a\u2069`},
	{"directional marks", "\u200e\u200f\u061c", "U+200E, U+200F, U+061C", `\u200e\u200f\u061c`},
	{"zero-width space", "pay\u200bpal", "U+200B", `pay\u200bpal`},
	{"joiner between letters", "a\u200db", "U+200D", `a\u200db`},
	{"two joiners in an emoji", "👩\u200d\u200d👧", "U+200D", `👩\u200d\u200d👧`},
	{"byte order mark inside", "a\ufeffb", "U+FEFF", `a\ufeffb`},
	{"word joiner and invisible times", "a\u2060\u2062b", "U+2060, U+2062", `a\u2060\u2062b`},
	{"tags that spell words", "ok\U000E0041\U000E0042", "U+E0041, U+E0042", `ok\U000e0041\U000e0042`},
	{"language tag", "\U000E0001", "U+E0001", `\U000e0001`},
	{"variation selector behind a letter", "a\ufe0f", "U+FE0F", `a\ufe0f`},
	{"variation selectors that carry bytes", "😀\U000E0100\U000E01EF", "U+E0100, U+E01EF", `😀\U000e0100\U000e01ef`},
	{"private use", "\ue000\U000F0000\U0010FFFD", "U+E000, U+F0000, U+10FFFD", `\ue000\U000f0000\U0010fffd`},
	{"line separator", "a\u2028b\u2029", "U+2028, U+2029", `a\u2028b\u2029`},
	{"soft hyphen", "pass\u00adword", "U+00AD", `pass\u00adword`},
	{"Hangul filler", "a\u3164b\u115f", "U+3164, U+115F", `a\u3164b\u115f`},
	{"combining grapheme joiner", "a\u034fb", "U+034F", `a\u034fb`},
	{"Mongolian vowel separator", "a\u180eb", "U+180E", `a\u180eb`},
	{"musical control", "\U0001D173", "U+1D173", `\U0001d173`},
	{"interlinear annotation", "\ufff9a\ufffb", "U+FFF9, U+FFFB", `\ufff9a\ufffb`},
	{"noncharacter", "\ufdd0\U0001FFFF", "U+FDD0, U+1FFFF", `\ufdd0\U0001ffff`},
}

func TestHiddenCharactersAreNamedAndEscaped(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			err := capabilities.CleanText(c.text)
			if err == nil || !strings.Contains(err.Error(), "("+c.found+")") {
				t.Errorf("CleanText: %v, want %s", err, c.found)
			}
			if got := capabilities.Printable(c.text, 100); got != c.printed {
				t.Errorf("Printable: %s, want %s", got, c.printed)
			}
			if err := capabilities.CleanText(capabilities.Printable(c.text, 100)); err != nil {
				t.Errorf("what was printed is not clean: %v", err)
			}
		})
	}
}

func TestOrdinaryTextIsLeftAlone(t *testing.T) {
	for _, s := range []string{
		"", "Reads a file.", `C:\path "quoted" \u202e`, "Größe, naïve, Ελλάδα, Привет, 日本語, हिन्दी, עברית, العربية, 한국어, ไทย",
		"e\u0301 combining", "non\u00a0breaking", "emoji 😀 👍🏽 ❤️ ☎️ 👩‍👩‍👧 🏳️‍🌈 👨🏽‍💻 🇩🇪 1️⃣ #️⃣ ⚕️ ©️", "\u0600\u06dd Arabic number signs", "replacement \ufffd",
	} {
		if err := capabilities.CleanText(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if got := capabilities.Printable(s, 1000); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	if err := capabilities.CleanText("a\xffb"); err == nil {
		t.Error("accepted")
	}
	if got, want := capabilities.Printable("a\xff\xed\xa0\x80b", 100), `a\xff\xed\xa0\x80b`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// One table for approved text and for content: content passes no character more than the documented ones.
func TestContentPassesOnlyWhatItsWritersNeed(t *testing.T) {
	around := []struct {
		prev rune
		rest string
	}{{'a', "b"}, {0, ""}, {'a', "\n"}, {'👩', "👧"}, {'\ufe0f', "👧"}, {'1', "\u20e3"}, {'م', "خ"}, {'क', "ष"}, {'م', "a"}, {'\ufffd', "\ufffd"}}
	needed := func(prev, r rune, rest string) bool {
		switch r {
		case '\r':
			return strings.HasPrefix(rest, "\n")
		case '\u200c', '\u200d':
			return prev == 'م' && rest == "خ" || prev == 'क' && rest == "ष"
		case '\ufe0e':
			return prev == '👩' || prev == '1'
		}
		return unicode.Is(unicode.Co, r)
	}
	for i, a := range around {
		last := rune(0xffff)
		if i == 0 {
			last = unicode.MaxRune // what stands around a character matters to few, all of them low
		}
		for r := range last + 1 {
			approved, content := capabilities.Hidden(a.prev, r, a.rest, false), capabilities.Hidden(a.prev, r, a.rest, true)
			if want := approved && !needed(a.prev, r, a.rest); content != want {
				t.Errorf("U+%04X between U+%04X and %q: hidden in approved text %v, in content %v", r, a.prev, a.rest, approved, content)
			}
		}
	}
}

func TestLineBreaksAreCleanButNotPrinted(t *testing.T) {
	if err := capabilities.CleanText("a\n\tb"); err != nil {
		t.Error(err)
	}
	if got, want := capabilities.Printable("a\n\tb", 100), `a\u000a\u0009b`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPrintableCuts(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"äöüß", 4, "äöüß"},
		{"äöüßx", 4, "äöü…"},
		{"ab\x1b", 8, `ab\u001b`},
		{"ab\x1bc", 8, `ab…`}, // an escape is not cut in two
		{"👩\u200d👧x", 3, "👩…"},
		{"1\ufe0f\u20e3x", 3, "1…"},
		{"abc", 1, "…"},
		{"abc", 0, "…"},
		{"abc", -1, "…"},
		{"", 0, ""},
	} {
		if got := capabilities.Printable(c.in, c.max); got != c.want {
			t.Errorf("Printable(%q, %d) = %q, want %q", c.in, c.max, got, c.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, c := range hostile {
		f.Add(c.text, 40)
	}
	f.Add("\xa9\u200d\xa7", 40)
	f.Add("👩\u200d👧 1\ufe0f\u20e3 é\xff\u0600", 5)
	f.Fuzz(func(t *testing.T, s string, most int) {
		got := capabilities.Printable(s, most)
		if !utf8.ValidString(got) {
			t.Fatalf("%q: not UTF-8", got)
		}
		if err := capabilities.CleanText(got); err != nil {
			t.Fatalf("%q from %q: %v", got, s, err)
		}
		if i := strings.IndexFunc(got, unicode.IsControl); i >= 0 {
			t.Fatalf("%q: control character at %d", got, i)
		}
		if n := utf8.RuneCountInString(got); s != "" && n > max(most, 1) {
			t.Fatalf("%q: %d runes, asked for %d", got, n, most)
		}
		if capabilities.Printable(got, max(most, 1)) != got {
			t.Fatalf("%q: printing twice changes it", got)
		}
	})
}

func TestPrintableJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"plain \n \u202e"}`:                                   `{"a":"plain \n \u202e"}`,
		"{\"a\":\"\u009b2J\u0085\x7f\"}":                            `{"a":"\u009b2J\u0085\u007f"}`,
		"{\"\u202ea\":\"\u2066b\u200b\"}":                           `{"\u202ea":"\u2066b\u200b"}`,
		"[\"\U000e0041\U000f0000\"]":                                `["\udb40\udc41\udb80\udc00"]`,
		"[\"\\\\\u202e\"]":                                          `["\\\u202e"]`,
		"[\"caf\u00e9 \u65e5\u672c \U0001f469\u200d\U0001f467\"]\n": "[\"caf\u00e9 \u65e5\u672c \U0001f469\u200d\U0001f467\"]\n",
		"[\"\x9b\"]": `["\ufffd"]`,
	} {
		if got := string(capabilities.PrintableJSON([]byte(in))); got != want {
			t.Errorf("%q\nis   %q\nwant %q", in, got, want)
		}
	}
}

// The value is the same, and nothing hidden is left in its text.
func FuzzPrintableJSON(f *testing.F) {
	for _, c := range hostile {
		f.Add(c.text)
	}
	f.Add("\x9b\u009b\U000e0041\\\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		in, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		got := capabilities.PrintableJSON(in)
		var before, after map[string]string
		if err := errors.Join(json.Unmarshal(in, &before), json.Unmarshal(got, &after)); err != nil || !maps.Equal(before, after) {
			t.Fatalf("%s became %s, %v", in, got, err)
		}
		if err := capabilities.CleanText(string(got)); err != nil {
			t.Fatalf("%q from %q: %v", got, in, err)
		}
	})
}
