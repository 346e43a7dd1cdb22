package mcpserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/writ-run/writ/host/mcpserver"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// wire is a raw client on a server's streams: it sends any bytes and reads lines.
type wire struct {
	t     testing.TB
	in    io.WriteCloser
	lines chan string   // closed at the end of the server's output
	done  chan struct{} // closed when ServeStdio has returned
	err   error         // of ServeStdio; read after done
	stop  context.CancelFunc
}

// serveStdio serves f on pipes until the test ends.
func serveStdio(t testing.TB, f *fake) *wire {
	t.Helper()
	return startStdio(t, newServer(t, f))
}

func startStdio(t testing.TB, s *mcpserver.Server) *wire {
	t.Helper()
	clientIn, serverOut := io.Pipe()
	serverIn, clientOut := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	w := &wire{t: t, in: clientOut, lines: make(chan string, 10_000), done: make(chan struct{}), stop: cancel}
	go func() {
		defer close(w.done)
		defer serverOut.Close()
		w.err = s.ServeStdio(ctx, "default", serverIn, serverOut)
	}()
	go func() {
		defer close(w.lines)
		r := bufio.NewReader(clientIn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			w.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	t.Cleanup(func() {
		clientOut.Close()
		<-w.done
		cancel()
	})
	return w
}

// patience is how long a test waits for what must come. It is no measurement.
const patience = 20 * time.Second

// await receives what must come.
func await[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("waited in vain")
	}
	return v
}

func (w *wire) send(line string) {
	w.t.Helper()
	if _, err := io.WriteString(w.in, line+"\n"); err != nil {
		w.t.Fatalf("sending %.100s: %v", line, err)
	}
}

// next is the server's next line.
func (w *wire) next() string {
	w.t.Helper()
	select {
	case line, ok := <-w.lines:
		if !ok {
			w.t.Fatal("the server ended the session")
		}
		return line
	case <-time.After(patience):
		w.t.Fatal("the server does not answer")
	}
	return ""
}

// answer returns the lines up to the answer with id (JSON) or without one, which is the last one.
func (w *wire) answer(id string) []string {
	w.t.Helper()
	var lines []string
	for {
		lines = append(lines, w.next())
		last := lines[len(lines)-1]
		if got := idOf(last); got == id || got == "" && strings.Contains(last, `"error"`) {
			return lines
		}
	}
}

// ask sends a request and returns its answer.
func (w *wire) ask(line string) string {
	w.t.Helper()
	w.send(line)
	lines := w.answer(idOf(line))
	return lines[len(lines)-1]
}

// idOf is the id of a message as JSON, or empty.
func idOf(line string) string {
	var m struct{ ID json.RawMessage }
	if json.Unmarshal([]byte(line), &m) != nil {
		return ""
	}
	return string(m.ID)
}

// TestTranscripts plays the sessions in testdata: lines with "> " are sent, lines with "< " must come
// back. Run with -update to write them anew, and read the difference.
func TestTranscripts(t *testing.T) {
	for name, play := range map[string]func(*testing.T, []string) []string{"stdio": playStdio, "http": playHTTP} {
		files, err := filepath.Glob("testdata/" + name + "-*.txtar")
		if err != nil || len(files) == 0 {
			t.Fatalf("no transcripts for %s: %v", name, err)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				archive, err := txtar.ParseFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if len(archive.Comment) == 0 || len(archive.Files) != 1 {
					t.Fatal("a transcript is prose and one file")
				}
				want := string(archive.Files[0].Data)
				got := strings.Join(play(t, strings.Split(strings.TrimSpace(want), "\n")), "\n") + "\n"
				if *update {
					archive.Files[0].Data = []byte(got)
					if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
						t.Fatal(err)
					}
				} else if got != want {
					t.Errorf("the session differs; got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

// playStdio sends one line after the other, each when the one before is answered.
func playStdio(t *testing.T, script []string) (played []string) {
	w := serveStdio(t, newFake())
	for _, line := range script {
		sent, ok := strings.CutPrefix(line, "> ")
		if !ok {
			if !strings.HasPrefix(line, "< ") {
				played = append(played, line)
			}
			continue
		}
		played = append(played, line)
		w.send(sent)
		var m map[string]json.RawMessage
		wellFormed := json.Unmarshal([]byte(sent), &m) == nil && string(m["id"]) != "null"
		switch {
		case wellFormed && m["id"] == nil:
		case wellFormed && json.Valid(m["id"]):
			for _, line := range w.answer(string(m["id"])) {
				played = append(played, "< "+line)
			}
		default:
			played = append(played, "< "+w.next())
		}
	}
	w.in.Close()
	<-w.done
	if w.err != nil {
		t.Errorf("ServeStdio: %v", w.err)
	}
	return played
}

var sessionID = regexp.MustCompile(`[A-Z2-7]{26}`)

// playHTTP sends requests, each a block "> METHOD path", "> Name: value"..., "> body".
func playHTTP(t *testing.T, script []string) (played []string) {
	address := serveHTTP(t, newFake())
	session := ""
	var block []string
	for _, line := range append(script, "") {
		if strings.HasPrefix(line, "> ") {
			block = append(block, strings.TrimPrefix(line, "> "))
			played = append(played, line)
			continue
		}
		if len(block) > 0 {
			res, body := roundTrip(t, address, strings.ReplaceAll(strings.Join(block, "\n"), "SESSION", session))
			if id := res.Header.Get("Mcp-Session-Id"); id != "" {
				session = id
			}
			answer := []string{strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, res.Header.Get("Content-Type")))}
			for _, name := range []string{"Allow", "Mcp-Session-Id", "X-Accel-Buffering"} {
				if value := res.Header.Get(name); value != "" {
					answer = append(answer, name+": "+value)
				}
			}
			for _, line := range strings.Split(strings.TrimSpace(body), "\n") {
				if line != "" {
					answer = append(answer, line)
				}
			}
			for _, line := range answer {
				played = append(played, "< "+sessionID.ReplaceAllString(line, "SESSION"))
			}
			block = nil
		}
		if !strings.HasPrefix(line, "< ") {
			played = append(played, line)
		}
	}
	return played[:len(played)-1]
}

// roundTrip sends a request written as "METHOD path", headers and a body. Host is the address unless
// a header says otherwise; POST says that it sends JSON and takes both answers unless it says otherwise.
func roundTrip(t testing.TB, address, text string) (*http.Response, string) {
	t.Helper()
	first, rest, _ := strings.Cut(text, "\n")
	method, path, _ := strings.Cut(first, " ")
	req, err := http.NewRequest(method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, text/event-stream")
	header := regexp.MustCompile(`^([A-Za-z-]+): ?(.*)$`)
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		match := header.FindStringSubmatch(line)
		if match == nil {
			break
		}
		switch {
		case match[1] == "Host":
			req.Host = match[2]
		case match[2] == "":
			req.Header.Del(match[1])
		case req.Header.Get(match[1]) == "" || match[1] == "Content-Type" || match[1] == "Accept":
			req.Header.Set(match[1], match[2])
		default:
			req.Header.Add(match[1], match[2])
		}
		rest = after
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader([]byte(rest))), int64(len(rest))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res, err := http.DefaultTransport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return res, string(body)
}
