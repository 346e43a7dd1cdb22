//go:build unix

package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/testdata/client"
)

// exampleCom is a network in which example.com is a test server, whose certificate is for that name, and its
// origin there.
func exampleCom(srv *httptest.Server) (guard.Network, string) {
	at := netip.MustParseAddrPort(srv.Listener.Addr().(*net.TCPAddr).String())
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return guard.Network{Roots: roots, Loopback: []netip.AddrPort{at}, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{at.Addr()}, nil
	}}, fmt.Sprintf("https://example.com:%d", at.Port())
}

// develop runs `writ dev` in this process with a network, as the server of a client. end closes the client and
// returns what was said on standard error.
func develop(t *testing.T, network guard.Network, args ...string) (c *client.Client, said *heard, end func() string) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	in, toServer := pipe()
	fromServer, out := pipe()
	errors, stderr := io.Pipe()
	said = hear(errors)
	status := make(chan int, 1)
	go func() {
		status <- run(append([]string{"dev"}, args...), &app{stdin: in, stdout: out, stderr: stderr, network: network, getenv: func(name string) string {
			return map[string]string{"WRIT_HOME": devHome()}[name]
		}})
		stderr.Close()
		out.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := client.Pipe(ctx, fromServer, toServer)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.all())
	}
	said.await(t, 0, "built ") // a server does not keep its client waiting for long
	return c, said, func() string {
		t.Helper()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		toServer.Close()
		if got := <-status; got != exitOK {
			t.Errorf("status %d:\n%s", got, said.all())
		}
		isEmpty(t, os.Getenv("TMPDIR"))
		return said.all()
	}
}

// A path of a guest's is one from its first slash on, whatever follows.
func TestDevAdvisesOnOddPaths(t *testing.T) {
	m := capabilities.Manifest{Capabilities: capabilities.Capabilities{FS: []capabilities.FS{{ID: "docs", Guest: "/docs", Mode: capabilities.ModeRead}}}}
	for _, target := range []string{"/docs/a:/b", "docs:/docs/a"} {
		e := guard.Event{Kind: "fs", Action: "open", Target: target}
		if got := advice(e, "read", devBuild{manifest: m}); got != `servlet.toml: add "fs:docs" to uses.read` {
			t.Errorf("%s: got %q", target, got)
		}
	}
}

func TestDevSaysOnceThatNothingChanged(t *testing.T) {
	var said strings.Builder
	d := &dev{out: newConsole(&said, false)}
	d.sayUnchanged()
	d.sayUnchanged()
	d.out.close()
	if strings.Count(said.String(), "nothing changed") != 1 {
		t.Errorf("said %q", said.String())
	}
}

const proposalBegins = "# servlet.toml, in the place of its tables capabilities and uses: what these calls need, and no more\n"

// lastProposal is what was printed last, for pasting.
func lastProposal(t *testing.T, said string) string {
	t.Helper()
	at := strings.LastIndex(said, proposalBegins)
	if at < 0 {
		t.Fatalf("nothing was proposed:\n%s", said)
	}
	text, _, ok := strings.Cut(said[at+len(proposalBegins):], "# end of servlet.toml\n")
	if !ok {
		t.Fatalf("half a proposal:\n%s", said)
	}
	return text
}

// A servlet that requests nothing is refused everything, and gets what the calls were refused once that is in
// its servlet.toml: no more, and each thing for the tool that asked for it.
func TestDevProposesWhatCallsNeed(t *testing.T) {
	l := newLibrary(t)
	source, notes := t.TempDir(), t.TempDir()
	notes, err := filepath.EvalSymlinks(notes)
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, notes, map[string]string{"today.txt": "water the plants\n"})
	const head = "name = \"greeter\"\nversion = \"0.1.0\"\n"
	writeFiles(t, source, map[string]string{"servlet.toml": head, "main.ts": scriptOf(`import { config } from "writ-servlet";
import { readTextFile, writeFile } from "writ-servlet/files";
const site = "` + l.origin + `";
const add = (name, run) => server.registerTool(name, { description: "Does " + name }, run);
add("page", async () => (await fetch(site + "/book")).text());
add("units", () => config("UNITS") ?? (() => { throw new Error("UNITS is not set"); })());
add("read", () => readTextFile("/docs/today.txt"));
add("write", () => { writeFile("/docs/new/day.txt", "x"); return "written"; });
add("idle", () => "nothing");
`)})
	site := strings.NewReplacer("https://", "", ".", "-", ":", "-").Replace(l.origin)
	writeFiles(t, notes, map[string]string{"new/keep": ""})
	args := []string{source, "--propose", "--allow", site, "--dir", "docs=" + notes, "--config", "UNITS=imperial"}
	c, said, end := develop(t, l.network, args...)
	calls := map[string]string{"page": "High water", "units": "imperial", "read": "water the plants", "write": "written"}
	for tool := range calls {
		if got, err := c.Call(t.Context(), "greeter_"+tool, nil); err != nil || !got.IsError {
			t.Errorf("%s: %+v, %v: want it refused", tool, got, err)
		}
	}
	if len(l.paths()) > 0 {
		t.Error("the site was asked although nothing requests it")
	}
	// Any build prints what is known by then.
	at := len(said.all())
	writeFiles(t, source, map[string]string{"notes.md": "x", "servlet.toml": head + "description = \"Greets\"\n"})
	at = said.await(t, at, "# end of servlet.toml\n")
	proposed := lastProposal(t, said.all())
	want := `[[capabilities.http]]
# page: GET ` + l.origin + `/book (was refused)
id = "` + site + `"
origin = "` + l.origin + `"
methods = ["GET"]
paths = ["/book"]

[[capabilities.fs]]
# read: stat /docs/today.txt (was refused)
# write: create /docs/new/day.txt (was refused)
id = "docs"
guest = "/docs"
mode = "rw"

[[capabilities.config]]
# units: get UNITS (was refused)
key = "UNITS"

[uses]
page = ["http:` + site + `"]
read = ["fs:docs:ro"]
units = ["config:UNITS"]
write = ["fs:docs"]
# not called, so that nothing is known of what they need: idle
`
	if proposed != want {
		t.Errorf("got\n%s\nwant\n%s", proposed, want)
	}
	writeFiles(t, source, map[string]string{"servlet.toml": head + proposed})
	said.await(t, at, "built greeter")
	for tool, answer := range calls {
		if got, err := c.Call(t.Context(), "greeter_"+tool, nil); err != nil || got.IsError || !strings.Contains(got.Text, answer) {
			t.Errorf("%s: %+v, %v\n%s", tool, got, err, said.all())
		}
	}
	end()

	plain := append([]string{source}, args[2:]...)
	// Without --propose it is built as `writ build` does, and what was proposed is enough.
	c, said, end = develop(t, l.network, plain...)
	for tool, answer := range calls {
		if got, err := c.Call(t.Context(), "greeter_"+tool, nil); err != nil || got.IsError || !strings.Contains(got.Text, answer) {
			t.Errorf("without --propose, %s: %+v, %v\n%s", tool, got, err, said.all())
		}
	}
	end()
}
