package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var panics = attack.Row{
	ID:    "A17",
	Title: "the host's own code made to panic: in every message, beside the guest, in the server; requests and answers that break decoders",
	Mutants: []string{
		"panic-in-call", "panic-in-operation", "panic-in-run", "panic-in-request", "http-headers-counted", "http-headers-paired", "http-head-size", "json-unknown", "json-folded",
		"guard-answer-header", "operation-size",
		"fault-without-output", "trap-reported",
	},
	Run: func(r *attack.Report) {
		for _, way := range target.Ways(r) {
			for name, call := range panicking {
				r.Variant(name+" panics, "+string(way), func() error {
					out, err := target.Run(way, call.module(), target.Call(faulty{}, call.input...))
					return errors.Join(err, target.Fault(out, sandbox.FaultHost, "the host failed while it served the call"))
				})
			}
			r.Variant("Preopens panics, "+string(way), func() error {
				out, err := target.Run(way, target.Saying("x"), target.Call(struct{ sandbox.Host }{}))
				return errors.Join(err, target.Fault(out, sandbox.FaultHost, "the host failed while it served the call"))
			})
			r.Variant("Progress panics, "+string(way), func() error {
				call := target.Call(nil, target.Arguments(0, 0, 0, 0)...)
				call.Progress = func(float64, float64, string) { panic(canary) }
				out, err := target.Run(way, target.Caller(target.Named("progress"), ""), call)
				return errors.Join(err, target.Fault(out, sandbox.FaultHost, "the host failed while it served the call"))
			})
		}
		for name, c := range crookedHeads() {
			r.Variant("a head with "+name, func() error {
				host := target.NewWilling()
				out, err := target.Run(target.Reset, fetcher(), target.Call(host, []byte(c.head)...))
				if err == nil && host.Asked.Load() > 0 && c.want != effect.OK {
					err = fmt.Errorf("%d requests reached the host", host.Asked.Load())
				}
				return errors.Join(err, target.Output(out, code(c.want)))
			})
		}
		for name, c := range crookedAnswers() {
			r.Variant("an answer with "+name, func() error {
				host := target.NewWilling()
				host.OnFetch = func(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) { return c.answer, c.err }
				out, err := target.Run(target.Reset, fetcher(), target.Call(host, []byte(head)...))
				return errors.Join(err, target.Output(out, append(code(c.want), c.text...)))
			})
		}
		upstreams(r)
		servers(r)
	},
}

// canary is in every panic of these attacks and must be in no answer.
const canary = "PANIC-TEXT /home/ana/.ssh"

// faulty is a Host of which every method but Preopens panics.
type faulty struct{ sandbox.Host }

func (faulty) Preopens() []effect.Preopen {
	return []effect.Preopen{{Handle: effect.FirstHandle, Guest: "/data"}}
}

func (faulty) Fetch(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	panic(canary)
}

// asking is a module and its input that make a Host's method run.
type asking struct {
	module func() []byte
	input  []byte
}

func called(name, data string, args ...uint64) asking {
	return asking{func() []byte { return target.Caller(target.Named(name), data) }, target.Arguments(args...)}
}

// panicking has one for every method.
var panicking = map[string]asking{
	"Config":   called("config_get", "f", 0, 1, 0, 0),
	"Open":     called("path_open", "f", 3, 0, 0, 1, 0, 2, 0, 0, 64),
	"Close":    called("fd_close", "", 3),
	"Read":     called("fd_read", "\x00\x00\x00\x00\x01\x00\x00\x00", 3, 0, 1, 64),
	"Write":    called("fd_write", "\x00\x00\x00\x00\x01\x00\x00\x00", 3, 0, 1, 64),
	"Stat":     called("fd_filestat_get", "", 3, 64),
	"StatAt":   called("path_filestat_get", "f", 3, 0, 0, 1, 64),
	"ReadDir":  called("fd_readdir", "", 3, 0, 64, 0, 256),
	"ReadLink": called("path_readlink", "f", 3, 0, 1, 64, 9, 128),
	"Mkdir":    called("path_create_directory", "f", 3, 0, 1),
	"Rmdir":    called("path_remove_directory", "f", 3, 0, 1),
	"Unlink":   called("path_unlink_file", "f", 3, 0, 1),
	"Rename":   called("path_rename", "f", 3, 0, 1, 3, 0, 1),
	"SetSize":  called("fd_filestat_set_size", "", 3, 0),
	"SetTimes": called("fd_filestat_set_times", "", 3, 0, 0, 1),
	"Sync":     called("fd_sync", "", 3),
	"Fetch":    {fetcher, []byte(head)},
	"Fetch, for which nobody waits,": {func() []byte {
		return target.Guest(func(m *w.Module) [][]byte {
			start, write := target.Import(m, "http_start"), target.Import(m, "output_write")
			m.Data(0, []byte(head))
			return [][]byte{w.I32(0), w.I32(int32(len(head))), w.I32(0), w.I32(0), w.Call(start), w.Drop(),
				w.I32(0), w.I32(2), w.Call(write), w.Drop(), w.I32(0)}
		})
	}, nil},
}

// crookedHead is a request as a guest may write it.
type crookedHead struct {
	head string
	want effect.Code
}

func crookedHeads() map[string]crookedHead {
	headers := func(list string) string { return strings.Replace(head, "}", `,"headers":`+list+`}`, 1) }
	many := func(n int, one string) string {
		return headers("[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]")
	}
	return map[string]crookedHead{
		"no header":                       {head, effect.OK},
		"64 headers":                      {many(64, `["a","b"]`), effect.OK},
		"65 headers":                      {many(65, `["a","b"]`), effect.Limit},
		"40,000 headers":                  {many(40_000, `["",""]`), effect.Limit},
		"6,000 headers in 64 KiB":         {many(6_000, `["",""]`), effect.Limit},
		"a header without a value":        {headers(`[["a"]]`), effect.Invalid},
		"a header of three parts":         {headers(`[["a","b","c"]]`), effect.Invalid},
		"a header of nothing":             {headers(`[[]]`), effect.Invalid},
		"a header that is null":           {headers(`[null]`), effect.Invalid},
		"headers that are null":           {headers(`null`), effect.OK},
		"headers that are an object":      {headers(`{"a":"b"}`), effect.Invalid},
		"a header that is a number":       {headers(`[["a",1]]`), effect.Invalid},
		"nothing at all":                  {"", effect.Invalid},
		"null":                            {"null", effect.OK},
		"a list":                          {"[]", effect.Invalid},
		"an unknown member":               {strings.Replace(head, "{", `{"url":"https://evil.test",`, 1), effect.Invalid},
		"a member twice":                  {strings.Replace(head, "{", `{"path":"/v2/",`, 1), effect.Invalid},
		"a member of another case":        {strings.Replace(head, `"method"`, `"Method"`, 1), effect.Invalid},
		"bytes after it":                  {head + "x", effect.Invalid},
		"half of it":                      {head[:20], effect.Invalid},
		"a byte order mark":               {"\uFEFF" + head, effect.Invalid},
		"bytes that are no UTF-8":         {strings.Replace(head, "api", "\xff", 1), effect.Invalid},
		"half a surrogate":                {strings.Replace(head, "api", `\ud800`, 1), effect.Invalid},
		"lists inside lists, 10,000 deep": {headers(strings.Repeat("[", 10_000)), effect.Invalid},
		"64 KiB and a byte":               {head + strings.Repeat(" ", 64<<10+1-len(head)), effect.Limit},
	}
}

// crookedAnswer is what a Host may bring back, and what the guest is told.
type crookedAnswer struct {
	answer effect.HTTPResponse
	err    *effect.Error
	want   effect.Code
	text   string
}

func crookedAnswers() map[string]crookedAnswer {
	many := make([]effect.Header, 40_000)
	for i := range many {
		many[i] = effect.Header{Name: "Name", Value: "value"}
	}
	tooLarge := "the answers that this call holds are larger than its memory limit"
	return map[string]crookedAnswer{
		"nothing at all":                   {want: effect.OK},
		"40,000 headers":                   {answer: effect.HTTPResponse{Status: 200, Header: many}, want: effect.OK},
		"headers that are no UTF-8":        {answer: effect.HTTPResponse{Status: 200, Header: []effect.Header{{Name: "\xff", Value: "\xc3"}}}, want: effect.OK},
		"a header of a megabyte":           {answer: effect.HTTPResponse{Status: 200, Header: []effect.Header{{Name: "a", Value: strings.Repeat("\xff", 1<<20)}}}, want: effect.OK},
		"a negative status":                {answer: effect.HTTPResponse{Status: -1 << 31}, want: effect.OK},
		"a body larger than all memory":    {answer: effect.HTTPResponse{Status: 200, Body: make([]byte, 16<<20+1)}, want: effect.Limit, text: tooLarge},
		"an error of a code that is none":  {err: &effect.Error{Code: 99, Text: "strange"}, want: effect.Internal, text: "strange"},
		"an error of code 0":               {err: &effect.Error{Text: "nothing"}, want: effect.Internal, text: "nothing"},
		"an error of a negative code":      {err: &effect.Error{Code: -5, Text: "less"}, want: effect.Internal, text: "less"},
		"an error without a word":          {err: &effect.Error{Code: effect.Denied}, want: effect.Denied},
		"an error of 4,096 bytes and more": {err: &effect.Error{Code: effect.Denied, Text: strings.Repeat("x", 5000)}, want: effect.Denied, text: strings.Repeat("x", 4096)},
	}
}

// upstreams answer what breaks clients, through the product's guard.
func upstreams(r *attack.Report) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    effect.Code
		text    string
	}{
		"40,000 headers": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 40_000 {
				w.Header().Set(fmt.Sprintf("Name-%d", i), "value")
			}
		}, effect.Unavailable, "the server did not answer"},
		"a header of a megabyte":  {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Name", strings.Repeat("x", 1<<20)) }, effect.Unavailable, "the server did not answer"},
		"a handler that gives up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, effect.Unavailable, "the server did not answer"},
	} {
		r.Variant("an upstream with "+name, func() error {
			up := target.NewUpstream(c.handler)
			defer up.Stop()
			p := capabilities.Policy{Limits: capabilities.DefaultLimits}
			p.Rights.HTTP = map[string]capabilities.HTTPRight{"api": {Origin: up.Origin, Methods: []string{"GET"}, Paths: []string{"/v1/"}}}
			return fetchRefused(up, p, head, c.want, c.text)
		})
	}
}

// tooler is a host that panics where it is asked to.
type tooler struct{ listing bool }

func (t *tooler) Tools(context.Context, capabilities.Caller) ([]host.Tool, error) {
	if t.listing {
		panic(canary)
	}
	return []host.Tool{{Name: "t_go", Alias: "t", Ready: true, Definition: json.RawMessage(`{"name":"t_go","inputSchema":{"type":"object"}}`)}}, nil
}

func (t *tooler) CallTool(_ context.Context, _ capabilities.Caller, req host.Request) (host.Answer, error) {
	if strings.Contains(string(req.Arguments), "panic") {
		panic(canary)
	}
	return host.Answer{Status: host.StatusOK, Result: json.RawMessage(target.Text("alive"))}, nil
}

func (t *tooler) Watch(ctx context.Context, _ func()) { <-ctx.Done() }

// servers go on after a panic in what they present, and tell none of it.
func servers(r *attack.Report) {
	r.Variant("a server whose tool panics", func() error {
		s, err := target.Serve(&tooler{})
		if err != nil {
			return err
		}
		status, answer, err := s.Do(target.Ask{Method: "tools/call", Name: "t_go", Arguments: `{"do":"panic"}`})
		if err == nil && (strings.Contains(answer, "PANIC") || !strings.Contains(answer, "the request failed; Writ's log has the reason")) {
			err = fmt.Errorf("status %d: %.300s", status, answer)
		}
		if text, alive := s.Text(target.Ask{Name: "t_go"}); alive != nil || text != "alive" {
			err = errors.Join(err, alive, fmt.Errorf("after it the server answers %q", text))
		}
		return errors.Join(err, s.Stop())
	})
	r.Variant("a server whose list panics", func() error {
		s, err := target.Serve(&tooler{listing: true})
		if err != nil {
			return err
		}
		status, answer, err := s.Do(target.Ask{Method: "tools/list"})
		if err == nil && (strings.Contains(answer, "PANIC") || !strings.Contains(answer, "Writ could not list its tools; its log has the reason")) {
			err = fmt.Errorf("status %d: %.300s", status, answer)
		}
		return errors.Join(err, s.Stop())
	})
}
