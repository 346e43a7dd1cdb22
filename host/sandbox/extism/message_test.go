package extism_test

import (
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox/extism"
)

func TestNewerRequest(t *testing.T) {
	cases := []struct{ name, input, want string }{
		{"a call", `{"method":"tools/call","params":{"name":"x","arguments":{"a":1}}}`, `{"request":{"name":"x","arguments":{"a":1}},"context":{"id":"call","_meta":{}}}`},
		{"a list", "", `{"context":{"id":"list","_meta":{}}}`},
		{"no params", `{"method":"tools/call"}`, "the request has no params"},
		{"no JSON", `{`, "JSON: ends too early at offset 1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := extism.NewerRequest([]byte(c.input))
			if err != nil {
				got = []byte(err.Error())
			}
			if string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestResult(t *testing.T) {
	const plain = `{"content":[{"type":"text","text":"x"}],"isError":false}`
	same := func(s string) [2]string { return [2]string{s, s} }
	cases := map[string][2]string{
		"well-formed":                   same(plain),
		"well-formed, with white space": same("{ \"content\" : [ { \"type\":\"text\", \"text\":\"x\" } ] }"),
		"text that is no JSON":          same("hello"),
		"an array":                      same(`[1]`),
		"twice the same name":           same(`{"content":[],"content":[]}`),
		"content that is no array":      same(`{"content":"x"}`),
		"structure alone":               same(`{"structuredContent":{"a":null}}`),
		"an unknown member":             same(`{"content":[],"inputRequests":{}}`),
		"nulls": {`{"content":[{"type":"text","text":"x","mimeType":null,"annotations":null}],"isError":null,"structuredContent":null}`,
			`{"content":[{"text":"x","type":"text"}]}`},
		"a text with a type":     {`{"content":[{"type":"text","text":"x","mimeType":"text/plain"}]}`, `{"content":[{"text":"x","type":"text"}]}`},
		"annotations with nulls": {`{"content":[{"type":"text","text":"x","annotations":{"audience":["user"],"priority":null}}]}`, `{"content":[{"annotations":{"audience":["user"]},"text":"x","type":"text"}]}`},
		"annotations of nothing": {`{"content":[{"type":"text","text":"x","annotations":{"priority":null}}]}`, `{"content":[{"text":"x","type":"text"}]}`},
		"an image as a URL":      {`{"content":[{"type":"image","data":"data:image/png;base64,iVBORw=="}]}`, `{"content":[{"data":"iVBORw==","mimeType":"image/png","type":"image"}]}`},
		"an image as a URL, with a type": {`{"content":[{"type":"image","mimeType":"image/gif","data":"data:image/png;base64,iVBORw=="}]}`,
			`{"content":[{"data":"iVBORw==","mimeType":"image/gif","type":"image"}]}`},
		"an image":                 same(`{"content":[{"type":"image","mimeType":"image/png","data":"iVBORw=="}]}`),
		"a resource":               {`{"content":[{"type":"resource","uri":"https://x.test/a","mimeType":"text/plain","text":"x"}]}`, `{"content":[{"resource":{"mimeType":"text/plain","text":"x","uri":"https://x.test/a"},"type":"resource"}]}`},
		"a resource of bytes":      {`{"content":[{"type":"text","text":"a"},{"type":"resource","data":"AAAA"}]}`, `{"content":[{"type":"text","text":"a"},{"resource":{"blob":"AAAA","uri":"servlet:resource/2"},"type":"resource"}]}`},
		"a resource of its own":    same(`{"content":[{"type":"resource","resource":{"uri":"servlet:a","text":"x"}}]}`),
		"an item that is no block": same(`{"content":[7,"x",null]}`),
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := extism.Result([]byte(c[0])); string(got) != c[1] {
				t.Errorf("got  %s\nwant %s", got, c[1])
			}
		})
	}
}

func TestDescription(t *testing.T) {
	cases := map[string][2]string{
		"tools":       {`{"tools":[{"name":"a","inputSchema":{"type":"object"}}]}`, `{"tools":[{"name":"a","inputSchema":{"type":"object"}}]}`},
		"a bare tool": {`{"name":"a","description":"d","inputSchema":{"type":"object"}}`, `{"tools":[{"name":"a","description":"d","inputSchema":{"type":"object"}}]}`},
		"nulls": {`{"tools":[{"name":"a","title":null,"annotations":{"title":null,"readOnlyHint":true},"inputSchema":{"properties":{"x":{"default":null}}}}],"nextCursor":null}`,
			`{"tools":[{"annotations":{"readOnlyHint":true},"inputSchema":{"properties":{"x":{"default":null}}},"name":"a"}]}`},
		"no schema":           {`{"tools":[{"name":"a","inputSchema":null}]}`, `{"tools":[{"inputSchema":{"type":"object"},"name":"a"}]}`},
		"none":                {`{"tools":[]}`, `{"tools":[]}`},
		"tools that are none": {`{"tools":7}`, `{"tools":7}`},
		"text":                {`hello`, `hello`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := extism.Description([]byte(c[0])); string(got) != c[1] {
				t.Errorf("got  %s\nwant %s", got, c[1])
			}
		})
	}
}

func TestRequest(t *testing.T) {
	line := func(r effect.HTTPRequest) string {
		s := r.Method + " " + r.URL
		for _, h := range r.Header {
			s += " " + h.Name + "=" + h.Value
		}
		return s
	}
	const malformed = "the request is malformed: want an object with url, method and headers"
	cases := []struct{ name, raw, want string }{
		{"all", `{"url":"https://a.test/","method":"POST","headers":{"B":"2","A":"1"}}`, "POST https://a.test/ A=1 B=2"},
		{"url alone", `{"url":"https://a.test/"}`, "GET https://a.test/"},
		{"nulls", `{"url":"https://a.test/","method":null,"headers":null}`, "GET https://a.test/"},
		{"an empty method in small letters", `{"url":"u","method":""}`, "GET u"},
		{"small letters", `{"url":"u","method":"patch"}`, "PATCH u"},
		{"numbers and booleans", `{"url":"u","headers":{"A":1.5,"B":true,"C":-7}}`, "GET u A=1.5 B=true C=-7"},
		{"other members", `{"url":"u","body":"x","header":{}}`, "GET u"},
		{"no url", `{"method":"GET"}`, malformed},
		{"a url that is a number", `{"url":7}`, malformed},
		{"a method that is a number", `{"url":"u","method":7}`, malformed},
		{"headers in a list", `{"url":"u","headers":[["A","1"]]}`, malformed},
		{"a header that is a list", `{"url":"u","headers":{"A":["1"]}}`, malformed},
		{"a header that is null", `{"url":"u","headers":{"A":null}}`, malformed},
		{"two urls", `{"url":"u","url":"v"}`, malformed},
		{"another spelling", `{"URL":"u"}`, malformed},
		{"no JSON", `url=u`, malformed},
		{"nothing", ``, malformed},
		{"too many headers", `{"url":"u","headers":{` + strings.TrimSuffix(manyHeaders(65), ",") + `}}`, "the request has too many headers"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req, err := extism.Request([]byte(c.raw))
			got := line(req)
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"H` + strings.Repeat("x", i) + `":"1",`)
	}
	return b.String()
}

func TestHeaders(t *testing.T) {
	got, err := extism.Headers([]effect.Header{{Name: "Link", Value: "<b>"}, {Name: "Content-Type", Value: "a/b"}, {Name: "link", Value: "<c>\xff"}})
	if want := "{\"content-type\":\"a/b\",\"link\":\"<b>,<c>\uFFFD\"}"; err != nil || string(got) != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}

func TestKey(t *testing.T) {
	for asked, want := range map[string]string{"api-key": "API_KEY", "UNITS": "UNITS", "base.url": "BASE_URL", "ünits": "üNITS", "": ""} {
		if got := extism.Key(asked); got != want {
			t.Errorf("%q becomes %q, want %q", asked, got, want)
		}
	}
}
