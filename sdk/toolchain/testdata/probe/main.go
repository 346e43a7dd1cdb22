// Command probe is a servlet that does in a sandbox what the SDK promises.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	servlet "github.com/writ-run/writ/sdk/go"
)

type argument struct {
	Name string `json:"name" default:"world"`
	N    int    `json:"n,omitempty"`
}

func init() {
	add := func(name string, f func(context.Context, argument) (string, error)) {
		servlet.AddTool(servlet.Tool{Name: name, Description: "for tests"}, f)
	}
	add("text", func(_ context.Context, in argument) (string, error) { return "hello " + in.Name, nil })
	add("fail", func(_ context.Context, in argument) (string, error) { return "", servlet.Errorf("no %s", in.Name) })
	add("panic", func(context.Context, argument) (string, error) { panic("oh no") })
	add("nil", func(context.Context, argument) (string, error) {
		var p *argument
		return p.Name, nil
	})
	add("crash", func(context.Context, argument) (string, error) {
		go func() { panic("in a goroutine") }()
		time.Sleep(time.Second)
		return "", nil
	})
	add("big", func(_ context.Context, in argument) (string, error) { return strings.Repeat("x", in.N), nil })
	add("config", func(context.Context, argument) (string, error) {
		greeting, ok := servlet.Config("GREETING")
		_, other := servlet.Config("OTHER")
		return fmt.Sprint(len(greeting), ok, other), nil
	})
	add("log", func(_ context.Context, in argument) (string, error) {
		servlet.Log(servlet.Fault, "to the operator")
		fmt.Println("printed")
		servlet.Progress(1, 2, "half")
		return "ok", nil
	})
	add("fetch", fetch)
	add("slow", slow)
}

// fetch does in.N exchanges at once, while a timer of another goroutine has to be kept.
func fetch(ctx context.Context, in argument) (string, error) {
	ticked := make(chan bool)
	go func() {
		time.Sleep(5 * time.Millisecond)
		close(ticked)
	}()
	pages := make([]string, in.N)
	var wg sync.WaitGroup
	for i := range pages {
		wg.Go(func() {
			r, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: fmt.Sprintf("/%d", i)})
			pages[i] = fmt.Sprint(r.Status, " ", r.Header.Get("x-test"), " ", string(r.Body), " ", err)
		})
	}
	wg.Wait()
	<-ticked
	return strings.Join(pages, "\n"), nil
}

// slow gives up waiting for an answer that does not come.
func slow(ctx context.Context, in argument) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: "/slow"})
	return fmt.Sprint(errors.Is(err, context.DeadlineExceeded)), nil
}

func main() {}
