// Package recording keeps the HTTP exchanges of a servlet's tests in files that people read, and answers
// from them in the network's place. What it keeps has no secret in it: the guard masks what the host
// attached before it gets here, and header fields that can hold a credential are left out.
package recording

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Suffix is how the name of a file of exchanges goes on after that of its file of calls.
const Suffix = ".exchanges.json"

// MaxFile bounds a file of exchanges, in bytes.
const MaxFile = 16 << 20

// ErrFile is a file of exchanges that cannot be used.
var ErrFile = errors.New("recording refused")

// File has the exchanges of the calls of one file of calls.
type File struct {
	// Hosts are the origins that the operator chose, by the id of their http capability.
	Hosts     map[string]string `json:"hosts,omitempty"`
	Exchanges []Exchange        `json:"exchanges"`
}

// Exchange is one request and its answer.
type Exchange struct {
	Call    string            `json:"call"`             // the name of the call that it belongs to
	Request string            `json:"request"`          // method and URL
	Header  map[string]string `json:"header,omitempty"` // fields that the request has to have
	Body    *Body             `json:"body,omitempty"`   // nil: none
	Answer  Answer            `json:"answer"`
}

// Answer is what the server said.
type Answer struct {
	Status int                 `json:"status"`
	Header map[string][]string `json:"header,omitempty"`
	Body   *Body               `json:"body,omitempty"`
}

// Body is the bytes of a message in the form that is easiest to read; exactly one field is set.
type Body struct {
	JSON   json.RawMessage `json:"json,omitempty"`
	Text   *string         `json:"text,omitempty"`
	Lines  []string        `json:"lines,omitempty"` // a text, split at its line ends
	Base64 *string         `json:"base64,omitempty"`
}

// Parse reads a file. name is how errors call it.
func Parse(name string, raw []byte) (File, error) {
	var f File
	if err := strictjson.Decode(raw, &f); err != nil {
		return File{}, fmt.Errorf("%w: %s: %s", ErrFile, name, capabilities.Printable(err.Error(), 300))
	}
	for i, e := range f.Exchanges {
		if message := e.wrong(); message != "" {
			return File{}, fmt.Errorf("%w: %s: exchange %d: %s", ErrFile, name, i+1, message)
		}
	}
	return f, nil
}

func (e Exchange) wrong() string {
	method, address, _ := strings.Cut(e.Request, " ")
	u, err := url.Parse(address)
	switch {
	case e.Call == "":
		return "it names no call"
	case !capabilities.ValidMethod(method) || err != nil || u.Host == "":
		return `its request is not a method and a URL, such as "GET https://api.example.com/v1/"`
	case e.Answer.Status < 200 || e.Answer.Status > 599:
		return "its answer has no status of 200 to 599"
	}
	for _, b := range []*Body{e.Body, e.Answer.Body} {
		if b != nil && b.forms() != 1 {
			return "a body has exactly one of json, text, lines and base64"
		}
		if _, err := b.bytes(); err != nil {
			return "a body is not base64"
		}
	}
	return ""
}

func (b *Body) forms() (n int) {
	for _, is := range []bool{b.JSON != nil, b.Text != nil, b.Lines != nil, b.Base64 != nil} {
		if is {
			n++
		}
	}
	return n
}

// Write is the file, for people and version control.
func (f File) Write() ([]byte, error) {
	compact, err := strictjson.Encode(f)
	if err != nil {
		return nil, fmt.Errorf("writing recording: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("writing recording: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// bytes are what was sent; of JSON, without the space that makes it readable.
func (b *Body) bytes() ([]byte, error) {
	switch {
	case b == nil:
		return nil, nil
	case b.JSON != nil:
		return strictjson.Compact(b.JSON)
	case b.Text != nil:
		return []byte(*b.Text), nil
	case b.Lines != nil:
		return []byte(strings.Join(b.Lines, "\n")), nil
	case b.Base64 != nil:
		return base64.StdEncoding.Strict().DecodeString(*b.Base64)
	}
	return nil, nil
}

// bodyOf chooses the form of a body. JSON is kept as such where nothing but its spacing is lost by it.
func bodyOf(raw []byte, contentType string) *Body {
	if len(raw) == 0 {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(contentType)
	if kind == "application/json" || strings.HasSuffix(kind, "+json") {
		if compact, err := strictjson.Compact(raw); err == nil {
			return &Body{JSON: compact}
		}
	}
	if !utf8.Valid(raw) || bytes.IndexFunc(raw, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) >= 0 {
		text := base64.StdEncoding.EncodeToString(raw)
		return &Body{Base64: &text}
	}
	if text := string(raw); !strings.Contains(text, "\n") {
		return &Body{Text: &text}
	}
	return &Body{Lines: strings.Split(string(raw), "\n")}
}

// kept are the fields of a request that an answer depends on and that hold no credential. Authorization,
// cookies and fields of an application's own are where keys go: they are never kept.
var kept = []string{"accept", "content-type", "if-match", "if-modified-since", "if-none-match", "range"}

// exchangeOf is what is kept of an exchange.
func exchangeOf(call string, sent guard.Sent, answer guard.Answered) Exchange {
	e := Exchange{Call: call, Request: sent.Method + " " + sent.URL(), Answer: Answer{Status: answer.Status}}
	for _, f := range sent.Header {
		if slices.Contains(kept, f.Name) {
			if e.Header == nil {
				e.Header = map[string]string{}
			}
			e.Header[f.Name] = f.Value
		}
	}
	e.Body = bodyOf(sent.Body, field(sent.Header, "content-type"))
	for _, f := range answer.Header {
		if f.Name == "date" || f.Name == "age" || f.Name == "expires" {
			continue // of the moment: each recording would differ
		}
		if e.Answer.Header == nil {
			e.Answer.Header = map[string][]string{}
		}
		e.Answer.Header[f.Name] = append(e.Answer.Header[f.Name], f.Value)
	}
	e.Answer.Body = bodyOf(answer.Body, field(answer.Header, "content-type"))
	return e
}

func field(header []effect.Header, name string) string {
	for _, f := range header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// answered is the answer as the guard takes it.
func (e Exchange) answered() (guard.Answered, error) {
	body, err := e.Answer.Body.bytes()
	a := guard.Answered{Status: e.Answer.Status, Body: body}
	for name, values := range e.Answer.Header {
		for _, value := range values {
			a.Header = append(a.Header, effect.Header{Name: http.CanonicalHeaderKey(name), Value: value})
		}
	}
	return a, err
}

// With is the file with new exchanges in the place of those of the calls that were made, and the origins that
// were chosen; nil when there is nothing to keep and there was nothing.
func (f File) With(recorded []Exchange, made map[string]bool, hosts map[string]string) ([]byte, error) {
	before := len(f.Exchanges)
	all := slices.DeleteFunc(slices.Clone(f.Exchanges), func(e Exchange) bool { return made[e.Call] })
	all = append(all, recorded...)
	if len(all) == 0 && before == 0 {
		return nil, nil
	}
	chosen := maps.Clone(f.Hosts)
	for id, origin := range hosts {
		if chosen == nil {
			chosen = map[string]string{}
		}
		chosen[id] = origin
	}
	return File{Hosts: chosen, Exchanges: all}.Write()
}
