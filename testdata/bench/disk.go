package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// install is the time of `writ install --approve` as a whole process: verify, gate, store, commit, and
// make ready to be called, which compiles.
func (b *bench) install() error {
	rows, err := b.rows(b.wanted("install/"), func(promise) (sampler, error) {
		home, file := filepath.Join(b.dir, "home-install"), filepath.Join(b.dir, "install.wasm")
		flags := []string{"--dev", "--tools", "*"}
		if err := b.writs(home, "build", "testdata/bench/go", "-o", file); err != nil {
			return nil, err
		}
		digest, err := b.plan(home, file, flags...)
		if err != nil {
			return nil, err
		}
		return func(int, int) ([]float64, error) {
			start := time.Now()
			if err := b.writs(home, append([]string{"install", file, "--approve", digest}, flags...)...); err != nil {
				return nil, err
			}
			took := time.Since(start)
			return []float64{float64(took.Nanoseconds()) / 1e3}, b.writs(home, "remove", "go")
		}, nil
	})
	if err != nil {
		return err
	}
	return b.interleave(10, rows)
}

// writs runs the binary.
func (b *bench) writs(home string, args ...string) error {
	if text, err := command(b.root, b.writ, append([]string{"--home", home}, args...)...); err != nil {
		return fmt.Errorf("writ %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return nil
}

func (b *bench) plan(home, file string, flags ...string) (string, error) {
	cmd := exec.Command(b.writ, append([]string{"--home", home, "install", file, "--plan", "--json"}, flags...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("planning: %w: %s", err, said.Bytes())
	}
	var plan struct{ Digest string }
	err = json.Unmarshal(out, &plan)
	return plan.Digest, err
}

// size is the binary's and a servlet's.
func (b *bench) size() error {
	paths := map[string]string{"size/writ": b.writ, "size/filesystem.wasm": b.filesystem}
	rows, err := b.rows(b.wanted("size/"), func(p promise) (sampler, error) {
		info, err := os.Stat(paths[p.name])
		if err != nil {
			return nil, err
		}
		return func(int, int) ([]float64, error) { return []float64{float64(info.Size())}, nil }, nil
	})
	if err != nil {
		return err
	}
	return b.interleave(1, rows)
}
