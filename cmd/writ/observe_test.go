//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/writ-run/writ/host/metrics/metricstest"
)

const (
	sayCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fast_say","arguments":{},"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
)

// started is a writ that runs, with the lines that it says.
type started struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
	in    io.WriteCloser
}

func start(t *testing.T, home string, stdout bool, args ...string) *started {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built.writ, append([]string{"--home", home}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out io.ReadCloser
	if stdout {
		out, err = cmd.StdoutPipe()
		cmd.Stderr = os.Stderr
	} else {
		out, err = cmd.StderrPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &started{cmd, bufio.NewReader(out), in}
}

// said returns what comes after a word in the next line that has it.
func (s *started) said(t *testing.T, word string) string {
	t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			t.Fatalf("waiting for %q: %v", word, err)
		}
		if _, rest, ok := strings.Cut(strings.TrimSpace(line), word); ok {
			return rest
		}
	}
}

func (s *started) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if signal != nil {
		s.cmd.Process.Signal(signal)
	}
	io.Copy(io.Discard, s.lines)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v: %v", s.cmd.Args[3:], err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// say calls the tool over HTTP and returns the answer.
func say(t *testing.T, url string) string {
	t.Helper()
	req, _ := http.NewRequest("POST", url, strings.NewReader(sayCall))
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28",
		"Mcp-Method": "tools/call", "Mcp-Name": "fast_say", "Traceparent": "00-" + traceID + "-00f067aa0ba902b7-01",
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", resp.StatusCode, body, err)
	}
	return string(body)
}

// A server on HTTP and one on stdio share a home; a third process follows the log of both; the server's
// metrics, probes, limits and audit say what happened.
func TestAServerIsWatched(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	install(t, home, filepath.Join(built.small, "fast.wasm"), "--tools", "say")
	server := start(t, home, false, "serve", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--rate", "2/h", "--burst", "2", "--log-format", "json", "--log-level", "info")
	watched := strings.TrimSuffix(server.said(t, "metrics at "), "/metrics")
	url := server.said(t, "serving ")
	follower := start(t, home, true, "logs", "-f", "fast", "--json")

	for _, base := range []string{watched, strings.TrimSuffix(url, "/mcp")} {
		for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
			if status, body := get(t, base+path); status != 200 || body != want {
				t.Errorf("%s%s: %d %q", base, path, status, body)
			}
		}
	}
	for range 2 {
		if answer := say(t, url); !strings.Contains(answer, "hello") {
			t.Errorf("%s", answer)
		}
	}
	if answer := say(t, url); !strings.Contains(answer, `"run.writ/limit":"rate"`) || !strings.Contains(answer, `"run.writ/retry_after_ms":`) {
		t.Errorf("the third call of a burst of two: %s", answer)
	}
	line := server.said(t, `"msg":"call"`)
	if !strings.Contains(line, `"trace":"`+traceID+`"`) || !strings.Contains(line, `"alias":"fast"`) {
		t.Errorf("standard error has no line of the call: %s", line)
	}

	_, body := get(t, watched+"/metrics")
	page, err := metricstest.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for sample, want := range map[string]float64{
		`writ_calls_total{space="default",servlet="fast",tool="say",status="ok"}`:   2,
		`writ_limits_total{limit="rate"}`:                                           1,
		`mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call"}`: 3,
		"active_api_keys":     0,
		"auth_failures_total": 0,
		"writ_rate_callers":   1,
	} {
		if got, ok := page.Samples[sample]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", sample, got, ok, want)
		}
	}

	stdio := start(t, home, true, "run")
	io.WriteString(stdio.in, sayCall+"\n")
	stdio.said(t, "hello")
	stdio.in.Close()
	stdio.end(t, nil)

	pids := map[int]bool{}
	for len(pids) < 2 { // of the server, and of the one on stdio
		var line struct {
			PID                      int
			Msg, Alias, Tool, Status string
		}
		raw, err := follower.lines.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(raw, &line)
		}
		if err != nil || line.Alias != "fast" || line.Msg != "call" || line.Tool != "say" || line.Status != "ok" {
			t.Fatalf("%s, %v", raw, err)
		}
		pids[line.PID] = true
	}
	follower.end(t, syscall.SIGINT)
	server.end(t, syscall.SIGTERM)

	out, err := exec.Command(built.writ, "--home", home, "audit", "--event", "call", "--json").Output()
	if err != nil || strings.Count(string(out), traceID) != 3 {
		t.Errorf("the audit has the trace %d times, want 3: %s, %v", strings.Count(string(out), traceID), out, err)
	}
	files, err := os.ReadDir(filepath.Join(home, "logs"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A client that reads none of standard error does not hold its calls, however much is logged.
func TestFullStandardErrorHoldsNoCall(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	install(t, home, filepath.Join(built.small, "fast.wasm"), "--tools", "say")
	full, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, built.writ, "--home", home, "run", "--rate", "off", "--log-level", "debug")
	cmd.Stderr = other
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	for range 600 { // of lines that a pipe has no room for
		io.WriteString(in, sayCall+"\n")
		if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "hello") {
			t.Fatalf("%q, %v", line, err)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
