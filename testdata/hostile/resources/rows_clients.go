package resources

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/registry"
)

// A request of the older era without a session is none; those of 2026-07-28 stand alone.
const callHeader = "POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" +
	"Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: %s\r\nContent-Length: %d\r\n\r\n"

// callBody is a call of a tool with arguments of so many bytes.
func callBody(tool string, size int) string {
	filler := ""
	if size > 0 {
		filler = `"filler":"` + strings.Repeat("x", size) + `"`
	}
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{` + filler +
		`},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"flood","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
}

// flood sends calls over a connection each, and reads the answers or does not.
type flood struct {
	Address, Tool string
	Requests      int
	Size          int           // bytes of arguments
	Mute          bool          // the answers are not read
	Hold          time.Duration // how long it lasts
}

// run lets a process of its own flood the server: its work must not be the second client's.
func (f flood) run(address string) error {
	f.Address = address
	self, err := os.Executable()
	if err != nil {
		return err
	}
	order, err := json.Marshal(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), f.Hold+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), otherSelf+"=flood")
	cmd.Stdin = bytes.NewReader(order)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("flooding: %w: %.200s", err, out)
	}
	return nil
}

// runFlood opens all connections, as far as the server lets it, and holds them for a while. To be refused,
// cut off or never accepted is an answer too.
func runFlood(in io.Reader) error {
	var f flood
	if err := json.NewDecoder(in).Decode(&f); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), f.Hold)
	defer cancel()
	body := callBody(f.Tool, f.Size)
	request := fmt.Sprintf(callHeader, f.Address, f.Tool, len(body)) + body
	var all sync.WaitGroup
	for range f.Requests {
		all.Go(func() { f.send(ctx, request) })
	}
	all.Wait()
	return nil
}

func (f flood) send(ctx context.Context, request string) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", f.Address)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, request); err == nil && !f.Mute {
		_, _ = io.Copy(io.Discard, conn)
	}
	<-ctx.Done()
}

// hold is how long a flood lasts.
func (b *bench) hold() time.Duration {
	if b.short {
		return time.Second
	}
	return 3 * time.Second
}

// clients: many calls of a slow tool at once, answers that nobody reads, arguments without measure.
func (b *bench) clients() ([]trial, error) {
	sleeping := guest(func(m *w.Module) []byte {
		wait := m.Import("writ1", "op_wait", "iiI", "i")
		return forever(w.I32(0), w.I32(0), w.I64(3_600_000), w.Call(wait), w.Drop())
	})
	// Results of 3 MB: more than the system takes for a client that does not read.
	talking := worker(2, func(m *w.Module) []byte {
		write := output(m)
		const begin, end = `{"content":[{"type":"text","text":"`, `"}]}`
		m.Data(0, []byte(begin+end))
		put := func(at, n int32) []byte { return w.Code(w.I32(at), w.I32(n), w.Call(write), w.Drop()) }
		return w.Code(w.I32(page), w.I32('x'), w.I32(page), w.Fill(), put(0, int32(len(begin))), w.I32(47), w.Set(localCount),
			w.Block(0x40, w.Loop(w.Get(localCount), isZero, w.BrIf(1), put(page, page), w.Get(localCount), w.I32(1), sub, w.Set(localCount))),
			put(int32(len(begin)), int32(len(end))), w.I32(0))
	})
	slow := capabilities.Limits{MemoryMB: 1, WallMS: 1000}
	rows := []struct {
		name   string
		flood  flood
		s      servlet
		want   []refusal
		memory int64
	}{
		{"calls of a slow tool", flood{Requests: b.times(10_000, 1500), Hold: b.hold()}, servlet{alias: "slow", limits: slow, module: sleeping}, deadline(time.Second), 16 * 5 << 18},
		{"calls with arguments of 4 MB", flood{Requests: b.times(300, 60), Size: 4<<20 - 1024, Hold: b.hold()}, servlet{alias: "wide", limits: slow, module: sleeping}, deadline(time.Second), 16 * 5 << 18},
		{"answers that nobody reads", flood{Requests: b.times(300, 120), Mute: true, Hold: b.hold()},
			servlet{alias: "talk", limits: capabilities.Limits{MemoryMB: 1, WallMS: 5000, ResultKB: 3072}, module: talking}, nil, 16 * 4 << 20},
	}
	var all []trial
	for _, r := range rows {
		f := r.flood
		f.Tool = r.s.tool()
		want := r.want
		if want == nil {
			want = []refusal{{"ok", "", strings.Repeat("x", 47*page)}}
		}
		all = append(all, trial{
			name: fmt.Sprintf("%d %s", f.Requests, r.name), servlet: r.s, want: want, memory: r.memory, calls: 1, parallel: 1,
			drive: func(p *process) error { return f.run(p.address) },
		})
	}
	return all, nil
}

// unanswered: the deadline comes when a request has left and nothing has come back.
func (b *bench) unanswered() ([]trial, error) {
	var received atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		received.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // until the other side has given up
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	b.ending = append(b.ending, server.Close)
	addr := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	const head, body = `{"capability":"api","method":"POST","path":"/pay"}`, `{"amount":1}`
	module := guest(func(m *w.Module) []byte {
		start, wait := m.Import("writ1", "http_start", "iiii", "i"), m.Import("writ1", "op_wait", "iiI", "i")
		m.Data(0, []byte(head+body))
		return w.Code(w.I32(0), w.I32(int32(len(head))), w.I32(int32(len(head))), w.I32(int32(len(body))), w.Call(start), w.Drop(),
			forever(w.I32(0), w.I32(0), w.I64(3_600_000), w.Call(wait), w.Drop()))
	})
	wall := 400 * time.Millisecond
	calls := b.times(32, 4)
	return []trial{{
		name: "a POST without an answer", calls: calls, parallel: min(calls, 8), want: deadline(wall),
		servlet: servlet{alias: "pay", module: module, origin: "https://example.com:" + port, limits: capabilities.Limits{MemoryMB: 1, WallMS: int(wall / time.Millisecond)}},
		server:  addr, roots: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
		after: func(p *process, answers []answered) error {
			if n := int(received.Load()); n != calls+1 { // and the first one
				return fmt.Errorf("%d requests were sent for %d calls", n, calls+1)
			}
			return p.outcomesUnknown(answers)
		},
	}}, nil
}

// outcomesUnknown wants the audit of each call to say that its request was sent, and not what came of it.
func (p *process) outcomesUnknown(answers []answered) error {
	for _, a := range answers {
		for try := 0; ; try++ {
			told, err := p.told(a.Call)
			if err != nil {
				return err
			}
			if strings.Contains(told, `"decision":"unknown"`) && strings.Contains(told, "sent; it is not known what became of it") {
				break
			}
			if try == 100 {
				return errors.New("the audit does not say that a request was sent and its outcome is unknown: " + told)
			}
			time.Sleep(50 * time.Millisecond) // what is no effect is written within a second
		}
	}
	return nil
}

// told is all that the audit has of a call.
func (p *process) told(call string) (string, error) {
	entries, err := p.audit(registry.Filter{Call: call})
	var all []string
	for _, e := range entries {
		all = append(all, string(e.Detail))
	}
	return strings.Join(all, "\n"), err
}
