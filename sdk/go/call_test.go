package servlet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	servlet "github.com/writ-run/writ/sdk/go"
	"github.com/writ-run/writ/sdk/go/servlettest"
)

type nameArgument struct {
	Name string `json:"name" description:"Whom" min:"1"`
}

type greeting struct {
	Text string `json:"text"`
}

func init() {
	add := func(name string, f func(context.Context, nameArgument) (servlet.Result, error)) {
		servlet.AddTool(servlet.Tool{Name: name, Description: "for tests"}, f)
	}
	servlet.AddTool(servlet.Tool{Name: "text", Description: "for tests", ReadOnly: true},
		func(_ context.Context, in nameArgument) (string, error) { return "<" + in.Name + ">", nil })
	servlet.AddTool(servlet.Tool{Name: "struct", Description: "for tests"},
		func(_ context.Context, in nameArgument) (*greeting, error) {
			if in.Name == "nil" {
				return nil, nil
			}
			return &greeting{"hi " + in.Name}, nil
		})
	add("blocks", func(_ context.Context, in nameArgument) (servlet.Result, error) {
		return servlet.Blocks(
			servlet.TextBlock(""),
			servlet.ImageBlock("image/png", []byte{1, 2}),
			servlet.AudioBlock("audio/wav", nil),
			servlet.LinkBlock("file:///a", "a"),
			servlet.ResourceBlock(servlet.Resource{URI: "file:///b", Text: "b"}),
		), nil
	})
	add("error", func(_ context.Context, in nameArgument) (servlet.Result, error) {
		return servlet.Result{}, servlet.Errorf("no %s here", in.Name)
	})
	add("panic", func(context.Context, nameArgument) (servlet.Result, error) { panic("oh no") })
	add("config", func(_ context.Context, in nameArgument) (servlet.Result, error) {
		return servlet.Text(servlet.ConfigOr(in.Name, "none")), nil
	})
	add("log", func(_ context.Context, in nameArgument) (servlet.Result, error) {
		servlet.Log(servlet.Warn, in.Name)
		servlet.Progress(1, 2, "half")
		return servlet.Text("ok"), nil
	})
	add("fetch", fetchThree)
	add("fetch_ctx", func(ctx context.Context, in nameArgument) (servlet.Result, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		_, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: "/" + in.Name})
		return servlet.Text(fmt.Sprint(errors.Is(err, context.DeadlineExceeded))), nil
	})
	add("fetch_denied", func(ctx context.Context, in nameArgument) (servlet.Result, error) {
		_, err := servlet.Fetch(ctx, servlet.Request{Capability: "other", Path: "/"})
		if !errors.Is(err, servlet.ErrDenied) || errors.Is(err, servlet.ErrLimit) {
			return servlet.Text("no match"), nil
		}
		return servlet.Result{}, err
	})
}

// fetchThree fetches three pages at once.
func fetchThree(ctx context.Context, in nameArgument) (servlet.Result, error) {
	var pages [3]string
	var wg sync.WaitGroup
	for i := range pages {
		wg.Go(func() {
			r, err := servlet.Fetch(ctx, servlet.Request{
				Capability: "api", Method: "POST", Path: fmt.Sprintf("/%d", i), Query: "q=1",
				Header: servlet.Header{"X-Name": {in.Name}}, Body: []byte("body"),
			})
			if err != nil {
				pages[i] = err.Error()
				return
			}
			pages[i] = fmt.Sprintf("%d %s %s", r.Status, r.Header.Get("x-answer"), r.Body)
		})
	}
	wg.Wait()
	return servlet.Text(strings.Join(pages[:], "\n")), nil
}

func TestResults(t *testing.T) {
	s := servlettest.New(t, servlettest.Host{Config: map[string]string{"UNITS": "metric", "EMPTY": ""}})
	rows := []struct {
		name, tool, arguments string
		text                  string
		structured            string
		isError               bool
	}{
		{"a string is text", "text", `{"name":"<b>"}`, "<<b>>", "", false},
		{"a struct is both", "struct", `{"name":"Ana"}`, `{"text":"hi Ana"}`, `{"text":"hi Ana"}`, false},
		{"nil is the author's bug", "struct", `{"name":"nil"}`, "the tool struct has a bug: it returned nil and no error", "", true},
		{"an error is for the model", "error", `{"name":"file"}`, "no file here", "", true},
		{"a panic is told in words", "panic", `{"name":"x"}`, "the tool panic has a bug and stopped: oh no", "", true},
		{"configuration", "config", `{"name":"UNITS"}`, "metric", "", false},
		{"an empty value is a value", "config", `{"name":"EMPTY"}`, "", "", false},
		{"no such key", "config", `{"name":"OTHER"}`, "none", "", false},
		{"unknown tool", "nope", `{}`, `this servlet has no tool "nope"`, "", true},
		{"missing argument", "text", `{}`, "arguments.name: missing", "", true},
		{"misspelt argument", "text", `{"name":"x","nmae":"y"}`, "arguments.nmae: there is no such argument", "", true},
		{"argument of another type", "text", `{"name":1}`, "arguments.name: expected string", "", true},
		{"argument out of bounds", "text", `{"name":""}`, "arguments.name: the text is too short or too long", "", true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := s.Call(row.tool, row.arguments)
			if r.Text() != row.text || string(r.Structured) != row.structured || r.IsError != row.isError {
				t.Errorf("got text %q, structured %s, error %v", r.Text(), r.Structured, r.IsError)
			}
		})
	}
}

func TestContentBlocks(t *testing.T) {
	r := servlettest.New(t, servlettest.Host{}).Call("blocks", nameArgument{Name: "x"})
	types := []string{"text", "image", "audio", "resource_link", "resource"}
	for i, c := range r.Content {
		if c.Type != types[i] {
			t.Errorf("block %d is %q, want %q", i, c.Type, types[i])
		}
	}
	if len(r.Content) != len(types) || string(r.Content[1].Data) != "\x01\x02" || r.Content[4].Resource.Text != "b" {
		t.Errorf("got %+v", r.Content)
	}
}

// MCP requires these members even when they are empty.
func TestRequiredMembersAreWritten(t *testing.T) {
	rows := []struct {
		result servlet.Result
		want   string
	}{
		{servlet.Result{}, `{"content":[]}`},
		{servlet.Text(""), `{"content":[{"text":"","type":"text"}]}`},
		{servlet.Image("image/png", nil), `{"content":[{"data":"","mimeType":"image/png","type":"image"}]}`},
		{servlet.Structured(map[string]int{"n": 1}), `{"content":[{"text":"{\"n\":1}","type":"text"}],"structuredContent":{"n":1}}`},
	}
	for _, row := range rows {
		got, err := row.result.MarshalJSON()
		if err != nil || string(got) != row.want {
			t.Errorf("got %s (%v), want %s", got, err, row.want)
		}
	}
	if _, err := servlet.Structured([]int{1}).MarshalJSON(); err == nil {
		t.Error("a list passed as structured content")
	}
}

func TestLogAndProgress(t *testing.T) {
	var got []string
	s := servlettest.New(t, servlettest.Host{
		Log:      func(level servlet.Level, text string) { got = append(got, fmt.Sprint(level, " ", text)) },
		Progress: func(done, total float64, text string) { got = append(got, fmt.Sprint(done, "/", total, " ", text)) },
	})
	s.Call("log", `{"name":"careful"}`)
	if want := "2 careful|1/2 half"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The site answers nobody before all three have asked: were they fetched one after the other, the test
// would hang.
func TestFetchesOverlap(t *testing.T) {
	var all sync.WaitGroup
	all.Add(3)
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all.Done()
		all.Wait()
		w.Header().Set("X-Answer", r.Method+" "+r.URL.RawQuery+" "+r.Header.Get("X-Name"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "page ", r.URL.Path)
	})
	s := servlettest.New(t, servlettest.Host{HTTP: map[string]http.Handler{"api": site}})
	r := s.Call("fetch", `{"name":"Ana"}`)
	want := "418 POST q=1 Ana page /0\n418 POST q=1 Ana page /1\n418 POST q=1 Ana page /2"
	if r.Text() != want {
		t.Errorf("got %q, want %q", r.Text(), want)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := servlettest.New(t, servlettest.Host{HTTP: map[string]http.Handler{"api": site}})
	if r := s.Call("fetch_ctx", `{"name":"slow"}`); r.Text() != "true" {
		t.Errorf("got %q", r.Text())
	}
}

func TestFetchDenied(t *testing.T) {
	r := servlettest.New(t, servlettest.Host{}).Call("fetch_denied", `{"name":"x"}`)
	if !r.IsError || !strings.Contains(r.Text(), `GET / of "other": http:other is not granted`) {
		t.Errorf("got %q", r.Text())
	}
}
