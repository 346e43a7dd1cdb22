package main

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/writ-run/writ/capabilities"
)

// terminal is a pseudo-terminal with a program on its other end.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd

	mu   sync.Mutex // guards seen
	seen strings.Builder
	read int // how much of seen expect has gone past
	gone chan struct{}
}

// openTerminal makes a pseudo-terminal; typed is in its input before the program starts.
func openTerminal(t *testing.T, typed string, home string, args ...string) *terminal {
	t.Helper()
	cmd := exec.Command(built.writ, args...)
	cmd.Env = append(os.Environ(), "WRIT_HOME="+home, "NO_COLOR=1", "TERM=xterm")
	return onTerminal(t, typed, cmd)
}

// onTerminal starts a command of any kind on a terminal of its own.
func onTerminal(t *testing.T, typed string, cmd *exec.Cmd) *terminal {
	t.Helper()
	// Not blocking, so that closing it ends a read that waits.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), "ptmx")
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	if _, err := master.WriteString(typed); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, master: master, cmd: cmd, gone: make(chan struct{})}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go term.collect()
	t.Cleanup(func() {
		term.cmd.Process.Kill()
		master.Close()
		<-term.gone
	})
	return term
}

func (p *terminal) collect() {
	defer close(p.gone)
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		p.seen.Write(buf[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// expect waits until text appears after what was expected before.
func (p *terminal) expect(text string) {
	p.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		p.mu.Lock()
		seen := p.seen.String()
		p.mu.Unlock()
		if i := strings.Index(seen[p.read:], text); i >= 0 {
			p.read += i + len(text)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.t.Fatalf("the terminal never showed %q; it shows:\n%s", text, p.seen.String())
}

func (p *terminal) send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.master, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// exits waits for the program's end.
func (p *terminal) exits(want int) {
	p.t.Helper()
	p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		p.t.Fatalf("exit status %d, want %d; the terminal shows:\n%s", got, want, p.seen.String())
	}
}

func installed(t *testing.T, home string) string {
	t.Helper()
	cmd := exec.Command(built.writ, "--home", home, "list", "--json")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

const prompt = "n to refuse: "

func TestAPersonApprovesByTypingTheName(t *testing.T) {
	home, notes := filepath.Join(t.TempDir(), "home"), t.TempDir()
	p := openTerminal(t, "", home, "install", built.filesystem, "--dir", "docs="+notes)
	p.expect("YOU GIVE")
	p.expect(prompt)
	p.send("yes")
	p.expect("Type filesystem in full")
	p.expect(prompt)
	p.send("filesystem")
	p.expect("installed filesystem")
	p.expect("\rpreparing filesystem ... ") // it is compiled for the first time, which takes seconds
	p.expect("\r")
	p.expect("filesystem is prepared: each call starts from its image")
	p.exits(exitOK)
	if !strings.Contains(installed(t, home), `"alias": "filesystem"`) {
		t.Error("approved, but not installed")
	}
}

func TestAPersonNarrowsBeforeApproving(t *testing.T) {
	home, notes := filepath.Join(t.TempDir(), "home"), t.TempDir()
	if err := warm(home); err != nil {
		t.Fatal(err)
	}
	p := openTerminal(t, "", home, "install", built.filesystem)
	p.expect(prompt)
	p.send("1")
	p.expect("Folder for docs")
	p.send(notes)
	p.expect(prompt)
	p.send("1")
	p.expect("Folder for docs")
	p.send("ro")
	p.expect("(read only)")
	p.expect(prompt)
	p.send("filesystem")
	p.exits(exitOK)
	out, err := exec.Command(built.writ, "--home", home, "inspect", "filesystem", "--json").Output()
	if err != nil || !strings.Contains(string(out), `"text": "read `+notes+`"`) {
		t.Errorf("%v\n%s", err, out)
	}
}

// An approval that was typed before the screen was shown approves nothing: a program that starts
// Writ on a terminal could have put it there.
func TestTypedAheadInputIsNoApproval(t *testing.T) {
	home, notes := filepath.Join(t.TempDir(), "home"), t.TempDir()
	p := openTerminal(t, "filesystem\nfilesystem\ny\n", home, "install", built.filesystem, "--dir", "docs="+notes)
	p.expect(prompt)
	p.send("n")
	p.exits(exitDenied)
	if strings.Contains(installed(t, home), "filesystem") {
		t.Error("what was typed ahead approved the servlet")
	}
}

func TestRefusingAndHangingUpInstallNothing(t *testing.T) {
	for name, answer := range map[string]string{"n": "n\n", "end of input": "\x04", "interrupt": "\x03"} {
		t.Run(name, func(t *testing.T) {
			home, notes := filepath.Join(t.TempDir(), "home"), t.TempDir()
			p := openTerminal(t, "", home, "install", built.filesystem, "--dir", "docs="+notes)
			p.expect(prompt)
			if _, err := io.WriteString(p.master, answer); err != nil {
				t.Fatal(err)
			}
			p.exits(exitDenied)
			if strings.Contains(installed(t, home), "filesystem") {
				t.Error("it was installed")
			}
		})
	}
}

// After the approval the secrets are asked for, hidden and skippable, and set at once.
func TestInstallAsksForSecrets(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if out, err := exec.Command(built.writ, "--home", home, "secret", "key", "use", "file").CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	p := openTerminal(t, "", home, "install", built.weather, "--allow", "account")
	p.expect(prompt)
	p.send("acme/weather")
	p.expect("API_KEY (it says: \"from your account page\"), hidden, Enter to skip: ")
	p.send("pässword")
	p.expect("plain ASCII")
	p.expect("Enter to skip: ")
	p.send("canary-typed-here")
	p.exits(exitOK)
	if seen := p.seen.String(); strings.Contains(seen, "canary") || strings.Contains(seen, "pässword") {
		t.Errorf("the terminal shows what was typed:\n%s", seen)
	}
	out, err := exec.Command(built.writ, "--home", home, "secret", "list", "--json").Output()
	if err != nil || !strings.Contains(string(out), `"set": true`) {
		t.Errorf("%v %s", err, out)
	}
	p = openTerminal(t, "", home, "install", built.weather, "--allow", "account", "--as", "second")
	p.expect(prompt)
	p.send("acme/weather")
	p.expect("hidden, Enter to skip: ")
	p.send("")
	p.expect("second needs API_KEY: set it with `writ secret set second API_KEY`")
	p.exits(exitOK)
	p = openTerminal(t, "", home, "secret", "set", "second", "API_KEY")
	p.expect("API_KEY: ")
	if _, err := io.WriteString(p.master, "\x03"); err != nil { // an interrupt
		t.Fatal(err)
	}
	p.exits(exitUsage)
}

// A person sees how far a download is, and approves an upgrade on a screen that says what changes.
func TestAPersonUpgradesFromAServer(t *testing.T) {
	home, served := filepath.Join(t.TempDir(), "home"), t.TempDir()
	release := func(version string, seq uint64, text string) {
		t.Helper()
		m := capabilities.Manifest{Name: "acme/hello", Version: version, Seq: seq, Description: text}
		if err := writeRelease(filepath.Join(served, "hello.wasm"), m); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewServer(fileServer(served, nil))
	defer s.Close()
	release("1.0.0", 1, "Says hello.")
	p := openTerminal(t, "", home, "install", s.URL+"/hello.wasm")
	p.expect("downloading hello.wasm  [####################] 100 %")
	p.expect("\r")
	p.expect(prompt)
	p.send("acme/hello")
	p.exits(exitOK)

	release("1.1.0", 2, "Says more.")
	p = openTerminal(t, "", home, "upgrade", "hello")
	p.expect("downloading hello.wasm")
	p.expect("Upgrade hello from 1.0.0 (number 1) to 1.1.0 (number 2).")
	p.expect("CHANGED text for your AI")
	p.expect(prompt)
	p.send("d")
	p.expect("Says more.")
	p.expect("until now it was")
	p.expect("Says hello.")
	p.expect(prompt)
	p.send("n")
	p.exits(exitDenied)
	if !strings.Contains(installed(t, home), `"version": "1.0.0"`) {
		t.Error("refused, and upgraded")
	}

	p = openTerminal(t, "", home, "upgrade", "--all")
	p.expect(prompt)
	p.send("acme/hello")
	p.expect("upgraded hello from 1.0.0 to 1.1.0")
	p.exits(exitOK)
	if !strings.Contains(installed(t, home), `"version": "1.1.0"`) {
		t.Error("approved, and not upgraded")
	}
}
