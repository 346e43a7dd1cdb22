package mcpserver_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// A request that is refused, or that needs no body, is answered and its connection ends, whatever body it
// announces: else strangers without a key hold every connection there is.
func TestABodyThatNeverComesHoldsNoConnection(t *testing.T) {
	mcpserver.SetUnreadTime(t, 50*time.Millisecond)
	mcpserver.SetBodyTime(t, 50*time.Millisecond)
	r := registrytest.Open(t)
	key := "Authorization: Bearer " + newKey(t, r, registry.KeySpec{Name: "ci"}) + "\r\n"
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	for name, row := range map[string]struct{ request, want string }{
		"no key":         {"POST /mcp HTTP/1.1\r\nHost: localhost\r\n", "421"},
		"a wrong key":    {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n", "401"},
		"a foreign host": {"POST /mcp HTTP/1.1\r\nHost: evil.example\r\n", "421"},
		"a probe":        {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", "200"},
		"no endpoint":    {"PUT /other HTTP/1.1\r\nHost: localhost\r\n" + key, "404"},
		"another type":   {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n" + key, "415"},
		"with a key":     {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: */*\r\n" + key, "400"},
	} {
		for _, body := range []string{"Content-Length: 10\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"} {
			t.Run(name+", "+strings.Fields(body)[0], func(t *testing.T) {
				t.Parallel()
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience / 4))
				fmt.Fprint(conn, row.request, body)
				answer, err := io.ReadAll(conn)
				if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+row.want) {
					t.Errorf("want %s and the end of the connection: %v, %s", row.want, err, answer)
				}
			})
		}
	}
}

// hello opens a session of the older era.
func hello(t testing.TB, address, path, key string) (status int, session string) {
	t.Helper()
	res, _ := roundTrip(t, address, "POST "+path+"\nAuthorization: Bearer "+key+"\n"+initialize)
	return res.StatusCode, res.Header.Get("Mcp-Session-Id")
}

// alive says whether a session is still known.
func alive(t testing.TB, address, key, session string) bool {
	t.Helper()
	res, _ := roundTrip(t, address, "POST /mcp\nAuthorization: Bearer "+key+"\nMcp-Session-Id: "+session+"\n"+`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	return res.StatusCode == http.StatusOK
}

// A session keeps what its client says of itself.
func TestASessionIsSmall(t *testing.T) {
	address := serveHTTP(t, newFake())
	for size, want := range map[int]int{32 << 10: 200, 64 << 10: 413, 3 << 20: 413} {
		body := strings.Replace(initialize, `"clientInfo":{"name":"`, `"clientInfo":{"name":"`+strings.Repeat("x", size), 1)
		if len(body) < size {
			t.Fatal("the message has no such name to make longer")
		}
		if res, answer := roundTrip(t, address, "POST /mcp\n"+body); res.StatusCode != want {
			t.Errorf("a name of %d bytes: status %d, want %d: %.200s", size, res.StatusCode, want, answer)
		}
	}
}

// Above its bound a key loses the session that it missed longest; one with a request under way is none.
func TestAKeyHasFewSessions(t *testing.T) {
	r := registrytest.Open(t)
	many, other := newKey(t, r, registry.KeySpec{Name: "many"}), newKey(t, r, registry.KeySpec{Name: "other"})
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	_, others := hello(t, address, "/mcp", other)
	var sessions []string
	for range mcpserver.MaxSessionsOf {
		status, session := hello(t, address, "/mcp", many)
		if status != 200 {
			t.Fatalf("status %d", status)
		}
		sessions = append(sessions, session)
	}
	watching(t, address, many, sessions[0])
	for _, session := range sessions[1:] { // the one with a stream is now the one that was used longest ago
		if !alive(t, address, many, session) {
			t.Fatal("a session ended below the bound")
		}
	}
	if status, _ := hello(t, address, "/mcp", many); status != 200 {
		t.Errorf("one more: status %d", status)
	}
	for i, session := range sessions {
		if got, want := alive(t, address, many, session), i != 1; got != want {
			t.Errorf("session %d is known: %v, want %v", i, got, want)
		}
	}
	if !alive(t, address, other, others) {
		t.Error("the session of another key ended")
	}
}

// watching opens the stream of a session.
func watching(t testing.TB, address, key, session string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+"/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + key}, "Mcp-Session-Id": {session}, "Accept": {"text/event-stream"}}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		t.Fatalf("the stream: status %d", res.StatusCode)
	}
}

// The sessions of a key that ended make room for others, and so do those of clients that are gone.
func TestSessionsEnd(t *testing.T) {
	const most = 4
	fill := func(t *testing.T, silent time.Duration) (r *registry.Registry, address, first, second string, sessions []string) {
		mcpserver.SetSessions(t, most, silent)
		r = registrytest.Open(t)
		first, second = newKey(t, r, registry.KeySpec{Name: "first"}), newKey(t, r, registry.KeySpec{Name: "second"})
		address = serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
		for range most {
			status, session := hello(t, address, "/mcp", first)
			if status != 200 {
				t.Fatalf("status %d", status)
			}
			sessions = append(sessions, session)
		}
		return r, address, first, second, sessions
	}
	awaitRoom := func(t *testing.T, address, key string) {
		t.Helper()
		for late := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			switch status, _ := hello(t, address, "/mcp", key); {
			case status == 200:
				return
			case time.Now().After(late):
				t.Fatalf("no room for another key: status %d", status)
			}
		}
	}
	t.Run("with their key", func(t *testing.T) {
		r, address, first, second, sessions := fill(t, time.Hour)
		if status, _ := hello(t, address, "/mcp", second); status != 503 {
			t.Fatalf("the space is full: status %d", status)
		}
		if !alive(t, address, first, sessions[0]) {
			t.Fatal("a session ended by itself")
		}
		if _, err := r.RevokeKey(t.Context(), operator, "first"); err != nil {
			t.Fatal(err)
		}
		awaitRoom(t, address, second)
	})
	t.Run("when they are silent", func(t *testing.T) {
		_, address, first, second, sessions := fill(t, 2*time.Second)
		watching(t, address, first, sessions[0])
		awaitRoom(t, address, second)
		if !alive(t, address, first, sessions[0]) {
			t.Error("a session with an open stream ended")
		}
	})
}

// A key has its part of the streams, and all keys of a space theirs.
func TestStreamsAreShared(t *testing.T) {
	r := registrytest.Open(t)
	key := func(name string, spaces ...string) string {
		return "Authorization: Bearer " + newKey(t, r, registry.KeySpec{Name: name, Role: "observer", Spaces: spaces}) + "\n"
	}
	a, b, c := key("a", "default"), key("b", "default"), key("c", "default", "work")
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	for range mcpserver.MaxStreamsOf {
		openStream(t, address, a)
	}
	full := func(path, key string) bool {
		t.Helper()
		res, err := subscribe(t, address, path, key)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode == http.StatusServiceUnavailable
	}
	if !full("/mcp", a) {
		t.Error("a key has more than its part")
	}
	for range mcpserver.MaxStreamsOf {
		openStream(t, address, b) // another key has its own
	}
	if !full("/mcp", c) {
		t.Error("a space has more than its part")
	}
	if full("/s/work/mcp", c) {
		t.Error("another space has none")
	}
}

// subscribe asks for a stream, which is closed with the test.
func subscribe(t testing.TB, address, path, key string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+address+path, strings.NewReader(listen("1")))
	if err != nil {
		return nil, err
	}
	_, bearer, _ := strings.Cut(strings.TrimSpace(key), ": ")
	req.Header = http.Header{
		"Authorization": {bearer}, "Accept": {"*/*"}, "Content-Type": {"application/json"},
		"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {"subscriptions/listen"},
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		t.Cleanup(func() { res.Body.Close() })
	}
	return res, err
}

// Sessions and lists cost more than they look like, and are no calls.
func TestAKeyAsksForListsAtARate(t *testing.T) {
	r := registrytest.Open(t)
	eager, other := newKey(t, r, registry.KeySpec{Name: "eager"}), newKey(t, r, registry.KeySpec{Name: "other"})
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	lists := strings.ReplaceAll(modernHeaders+discover, "server/discover", "tools/list")
	var told *http.Response
	for range 20 * mcpserver.AskBurst {
		if res, body := roundTrip(t, address, "POST /mcp\nAuthorization: Bearer "+eager+"\n"+lists); res.StatusCode != 200 {
			mustContain(t, body, "the key asked for too many sessions and lists; try again in")
			told = res
			break
		}
	}
	if told == nil || told.StatusCode != http.StatusTooManyRequests || told.Header.Get("Retry-After") == "" {
		t.Errorf("%+v", told)
	}
	if res, body := roundTrip(t, address, "POST /mcp\nAuthorization: Bearer "+other+"\n"+lists); res.StatusCode != 200 {
		t.Errorf("another key: status %d: %s", res.StatusCode, body)
	}
}

// One key's large message that comes slowly keeps no other key of its space waiting.
func TestASlowUploadBlocksItsKeyAlone(t *testing.T) {
	r := registrytest.Open(t)
	slow, other := newKey(t, r, registry.KeySpec{Name: "slow"}), newKey(t, r, registry.KeySpec{Name: "other"})
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: */*\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		address, slow, mcpserver.MaxBodyBytes)
	// The server says 100 when it begins to read, which is when it has made room.
	if _, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 100"))); err != nil {
		t.Fatal(err)
	}
	text := `{"text":"` + strings.Repeat("x", 1<<20) + `"}`
	large := strings.Replace(call("1", "t_echo"), `"name":"t_echo"`, `"name":"t_echo","arguments":`+text, 1)
	if res, body := roundTrip(t, address, modernCall("t_echo", "Authorization: Bearer "+other+"\n")+large); res.StatusCode != 200 {
		t.Errorf("another key: status %d: %.200s", res.StatusCode, body)
	}
}

// A name is nothing until there is a tool in its space: no server is made to find out.
func TestAskingForASpaceThatThereIsNotIsCheap(t *testing.T) {
	s := newServer(t, newFake())
	if err := mcpserver.OpenSpace(t.Context(), s, "work"); err != nil {
		t.Fatal(err)
	}
	there := testing.AllocsPerRun(10, func() { _ = mcpserver.OpenSpace(t.Context(), s, "work") })
	missing := testing.AllocsPerRun(10, func() {
		if mcpserver.OpenSpace(t.Context(), s, "missing") == nil {
			t.Fatal("there is no such space")
		}
	})
	t.Logf("%v and %v", there, missing)
	if missing > 10 {
		t.Errorf("%v allocations for a space that there is not, %v for one that there is", missing, there)
	}
}

// What asks every second while a server ends does not fill the log.
func TestAnEndingServerSaysSoOnce(t *testing.T) {
	var log bytes.Buffer
	s, err := mcpserver.New(mcpserver.Config{Host: newFake(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	front := mcpserver.Front(t.Context(), s)
	for range 3 {
		answer, req := httptest.NewRecorder(), httptest.NewRequest("GET", "/readyz", nil)
		req.Host = "localhost"
		if front.ServeHTTP(answer, req); answer.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", answer.Code)
		}
	}
	if n := strings.Count(log.String(), "not ready"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// rawConn counts what is written after it was sealed.
type rawConn struct {
	net.Conn
	sealed, written, closed atomic.Bool
}

func (c *rawConn) Write(p []byte) (int, error) {
	if c.sealed.Load() {
		c.written.Store(true)
		return 0, io.ErrClosedPipe
	}
	return c.Conn.Write(p)
}

func (c *rawConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// A connection of TLS that must make room is cut: its farewell would wait for the client, and with it every
// new connection.
func TestMakingRoomForAConnectionDoesNotWait(t *testing.T) {
	near, far := net.Pipe()
	raw := &rawConn{Conn: near}
	certificate := newCertificate(t, "tools.acme.test")
	server := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{*certificate}})
	go func() {
		client := tls.Client(far, &tls.Config{InsecureSkipVerify: true})
		_, _ = io.Copy(io.Discard, client)
	}()
	defer far.Close()
	if err := server.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw.sealed.Store(true)
	c := mcpserver.NewConnections(true)
	for range mcpserver.MaxConnections / 4 { // as many as one address may have
		conn, _ := net.Pipe()
		mcpserver.Changed(c, conn, http.StateNew)
	}
	mcpserver.Changed(c, server, http.StateNew)
	if !raw.closed.Load() || raw.written.Load() {
		t.Errorf("closed %v, after something was written to it %v", raw.closed.Load(), raw.written.Load())
	}
}
