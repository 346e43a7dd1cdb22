package mcpserver_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The cost of the protocol around a tool that does nothing: one client, one call at a time.

func BenchmarkStdioCall(b *testing.B) {
	w := serveStdio(b, newFake())
	request := call("1", "t_region")
	w.ask(request)
	b.ReportAllocs()
	for b.Loop() {
		w.send(request)
		if line := w.next(); !strings.Contains(line, "in the region") {
			b.Fatal(line)
		}
	}
}

func BenchmarkHTTPCall(b *testing.B) {
	address := serveHTTP(b, newFake())
	body := []byte(call("1", "t_echo"))
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequest("POST", "http://"+address+"/mcp", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header = http.Header{
			"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
			"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"t_echo"},
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		answer, err := io.ReadAll(bufio.NewReader(res.Body))
		res.Body.Close()
		if err != nil || !bytes.Contains(answer, []byte(`"result"`)) {
			b.Fatalf("%s, %v", answer, err)
		}
	}
}
