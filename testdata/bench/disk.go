package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/writ-run/writ/testdata/client"
)

// install is the time of `writ install --approve` as a whole process: verify, gate, store, commit.
func (b *bench) install() error {
	const n = 20
	home := filepath.Join(b.dir, "install")
	file := filepath.Join(b.dir, "install.wasm")
	if err := b.run(home, "build", "testdata/bench/echo", "-o", file); err != nil {
		return err
	}
	flags := []string{"--dev", "--tools", "*"}
	digest, err := b.plan(home, file, flags...)
	if err != nil {
		return err
	}
	var samples []float64
	for range n {
		one := &bench{}
		if err := one.time("install", 0, 1, func(int) error {
			return b.run(home, append([]string{"install", file, "--approve", digest}, flags...)...)
		}); err != nil {
			return err
		}
		samples = append(samples, one.figures[0].P50)
		if err := b.run(home, "remove", "echo"); err != nil {
			return err
		}
	}
	b.add("install/go", "us", samples)
	return nil
}

// size is the binary's and a servlet's.
func (b *bench) size() error {
	for name, path := range map[string]string{"size/writ": b.writ, "size/filesystem.wasm": b.filesystem} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		b.add(name, "bytes", []float64{float64(info.Size())})
	}
	return nil
}

// memory is the resident set of `writ run` after it listed its tools and answered one call.
func (b *bench) memory() error {
	for _, n := range []int{1, 50} {
		home, err := b.home(fmt.Sprintf("memory%d", n), n)
		if err != nil {
			return err
		}
		cmd := exec.Command(b.writ, "--home", home, "run")
		c, err := client.Stdio(b.ctx, cmd)
		if err != nil {
			return err
		}
		tools, err := c.ListTools(b.ctx)
		if err == nil && len(tools) != n {
			err = fmt.Errorf("%d tools, want %d", len(tools), n)
		}
		if err == nil {
			_, err = c.Call(b.ctx, "echo_echo", map[string]string{"text": "x"})
		}
		var rss float64
		if err == nil {
			rss, err = resident(cmd.Process.Pid)
		}
		c.Close()
		if err != nil {
			return err
		}
		b.add(fmt.Sprintf("rss/%d", n), "bytes", []float64{rss})
	}
	return nil
}

// resident is a process's resident set in bytes (proc(5), VmRSS).
func resident(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS for process %d", pid)
}
