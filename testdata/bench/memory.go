package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/bench/job"
	"github.com/writ-run/writ/testdata/client"
)

// homeWith makes a home with n Go servlets, go0 and on: the same module, each under a name of its own
// and so a file of its own.
func (b *bench) homeWith(name string, n int) (string, error) {
	g, err := b.guest("go")
	if err != nil {
		return "", err
	}
	return b.homeOf(name, n, func(i int) (string, []byte, error) {
		alias := fmt.Sprint("go", i)
		file, err := renamed(g, alias)
		return alias, file, err
	})
}

// homeOf makes a home with n servlets, once.
func (b *bench) homeOf(name string, n int, servlet func(i int) (alias string, file []byte, err error)) (home string, err error) {
	home = filepath.Join(b.dir, fmt.Sprint("home-", name))
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	reg, err := registry.Open(home, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	for i := range n {
		alias, file, err := servlet(i)
		if err != nil {
			return "", err
		}
		if err := install(b.ctx, reg, alias, file); err != nil {
			return "", err
		}
	}
	return home, nil
}

// renamed signs a servlet under another name.
func renamed(g guest, name string) ([]byte, error) {
	s, err := verified(g.file)
	if err != nil {
		return nil, err
	}
	m := s.Manifest()
	m.Name = name
	return capabilities.Seal(g.module, m, key)
}

// few is n, or a number that is quickly done with.
func (b *bench) few(n int) int {
	if b.quick {
		return min(n, 3)
	}
	return n
}

// restart is the time from the start of a new process to its first answer, with 50 servlets installed
// whose code is in the cache.
func (b *bench) restart() error {
	rows, err := b.rows(b.wanted("restart/"), func(promise) (sampler, error) {
		servlets := b.few(50)
		home, err := b.homeWith("fifty", servlets)
		if err != nil {
			return nil, err
		}
		return func(first, _ int) ([]float64, error) {
			start := time.Now()
			c, err := client.Stdio(b.ctx, exec.Command(b.writ, "--home", home, "run", "--rate", "off"))
			if err != nil {
				return nil, err
			}
			answer, err := c.Call(b.ctx, fmt.Sprintf("go%d_work", first%servlets), rawArguments(first))
			took := time.Since(start)
			if err == nil {
				err = job.Check(answer.Raw, first)
			}
			return []float64{float64(took.Nanoseconds()) / 1e6}, errors.Join(err, c.Close())
		}, nil
	})
	if err != nil {
		return err
	}
	return b.interleave(20, rows)
}

// memory is the resident set of `writ run` after it listed its tools and answered calls: one, with 1
// and with 50 Go servlets installed, and one of each of 200 JavaScript servlets.
func (b *bench) memory() error {
	rows, err := b.rows(b.wanted("rss/"), func(p promise) (sampler, error) {
		switch p.name {
		case "rss/1":
			return b.residentAfter(1, 1, "go", func() (string, error) { return b.homeWith("one", 1) })
		case "rss/50":
			return b.residentAfter(b.few(50), 1, "go", func() (string, error) { return b.homeWith("fifty", b.few(50)) })
		}
		n := b.few(200)
		return b.residentAfter(n, n, "js", func() (string, error) { return b.scripts(n) })
	})
	if err != nil {
		return err
	}
	return b.interleave(2, rows)
}

// residentAfter samples the resident set of a process that served a home of so many servlets, and
// answered a call of each of the first.
func (b *bench) residentAfter(servlets, calls int, prefix string, home func() (string, error)) (sampler, error) {
	dir, err := home()
	if err != nil {
		return nil, err
	}
	return func(first, _ int) ([]float64, error) {
		cmd := exec.Command(b.writ, "--home", dir, "run", "--rate", "off")
		c, err := client.Stdio(b.ctx, cmd)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		tools, err := c.ListTools(b.ctx)
		if err != nil || len(tools) != servlets {
			return nil, fmt.Errorf("%d tools, want %d: %w", len(tools), servlets, err)
		}
		for i := range calls {
			answer, err := c.Call(b.ctx, fmt.Sprintf("%s%d_work", prefix, i), rawArguments(first+i))
			if err == nil {
				err = job.Check(answer.Raw, first+i)
			}
			if err != nil {
				return nil, err
			}
		}
		rss, err := sizeOf(cmd.Process.Pid, "status", "VmRSS:")
		return []float64{rss}, err
	}, nil
}

// sizeOf is one of a process's sizes in bytes, as a file in its folder of proc(5) has it.
func sizeOf(pid int, file, name string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, leftOut(err.Error())
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			kb, err := strconv.ParseFloat(f[1], 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in %s of process %d", name, file, pid)
}
