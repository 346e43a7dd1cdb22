package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/sdk/toolchain"
	"github.com/writ-run/writ/testdata/client"
)

// request is the input of call i, about 100 bytes, never the same twice; text is what must come back.
func request(i int) (input []byte, text string) {
	text = fmt.Sprintf("call %08d", i)
	input = fmt.Appendf(nil, `{"method":"tools/call","params":{"name":"echo","arguments":{"text":%q}}}`, text)
	return input, text
}

// calls of the echo servlet through the sandbox: on rung plain, and as the product runs them; against
// a fresh operating system process of the same tool.
func (b *bench) sandboxed() error {
	for name, best := range map[string]sandbox.Rung{"plain/go": sandbox.RungPlain, "fresh/go": sandbox.RungReset} {
		if err := b.rung(name, best); err != nil {
			return err
		}
	}
	spawn, err := b.build("spawn")
	if err != nil {
		return err
	}
	return b.time("spawn/go", 20, 300, func(i int) error {
		input, text := request(i)
		cmd := exec.Command(spawn)
		cmd.Stdin = bytes.NewReader(input)
		out, err := cmd.Output()
		if err != nil {
			return err
		}
		return holds(out, text)
	})
}

// rung measures calls on a rung of the ladder.
func (b *bench) rung(name string, best sandbox.Rung) error {
	code, err := b.compile(best)
	if err != nil {
		return err
	}
	limits := sandbox.Limits{Memory: 64 << 20, Wall: 10 * time.Second, Output: 1 << 20, Log: 64 << 10, HostCalls: 10_000}
	return b.time(name, 50, 1000, func(i int) error {
		input, text := request(i)
		out := code.Run(b.ctx, sandbox.Call{Entry: sandbox.EntryCall, Input: input, Limits: limits})
		switch {
		case out.Fault != nil:
			return out.Fault
		case out.Rung != best:
			return fmt.Errorf("it ran on rung %s, not %s", out.Rung, best)
		}
		return holds(out.Output, text)
	})
}

func holds(answer []byte, text string) error {
	if !bytes.Contains(answer, []byte(text)) {
		return fmt.Errorf("wrong answer: %.80s", answer)
	}
	return nil
}

// compile builds the echo servlet and its machine code.
func (b *bench) compile(best sandbox.Rung) (*sandbox.Code, error) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	file := filepath.Join(b.dir, "echo.wasm")
	if _, err := toolchain.Build(b.ctx, toolchain.Options{Dir: "testdata/bench/echo", Output: file, Key: key}); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	unverified, err := capabilities.Read(data)
	if err != nil {
		return nil, err
	}
	servlet, err := unverified.Verify()
	if err != nil {
		return nil, err
	}
	admitted, err := sandbox.Admit(servlet.Module(), capabilities.ABI, nil)
	if err != nil {
		return nil, err
	}
	engine, err := sandbox.New(b.ctx, sandbox.Config{Best: best})
	if err != nil {
		return nil, err
	}
	return engine.Compile(b.ctx, admitted)
}

// build compiles a yardstick.
func (b *bench) build(name string) (string, error) {
	path := filepath.Join(b.dir, name)
	out, err := exec.Command("go", "build", "-o", path, "./testdata/bench/"+name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building %s: %s", name, out)
	}
	return path, nil
}

// home makes a home with the echo servlet under n aliases.
func (b *bench) home(name string, n int) (string, error) {
	home := filepath.Join(b.dir, name)
	file := filepath.Join(b.dir, name+".wasm")
	if err := b.run(home, "build", "testdata/bench/echo", "-o", file); err != nil {
		return "", err
	}
	for i := range n {
		alias := "echo"
		if i > 0 {
			alias += strconv.Itoa(i)
		}
		if err := b.approve(home, file, "--as", alias, "--dev", "--tools", "*"); err != nil {
			return "", err
		}
	}
	return home, nil
}

func (b *bench) run(home string, args ...string) error {
	out, err := exec.Command(b.writ, append([]string{"--home", home}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("writ %s: %s", strings.Join(args, " "), out)
	}
	return nil
}

func (b *bench) plan(home, file string, flags ...string) (string, error) {
	out, err := exec.Command(b.writ, append([]string{"--home", home, "install", file, "--plan", "--json"}, flags...)...).Output()
	if err != nil {
		return "", fmt.Errorf("planning: %w", err)
	}
	var plan struct{ Digest string }
	err = json.Unmarshal(out, &plan)
	return plan.Digest, err
}

func (b *bench) approve(home, file string, flags ...string) error {
	digest, err := b.plan(home, file, flags...)
	if err != nil {
		return err
	}
	return b.run(home, append([]string{"install", file, "--approve", digest}, flags...)...)
}

// protocol is a whole call by a real client through the real binary, against the official SDK's
// server without a sandbox.
func (b *bench) protocol() error {
	home, err := b.home("protocol", 1)
	if err != nil {
		return err
	}
	floor, err := b.build("floor")
	if err != nil {
		return err
	}
	for name, cmd := range map[string]*exec.Cmd{
		"stdio/call":  exec.Command(b.writ, "--home", home, "run"),
		"stdio/floor": exec.Command(floor),
	} {
		c, err := client.Stdio(b.ctx, cmd)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := b.calls(name, c); err != nil {
			return err
		}
	}
	for name, cmd := range map[string]*exec.Cmd{
		"http/call":  exec.Command(b.writ, "--home", home, "serve", "--listen", "127.0.0.1:0"),
		"http/floor": exec.Command(floor, "-listen", "127.0.0.1:0"),
	} {
		if err := b.overHTTP(name, cmd); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// overHTTP starts a server that prints its endpoint, and calls it.
func (b *bench) overHTTP(name string, cmd *exec.Cmd) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		return err
	}
	write.Close()
	defer func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		return err
	}
	c, err := client.HTTP(b.ctx, strings.TrimSpace(strings.TrimPrefix(line, "serving ")))
	if err != nil {
		return err
	}
	return b.calls(name, c)
}

func (b *bench) calls(name string, c *client.Client) error {
	defer c.Close()
	return b.time(name, 20, 300, func(i int) error {
		_, text := request(i)
		answer, err := c.Call(b.ctx, "echo_echo", map[string]string{"text": text})
		if err != nil {
			return err
		}
		return holds([]byte(answer.Text), text)
	})
}
