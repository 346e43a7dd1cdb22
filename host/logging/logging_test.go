package logging_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/host/logging"
)

// handler writes JSON lines into a buffer.
func handler(t testing.TB, count func(int)) (*slog.Logger, *bytes.Buffer) {
	t.Helper()
	var b bytes.Buffer
	h, ok := logging.NewHandler(&b, logging.FormatJSON, slog.LevelDebug, count)
	if !ok {
		t.Fatal("no handler")
	}
	return slog.New(h), &b
}

// canary is a value that no line may have.
const canary = "canary-7f3a9c51e2"

type valuer struct{ v slog.Value }

func (v valuer) LogValue() slog.Value { return v.v }

func TestNamesOfSecrets(t *testing.T) {
	type account struct {
		User   string
		APIKey string
		Deep   map[string]any
	}
	for name, write := range map[string]func(*slog.Logger){
		"token":          func(l *slog.Logger) { l.Info("m", "token", canary) },
		"any case":       func(l *slog.Logger) { l.Info("m", "AccessTOKEN", canary) },
		"part of a name": func(l *slog.Logger) { l.Info("m", "client_secret_v2", canary) },
		"a number":       func(l *slog.Logger) { l.Info("m", "key", []byte(canary)) },
		"an error":       func(l *slog.Logger) { l.Info("m", "secret", errors.New(canary)) },
		"with":           func(l *slog.Logger) { l.With("apiKey", canary).Info("m") },
		"in a group": func(l *slog.Logger) {
			l.Info("m", slog.Group("request", slog.Group("auth", slog.String("token", canary))))
		},
		"group of secrets":  func(l *slog.Logger) { l.Info("m", slog.Group("secrets", slog.String("db", canary))) },
		"open group":        func(l *slog.Logger) { l.WithGroup("tokens").With("a", canary).WithGroup("b").Info("m", "c", canary) },
		"within open group": func(l *slog.Logger) { l.WithGroup("request").Info("m", "session_token", canary) },
		"a map":             func(l *slog.Logger) { l.Info("m", "env", map[string]any{"a": []any{map[string]any{"Secret": canary}}}) },
		"a struct":          func(l *slog.Logger) { l.Info("m", "a", account{"u", canary, map[string]any{"my-token": canary}}) },
		"a valuer":          func(l *slog.Logger) { l.Info("m", "a", valuer{slog.GroupValue(slog.String("password", canary))}) },
		"a header":          func(l *slog.Logger) { l.Info("m", "Authorization", canary) },
	} {
		t.Run(name, func(t *testing.T) {
			found := 0
			log, out := handler(t, func(n int) { found += n })
			write(log)
			if strings.Contains(out.String(), canary) || strings.Contains(out.String(), base64.StdEncoding.EncodeToString([]byte(canary))) {
				t.Errorf("the line has it: %s", out)
			}
			if !strings.Contains(out.String(), logging.Redacted) || name != "with" && name != "open group" && found == 0 {
				t.Errorf("%d found: %s", found, out)
			}
		})
	}
	// The check can fail: what is not named so stays.
	log, out := handler(t, nil)
	log.Info("m", "path", canary)
	if !strings.Contains(out.String(), canary) {
		t.Errorf("everything is taken out: %s", out)
	}
}

func TestShapesOfSecrets(t *testing.T) {
	for _, secret := range []string{
		"AKIAIOSFODNN7EXAMPLE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "github_pat_11AAAAAAA0aaaaaaaaaaaa_bbbbbb",
		"glpat-abcdefghij1234567890", "xoxb-123456789012-abcdefghij", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "sk-proj-abcdefghijklmnop",
		"sk-" + "ant-a1b2c3d4e5f6g7h8", "AIzaSyA1234567890abcdefghijklmnopqrstuv", "npm_abcdefghijklmnopqrstuvwxyz0123456789",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
		"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIGl\n-----END EC PRIVATE KEY-----", "4111 1111 1111 1111", "5500-0000-0000-0004",
		"writ_k1_abcdefghijklmnopqrstuvwxyz",
	} {
		for form, text := range map[string]string{
			"alone": secret, "in a sentence": "dialling failed: " + secret + " was refused", "quoted": `{"a":"` + secret + `"}`,
		} {
			got, n := logging.Text(text)
			if strings.Contains(got, secret) || n != 1 {
				t.Errorf("%s %q: %d found, %q", form, secret, n, got)
			}
		}
	}
	for text, want := range map[string]string{
		"Get https://u:hunter22@api.acme.test/x: EOF":         "Get https://u:[redacted]@api.acme.test/x: EOF",
		"Get https://a.test/x?user=1&api_key=abcdef123&z=1":   "Get https://a.test/x?user=1&api_key=[redacted]&z=1",
		"authorization: Bearer abcdefgh12345678":              "authorization: Bearer [redacted]",
		`request {"password": "hunter22", "user": "ana"}`:     `request {"password": "[redacted]", "user": "ana"}`,
		"env DB_PASSWORD=hunter22 HOME=/root":                 "env DB_PASSWORD=[redacted] HOME=/root",
		"4111 1111 1111 1112 is no card, nor is 12345678":     "4111 1111 1111 1112 is no card, nor is 12345678",
		"call 4bf92f3577b34da6a3ce929d0e0e4736 took 15 ms":    "call 4bf92f3577b34da6a3ce929d0e0e4736 took 15 ms",
		"the secret API_KEY is not set; a token is a word":    "the secret API_KEY is not set; a token is a word",
		"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b",
	} {
		if got, _ := logging.Text(text); got != want {
			t.Errorf("%q\nis  %q\nwant %q", text, got, want)
		}
	}
}

// An error's text, and a servlet's, may hold anything.
func TestErrorsAndMessagesAreRead(t *testing.T) {
	found := 0
	log, out := handler(t, func(n int) { found += n })
	log.Error("reading AKIAIOSFODNN7EXAMPLE", "error", fmt.Errorf("dial: %w", errors.New("Bearer abcdefgh12345678")))
	if strings.Contains(out.String(), "AKIAIO") || strings.Contains(out.String(), "abcdefgh1") || found != 2 {
		t.Errorf("%d, %s", found, out)
	}
}

// What a servlet writes stays one line, whatever is in it.
func TestForgedLinesStayOneLine(t *testing.T) {
	log, out := handler(t, nil)
	log.Info("hello\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\r\n\x1b[31m\u2028", "a", "b\nc")
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines: %q", n, out)
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["level"] != "INFO" {
		t.Errorf("%v, %v", line, err)
	}
}

// A terminal that shows lines of JSON obeys nothing in them, and they have the same value.
func TestLinesOfJSONAreFitForATerminal(t *testing.T) {
	const text = "a\u009b2Jb\u202ec\u2066\x7f\U000e0041 caf\u00e9"
	log, out := handler(t, nil)
	log.Info(text, text, text)
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r > '~' && r != '\u00e9' }); i >= 0 {
		t.Errorf("raw at %d: %+q", i, out)
	}
	var line map[string]string
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["msg"] != text || line[text] != text {
		t.Errorf("%+q, %v", line, err)
	}
}

// Nobody who logs waits for a place that takes nothing; what is lost is said.
func TestAsyncNeverWaits(t *testing.T) {
	free := make(chan struct{})
	var out bytes.Buffer
	inner, _ := logging.NewHandler(writerFunc(func(p []byte) (int, error) { <-free; return out.Write(p) }), logging.FormatJSON, slog.LevelDebug, nil)
	a := logging.NewAsync(nil)
	log := slog.New(a.Handler(inner))
	for i := range 5000 { // would never come back if it waited
		log.Info("line", "i", i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("closing what is stuck: %v", err)
	}
	close(free)
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	log.Info("too late")
	if s := out.String(); !strings.Contains(s, "were dropped") || strings.Contains(s, "too late") || strings.Count(s, "\n") > 1100 {
		t.Errorf("%d lines, %.300s", strings.Count(s, "\n"), s)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A value that panics when it is written, and one that changes afterwards, harm nobody.
func TestAsyncValues(t *testing.T) {
	var out bytes.Buffer
	inner, _ := logging.NewHandler(&out, logging.FormatJSON, slog.LevelDebug, nil)
	a := logging.NewAsync(nil)
	log := slog.New(a.Handler(inner)).With("a", 1).WithGroup("g")
	m := map[string]string{"k": "before"}
	log.Info("m", "m", m, "v", valuer{slog.StringValue("resolved")})
	m["k"] = "after"
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "resolved") || !strings.Contains(s, `"a":1,"g":{`) {
		t.Errorf("%s", s)
	}
}

func TestFileIsPrivateAndBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	f := logging.NewSmallFile(dir, 1000, 3)
	for i := range 200 {
		if _, err := fmt.Fprintf(f, `{"msg":"line %d with some text behind it"}`+"\n", i); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Size() > 1000 || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info, err)
		}
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	all := read(t, dir)
	if last := all[len(all)-1].Message; last != "line 199 with some text behind it" {
		t.Errorf("the last line is %q", last)
	}
}

func read(t testing.TB, dir string) []logging.Line {
	t.Helper()
	var all []logging.Line
	if err := logging.Read(dir, func(l logging.Line) error { all = append(all, l); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// Many writers, each with a File of its own as processes have, lose and mix nothing as they go from part to part.
func TestWritersShareAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			f := logging.NewSmallFile(dir, 4000, 1000)
			defer f.Close()
			for i := range 250 {
				fmt.Fprintf(f, `{"msg":"%d-%d"}`+"\n", w, i)
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, l := range read(t, dir) {
		seen[l.Message] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different lines, want 1000", len(seen))
	}
}

// A process that was killed within a line spoils that line alone.
func TestTornLine(t *testing.T) {
	dir := t.TempDir()
	part := filepath.Join(dir, "00000001.jsonl")
	if err := os.WriteFile(part, []byte("{\"msg\":\"first\"}\n{\"msg\":\"to"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := logging.NewFile(dir)
	fmt.Fprintln(f, `{"msg":"second"}`)
	fmt.Fprintln(f, strings.Repeat("x", 300<<10))
	fmt.Fprintln(f, `{"msg":"third"}`)
	f.Close()
	var got []string
	for _, l := range read(t, dir) {
		got = append(got, l.Message)
	}
	if strings.Join(got, " ") != "first second third" {
		t.Errorf("%q", got)
	}
}

// Neither a link nor anything else in the place of a part is written to, and a failure is an error each time.
func TestFileRefusesLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(elsewhere, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "00000001.jsonl")); err != nil {
		t.Skip(err)
	}
	f := logging.NewFile(dir)
	for range 2 {
		if _, err := fmt.Fprintln(f, `{}`); err == nil {
			t.Error("written through a link")
		}
	}
	if data, _ := os.ReadFile(elsewhere); len(data) != 0 {
		t.Errorf("%q", data)
	}
	if got := read(t, dir); len(got) != 0 {
		t.Errorf("read through a link: %v", got)
	}
}

func TestFollow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	f := logging.NewSmallFile(dir, 200, 100)
	defer f.Close()
	for i := range 10 {
		fmt.Fprintf(f, `{"msg":"before %d"}`+"\n", i)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var got []string
	caught := -1
	err := logging.Follow(ctx, dir, func(l logging.Line) error {
		if got = append(got, l.Message); l.Message == "after 29" {
			stop()
		}
		return nil
	}, func() error {
		caught = len(got)
		go func() {
			other := logging.NewSmallFile(dir, 200, 100)
			defer other.Close()
			for i := range 30 {
				fmt.Fprintf(other, `{"msg":"after %d"}`+"\n", i)
			}
		}()
		return nil
	})
	if err != nil || caught != 10 || len(got) != 40 || got[39] != "after 29" {
		t.Errorf("%v: %d before, %q", err, caught, got)
	}
}

func TestNoLogYet(t *testing.T) {
	if got := read(t, filepath.Join(t.TempDir(), "none")); len(got) != 0 {
		t.Error(got)
	}
}

func TestUnknownFormatAndLevel(t *testing.T) {
	if _, ok := logging.NewHandler(&bytes.Buffer{}, "xml", slog.LevelInfo, nil); ok {
		t.Error("xml")
	}
	for _, name := range []string{"", "WARN", "loud", "info+1"} {
		if _, err := logging.ParseLevel(name); err == nil {
			t.Errorf("%q is a level", name)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("Bearer abcdefgh12345678 and https://u:p@h/ and token=abcdef")
	f.Add("-----BEGIN PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, s string) {
		out, n := logging.Text(s)
		if n == 0 && len(s) < 1000 && out != s {
			t.Errorf("%q became %q without a reason", s, out)
		}
	})
}

// BenchmarkLog is what a call waits for.
func BenchmarkLog(b *testing.B) {
	inner, _ := logging.NewHandler(writerFunc(func(p []byte) (int, error) { return len(p), nil }), logging.FormatJSON, slog.LevelInfo, nil)
	a := logging.NewAsync(nil)
	defer a.Close(context.Background())
	log := slog.New(a.Handler(inner))
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(context.Background(), slog.LevelInfo, "call", slog.String("space", "default"), slog.String("alias", "t"),
			slog.String("tool", "act"), slog.String("call", "0123456789abcdef"), slog.String("status", "ok"), slog.Int64("wall_ms", 1))
	}
}
