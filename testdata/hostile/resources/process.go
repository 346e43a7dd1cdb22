package resources

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// process is an attacked host, seen from outside.
type process struct {
	setup   setup
	address string // of its MCP server
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	stderr  *complaint
	ended   chan struct{} // closed when it is gone
	err     error         // how it ended; read after ended
}

// errSilent is a host that does not answer any more: frozen, or gone.
var errSilent = errors.New("the host did not answer")

// start installs servlets into a new home below dir and starts a host over it.
func start(dir string, s setup, servlets ...servlet) (*process, error) {
	s.Home = filepath.Join(dir, "home")
	if err := prepare(s.Home, servlets); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{setup: s, cmd: exec.Command(self), stderr: &complaint{}, ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), otherSelf+"=host")
	p.cmd.Stderr = p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, pipe, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.out = pipe, json.NewDecoder(bufio.NewReader(out))
	err = p.cmd.Start()
	pipe.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
		out.Close()
	}()
	r, err := p.ask(s, 20*time.Second)
	if err != nil {
		p.kill()
		return nil, err
	}
	p.address = r.Address
	return p, nil
}

func prepare(home string, servlets []servlet) error {
	reg, err := registry.Open(home, nil)
	if err != nil {
		return err
	}
	for _, s := range servlets {
		if err := s.install(context.Background(), reg, hostileSpace); err != nil {
			return errors.Join(err, reg.Close())
		}
	}
	return errors.Join(cheap().install(context.Background(), reg, otherSpace), reg.Close())
}

// ask sends a line and waits for its answer, at most so long.
func (p *process) ask(question any, patience time.Duration) (r reply, err error) {
	answered := make(chan error, 1)
	go func() {
		err := json.NewEncoder(p.in).Encode(question)
		if err == nil {
			err = p.out.Decode(&r)
		}
		answered <- err
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err = <-answered:
		if err != nil {
			err = fmt.Errorf("%w: %v%s", errSilent, err, p.stderr.said())
		}
		return r, err
	case <-timer.C:
		p.kill()
		<-answered
		return reply{}, fmt.Errorf("%w within %v", errSilent, patience)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it is gone
	<-p.ended
}

// end lets the host end by itself. It has to, without complaint.
func (p *process) end() error {
	p.in.Close()
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		p.kill()
		return fmt.Errorf("the host did not end: %w%s", p.err, p.stderr.said())
	}
	if p.err != nil {
		return fmt.Errorf("the host ended with %w%s", p.err, p.stderr.said())
	}
	return nil
}

// audit reads what the host recorded of its hostile calls.
func (p *process) audit(f registry.Filter) ([]registry.Entry, error) {
	reg, err := registry.Open(p.setup.Home, nil)
	if err != nil {
		return nil, err
	}
	entries, err := reg.Audit(context.Background(), capabilities.Local(hostileSpace), f)
	return entries, errors.Join(err, reg.Close())
}

// complaint keeps the beginning of what is written to it: a runtime that dies says why first.
type complaint struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

func (c *complaint) Write(p []byte) (int, error) {
	const most = 4 << 10
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p[:min(len(p), most-len(c.text))]...)
	return len(p), nil
}

func (c *complaint) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text := bytes.TrimSpace(c.text); len(text) > 0 {
		return "; it said: " + capabilities.Printable(string(text), 600)
	}
	return ""
}

// memory is what the system says of a process's resident memory, bytes. ok is false where it does not.
type memory struct{ now, peak int64 }

func residentOf(pid int) (m memory, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, false
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			m.now = kb << 10
		case "VmHWM":
			m.peak = kb << 10
		}
	}
	return m, m.peak > 0
}

// forgetPeak makes the peak what is resident now.
// Source: proc_pid_clear_refs(5), value 5.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// openFiles counts the descriptors of a process; 0 where the system does not tell.
func openFiles(process string) int {
	entries, err := os.ReadDir("/proc/" + process + "/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
