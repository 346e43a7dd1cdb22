package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/testdata/client"
)

// TestAnAuthorInTypeScriptNeedsOnlyWrit runs the first commands of the SDK's README as they are written there,
// in an empty folder of a machine with nothing but writ and a shell: no Node.js, no npm, no network. Then a
// client starts writ and calls the new tool.
func TestAnAuthorInTypeScriptNeedsOnlyWrit(t *testing.T) {
	const user = "/home/ana"
	machine := newMachine(t, user, "sh", "true")
	machine.copy(built.writ, "/usr/local/bin/writ")
	readme, err := os.ReadFile("../../sdk/typescript/README.md")
	if err != nil {
		t.Fatal(err)
	}
	folder, commands := user, 0
	start := time.Now()
	for line := range strings.Lines(string(readme)) {
		line, is := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !is {
			if commands > 0 {
				break
			}
			continue
		}
		if to, is := strings.CutPrefix(line, "cd "); is {
			folder = filepath.Join(folder, to)
			continue
		}
		commands++
		p := onTerminal(t, "", machine.command("sh", "-c", "cd "+folder+" && "+line))
		if strings.HasPrefix(line, "writ install ") {
			p.expect(prompt)
			p.send("weather")
		}
		p.exits(0)
		<-p.gone
		t.Logf("$ %s\n%s", line, strings.ReplaceAll(p.seen.String(), "\r", ""))
	}
	if commands == 0 || commands > 4 {
		t.Fatalf("the README has %d commands", commands)
	}
	cmd := machine.command("/usr/local/bin/writ", "run")
	cmd.Stderr = os.Stderr
	c, err := client.Config{Era: client.Sessions}.Stdio(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := c.Call(t.Context(), "weather_count", map[string]any{"text": "to be\nor not", "lines": true})
	if err != nil || answer.IsError || answer.Text != `{"words":4,"characters":12,"lines":2}` {
		t.Fatalf("the first answer: %+v, %v", answer, err)
	}
	took := time.Since(start)
	t.Logf("%d commands, %.1f s from the empty folder to the first answer", commands, took.Seconds())
	if took > time.Minute {
		t.Error("it took longer than a minute")
	}
}
