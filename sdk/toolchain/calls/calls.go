// Package calls reads the files in which authors write calls of their tools and what has to come of them,
// compares what came with what was wanted, and writes files anew with what came. It runs nothing.
package calls

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// MaxFile bounds a file of calls, and one of recorded exchanges, in bytes.
const MaxFile = 4 << 20

// ErrFile is a file that cannot be used. The text that wraps it is one line that begins with file and line.
var ErrFile = errors.New("file of calls refused")

// File is a file of calls.
type File struct {
	Name  string // as messages name it
	Calls []Call

	raw   []byte
	spans span
}

// Call is one call and what is wanted of it. A nil want is not looked at.
type Call struct {
	Name      string            `json:"name"`
	Tool      string            `json:"tool"`
	Arguments json.RawMessage   `json:"arguments"`
	Config    map[string]string `json:"config"`  // the settings that the operator made
	Without   []string          `json:"without"` // what the operator did not give, as [uses] names it
	Folders   map[string]Folder `json:"folders"` // what is given for the fs capabilities, by id
	KV        map[string]string `json:"kv"`      // what the servlet has kept before, beside what calls of the file did

	Text          *Text             `json:"text"`           // the texts of the content, joined by line ends
	Structured    json.RawMessage   `json:"structured"`     // the structured content, as a value
	StructuredHas json.RawMessage   `json:"structured_has"` // a part of it
	Content       []json.RawMessage `json:"content"`        // a part of each block
	Error         *Text             `json:"error"`          // what the model is told went wrong; a plain text is a part of it
	Denied        []Text            `json:"denied"`         // every refusal of the guard, in order
	Logs          []Text            `json:"logs"`           // lines of the log, in order, among others
}

// Folder is one granted folder of a call: a copy of Start. End is what it has to hold afterwards; nil: what it
// held before.
type Folder struct {
	Start    Tree  `json:"start"`
	End      *Tree `json:"end"`
	ReadOnly bool  `json:"read_only"`
}

// Text is a wanted text: exactly Is, or one that has Has in it, or one that matches Matches.
type Text struct {
	Is, Has *string
	Matches *regexp.Regexp
}

// UnmarshalJSON reads "text", {"has": "part"} or {"matches": "expression"}.
func (t *Text) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		t.Is = new(string)
		return strictjson.Decode(raw, t.Is)
	}
	var form struct {
		Has     *string `json:"has"`
		Matches *string `json:"matches"`
	}
	if err := strictjson.Decode(raw, &form); err != nil || (form.Has == nil) == (form.Matches == nil) {
		return errors.New(`want a text, {"has": "a part"} or {"matches": "a regular expression"}`)
	}
	if t.Has = form.Has; form.Has != nil {
		return nil
	}
	var err error
	if t.Matches, err = regexp.Compile(*form.Matches); err != nil {
		return fmt.Errorf("the regular expression %s cannot be read", capabilities.Printable(*form.Matches, 80))
	}
	return nil
}

// fits tells whether a text is the wanted one; a plain text may be a part where part says so.
func (t Text) fits(text string, part bool) bool {
	switch {
	case t.Matches != nil:
		return t.Matches.MatchString(text)
	case t.Has != nil:
		return strings.Contains(text, *t.Has)
	case part:
		return strings.Contains(text, *t.Is)
	}
	return text == *t.Is
}

// words says what is wanted, for a person.
func (t Text) words() string {
	switch {
	case t.Matches != nil:
		return "what matches " + t.Matches.String()
	case t.Has != nil:
		return "what has " + *t.Has
	}
	return *t.Is
}

// Parse reads a file of calls. name is how errors call it: they are one line, "file:line: what is wrong".
// Calls that say nothing of what they want are refused unless open: they are to be filled in.
func Parse(name string, raw []byte, open bool) (*File, error) {
	var all struct {
		Calls []Call `json:"calls"`
	}
	if err := decode(name, raw, &all); err != nil {
		return nil, err
	}
	f := &File{Name: name, Calls: all.Calls, raw: raw, spans: spanOf(raw)}
	if len(f.Calls) == 0 {
		return nil, f.refuse(0, "it has no calls")
	}
	seen := map[string]bool{}
	for i, c := range f.Calls {
		message := c.wrong()
		switch {
		case message != "":
		case !c.wants() && !open:
			message = "it needs a name, a tool, and what is wanted: text, structured, structured_has, content or error (--update fills it in)"
		case seen[c.Name]:
			message = "another call of this file has its name"
		}
		if message != "" {
			return nil, f.refuse(f.Line(i, ""), fmt.Sprintf("call %d: %s", i+1, message))
		}
		seen[c.Name] = true
	}
	return f, nil
}

// decode reads strict JSON; what is wrong is said with its line.
func decode(name string, raw []byte, v any) error {
	if err := strictjson.Decode(raw, v); err != nil {
		return refuse(name, lineOfError(raw, err.Error()), capabilities.Printable(err.Error(), 300))
	}
	return nil
}

func refuse(name string, line int, message string) error {
	return fmt.Errorf("%s:%d: %s%w", name, max(line, 1), message, quiet{ErrFile})
}

// quiet is an error that is matched, and says nothing.
type quiet struct{ error }

func (quiet) Error() string   { return "" }
func (q quiet) Unwrap() error { return q.error }

func (f *File) refuse(line int, message string) error { return refuse(f.Name, line, message) }

// Line is where a call begins, or a member of it; both count from 1. A member that is not there is where
// its call begins.
func (f *File) Line(call int, member string) int {
	at := f.spans.member("calls").item(call)
	if inner := at.member(member); member != "" && inner.end > 0 {
		at = inner
	}
	return 1 + strings.Count(string(f.raw[:min(at.start, len(f.raw))]), "\n")
}

func (c Call) wants() bool {
	return c.Text != nil || c.Structured != nil || c.StructuredHas != nil || c.Content != nil || c.Error != nil
}

// wrong says why a call cannot be made; "": it can.
func (c Call) wrong() string {
	answers := c.Text != nil || c.Structured != nil || c.StructuredHas != nil || c.Content != nil
	switch {
	case c.Name == "" || c.Tool == "":
		return "it needs a name and a tool"
	case c.Error != nil && answers:
		return "it wants both an error and an answer: keep one"
	case c.Structured != nil && c.StructuredHas != nil:
		return "it has both structured and structured_has: keep one"
	}
	for id, folder := range c.Folders {
		if message := folder.wrong(); message != "" {
			return fmt.Sprintf("folders.%s: %s", capabilities.Printable(id, 64), message)
		}
	}
	return ""
}

func (f Folder) wrong() string {
	if f.Start.wrong() != "" || f.End == nil {
		return f.Start.wrong()
	}
	return f.End.wrong()
}

// Tree is the content of a folder: that of a folder beside the file of calls, or files written out.
type Tree struct {
	Folder string            // slash-separated path, relative to the file of calls
	Files  map[string]string // texts by path; "name/" is an empty folder
}

// UnmarshalJSON reads "folder" or {"path": "text"}.
func (t *Tree) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return strictjson.Decode(raw, &t.Folder)
	}
	t.Files = map[string]string{}
	if err := strictjson.Decode(raw, &t.Files); err != nil {
		return errors.New(`want the name of a folder, or {"path": "text"}`)
	}
	return nil
}

// wrong keeps a test inside its own folder: a file of calls comes from anywhere.
func (t Tree) wrong() string {
	if t.Files == nil && !inside(t.Folder) {
		return "want the name of a folder beside this file, such as \"notes\""
	}
	for name, text := range t.Files {
		folder, isFolder := strings.CutSuffix(name, "/")
		if !inside(folder) || isFolder && text != "" {
			return fmt.Sprintf("%q is no path inside the folder", capabilities.Printable(name, 80))
		}
		for up := path.Dir(folder); up != "."; up = path.Dir(up) {
			if _, both := t.Files[up]; both {
				return fmt.Sprintf("%q is a file and a folder", capabilities.Printable(up, 80))
			}
		}
	}
	return ""
}

func inside(name string) bool {
	return name != "" && name != "." && path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../") &&
		!strings.ContainsAny(name, "\\:\x00") && !slices.Contains(strings.Split(name, "/"), "..")
}

// Has tells whether a call has that name.
func (f *File) Has(name string) bool {
	return slices.ContainsFunc(f.Calls, func(c Call) bool { return c.Name == name })
}
