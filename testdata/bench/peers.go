package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peers is the process of testdata/peers, which runs the same work in other runtimes and in this
// project's own without isolation. It answers one question at a time, and is still between two.
type peers struct {
	ask    *json.Encoder
	answer *json.Decoder
}

// peersDir has a module of its own, so that nothing of it is linked into Writ.
const peersDir = "testdata/peers"

// question and reply are what the two processes say to each other, a line of JSON each.
type (
	question struct {
		Row   string `json:"row"`
		First int    `json:"first"`
		N     int    `json:"n"` // 0: make it ready
	}
	reply struct {
		Samples []float64 `json:"samples"`
		Error   string    `json:"error"`
	}
)

// startPeers builds the program and starts it.
func (b *bench) startPeers() (*peers, error) {
	return once(&b.made.peers, "", func() (*peers, error) {
		program := filepath.Join(b.dir, "peers.program")
		if err := b.buildPeers(program); err != nil {
			return nil, err
		}
		cmd := exec.Command(program, b.dir)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		b.onEnd(func() { in.Close(); io.Copy(io.Discard, out); cmd.Wait() })
		return &peers{json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out))}, nil
	})
}

// buildPeers compiles the program. What it is made of may be out of reach; then it is left out. A
// mistake in it is an error.
func (b *bench) buildPeers(program string) error {
	dir := filepath.Join(b.root, peersDir)
	if text, err := command(dir, "go", "env", "CGO_ENABLED"); err != nil || strings.TrimSpace(text) != "1" {
		return leftOut("wasmtime-go needs cgo, which is off here")
	}
	list := exec.Command("go", "list", "-deps", "./bench")
	list.Dir = dir
	if b.quick { // a test is no reason to download a hundred megabytes
		list.Env = append(os.Environ(), "GOPROXY=off")
	}
	if text, err := list.CombinedOutput(); err != nil {
		return leftOut(fmt.Sprintf("the modules of %s are not there: %s", peersDir, firstLine(string(text))))
	}
	if text, err := command(dir, "go", "build", "-o", program, "./bench"); err != nil {
		return fmt.Errorf("building %s: %s", peersDir, text)
	}
	return nil
}

func (p *peers) question(q question) ([]float64, error) {
	var r reply
	if err := p.ask.Encode(q); err != nil {
		return nil, fmt.Errorf("asking %s: %w", peersDir, err)
	}
	if err := p.answer.Decode(&r); err != nil {
		return nil, fmt.Errorf("asking %s: %w", peersDir, err)
	}
	if r.Error != "" {
		return nil, fmt.Errorf("%s: %s", peersDir, r.Error)
	}
	return r.Samples, nil
}

// beside opens a row of the other process. It finds the modules in the folder of this run.
func (b *bench) beside(name, language string) (sampler, error) {
	if err := b.moduleFor(name, language); err != nil {
		return nil, err
	}
	p, err := b.startPeers()
	if err != nil {
		return nil, err
	}
	if _, err := p.question(question{Row: name}); err != nil {
		return nil, err
	}
	return func(first, n int) ([]float64, error) { return p.question(question{name, first, n}) }, nil
}

// moduleFor writes the module that a row of the other process runs.
func (b *bench) moduleFor(name, language string) error {
	switch {
	case strings.HasPrefix(name, "extism/"):
		_, err := once(&b.made.modules, "extism", func() (string, error) { return b.goModule(peersDir, "./extism", "extism") })
		return err
	case strings.HasPrefix(name, "fuel/"):
		_, err := once(&b.made.modules, "compute", func() (string, error) { return b.goModule("testdata/guests", "./compute", "compute") })
		return err
	}
	g, err := b.guest(language)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, language+".module.wasm"), g.module, 0o644)
}
