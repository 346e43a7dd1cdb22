package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/writ-run/writ/testdata/bench/job"
	"github.com/writ-run/writ/testdata/client"
)

// protocol is a whole call by a real client through the real binary, against the official SDK's
// server without a sandbox. All four servers run at a time; one is called at a time.
func (b *bench) protocol() error {
	promises := b.wanted("stdio/", "http/")
	if len(promises) == 0 {
		return nil
	}
	home, err := b.homeWith("one", 1)
	if err != nil {
		return err
	}
	floor, err := b.program("./testdata/bench/floor")
	if err != nil {
		return err
	}
	commands := map[string]*exec.Cmd{
		"stdio/call": exec.Command(b.writ, "--home", home, "run", "--rate", "off"), "stdio/floor": exec.Command(floor),
		"http/call":  exec.Command(b.writ, "--home", home, "serve", "--listen", "127.0.0.1:0", "--rate", "off"),
		"http/floor": exec.Command(floor, "-listen", "127.0.0.1:0"),
	}
	rows, err := b.rows(promises, func(p promise) (sampler, error) {
		connect := b.connectStdio
		if strings.HasPrefix(p.name, "http/") {
			connect = b.connectHTTP
		}
		c, err := connect(commands[p.name])
		if err != nil {
			return nil, err
		}
		return timed(
			func(i int) json.RawMessage { return job.Arguments(job.Sum, i) },
			func(arguments json.RawMessage) ([]byte, error) {
				answer, err := c.Call(b.ctx, "go0_work", arguments)
				return answer.Raw, err
			},
			job.Check), nil
	})
	if err != nil {
		return err
	}
	return b.interleave(15, rows)
}

func (b *bench) connectStdio(cmd *exec.Cmd) (*client.Client, error) {
	c, err := client.Stdio(b.ctx, cmd)
	if err == nil {
		b.onEnd(func() { c.Close() })
	}
	return c, err
}

// connectHTTP starts a server that prints its endpoint.
func (b *bench) connectHTTP(cmd *exec.Cmd) (*client.Client, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	write.Close()
	if err != nil {
		return nil, err
	}
	b.onEnd(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		return nil, err
	}
	c, err := client.HTTP(b.ctx, strings.TrimSpace(strings.TrimPrefix(line, "serving ")))
	if err == nil {
		b.onEnd(func() { c.Close() })
	}
	return c, err
}

// program compiles a program of this project.
func (b *bench) program(pkg string) (string, error) {
	path := filepath.Join(b.dir, filepath.Base(pkg)+".program")
	if text, err := command(b.root, "go", "build", "-o", path, pkg); err != nil {
		return "", fmt.Errorf("building %s: %s", pkg, text)
	}
	return path, nil
}
