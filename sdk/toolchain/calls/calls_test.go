package calls_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/sdk/toolchain/calls"
)

func TestParseSaysWhere(t *testing.T) {
	for intent, c := range map[string]struct{ file, want string }{
		"no JSON":            {"{", "t.json:1: "},
		"no calls":           {`{"calls":[]}`, "t.json:1: it has no calls"},
		"a misspelt member":  {"{\"calls\":[\n{\"name\":\"a\",\"tool\":\"b\",\n\"txet\":\"c\"}]}", `t.json:3: JSON: unknown name at "/calls/0/txet"`},
		"no tool":            {"{\"calls\":[\n\n{\"name\":\"a\",\"text\":\"\"}]}", "t.json:3: call 1: it needs a name and a tool"},
		"nothing wanted":     {`{"calls":[{"name":"a","tool":"b"}]}`, "call 1: it needs a name, a tool, and what is wanted"},
		"answer and error":   {`{"calls":[{"name":"a","tool":"b","text":"","error":""}]}`, "both an error and an answer"},
		"one name twice":     {"{\"calls\":[{\"name\":\"a\",\"tool\":\"b\",\"text\":\"\"},\n{\"name\":\"a\",\"tool\":\"b\",\"text\":\"\"}]}", "t.json:2: call 2: another call"},
		"a bad expression":   {`{"calls":[{"name":"a","tool":"b","text":{"matches":"("}}]}`, "t.json:1: "},
		"a path upwards":     {`{"calls":[{"name":"a","tool":"b","text":"","folders":{"docs":{"start":"../secret"}}}]}`, "folders.docs: want the name of a folder"},
		"a file upwards":     {`{"calls":[{"name":"a","tool":"b","text":"","folders":{"docs":{"start":{"../x":""}}}}]}`, "is no path inside the folder"},
		"a file in a file":   {`{"calls":[{"name":"a","tool":"b","text":"","folders":{"docs":{"start":{"x":"","x/y":""}}}}]}`, `"x" is a file and a folder`},
		"an absolute end":    {`{"calls":[{"name":"a","tool":"b","text":"","folders":{"docs":{"start":{},"end":"/etc"}}}]}`, "folders.docs: want the name"},
		"a folder with text": {`{"calls":[{"name":"a","tool":"b","text":"","folders":{"docs":{"start":{"x/":"text"}}}}]}`, "is no path inside the folder"},
	} {
		t.Run(intent, func(t *testing.T) {
			_, err := calls.Parse("t.json", []byte(c.file), false)
			if err == nil || !errors.Is(err, calls.ErrFile) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// answer is the JSON of a result.
func answer(text, structured string) calls.Answer {
	if structured != "" {
		structured = `,"structuredContent":` + structured
	}
	quoted, _ := json.Marshal(text)
	return calls.Answer{Output: fmt.Appendf(nil, `{"content":[{"type":"text","text":%s}]%s}`, quoted, structured)}
}

func TestCompare(t *testing.T) {
	failed := calls.Answer{Output: []byte(`{"content":[{"type":"text","text":"no such day"}],"isError":true}`)}
	denied := answer("x", "")
	denied.Denied = []string{"fs open docs:/docs/a: the directory was not granted"}
	logged := answer("x", "")
	logged.Logs = []string{"begun", "at 10 %", "done"}
	written := answer("x", "")
	written.Folders = map[string]calls.Held{"docs": {After: map[string]string{"a": "1", "b": "2"}, Want: map[string]string{"a": "1"}}}
	for intent, c := range map[string]struct {
		wants string
		got   calls.Answer
		diff  string // a line of the difference; "": there is none
	}{
		"the text":                   {`"text":"one\ntwo"`, answer("one\ntwo", ""), ""},
		"another text":               {`"text":"one\ntwo"`, answer("one\nthree", ""), "+ three"},
		"a part of the text":         {`"text":{"has":"wo"}`, answer("one\ntwo", ""), ""},
		"no part of the text":        {`"text":{"has":"wi"}`, answer("one", ""), "- what has wi"},
		"a pattern":                  {`"text":{"matches":"^\\d+$"}`, answer("123", ""), ""},
		"no such pattern":            {`"text":{"matches":"^\\d+$"}`, answer("12x", ""), "+ 12x"},
		"the same value":             {`"structured":{"a":1.0,"b":[true,null]}`, answer("", `{"b":[true,null],"a":1}`), ""},
		"one more member":            {`"structured":{"a":1}`, answer("", `{"a":1,"b":2}`), `+   "b": 2`},
		"a part of the value":        {`"structured_has":{"a":{"b":1}}`, answer("", `{"a":{"b":1,"c":2},"d":3}`), ""},
		"another value in the part":  {`"structured_has":{"a":{"b":1}}`, answer("", `{"a":{"b":2}}`), `-     "b": 1`},
		"no value":                   {`"structured":{"a":1}`, answer("x", ""), "+ nothing"},
		"digits are not lost":        {`"structured":{"a":9007199254740993}`, answer("", `{"a":9007199254740992}`), `-   "a": 9007199254740993`},
		"a pattern in a value":       {`"structured":{"at":{"$matches":"^T\\d$"}}`, answer("", `{"at":"T1"}`), ""},
		"not the pattern in a value": {`"structured":{"at":{"$matches":"^T\\d$"}}`, answer("", `{"at":1}`), `+   "at": 1`},
		"a block":                    {`"content":[{"type":"text"}]`, answer("x", ""), ""},
		"another number of blocks":   {`"content":[]`, answer("x", ""), `+   "type": "text",`},
		"a part of the error":        {`"error":"such day"`, failed, ""},
		"another error":              {`"error":"such night"`, failed, "+ no such day"},
		"an error that is not there": {`"error":""`, answer("x", ""), "+ x"},
		"an error for an answer":     {`"text":"x"`, failed, "+ the error no such day"},
		"an error of the host":       {`"error":"arguments"`, calls.Answer{Fault: "arguments.day: missing"}, ""},
		"a refusal":                  {`"text":"x","denied":["fs open docs:/docs/a: the directory was not granted"]`, denied, ""},
		"no refusal":                 {`"text":"x","denied":[]`, denied, "+ fs open docs:/docs/a: the directory was not granted"},
		"lines of the log":           {`"text":"x","logs":["begun",{"matches":"^done$"}]`, logged, ""},
		"lines in another order":     {`"text":"x","logs":["done","begun"]`, logged, "- done"},
		"no lines":                   {`"text":"x","logs":[]`, logged, "+ begun"},
		"a folder that changed":      {`"text":"x","folders":{"docs":{"start":{"a":"1"}}}`, written, "+ b"},
		"guest text is escaped":      {`"text":"x"`, answer("\x1b[31m\u202e", ""), `+ \u001b[31m\u202e`},
	} {
		t.Run(intent, func(t *testing.T) {
			f, err := calls.Parse("t.json", []byte("{\"calls\":[{\"name\":\"a\",\"tool\":\"b\",\n"+c.wants+"}]}"), false)
			if err != nil {
				t.Fatal(err)
			}
			found := f.Compare(0, c.got)
			var lines []string
			for _, d := range found {
				lines = append(lines, d.Diff...)
				if d.Line != 2 {
					t.Errorf("line %d", d.Line)
				}
			}
			all := "\n" + strings.Join(lines, "\n") + "\n"
			if c.diff == "" && found != nil || c.diff != "" && !strings.Contains(all, "\n"+c.diff+"\n") {
				t.Errorf("got %s want %q", all, c.diff)
			}
		})
	}
}

const before = `{
  "calls": [
    { "name": "a", "tool": "t", "text": "old", "arguments": {} },
    {
      "name": "b",
      "tool": "t",
      "folders": { "docs": { "start": {} } }
    },
    { "name": "c", "tool": "t", "text": {"has": "mine"} }
  ]
}
`

// An update writes what came, leaves every other byte, and leaves patterns to their author; the file that it
// makes has nothing to differ from.
func TestUpdate(t *testing.T) {
	f, err := calls.Parse("t.json", []byte(before), true)
	if err != nil {
		t.Fatal(err)
	}
	b := answer("", `{"n":1}`)
	b.Folders = map[string]calls.Held{"docs": {After: map[string]string{"x": "1"}}}
	answers := []calls.Answer{answer("new \"text\"", ""), b, answer("other", "")}
	found := map[int][]calls.Difference{}
	for i, a := range answers {
		found[i] = f.Compare(i, a)
	}
	raw, left, err := f.Update(found)
	if err != nil || len(left) != 1 || !left[2] {
		t.Fatalf("%v %v", left, err)
	}
	want := strings.NewReplacer(`"old"`, `"new \"text\""`, `{ "start": {} } }
`, `{ "start": {}, "end": {"x":"1"} } },
      "structured": {"n":1}
`).Replace(before)
	if string(raw) != want {
		t.Errorf("got %s", raw)
	}
	again, err := calls.Parse("t.json", raw, false)
	if err != nil {
		t.Fatal(err)
	}
	answers[1].Folders = map[string]calls.Held{"docs": {After: map[string]string{"x": "1"}, Want: again.Calls[1].Folders["docs"].End.Files}}
	for i, a := range answers[:2] {
		if left := again.Compare(i, a); left != nil {
			t.Errorf("call %d still differs: %v", i, left)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(before), "text")
	f.Add([]byte(`{"calls":[{"name":"a","tool":"b","structured":{"x":[1,"\u00e9"]},"logs":[]}]}`), "x")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		file, err := calls.Parse("t.json", raw, true)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line: %q", err)
			}
			return
		}
		found := map[int][]calls.Difference{}
		for i := range file.Calls {
			file.Line(i, "text")
			found[i] = file.Compare(i, answer(text, ""))
		}
		updated, left, err := file.Update(found)
		if err != nil {
			t.Fatalf("an update that cannot be read: %v", err)
		}
		again, err := calls.Parse("t.json", updated, true)
		if err != nil {
			t.Fatalf("%v in %s", err, updated)
		}
		for i := range again.Calls {
			if d := again.Compare(i, answer(text, "")); d != nil && !left[i] {
				t.Errorf("call %d still differs: %v in %s", i, d, updated)
			}
		}
	})
}
