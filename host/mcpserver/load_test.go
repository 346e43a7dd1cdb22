package mcpserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/host/mcpserver"
)

// Whatever the clients of one space do, its other requests and all of another space are served.
func TestCallsOfOneSpaceKeepNobodyOut(t *testing.T) {
	f := newFake()
	address := serveHTTP(t, f)
	var all sync.WaitGroup
	slow := func(i int) (status int, body string) {
		res, body := roundTrip(t, address, modernCall("t_slow", "")+call(fmt.Sprint(i), "t_slow"))
		return res.StatusCode, body
	}
	for i := range mcpserver.MaxCallsOfSpace {
		all.Go(func() {
			if status, body := slow(i); status != 200 {
				t.Errorf("call %d: status %d: %s", i, status, body)
			}
		})
	}
	for range mcpserver.MaxCallsOfSpace {
		await(t, f.started)
	}
	res, body := roundTrip(t, address, modernCall("t_slow", "")+call("1", "t_slow"))
	if res.StatusCode != 503 || !res.Close {
		t.Errorf("one more: status %d, connection kept: %v", res.StatusCode, !res.Close)
	}
	mustContain(t, body, "too many requests wait for an answer; send fewer at a time")
	if res, body := roundTrip(t, address, "POST /mcp\n"+modernHeaders+discover); res.StatusCode != 200 {
		t.Errorf("another request of the same space: status %d: %s", res.StatusCode, body)
	}
	work := strings.Replace(modernCall("desk_echo", ""), "/mcp", "/s/work/mcp", 1)
	if res, body := roundTrip(t, address, work+call("1", "desk_echo")); res.StatusCode != 200 {
		t.Errorf("a call of another space: status %d: %s", res.StatusCode, body)
	}
	close(f.release)
	all.Wait()
}

// One connection above the bound is closed; those that are there, and idle for no more than a moment, are
// kept.
func TestConnectionsAreBounded(t *testing.T) {
	address := serveHTTP(t, newFake())
	open := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		return conn
	}
	answers := func(conn net.Conn) bool {
		if _, err := io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: "+address+"\r\n\r\n"); err != nil {
			return false
		}
		answer := make([]byte, 12)
		_, err := io.ReadFull(conn, answer)
		return err == nil && string(answer) == "HTTP/1.1 404"
	}
	first := open()
	if !answers(first) {
		t.Fatal("the first connection is not served")
	}
	for range mcpserver.MaxConnections - 1 {
		open()
	}
	if answers(open()) {
		t.Error("one above the bound is served")
	}
	first2 := make([]byte, 1<<10)
	first.SetReadDeadline(time.Now().Add(patience))
	if n, err := first.Read(first2); err != nil || n == 0 {
		t.Fatalf("the rest of the first answer: %v", err)
	}
	if !answers(first) {
		t.Error("the first connection is served no more")
	}
}

// Bytes are neither lost nor given twice, and come in the order of asking.
func TestBudget(t *testing.T) {
	b := mcpserver.NewBudget(10)
	if !mcpserver.Take(b, t.Context(), 8) {
		t.Fatal("there is room")
	}
	ctx, cancel := context.WithCancel(t.Context())
	large, small := make(chan bool), make(chan bool)
	go func() { large <- mcpserver.Take(b, ctx, 10) }()
	for b.Waiting() < 1 {
		runtime.Gosched()
	}
	go func() { small <- mcpserver.Take(b, t.Context(), 2) }() // there would be room for it
	for b.Waiting() < 2 {
		runtime.Gosched()
	}
	cancel()
	if <-large {
		t.Error("who gave up has bytes")
	}
	if !<-small {
		t.Error("who waited behind has none")
	}
	mcpserver.Give(b, 8)
	mcpserver.Give(b, 2)
	if b.Left() != 10 || b.Waiting() != 0 {
		t.Errorf("%d of 10 are left, %d wait", b.Left(), b.Waiting())
	}
}
