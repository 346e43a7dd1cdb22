package mcpserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// came says whether something arrives soon; the caller tries again when nothing does.
func came[T any](c <-chan T) bool {
	select {
	case <-c:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

const discover = `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + meta + `}}`

const modernHeaders = "Mcp-Protocol-Version: 2026-07-28\nMcp-Method: server/discover\n"

func modernCall(tool, extra string) string {
	return "POST /mcp\nMcp-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: " + tool + "\n" + extra
}

// Web pages can make a browser send requests to loopback. None of these may reach the host, and the
// control at the top shows that it is the header that stops them.
func TestForeignRequestsAreRefused(t *testing.T) {
	address := serveHTTP(t, newFake())
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name, headers string
		want          int
	}{
		{"control: a program", "", 200},
		{"control: localhost", "Host: localhost:" + port, 200},
		{"control: a forwarded port", "Host: localhost:1", 200},
		{"control: a page of this server", "Origin: http://" + address + "\nSec-Fetch-Site: same-origin", 200},
		{"rebound name", "Host: evil.example:" + port, 421},
		{"rebound name with our address in it", "Host: 127.0.0.1.evil.example:" + port, 421},
		{"another loopback address", "Host: 127.0.0.2:" + port, 421},
		{"unspecified address", "Host: 0.0.0.0:" + port, 421},
		{"name with user", "Host: evil@localhost:" + port, 421},
		{"port that is none", "Host: localhost:x", 421},
		{"foreign origin", "Origin: http://evil.example", 403},
		{"opaque origin", "Origin: null", 403},
		{"origin of another port", "Origin: http://127.0.0.1:1", 403},
		{"origin of another name", "Origin: http://localhost:" + port, 403},
		{"origin of another scheme", "Origin: https://" + address, 403},
		{"two origins", "Origin: http://" + address + "\nOrigin: http://evil.example", 403},
		{"cross-site", "Sec-Fetch-Site: cross-site", 403},
		{"same-site", "Sec-Fetch-Site: same-site", 403},
		{"through a proxy", "X-Forwarded-For: 203.0.113.9", 403},
		{"through a standard proxy", "Forwarded: for=203.0.113.9", 403},
		{"plain text", "Content-Type: text/plain", 415},
		{"a form", "Content-Type: application/x-www-form-urlencoded", 415},
		{"no type", "Content-Type:", 415},
		{"half of the answers", "Accept: application/json", 406},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			headers := modernHeaders
			if row.headers != "" {
				headers += row.headers + "\n"
			}
			res, body := roundTrip(t, address, "POST /mcp\n"+headers+discover)
			if res.StatusCode != row.want {
				t.Errorf("status %d, want %d: %s", res.StatusCode, row.want, body)
			}
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("the answer has %s: %s", name, res.Header.Get(name))
				}
			}
		})
	}
}

func TestMethodsAndPaths(t *testing.T) {
	address := serveHTTP(t, newFake())
	for request, want := range map[string]int{
		"POST /mcp":              200,
		"POST /s/default/mcp":    200,
		"POST /s/work/mcp":       200,
		"POST /":                 404,
		"POST /mcp/":             404,
		"POST /s/nothing/mcp":    404,
		"POST /s//mcp":           404,
		"POST /s/UPPER/mcp":      404,
		"POST /s/a%2Fb/mcp":      404,
		"POST /s/../mcp":         404,
		"POST /s/work/mcp/extra": 404,
		"GET /mcp":               405,
		"HEAD /mcp":              405,
		"PUT /mcp":               405,
		"DELETE /mcp":            405,
		"OPTIONS /mcp":           405,
		"TRACE /mcp":             405,
	} {
		res, body := roundTrip(t, address, request+"\n"+modernHeaders+discover)
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d: %.200s", request, res.StatusCode, want, body)
		}
	}
}

// Whoever decides by headers must decide about what then runs.
func TestHeadersAgreeWithTheMessage(t *testing.T) {
	address := serveHTTP(t, newFake())
	echo := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_echo",` + meta + `}}`
	with := func(tool, arguments string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `,` + meta + `}}`
	}
	region := func(arguments string) string { return with("t_region", arguments) }
	zone := func(arguments string) string { return with("t_zone", arguments) }
	rows := []struct {
		name, request string
		code          string // of the error; empty: a result
	}{
		{"control", modernCall("t_echo", "") + echo, ""},
		{"name as base64", modernCall("=?base64?dF9lY2hv?=", "") + echo, ""},
		{"base64 of another name", modernCall("=?base64?dF9saXN0?=", "") + echo, "-32020"},
		{"broken base64", modernCall("=?base64?!!?=", "") + echo, "-32020"},
		{"loose base64", modernCall("=?base64?dF9lY2hv\tx?=", "") + echo, "-32020"},
		{"another name", modernCall("t_list", "") + echo, "-32020"},
		{"name in other case", modernCall("T_ECHO", "") + echo, "-32020"},
		{"two names", modernCall("t_echo", "Mcp-Name: t_echo\n") + echo, "-32020"},
		{"no name", "POST /mcp\nMcp-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\n" + echo, "-32020"},
		{"another method", "POST /mcp\nMcp-Protocol-Version: 2026-07-28\nMcp-Method: tools/list\nMcp-Name: t_echo\n" + echo, "-32020"},
		{"no method", "POST /mcp\nMcp-Protocol-Version: 2026-07-28\nMcp-Name: t_echo\n" + echo, "-32020"},
		{"no version", "POST /mcp\nMcp-Method: tools/call\nMcp-Name: t_echo\n" + echo, "-32020"},
		{"older version", "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n" + echo, "-32020"},
		{"unknown version", "POST /mcp\nMcp-Protocol-Version: 2027-01-01\n" + echo, "-32022"},
		{"made up version", "POST /mcp\nMcp-Protocol-Version: 1\n" + echo, "-32022"},
		{"another argument, and a uri", modernCall("t_zone", "Mcp-Param-Zone: b\n") +
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_zone","uri":"x","arguments":{"zone":"a"},` + meta + `}}`, "-32020"},
		{"control: argument", modernCall("t_region", "Mcp-Param-Region: eu\n") + region(`{"region":"eu"}`), ""},
		{"argument as base64", modernCall("t_region", "Mcp-Param-Region: =?base64?ZXU=?=\n") + region(`{"region":"eu"}`), ""},
		{"another argument", modernCall("t_region", "Mcp-Param-Region: us\n") + region(`{"region":"eu"}`), "-32020"},
		{"two arguments", modernCall("t_region", "Mcp-Param-Region: eu\nMcp-Param-Region: eu\n") + region(`{"region":"eu"}`), "-32020"},
		{"no header for an argument", modernCall("t_region", "") + region(`{"region":"eu"}`), "-32020"},
		{"a header for no argument", modernCall("t_region", "Mcp-Param-Region: eu\n") + region(`{}`), "-32020"},
		{"control: beside a union", modernCall("t_zone", "Mcp-Param-Zone: a\n") + zone(`{"zone":"a","note":null}`), ""},
		{"another argument beside a union", modernCall("t_zone", "Mcp-Param-Zone: b\n") + zone(`{"zone":"a","note":null}`), "-32020"},
		{"a header for null", modernCall("t_region", "Mcp-Param-Region: eu\n") + region(`{"region":null}`), "-32020"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			res, body := roundTrip(t, address, row.request)
			if row.code == "" {
				if res.StatusCode != 200 || !strings.Contains(body, `"result"`) {
					t.Errorf("status %d: %s", res.StatusCode, body)
				}
				return
			}
			if res.StatusCode != 400 || !strings.Contains(body, `"code":`+row.code) {
				t.Errorf("status %d, want 400 and %s: %s", res.StatusCode, row.code, body)
			}
		})
	}
}

// Every message that is not exactly one message is refused in one way, before the SDK sees it.
func TestMalformedBodies(t *testing.T) {
	address := serveHTTP(t, newFake())
	for name, row := range map[string]struct{ body, want string }{
		"nothing":           {"", `"code":-32700`},
		"half a message":    {`{"jsonrpc":"2.0"`, `"code":-32700`},
		"two messages":      {discover + discover, `"code":-32700`},
		"a batch":           {"[" + discover + "]", `"code":-32600`},
		"a duplicate name":  {`{"jsonrpc":"2.0","id":1,"method":"server/discover","method":"tools/list"}`, `"id":1,"error":{"code":-32700`},
		"two ids":           {`{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, `"2.0","error":{"code":-32700`},
		"a folded name":     {`{"jsonrpc":"2.0","id":1,"Method":"server/discover"}`, `"id":1,"error":{"code":-32600`},
		"a name with NUL":   {`{"jsonrpc":"2.0","id":1,"method\u0000":"server/discover"}`, `"id":1,"error":{"code":-32600`},
		"a null id":         {`{"jsonrpc":"2.0","id":null,"method":"server/discover"}`, `"code":-32600`},
		"a broken id":       {`{"jsonrpc":"2.0","id":1.5,"method":"server/discover"}`, `"code":-32600`},
		"a byte order mark": {"\ufeff" + discover, `"code":-32700`},
		"deep nesting":      {`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}}`, `"code":-32700`},
		"a lone response":   {`{"jsonrpc":"2.0","id":1,"result":{}}`, `"code":-32602`},
		"no session":        {`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `"code":-32602`},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := roundTrip(t, address, "POST /mcp\n"+row.body)
			if res.StatusCode != 400 || !strings.Contains(body, row.want) {
				t.Errorf("status %d, body %.300s, want 400 and %s", res.StatusCode, body, row.want)
			}
			if kind := res.Header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("the answer is %s", kind)
			}
		})
	}
}

func TestLargeBodies(t *testing.T) {
	address := serveHTTP(t, newFake())
	request := func(size int) string {
		text := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_steps","arguments":{"text":""},` + meta + `}}`
		return modernCall("t_steps", "") + strings.Replace(text, `"text":""`, `"text":"`+strings.Repeat("x", size-len(text))+`"`, 1)
	}
	if res, body := roundTrip(t, address, request(4<<20)); res.StatusCode != 200 {
		t.Errorf("4 MiB: status %d: %.200s", res.StatusCode, body)
	}
	if res, body := roundTrip(t, address, request(4<<20+1)); res.StatusCode != 413 {
		t.Errorf("4 MiB and one byte: status %d: %.200s", res.StatusCode, body)
	}
}

func TestHeaderBombs(t *testing.T) {
	address := serveHTTP(t, newFake())
	res, _ := roundTrip(t, address, "POST /mcp\n"+modernHeaders+"X-Bomb: "+strings.Repeat("x", 100<<10)+"\n"+discover)
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

// HTTP/2 without TLS is not spoken: no stream floods.
func TestOnlyHTTP1(t *testing.T) {
	conn, err := net.Dial("tcp", serveHTTP(t, newFake()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 ") {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestClosedResponseCancelsTheCall(t *testing.T) {
	for name, token := range map[string]string{"JSON": "", "event stream": `"progressToken":1,`} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			address := serveHTTP(t, f)
			ctx, cancel := context.WithCancel(t.Context())
			body := strings.Replace(call("1", "t_slow"), `"_meta":{`, `"_meta":{`+token, 1)
			req, err := http.NewRequestWithContext(ctx, "POST", "http://"+address+"/mcp", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{
				"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
				"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "t_slow",
			} {
				req.Header.Set(name, value)
			}
			failed := make(chan error, 1)
			go func() {
				res, err := http.DefaultTransport.RoundTrip(req)
				if err == nil {
					_, err = io.ReadAll(res.Body)
					res.Body.Close()
				}
				failed <- err
			}()
			await(t, f.started)
			cancel()
			if err := await(t, f.ended); !errors.Is(err, context.Canceled) {
				t.Errorf("the call ended with %v", err)
			}
			if err := await(t, failed); !errors.Is(err, context.Canceled) {
				t.Errorf("the client got %v", err)
			}
		})
	}
}

func TestSessionCallIsCancelledByNotification(t *testing.T) {
	f := newFake()
	address := serveHTTP(t, f)
	res, _ := roundTrip(t, address, "POST /mcp\n"+initialize)
	session := "Mcp-Session-Id: " + res.Header.Get("Mcp-Session-Id") + "\nMcp-Protocol-Version: 2025-11-25\n"
	answered := make(chan string, 1)
	go func() {
		_, body := roundTrip(t, address, "POST /mcp\n"+session+`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_slow"}}`)
		answered <- body
	}()
	await(t, f.started)
	roundTrip(t, address, "POST /mcp\n"+session+cancel("1"))
	if err := await(t, f.ended); !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
	await(t, answered)
}

func TestParallelCallsOverHTTP(t *testing.T) {
	f := newFake()
	address := serveHTTP(t, f)
	const calls = 100
	answers := make(chan string, calls)
	for i := range calls {
		go func() {
			_, body := roundTrip(t, address, modernCall("t_slow", "")+call(fmt.Sprint(i), "t_slow"))
			answers <- body
		}()
	}
	for range calls {
		await(t, f.started) // all run at once
	}
	close(f.release)
	seen := map[string]bool{}
	for range calls {
		body := await(t, answers)
		mustContain(t, body, `"done"`)
		seen[idOf(body)] = true
	}
	if len(seen) != calls {
		t.Errorf("%d of %d calls were answered", len(seen), calls)
	}
}

func TestPanicsOverHTTPFailOneRequest(t *testing.T) {
	f := newFake()
	address := serveHTTP(t, f)
	listing := func() { panic("listing broke") }
	f.mu.Lock()
	f.listing = listing
	f.mu.Unlock()
	list := "POST /mcp\nMcp-Protocol-Version: 2026-07-28\nMcp-Method: tools/list\n" + `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + meta + `}}`
	_, body := roundTrip(t, address, list)
	mustContain(t, body, `"code":-32603`)
	if res, body := roundTrip(t, address, strings.Replace(list, "/mcp", "/s/work/mcp", 1)); res.StatusCode != 503 {
		t.Errorf("a space that cannot be listed: status %d: %s", res.StatusCode, body)
	}
	_, body = roundTrip(t, address, modernCall("t_panic", "")+call("1", "t_panic"))
	mustContain(t, body, `"code":-32603`)
	_, body = roundTrip(t, address, modernCall("t_echo", "")+call("1", "t_echo"))
	mustContain(t, body, `"result"`)
	f.mu.Lock()
	f.listing = nil
	f.mu.Unlock()
	_, body = roundTrip(t, address, list)
	mustContain(t, body, `"t_echo"`)
}

// At the end calls are answered, streams and what never ends are not waited for.
func TestEndOfServer(t *testing.T) {
	f := newFake()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- newPatientServer(t, f, patience).ServeHTTP(ctx, l) }()
	address := l.Addr().String()

	stream, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	stream.SetDeadline(time.Now().Add(patience))
	body := listen("1")
	fmt.Fprintf(stream, "POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: */*\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\nContent-Length: %d\r\n\r\n%s", address, len(body), body)
	lines := bufio.NewScanner(stream)
	for lines.Scan() && !strings.Contains(lines.Text(), "acknowledged") {
	}
	if !strings.Contains(lines.Text(), "acknowledged") {
		t.Fatalf("the subscription was not acknowledged: %s, %v", lines.Text(), lines.Err())
	}
	roundTrip(t, address, "POST /mcp\n"+initialize) // a session that stays open

	answered := make(chan string, 1)
	go func() {
		_, body := roundTrip(t, address, modernCall("t_slow", "")+call("1", "t_slow"))
		answered <- body
	}()
	await(t, f.started)
	stop()
	for lines.Scan() { // the stream ends by itself
	}
	close(f.release)
	mustContain(t, <-answered, `"done"`)
	if err := await(t, done); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the listener is still open")
	}
}

func TestEndOfServerCancelsWhatDoesNotEnd(t *testing.T) {
	f := newFake()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- newServer(t, f).ServeHTTP(ctx, l) }()
	address := l.Addr().String()
	res, _ := roundTrip(t, address, "POST /mcp\n"+initialize)
	session := "Mcp-Session-Id: " + res.Header.Get("Mcp-Session-Id") + "\nMcp-Protocol-Version: 2025-11-25\n"
	finished := make(chan struct{}, 2)
	for _, request := range []string{
		modernCall("t_slow", "") + call("1", "t_slow"),
		"POST /mcp\n" + session + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_slow"}}`,
	} {
		go func() { roundTrip(t, address, request); finished <- struct{}{} }()
		await(t, f.started)
	}
	stop()
	for range 2 {
		if err := await(t, f.ended); !errors.Is(err, context.Canceled) {
			t.Errorf("a call ended with %v", err)
		}
		await(t, finished)
	}
	if err := await(t, done); err != nil {
		t.Error(err)
	}
}
