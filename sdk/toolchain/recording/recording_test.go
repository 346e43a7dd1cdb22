package recording_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/sdk/toolchain/recording"
)

var asked = guard.Sent{
	Method: "POST", Origin: "https://api.test", Path: "/v1/days", Query: "day=1&unit=c",
	Header: []effect.Header{{Name: "authorization", Value: "Bearer word"}, {Name: "content-type", Value: "application/json"}, {Name: "x-api-key", Value: "word"}},
	Body:   []byte(`{ "a": 1, "b": [2] }`),
}

// recorded makes a file of one exchange, as a recording does.
func recorded(t *testing.T, body, kind string) []byte {
	t.Helper()
	r := recording.Record("c")
	if _, err := r.Exchange(t.Context(), asked, func() (guard.Answered, error) {
		return guard.Answered{Status: 200, Header: []effect.Header{{Name: "content-type", Value: kind}, {Name: "date", Value: "today"}}, Body: []byte(body)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	raw, err := recording.File{}.With(r.Exchanges(), map[string]bool{"c": true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// What a server said comes back; credentials are not even in the file.
func TestAnswersComeBack(t *testing.T) {
	for intent, c := range map[string]struct{ body, kind, want, form string }{
		"JSON":          {`{ "t": 1.50 }`, "application/json", `{"t":1.50}`, `"t": 1.50`},
		"broken JSON":   {`{"t":`, "application/json", `{"t":`, `"text": "{\"t\":"`},
		"lines":         {"one\ntwo\n", "text/plain", "one\ntwo\n", `"lines": [`},
		"bytes":         {"\x00\xff", "image/png", "\x00\xff", `"base64": "AP8="`},
		"nothing":       {"", "text/plain", "", `"status": 200`},
		"line of a web": {"a\r\nb", "text/html", "a\r\nb", `"base64"`},
	} {
		t.Run(intent, func(t *testing.T) {
			raw := recorded(t, c.body, c.kind)
			if !strings.Contains(string(raw), c.form) || strings.Contains(string(raw), "word") || strings.Contains(string(raw), "today") {
				t.Errorf("kept %s", raw)
			}
			f, err := recording.Parse("x", raw)
			if err != nil {
				t.Fatal(err)
			}
			p := f.Play("c")
			a, err := p.Exchange(t.Context(), asked, nil)
			if err != nil || string(a.Body) != c.want || a.Status != 200 || len(p.Unknown())+len(p.Unused()) > 0 {
				t.Errorf("%v %q %v %v", err, a.Body, p.Unknown(), p.Unused())
			}
		})
	}
}

func TestWhatIsNotRecordedIsNamed(t *testing.T) {
	f, err := recording.Parse("x", recorded(t, "{}", "application/json"))
	if err != nil {
		t.Fatal(err)
	}
	for intent, c := range map[string]struct {
		change func(*guard.Sent)
		want   string // "": it is answered
	}{
		"the same":             {func(*guard.Sent) {}, ""},
		"another order":        {func(s *guard.Sent) { s.Query = "unit=c&day=1"; s.Body = []byte(`{"b":[2],"a":1}`) }, ""},
		"another host":         {func(s *guard.Sent) { s.Origin = "https://evil.test" }, "its host is https://evil.test, recorded is https://api.test"},
		"another path":         {func(s *guard.Sent) { s.Path = "/v1/weeks" }, "its path is /v1/weeks, recorded is /v1/days"},
		"another method":       {func(s *guard.Sent) { s.Method = "PUT" }, "its method is PUT, recorded is POST"},
		"another parameter":    {func(s *guard.Sent) { s.Query = "day=2&unit=c" }, "its query has day=2, recorded is 1"},
		"a new parameter":      {func(s *guard.Sent) { s.Query += "&q=1" }, "its query has q, which the recorded one has not"},
		"a parameter less":     {func(s *guard.Sent) { s.Query = "day=1" }, "its query has no unit"},
		"a new key":            {func(s *guard.Sent) { s.Body = []byte(`{"a":1,"b":[2],"c":3}`) }, "its body has the key c, which"},
		"a key less":           {func(s *guard.Sent) { s.Body = []byte(`{"a":1}`) }, "its body has no key b"},
		"another value":        {func(s *guard.Sent) { s.Body = []byte(`{"a":2,"b":[2]}`) }, "the key a of its body is 2, recorded is 1"},
		"no body":              {func(s *guard.Sent) { s.Body = nil }, `its body is ""`},
		"another form of body": {func(s *guard.Sent) { s.Header = nil }, `its header content-type is ""`},
		"an escape":            {func(s *guard.Sent) { s.Query = "day=\x1b[2J&unit=c" }, `\u001b[2J`},
	} {
		t.Run(intent, func(t *testing.T) {
			sent := asked
			c.change(&sent)
			p := f.Play("c")
			_, err := p.Exchange(t.Context(), sent, func() (guard.Answered, error) { panic("nothing is sent") })
			lines := strings.Join(p.Unknown(), "\n")
			if (err == nil) != (c.want == "") || !strings.Contains(lines, c.want) || strings.ContainsAny(lines, "\n\x1b") || len(p.Unused()) != len(p.Unknown()) {
				t.Errorf("%v: %q", err, lines)
			}
		})
	}
	p := f.Play("c")
	for i, want := range []string{"", "so often"} {
		_, err := p.Exchange(t.Context(), asked, nil)
		if lines := strings.Join(p.Unknown(), ""); (err != nil) != (i == 1) || !strings.HasSuffix(lines, want) {
			t.Errorf("time %d: %v %q", i, err, lines)
		}
	}
	if _, err := f.Play("another").Exchange(t.Context(), asked, nil); err == nil {
		t.Error("the exchanges of another call were played")
	}
}

// A call whose requests were not all answered is told so, and a file keeps the calls that were not made.
func TestRecordingKeepsOtherCalls(t *testing.T) {
	r := recording.Record("c")
	if _, err := r.Exchange(t.Context(), asked, func() (guard.Answered, error) {
		return guard.Answered{}, &effect.Error{Code: effect.Unavailable, Text: "the server did not answer"}
	}); err == nil || len(r.Lost()) != 1 || !strings.Contains(r.Lost()[0], "POST https://api.test/v1/days?day=1&unit=c was not answered: the server did not answer") {
		t.Errorf("%v %v", err, r.Lost())
	}
	f, err := recording.Parse("x", recorded(t, "{}", "application/json"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := f.With(nil, map[string]bool{"other": true}, map[string]string{"api": "https://api.test"})
	if err != nil || !strings.Contains(string(raw), `"call": "c"`) || !strings.Contains(string(raw), `"api": "https://api.test"`) {
		t.Errorf("%v %s", err, raw)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"exchanges":[{"call":"c","request":"GET https://a.test/?q=1","answer":{"status":200,"body":{"json":{"a":1}}}}]}`))
	f.Add([]byte(`{"hosts":{"api":"https://a.test"},"exchanges":[{"call":"c","request":"POST https://a.test/x","body":{"base64":"AP8="},"answer":{"status":404}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := recording.Parse("x", raw)
		if err != nil {
			if !errors.Is(err, recording.ErrFile) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		p := file.Play("c")
		for range 3 {
			p.Exchange(t.Context(), asked, nil)
		}
		if _, err := file.Write(); err != nil {
			t.Error(err)
		}
		p.Unused()
	})
}
