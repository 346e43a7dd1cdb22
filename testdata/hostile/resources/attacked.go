package resources

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// otherSelf names the variable under which a program that links this package is another process of an
// attack instead of what it otherwise is: the attacked host, or a flood of clients. The host is a process
// so that its memory, its descriptors and its end are its own; and it is the same binary, so that a rule
// which was removed from one is removed from the other.
const otherSelf = "WRIT_HOSTILE_PROCESS"

func init() {
	var err error
	switch os.Getenv(otherSelf) {
	case "host":
		err = serveAttacks(os.Stdin, os.Stdout)
	case "flood":
		err = runFlood(os.Stdin)
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// setup is the first line that the attacked host reads.
type setup struct {
	Home   string
	Code   string // folder of compiled code
	Server string // address of a test server that its servlets may reach; empty: none
	Roots  string // PEM of its certificate
	Memory int64  // of all calls together, bytes; 0: the default
}

// order is each further line: what the attacked host is to do now.
type order struct {
	Do       string // "call", "watch", "rest" or "state"
	Tool     string
	Count    int
	Parallel int
}

// reply is the line that answers it.
type reply struct {
	Address  string       `json:",omitempty"` // of the MCP server; the answer to setup
	Answers  []answered   `json:",omitempty"`
	Watch    *observation `json:",omitempty"`
	Routines int          `json:",omitempty"`
	Files    int          `json:",omitempty"`
}

// answered is what became of one hostile call.
type answered struct {
	Status, Limit, Text string
	Call                string // id
	Wall                time.Duration
	Logs                int // bytes of log lines, the last one excepted
	LastLog             string
}

// observation is what another caller saw meanwhile.
type observation struct {
	Calls  int
	Errors []string
	Walls  []time.Duration
}

type attacked struct {
	host *host.Host
	in   *json.Decoder
	out  *json.Encoder
	stop context.CancelFunc // ends the other caller
	seen chan observation
}

// serveAttacks is the attacked host: a Host with an MCP server over it, set up as the command sets it
// up, until in ends.
func serveAttacks(in io.Reader, out io.Writer) (err error) {
	a := &attacked{in: json.NewDecoder(bufio.NewReader(in)), out: json.NewEncoder(out)}
	var s setup
	if err := a.in.Decode(&s); err != nil {
		return fmt.Errorf("reading setup: %w", err)
	}
	reg, err := registry.Open(s.Home, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	engine, err := sandbox.New(ctx, sandbox.Config{CacheDir: s.Code, Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.Background())) }()
	network, err := s.network()
	if err != nil {
		return err
	}
	if a.host, err = host.New(host.Config{Registry: reg, Engine: engine, Logger: logger, Network: network, Memory: s.Memory, Rate: host.Rate{Off: true}}); err != nil {
		return err
	}
	defer func() {
		closing, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		err = errors.Join(err, a.host.Close(closing))
	}()
	return a.serve(ctx, cancel, logger)
}

// serve answers orders beside the MCP server, and ends both.
func (a *attacked) serve(ctx context.Context, cancel context.CancelFunc, logger *slog.Logger) error {
	server, err := mcpserver.New(mcpserver.Config{Host: a.host, Version: "attacked", Logger: logger})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeHTTP(ctx, l) }()
	err = a.out.Encode(reply{Address: l.Addr().String()})
	for err == nil {
		var o order
		if err = a.in.Decode(&o); err == nil {
			err = a.out.Encode(a.carryOut(ctx, o))
		}
	}
	cancel()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, <-served)
}

func (a *attacked) carryOut(ctx context.Context, o order) (r reply) {
	switch o.Do {
	case "call":
		r.Answers = a.call(ctx, o)
	case "watch":
		watching, stop := context.WithCancel(ctx)
		a.stop, a.seen = stop, make(chan observation, 1)
		go func() { a.seen <- a.watch(watching) }()
	case "rest":
		a.stop()
		seen := <-a.seen
		r.Watch = &seen
	case "state":
		runtime.GC()
		r.Routines, r.Files = runtime.NumGoroutine(), openFiles("self")
	}
	return r
}

// call makes hostile calls, so many at a time.
func (a *attacked) call(ctx context.Context, o order) []answered {
	all := make([]answered, o.Count)
	next := make(chan int)
	var callers sync.WaitGroup
	for range o.Parallel {
		callers.Go(func() {
			for i := range next {
				all[i] = a.once(ctx, capabilities.Local(hostileSpace), o.Tool)
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	callers.Wait()
	return all
}

func (a *attacked) once(ctx context.Context, by capabilities.Caller, tool string) answered {
	began := time.Now()
	answer, err := a.host.CallTool(ctx, by, host.Request{Tool: tool})
	one := answered{Status: string(answer.Status), Call: answer.Call, Limit: string(answer.Limit), Wall: time.Since(began)}
	if err != nil {
		one.Text = err.Error()
		return one
	}
	var result struct {
		Content []struct{ Text string }
	}
	if err := json.Unmarshal(answer.Result, &result); err != nil {
		one.Text = err.Error()
		return one
	}
	var text []string
	for _, c := range result.Content {
		text = append(text, c.Text)
	}
	one.Text = strings.ReplaceAll(strings.Join(text, "\n"), answer.Call, "ID")
	for _, l := range answer.Logs {
		one.Logs += len(one.LastLog)
		one.LastLog = l.Text
	}
	return one
}

// pause is the time between two calls of the other caller.
const pause = time.Millisecond

// watch is another caller, who calls a cheap tool again and again.
func (a *attacked) watch(ctx context.Context) (seen observation) {
	by := capabilities.Local(otherSpace)
	for ctx.Err() == nil {
		one := a.once(context.WithoutCancel(ctx), by, cheapTool)
		seen.Calls++
		seen.Walls = append(seen.Walls, one.Wall)
		if one.Status != string(host.StatusOK) && len(seen.Errors) < 10 {
			seen.Errors = append(seen.Errors, one.Status+": "+one.Text)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return seen
}

// network leads every name to the test server, if there is one.
func (s setup) network() (guard.Network, error) {
	if s.Server == "" {
		return guard.Network{}, nil
	}
	addr, err := netip.ParseAddrPort(s.Server)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM([]byte(s.Roots)) {
		return guard.Network{}, fmt.Errorf("reading setup: server %q", s.Server)
	}
	return guard.Network{
		Roots: roots, Loopback: []netip.AddrPort{addr},
		Lookup: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{addr.Addr()}, nil },
	}, nil
}
