package host_test

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/testdata/client"
)

// transports serve a host over both transports and return a client of each.
var transports = map[string]func(*testing.T, *mcpserver.Server) *client.Client{
	"stdio": func(t *testing.T, s *mcpserver.Server) *client.Client {
		in, out := pipe(t), pipe(t)
		ended := make(chan error, 1)
		go func() { ended <- s.ServeStdio(context.Background(), me.Space, in.r, out.w) }()
		c, err := client.Pipe(t.Context(), out.r, in.w)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			c.Close()
			in.w.Close()
			if err := <-ended; err != nil {
				t.Errorf("serving: %v", err)
			}
		})
		return c
	},
	"http": func(t *testing.T, s *mcpserver.Server) *client.Client {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.ServeHTTP(ctx, l) }()
		c, err := client.HTTP(t.Context(), "http://"+l.Addr().String()+"/mcp")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			c.Close()
			stop()
			if err := <-ended; err != nil {
				t.Errorf("serving: %v", err)
			}
		})
		return c
	},
}

// ends are the two ends of a pipe of the operating system.
type ends struct {
	r io.ReadCloser
	w io.WriteCloser
}

func pipe(t *testing.T) ends {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return ends{r, w}
}

// A panic in a host function, the guard or the store fails the call it happens in and nothing else:
// the server goes on answering, on the same connection.
func TestPanicFailsOneCallOnBothTransports(t *testing.T) {
	for name, connect := range transports {
		for _, row := range []struct {
			in, tool string
			inject   func(h *fixture) (mend func())
		}{
			{"a host function", "docs_read", func(h *fixture) func() {
				armed := true
				h.host.Guard(func(w host.Warden) host.Warden {
					if armed {
						return cracked{w, "Open"}
					}
					return w
				})
				return func() { armed = false }
			}},
			{"the guard", "docs_units", func(h *fixture) func() {
				armed := true
				h.host.Guard(func(w host.Warden) host.Warden {
					if armed {
						panic(inPanic)
					}
					return w
				})
				return func() { armed = false }
			}},
			{"the store", "docs_units", func(h *fixture) func() {
				f, _ := h.over("Configured", panics)
				f.armed.Store(true)
				return func() { f.armed.Store(false) }
			}},
		} {
			t.Run(name+", in "+row.in, func(t *testing.T) {
				h := newFixture(t, guard.Network{})
				h.install("docs", manifest())
				mend := row.inject(h)
				s, err := mcpserver.New(mcpserver.Config{Host: h.host, Version: "test"})
				if err != nil {
					t.Fatal(err)
				}
				c := connect(t, s)
				failed, err := c.Call(t.Context(), row.tool, args{"path": "/docs/a.txt"}.of(row.tool))
				if err != nil || !failed.IsError || strings.Contains(failed.Text, "PANIC") {
					t.Errorf("with the panic: %s, %v", failed.Text, err)
				}
				mend()
				if answer, err := c.Call(t.Context(), "docs_units", nil); err != nil || answer.IsError || !strings.HasPrefix(answer.Text, "metric") {
					t.Errorf("after the panic: %s, %v", answer.Text, err)
				}
			})
		}
	}
}

// of is what a tool of the fixture takes: only docs_read has an argument.
func (a args) of(tool string) args {
	if tool == "docs_read" {
		return a
	}
	return nil
}
