package host_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
)

var png = base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\nrest"))

func TestCleanResultsStayByteForByte(t *testing.T) {
	for _, output := range []string{
		`{"content":[]}`,
		` { "content" : [ {"type":"text","text":"a\u0041\n\tb"} ] , "isError" : false }`,
		`{"structuredContent":{"n":1.0,"big":9007199254740993,"e":1e2},"content":[{"type":"text","text":"4 °C, مرحبا, 👨‍👩‍👧, ❤️, 1️⃣"}]}`,
		`{"content":[{"type":"image","data":"` + png + `","mimeType":"image/png"}]}`,
		`{"content":[{"type":"image","data":"` + png + `","mimeType":"image/tiff"}]}`,
		`{"content":[{"type":"resource_link","uri":"https://acme.test/a?b#c","name":"a","size":1}]}`,
		`{"content":[{"type":"resource","resource":{"uri":"servlet:/a.bin","blob":"AA==","mimeType":"application/x"}}]}`,
		`{"content":[{"type":"resource","resource":{"uri":"https://acme.test/a","text":"x"}}],"_meta":{"com.acme/x":1}}`,
		`{"content":[],"_meta":{"com.example.mcp/x":1,"com.acme.modelcontextprotocol/x":1,"mcp":1,"run.writer/x":1,"mcpx.dev/x":1}}`,
		`{"content":[{"type":"resource","resource":{"uri":"servlet:x","text":"","_meta":{"com.acme/x":1}}}]}`,
		`{"structuredContent":[1,null,"x"]}`,
		"{\"content\":[{\"type\":\"text\",\"text\":\"line\\r\\nline\"}]}",
	} {
		raw, isError, cleaned, err := host.ReadResult([]byte(output))
		if err != nil || isError || cleaned != 0 || string(raw) != output {
			t.Errorf("%s\ngot %s, %v, %d, %v", output, raw, isError, cleaned, err)
		}
	}
}

func TestResultsThatAreRefused(t *testing.T) {
	block := func(b string) string { return `{"content":[` + b + `]}` }
	for _, row := range []struct{ name, output, want string }{
		{"nothing", ``, "empty"},
		{"not JSON", `{"content":[}`, "JSON"},
		{"a name twice", `{"content":[],"content":[]}`, "duplicate name"},
		{"more than one value", `{"content":[]}{}`, "after the value"},
		{"no object", `[]`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"no content", `{"isError":true}`, "no content"},
		{"content is no array", `{"content":{}}`, "content is not an array"},
		{"isError is no boolean", `{"content":[],"isError":"yes"}`, "isError"},
		{"a question to the user", `{"content":[],"inputRequests":{}}`, `unknown member "inputRequests"`},
		{"a state of the server", `{"content":[],"requestState":"x"}`, `unknown member "requestState"`},
		{"meta of the host", `{"content":[],"_meta":{"run.writ/cleaned":0}}`, "reserved key"},
		{"meta of the protocol", `{"content":[],"_meta":{"io.modelcontextprotocol/x":0}}`, "reserved key"},
		{"meta of the protocol in a block", block(`{"type":"text","text":"","_meta":{"dev.mcp/x":0}}`), "reserved key"},
		{"meta of the protocol in a resource", block(`{"type":"resource","resource":{"uri":"servlet:x","text":"","_meta":{"io.modelcontextprotocol/x":0}}}`), "resource: _meta has the reserved key"},
		{"meta of the host in a resource", block(`{"type":"resource","resource":{"uri":"servlet:x","blob":"","_meta":{"run.writ/cleaned":0}}}`), "resource: _meta has the reserved key"},
		{"meta that is no object in a resource", block(`{"type":"resource","resource":{"uri":"servlet:x","text":"","_meta":[]}}`), "resource: _meta is not an object"},
		{"meta below the host's name", `{"content":[],"_meta":{"run.writ.sub/x":0}}`, "reserved key"},
		{"meta of the protocol by its domain", `{"content":[],"_meta":{"modelcontextprotocol.io/x":0}}`, "reserved key"},
		{"meta of the protocol by its short domain", `{"content":[],"_meta":{"mcp.dev/x":0}}`, "reserved key"},
		{"meta of the protocol below a domain", `{"content":[],"_meta":{"api.tools.MCP.com/x":0}}`, "reserved key"},
		{"meta of the protocol's bare name", `{"content":[],"_meta":{"mcp/x":0}}`, "reserved key"},
		{"an unknown block", block(`{"type":"html","text":""}`), `unknown type "html"`},
		{"a block without a type", block(`{"text":""}`), "unknown type"},
		{"a block that is none", block(`"text"`), "not an object"},
		{"text that is none", block(`{"type":"text","text":1}`), "text is not a string"},
		{"data that is no base64", block(`{"type":"image","data":"%%","mimeType":"image/png"}`), "not base64"},
		{"base64 with two readings", block(`{"type":"image","data":"AB==","mimeType":"image/png"}`), "not base64"},
		{"an image that is a page", block(`{"type":"image","data":"` + png + `","mimeType":"text/html"}`), "not of a kind of image"},
		{"an image that is something else", block(`{"type":"image","data":"PGh0bWw+","mimeType":"image/png"}`), "the data is not image/png"},
		{"icons", block(`{"type":"resource_link","uri":"https://a.test","name":"a","icons":[]}`), "icons"},
		{"a local file", block(`{"type":"resource_link","uri":"file:///etc/passwd","name":"a"}`), `scheme "file"`},
		{"a script", block(`{"type":"resource_link","uri":"javascript:alert(1)","name":"a"}`), `scheme "javascript"`},
		{"a script in other letters", block(`{"type":"resource_link","uri":"JaVaScRiPt:alert(1)","name":"a"}`), `scheme "javascript"`},
		{"data", block(`{"type":"resource_link","uri":"data:text/html,x","name":"a"}`), `scheme "data"`},
		{"no scheme", block(`{"type":"resource_link","uri":"//a.test","name":"a"}`), `scheme ""`},
		{"a link to nothing of the servlet", block(`{"type":"resource_link","uri":"servlet:/a","name":"a"}`), `scheme "servlet"`},
		{"a user name that hides the host", block(`{"type":"resource_link","uri":"https://bank.test@evil.test","name":"a"}`), "user name"},
		{"a script in a resource", block(`{"type":"resource","resource":{"uri":"javascript:1","text":""}}`), `scheme "javascript"`},
		{"a resource without contents", block(`{"type":"resource","resource":{"uri":"https://a.test"}}`), "text is not a string"},
		{"many blocks", block(strings.TrimSuffix(strings.Repeat(`{"type":"text","text":""},`, 1001), ",")), "1001 blocks"},
		{"deep nesting", `{"structuredContent":` + strings.Repeat("[", 41) + strings.Repeat("]", 41) + `}`, "nested deeper"},
		{"many values", `{"structuredContent":[` + strings.TrimSuffix(strings.Repeat("0,", 200_001), ",") + `]}`, "more than 200000 values"},
		{"names that differ in what is not seen", "{\"content\":[],\"structuredContent\":{\"a\":1,\"a\u200b\":2}}", "hidden characters"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, _, err := host.ReadResult([]byte(row.output))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestWhatIsNotSeenIsDropped(t *testing.T) {
	for _, row := range []struct {
		name, in, out string
		dropped       int
	}{
		{"plain", "a\tb\nc", "a\tb\nc", 0},
		{"a return before a newline", "a\r\nb", "a\r\nb", 0},
		{"a return that overwrites", "safe\rbad", "safebad", 1},
		{"NUL and bell", "a\x00b\ac", "abc", 2},
		{"colour", "\x1b[31mred\x1b[0m", "red", 9},
		{"colour by one character", "\u009b31mred", "red", 4},
		{"clipboard write", "a\x1b]52;c;aGk=\ab", "ab", 12},
		{"clipboard write, other end", "a\x1b]52;c;aGk=\x1b\\b", "ab", 13},
		{"a link that is not what it says", "\x1b]8;;https://evil.test\x1b\\text\x1b]8;;\x1b\\", "text", 31},
		{"a command string without end", "a\x1bPq\nb", "a\nb", 3},
		{"an escape alone", "a\x1b", "a", 1},
		{"an escape before a letter that is not ASCII", "\x1bé", "é", 1},
		{"a sequence that is none", "\x1b[é", "é", 2},
		{"right to left override", "a\u202eb", "ab", 1},
		{"isolates and marks", "\u2066a\u2069\u200f\u061c", "a", 4},
		{"zero width", "a\u200bb\ufeffc\u2060", "abc", 3},
		{"tags", "x\U000e0041\U000e007f", "x", 2},
		{"variation selectors that carry bytes", "a\ufe00\U000e0100", "a", 2},
		{"line separator", "a\u2028b", "ab", 1},
		{"emoji that need joiners", "👨‍👩‍👧 ❤️ 1️⃣ 🏴 👍🏽", "👨‍👩‍👧 ❤️ 1️⃣ 🏴 👍🏽", 0},
		{"a joiner between letters", "ad\u200dmin", "admin", 1},
		{"Persian and Hindi need joiners", "می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष", 0},
		{"a joiner between replacement characters", "\ufffd\u200d\ufffd", "\ufffd\ufffd", 1},
		{"private use, which fonts draw", "\ue0b0\U000f0001", "\ue0b0\U000f0001", 0},
		{"invalid UTF-8", "a\xffb", "a\ufffdb", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			out, dropped := host.CleanText(row.in)
			if out != row.out || dropped != row.dropped {
				t.Errorf("got %q, %d; want %q, %d", out, dropped, row.out, row.dropped)
			}
		})
	}
}

func TestDroppedCharactersAreCounted(t *testing.T) {
	raw, _, cleaned, err := host.ReadResult([]byte(`{"content":[{"type":"text","text":"a\u001b[31mb"}],"structuredContent":{"k\u200b":"v\u202e"},"_meta":{"com.acme/x":1.0}}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"_meta":{"com.acme/x":1.0,"run.writ/cleaned":7},"content":[{"type":"text","text":"ab"}],"structuredContent":{"k":"v"}}`
	if cleaned != 7 || string(raw) != want {
		t.Errorf("%d: %s", cleaned, raw)
	}
}

func TestResultsThroughACall(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	for _, row := range []struct {
		name, tool, raw string
		status          host.Status
		text            string
	}{
		{"accepted", "t_say", `{"content":[{"type":"text","text":"hi"}]}`, host.StatusOK, "hi"},
		{"the tool's own failure", "t_say", `{"content":[{"type":"text","text":"no such file"}],"isError":true}`, host.StatusTool, "no such file"},
		{"refused", "t_say", `{"content":[{"type":"html"}]}`, host.StatusTool, `The tool's answer was refused: content[0]: unknown type "html". See ` + "`writ audit --call "},
		{"structure as promised", "t_typed", `{"content":[],"structuredContent":{"celsius":4.5}}`, host.StatusOK, ""},
		{"structure broken", "t_typed", `{"content":[],"structuredContent":{"celsius":"4"}}`, host.StatusTool, "structuredContent.celsius: must be a number, but is a string"},
		{"structure missing", "t_typed", `{"content":[]}`, host.StatusTool, "it has no structuredContent"},
		{"a failure promises nothing", "t_typed", `{"content":[{"type":"text","text":"oops"}],"isError":true}`, host.StatusTool, "oops"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := h.call(row.tool, args{"raw": row.raw})
			want(t, a, row.status, row.text)
			if row.status == host.StatusOK && string(a.Result) != row.raw {
				t.Errorf("changed: %s", a.Result)
			}
		})
	}
}

// FuzzReadResult: whatever a guest writes, what comes out is one object without anything hidden, and
// reading it again changes nothing.
func FuzzReadResult(f *testing.F) {
	for _, seed := range []string{
		`{"content":[{"type":"text","text":"a\u001b[31m"}]}`, `{"content":[{"type":"resource","resource":{"uri":"https://a.test","text":"\u202e"}}],"isError":true}`,
		`{"structuredContent":{"\u200b":[1e400,"\ud83d\ude00"]}}`, `{"content":[{"type":"image","data":"` + png + `","mimeType":"image/png"}],"_meta":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		raw, _, cleaned, err := host.ReadResult(output)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("not one line: %q", err)
			}
			return
		}
		var v map[string]json.RawMessage
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if cleaned > 0 {
			delete(v, "_meta")
			again, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, n, _ := host.ReadResult(again); n != 0 {
				t.Errorf("%d hidden characters are left in %s", n, again)
			}
		}
	})
}

// FuzzCleanText: what is left has nothing that a manifest would be refused for, but for private use
// characters, which fonts of terminals and editors draw.
func FuzzCleanText(f *testing.F) {
	for _, s := range []string{"a\x1b[31mb", "\u202e\u200d", "👨‍👩‍👧", "می\u200cخواهم", "\r\n\r", "\x1b]8;;x\x1b\\", "\u009b\u009b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean, dropped := host.CleanText(s)
		if again, n := host.CleanText(clean); n != 0 {
			t.Errorf("%q -> %q -> %q", s, clean, again)
		}
		if dropped == 0 && clean != strings.ToValidUTF8(s, "\ufffd") {
			t.Errorf("%q became %q", s, clean)
		}
		if strings.ContainsFunc(clean, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0xe0000 && r < 0xe1000
		}) {
			t.Error(fmt.Sprintf("%q", clean), capabilities.CleanText(clean))
		}
	})
}

// FuzzMembersOf: parts that are cut out of a value are those that the strict reader finds.
func FuzzMembersOf(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, ` { "a" : [ 1 , "}" , {"b":null} ] , "\u0061b\"" : "]," } `, `[[],{},[{}],"\\",-1e2,true]`, `"x"`, `{"":{"":""}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		compact, err := strictjson.Compact(data)
		if err != nil {
			return
		}
		var members map[string]json.RawMessage
		if compact[0] == '{' {
			if err := strictjson.Decode(compact, &members); err != nil {
				t.Fatal(err)
			}
		}
		if got := host.MembersOf(compact); !reflect.DeepEqual(got, members) {
			t.Errorf("%s has the members %s, want %s", compact, got, members)
		}
		var items []json.RawMessage
		if compact[0] == '[' {
			if err := strictjson.Decode(compact, &items); err != nil {
				t.Fatal(err)
			}
		}
		if got, ok := host.ItemsOf(compact); ok != (compact[0] == '[') || len(got) != len(items) || len(got) > 0 && !reflect.DeepEqual(got, items) {
			t.Errorf("%s has the items %s, want %s", compact, got, items)
		}
	})
}

// What is brought into form grows by it, and a guest is held to its bound all the same.
func TestTranslatedResultKeepsItsBound(t *testing.T) {
	block := `{"type":"resource","text":""}`
	for n, want := range map[int]host.Limit{5: "", 30: sandbox.LimitOutput} {
		output := `{"content":[` + block + strings.Repeat(","+block, n-1) + `]}`
		if len(output) > 1024 {
			t.Fatal("it is too large as it is")
		}
		if raw, limit, err := host.Accept(capabilities.ABIExtism, 1, output); limit != want || (err == nil) != (want == "") {
			t.Errorf("%d blocks: %q, %v, %d bytes", n, limit, err, len(raw))
		}
	}
}
