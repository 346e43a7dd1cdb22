package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/writ-run/writ/testdata/bench/job"
	"github.com/writ-run/writ/testdata/client"
)

// first is how long somebody waits for the first answer: of a new process with one servlet installed, and
// of Writ itself on a machine that never had it.
func (b *bench) first() error {
	rows, err := b.rows(b.wanted("first/", "newcomer/"), func(p promise) (sampler, error) {
		if p.name == "newcomer/seconds" {
			return b.newcomer()
		}
		home, err := b.homeWith("one", 1)
		return func(first, n int) (samples []float64, err error) {
			for i := first; i < first+n && err == nil; i++ {
				var took time.Duration
				took, err = b.firstAnswer(exec.Command(b.writ, "--home", home, "run"), "go0_work", rawArguments(i),
					func(answer client.Result) error { return job.Check(answer.Raw, i) })
				samples = append(samples, float64(took.Nanoseconds())/1e6)
			}
			return samples, err
		}, err
	})
	if err != nil {
		return err
	}
	return b.interleave(8, rows)
}

// firstAnswer is the time from the start of a server to its answer to one call.
func (b *bench) firstAnswer(cmd *exec.Cmd, tool string, arguments any, check func(client.Result) error) (time.Duration, error) {
	start := time.Now()
	c, err := client.Stdio(b.ctx, cmd)
	if err != nil {
		return 0, err
	}
	answer, err := c.Call(b.ctx, tool, arguments)
	took := time.Since(start)
	if err == nil {
		err = check(answer)
	}
	return took, errors.Join(err, c.Close())
}

// newcomer is everything between an empty home and the first answer of the filesystem servlet that is in
// the binary: plan, approve, compile, connect Cursor, start what its file says, call. Nobody reads the
// screen in the meantime.
func (b *bench) newcomer() (sampler, error) {
	var found struct{ Servlets []struct{ Name string } }
	out, err := exec.Command(b.writ, "search", "filesystem", "--json").Output()
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil {
		return nil, fmt.Errorf("writ search: %w", err)
	}
	if len(found.Servlets) == 0 {
		return nil, leftOut("this writ has no servlet built in; make build")
	}
	user := filepath.Join(b.dir, "newcomer")
	return func(_, n int) (samples []float64, err error) {
		for range n {
			if err := b.emptyHome(user); err != nil {
				return nil, err
			}
			took, err := b.arrive(user)
			if err != nil {
				return nil, err
			}
			samples = append(samples, took.Seconds())
		}
		return samples, nil
	}, nil
}

// emptyHome is a person's home folder with a note and without Writ. A quick run keeps the compiled code.
func (b *bench) emptyHome(user string) error {
	code, kept := filepath.Join(user, ".local", "share", "writ", "cache", "code"), filepath.Join(b.dir, "newcomer-code")
	if b.quick {
		_ = os.Rename(code, kept) // there is none yet, or this system keeps it elsewhere: it is compiled again
	}
	err := errors.Join(os.RemoveAll(user), os.MkdirAll(filepath.Join(user, "notes"), 0o700), os.MkdirAll(filepath.Join(user, ".cursor"), 0o700),
		os.WriteFile(filepath.Join(user, "notes", "today.txt"), []byte("water the plants\n"), 0o600))
	if _, missing := os.Stat(kept); err == nil && missing == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(code), 0o700), os.Rename(kept, code))
	}
	return err
}

// arrive does in a home what the README tells a newcomer.
func (b *bench) arrive(user string) (time.Duration, error) {
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(b.ctx, name, args...)
		cmd.Dir, cmd.Env = user, []string{"HOME=" + user, "PATH="}
		return cmd
	}
	install := []string{"install", "filesystem", "--dir", "docs=" + filepath.Join(user, "notes"), "--tools", "*"}
	start := time.Now()
	out, err := command(b.writ, append(install, "--plan", "--json")...).Output()
	if err != nil {
		return 0, fmt.Errorf("planning: %w", err)
	}
	var plan struct{ Digest string }
	if err := json.Unmarshal(out, &plan); err != nil {
		return 0, fmt.Errorf("planning: %w", err)
	}
	if said, err := command(b.writ, append(install, "--approve", plan.Digest, "--connect", "cursor")...).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("installing: %w: %s", err, said)
	}
	data, err := os.ReadFile(filepath.Join(user, ".cursor", "mcp.json"))
	if err != nil {
		return 0, fmt.Errorf("connecting: %w", err)
	}
	var file struct {
		Servers map[string]struct {
			Command string
			Args    []string
		} `json:"mcpServers"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return 0, fmt.Errorf("connecting: %w", err)
	}
	entry := file.Servers["writ"]
	arguments, before := map[string]string{"path": "/docs/today.txt"}, time.Since(start)
	took, err := b.firstAnswer(command(entry.Command, entry.Args...), "filesystem_read_text_file", arguments, func(answer client.Result) error {
		if answer.IsError || answer.Text != "water the plants\n" {
			return fmt.Errorf("answered %s", answer.Raw)
		}
		return nil
	})
	return before + took, err
}
