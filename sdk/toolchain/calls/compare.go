package calls

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Answer is what came of a call. Its texts are the guest's.
type Answer struct {
	Output  []byte // the result, as JSON
	Fault   string // what the host says instead; empty: there is a result
	Logs    []string
	Denied  []string // refusals of the guard: "kind action target: rule"
	Folders map[string]Held
}

// Held is what a folder held before and after a call, and what it has to hold: files by path, empty folders
// as "name/".
type Held struct{ After, Want map[string]string }

// Difference is one want that was not met.
type Difference struct {
	Member string   `json:"member"` // of the call
	Line   int      `json:"line"`   // of the want
	Diff   []string `json:"diff"`   // "- " what was wanted, "+ " what came; fit for a terminal
	// now is what the file would have to say; nil where only its author can tell.
	now json.RawMessage
}

// Compare tells how an answer differs from what the call at index i of the file wants.
func (f *File) Compare(i int, a Answer) []Difference {
	c := comparison{call: f.Calls[i]}
	c.result(a)
	if want := c.call.Denied; want != nil {
		c.list("denied", want, a.Denied, exactly(want, a.Denied))
	}
	if want := c.call.Logs; want != nil {
		c.list("logs", want, a.Logs, among(want, a.Logs))
	}
	for _, id := range slices.Sorted(maps.Keys(a.Folders)) {
		c.folder(id, a.Folders[id])
	}
	for n := range c.found {
		c.found[n].Line = f.Line(i, c.found[n].Member)
	}
	return c.found
}

type comparison struct {
	call  Call
	found []Difference
}

func (c *comparison) differ(member string, diff []string, now any) {
	d := Difference{Member: member, Diff: diff}
	if now != nil {
		if raw, err := strictjson.Encode(now); err == nil {
			d.now = raw
		}
	}
	c.found = append(c.found, d)
}

// result compares the answer itself.
func (c *comparison) result(a Answer) {
	var result struct {
		Content           []json.RawMessage
		StructuredContent json.RawMessage
		IsError           bool
	}
	if a.Fault == "" && json.Unmarshal(a.Output, &result) != nil {
		c.differ("", []string{"+ no result: " + capabilities.Printable(string(a.Output), 200)}, nil)
		return
	}
	texts := make([]string, 0, len(result.Content))
	for _, raw := range result.Content {
		var block struct{ Text string }
		if json.Unmarshal(raw, &block) == nil {
			texts = append(texts, block.Text)
		}
	}
	text, failed := strings.Join(texts, "\n"), result.IsError
	if a.Fault != "" {
		text, failed = a.Fault, true
	}
	want := c.call.Error
	switch {
	case failed && want == nil:
		member := c.first()
		var now any
		if member == "" {
			member, now = "error", text
		}
		c.differ(member, append([]string{"- no error"}, lines("+ the error ", text)...), now)
	case failed && !want.fits(text, true):
		c.text("error", *want, text)
	case !failed && want != nil:
		c.differ("error", append(lines("- an error with ", want.words()), lines("+ ", text)...), nil)
	case !failed:
		c.answer(text, result.StructuredContent, result.Content)
	}
}

// first is the member that says what answer is wanted.
func (c *comparison) first() string {
	for _, m := range []struct {
		name string
		is   bool
	}{
		{"text", c.call.Text != nil}, {"structured", c.call.Structured != nil},
		{"structured_has", c.call.StructuredHas != nil}, {"content", c.call.Content != nil},
	} {
		if m.is {
			return m.name
		}
	}
	return ""
}

func (c *comparison) answer(text string, structured json.RawMessage, content []json.RawMessage) {
	if c.first() == "" { // to be filled in
		if structured != nil {
			c.differ("structured", lines("+ ", indent(structured)), structured)
		} else {
			c.differ("text", lines("+ ", text), text)
		}
	}
	if want := c.call.Text; want != nil && !want.fits(text, false) {
		c.text("text", *want, text)
	}
	if want := c.call.Structured; want != nil && !covers(want, structured, false) {
		var now any
		if structured != nil && !bytes.Contains(want, []byte(`"$matches"`)) {
			now = structured
		}
		c.differ("structured", Diff(indent(want), indent(structured)), now)
	}
	if want := c.call.StructuredHas; want != nil && !covers(want, structured, true) {
		c.differ("structured_has", Diff(indent(want), indent(structured)), nil)
	}
	if want := c.call.Content; want != nil {
		same := len(want) == len(content)
		for i := range min(len(want), len(content)) {
			same = same && covers(want[i], content[i], true)
		}
		if !same {
			c.differ("content", Diff(joined(want), joined(content)), nil)
		}
	}
}

func (c *comparison) text(member string, want Text, got string) {
	if want.Is == nil {
		c.differ(member, append(lines("- ", want.words()), lines("+ ", got)...), nil)
		return
	}
	c.differ(member, Diff(*want.Is, got), got)
}

func (c *comparison) list(member string, want []Text, got []string, same bool) {
	if same {
		return
	}
	texts := make([]string, len(want))
	patterns := false
	for i, t := range want {
		texts[i] = t.words()
		patterns = patterns || t.Is == nil
	}
	var now any
	if !patterns {
		now = append([]string{}, got...)
	}
	c.differ(member, Diff(strings.Join(texts, "\n"), strings.Join(got, "\n")), now)
}

func exactly(want []Text, got []string) bool {
	return slices.EqualFunc(want, got, func(t Text, s string) bool { return t.fits(s, false) })
}

// among tells whether the wanted lines come in this order, among others; no wanted line means none at all.
func among(want []Text, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	for _, s := range got {
		if len(want) > 0 && want[0].fits(s, false) {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func (c *comparison) folder(id string, held Held) {
	var diff []string
	for _, name := range slices.Sorted(maps.Keys(held.Want)) {
		got, there := held.After[name]
		switch want := held.Want[name]; {
		case !there:
			diff = append(diff, "- "+capabilities.Printable(name, 200))
		case got != want:
			diff = append(diff, "  "+capabilities.Printable(name, 200)+":")
			for _, line := range Diff(want, got) {
				diff = append(diff, "  "+line)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(held.After)) {
		if _, wanted := held.Want[name]; !wanted {
			diff = append(diff, "+ "+capabilities.Printable(name, 200))
		}
	}
	if diff == nil {
		return
	}
	folder := c.call.Folders[id]
	var now any
	if folder.End == nil || folder.End.Files != nil {
		now = held.After
	}
	diff = append([]string{"  folder " + capabilities.Printable(id, 64) + ":"}, diff...)
	c.differ("folders", diff, nil)
	if now != nil {
		c.found[len(c.found)-1].now = endOf(id, now)
	}
}

// endOf wraps what a folder has to hold so that an update knows whose it is.
func endOf(id string, after any) json.RawMessage {
	raw, err := strictjson.Encode(map[string]any{id: after})
	if err != nil { // a name that is no text
		return nil
	}
	return raw
}

// covers tells whether a value is the wanted one; with part its objects may have more members. A wanted
// {"$matches": "expression"} stands for any text that matches.
func covers(want, got []byte, part bool) bool {
	x, okX := decoded(want)
	y, okY := decoded(got)
	return okX && okY && covered(x, y, part)
}

func decoded(raw []byte) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return v, d.Decode(&v) == nil
}

func covered(want, got any, part bool) bool {
	switch w := want.(type) {
	case map[string]any:
		if pattern, ok := w["$matches"].(string); ok && len(w) == 1 {
			text, isText := got.(string)
			matches, err := regexp.Compile(pattern)
			return isText && err == nil && matches.MatchString(text)
		}
		g, ok := got.(map[string]any)
		if !ok || !part && len(w) != len(g) {
			return false
		}
		for name, inner := range w {
			value, there := g[name]
			if !there || !covered(inner, value, part) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(w, g, func(a, b any) bool { return covered(a, b, part) })
	case json.Number:
		g, ok := got.(json.Number)
		return ok && sameNumber(w.String(), g.String())
	}
	return want == got
}

// sameNumber compares values, not spellings: 1.0 is 1, and no digit is lost.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) > 60 || len(b) > 60 || exponent.MatchString(a) || exponent.MatchString(b) {
		return false // a large exponent would take memory without end
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

var exponent = regexp.MustCompile(`[eE][+-]?\d{4}`)

func indent(raw []byte) string {
	if raw == nil {
		return "nothing"
	}
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

func joined(blocks []json.RawMessage) string {
	var all []string
	for _, b := range blocks {
		all = append(all, indent(b))
	}
	return strings.Join(all, "\n")
}

// String says the difference in a line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s", d.Member, strings.Join(d.Diff, " | "))
}
