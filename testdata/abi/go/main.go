// Command go is the Go side of the transcripts: each tool uses one feature of the SDK.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	servlet "github.com/writ-run/writ/sdk/go"
)

type nothing struct{}

type greeting struct {
	Name string `json:"name" description:"Whom to greet"`
	Loud bool   `json:"loud,omitempty" description:"Shout"`
}

type numbers struct {
	Numbers []float64 `json:"numbers"`
}

type total struct {
	Sum   float64 `json:"sum"`
	Count int     `json:"count"`
}

type key struct {
	Key string `json:"key"`
}

type entry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type item struct {
	Item string `json:"item"`
}

type path struct {
	Path string `json:"path"`
}

type address struct {
	URL string `json:"url"`
}

func add[In, Out any](name string, f func(context.Context, In) (Out, error)) {
	servlet.AddTool(servlet.Tool{Name: name, Description: "For tests"}, f)
}

func init() {
	servlet.AddTool(servlet.Tool{Name: "greet", Title: "Greet", Description: "Greets somebody", ReadOnly: true, ClosedWorld: true}, greet)
	servlet.AddTool(servlet.Tool{Name: "sum", Description: "Adds numbers", ReadOnly: true, ClosedWorld: true}, sum)
	add("picture", picture)
	add("refuse", refuse)
	add("stop", stop)
	add("count", count)
	add("endless", endless)
	add("note", note)
	add("setting", setting)
	add("post", post)
	add("status", status)
	add("both", both)
	add("closed", closed)
	add("page", page)
	add("tidy", tidy)
	add("keep", keep)
	add("dice", dice)
	add("nap", nap)
}

func main() {}

func greet(_ context.Context, in greeting) (string, error) {
	text := "Hello, " + in.Name
	if in.Loud {
		text = strings.ToUpper(text)
	}
	return text, nil
}

func sum(_ context.Context, in numbers) (total, error) {
	out := total{Count: len(in.Numbers)}
	for _, n := range in.Numbers {
		out.Sum += n
	}
	return out, nil
}

func picture(context.Context, nothing) (servlet.Result, error) {
	return servlet.Blocks(servlet.TextBlock("a dot"), servlet.ImageBlock("image/png", []byte{1, 2, 3})), nil
}

func refuse(context.Context, nothing) (string, error) {
	return "", errors.New("no file notes.txt: list the folder first")
}

func stop(context.Context, nothing) (string, error) {
	panic("a mistake in the program")
}

func count(context.Context, nothing) (string, error) {
	servlet.Progress(1, 4, "one of four")
	return "counted", nil
}

func endless(ctx context.Context, _ nothing) (string, error) {
	servlet.Progress(0, 0, "begun")
	time.Sleep(time.Hour)
	return "never", nil
}

func note(context.Context, nothing) (string, error) {
	servlet.Log(servlet.Debug, "looked")
	servlet.Log(servlet.Info, "found")
	servlet.Log(servlet.Warn, "two of them")
	servlet.Log(servlet.Fault, "took none")
	return "noted", nil
}

func setting(_ context.Context, in key) (string, error) {
	return servlet.ConfigOr(in.Key, "unset"), nil
}

func post(ctx context.Context, in item) (string, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	r, err := servlet.Fetch(ctx, servlet.Request{
		Capability: "api", Method: "POST", Path: "/v1/items", Query: "dry=1", Header: servlet.Header{"x-trace": {"7"}}, Body: body,
	})
	if err != nil {
		return "", err
	}
	var made struct{ ID int }
	err = r.JSON(&made)
	return fmt.Sprint(r.Status, " ", made.ID), err
}

func status(ctx context.Context, in path) (string, error) {
	r, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: in.Path})
	return fmt.Sprint(r.Status, " ", r.Header.Get("Content-Type"), " ", string(r.Body)), err
}

func both(ctx context.Context, _ nothing) (string, error) {
	var bodies [2]string
	var errs [2]error
	var all sync.WaitGroup
	for i, path := range []string{"/v1/a", "/v1/b"} {
		all.Go(func() {
			r, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: path})
			bodies[i], errs[i] = string(r.Body), err
		})
	}
	all.Wait()
	return bodies[0] + " and " + bodies[1], errors.Join(errs[:]...)
}

func closed(ctx context.Context, _ nothing) (string, error) {
	_, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: "/v1/secret"})
	for code, is := range map[string]error{"denied": servlet.ErrDenied, "unavailable": servlet.ErrUnavailable} {
		if errors.Is(err, is) {
			return code, nil
		}
	}
	return "", err
}

func page(ctx context.Context, in address) (string, error) {
	p, err := servlet.FetchPage(ctx, servlet.PageRequest{URL: in.URL})
	return fmt.Sprint(p.URL, " ", p.Status, " ", string(p.Body)), err
}

func tidy(context.Context, nothing) (string, error) {
	text, err := os.ReadFile("/docs/draft.txt")
	if err != nil {
		return "", err
	}
	err = errors.Join(
		os.Mkdir("/docs/done", 0o777),
		os.WriteFile("/docs/done/new.txt", []byte(strings.ToUpper(string(text))), 0o666),
		os.Rename("/docs/done/new.txt", "/docs/done/draft.txt"),
		os.Remove("/docs/draft.txt"),
	)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir("/docs")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " "), err
}

func keep(ctx context.Context, in entry) (string, error) {
	old, found, err := servlet.KV.Get(ctx, in.Key)
	if err != nil {
		return "", err
	}
	if !found {
		old = []byte("nothing")
	}
	if err := servlet.KV.Set(ctx, in.Key, []byte(in.Value)); err != nil {
		return "", err
	}
	if err := servlet.KV.Delete(ctx, "note/old"); err != nil {
		return "", err
	}
	said := string(old)
	for list := (servlet.KVList{Prefix: "note/"}); ; {
		page, err := servlet.KV.List(ctx, list)
		if err != nil {
			return "", err
		}
		for _, e := range page.Entries {
			said += " " + e.Key
		}
		if list.Cursor = page.Cursor; list.Cursor == "" {
			return said, nil
		}
	}
}

func dice(context.Context, nothing) (string, error) {
	drawn := make([]byte, 16)
	_, err := rand.Read(drawn)
	return hex.EncodeToString(drawn), err
}

func nap(context.Context, nothing) (string, error) {
	began := time.Now()
	time.Sleep(20 * time.Millisecond)
	return fmt.Sprint(time.Since(began) >= 20*time.Millisecond), nil
}
