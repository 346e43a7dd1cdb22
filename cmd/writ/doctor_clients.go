package main

import (
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/cmd/clients"
)

// examined is an MCP server in the file of a client, and what --json prints.
type examined struct {
	Client   string            `json:"client"`
	File     string            `json:"file"`
	Scope    string            `json:"scope,omitempty"` // folder that the entry holds for
	Name     string            `json:"name"`
	Runs     string            `json:"runs"`
	Writ     bool              `json:"writ"` // an entry of Writ's
	Off      bool              `json:"off,omitempty"`
	Findings []clients.Finding `json:"findings,omitempty"`
}

// unread is a file that cannot be looked at.
type unread struct {
	Client string `json:"client"`
	Why    string `json:"why"`
}

// examineClients lists every server of every client, with what is unsafe about it.
func (a *app) examineClients(project string) error {
	m, err := a.machine()
	if err != nil {
		return err
	}
	self, err := binary()
	if err != nil {
		return err
	}
	servers, broken := []examined{}, []unread{}
	look := func(c clients.Client, file, within string) {
		found, err := c.Servers(file, within)
		if err != nil {
			broken = append(broken, unread{c.Name, err.Error()})
		}
		for _, s := range found {
			_, own := s.Own(self)
			servers = append(servers, examined{s.Client, s.File, s.Scope, s.Name, s.Shown(), own, s.Off, s.Findings()})
		}
	}
	for _, c := range clients.All() {
		for _, file := range c.Files(m) {
			look(c, file, "")
		}
		if project == "" {
			continue
		}
		at, within, err := a.locate(c, project)
		switch {
		case isAny(err, clients.ErrPlace): // it reads no file of a project
		case err != nil:
			return err
		default:
			look(c, at.File, within)
		}
	}
	unsafe := 0
	for _, s := range servers {
		unsafe += len(s.Findings)
	}
	if a.json {
		err = a.printJSON(map[string]any{"servers": servers, "unread": broken})
	} else {
		err = a.printExamined(servers, broken)
	}
	if err == nil && unsafe+len(broken) > 0 {
		return silent(exitTool)
	}
	return err
}

func (a *app) printExamined(servers []examined, broken []unread) error {
	var rows [][]string
	count := map[string]int{}
	for _, s := range servers {
		rows = append(rows, []string{s.Client, s.Name, s.Runs, s.remarks()})
		for _, f := range s.Findings {
			count[f.Kind]++
		}
	}
	if len(rows) > 0 {
		if err := a.printTable("CLIENT SERVER RUNS REMARKS", rows); err != nil {
			return err
		}
	}
	for _, b := range broken {
		a.say("%s: %s", b.Client, b.Why)
	}
	a.say("%s: %s in plain text, %d without a fixed version, %d unencrypted", counted(len(servers), "server"),
		counted(count["key"], "key"), count["unpinned"], count["unencrypted"])
	return nil
}

func (e examined) remarks() string {
	var out []string
	if e.Writ {
		out = append(out, "Writ")
	}
	if e.Off {
		out = append(out, "switched off")
	}
	if e.Scope != "" {
		out = append(out, fmt.Sprintf("only in %s", capabilities.Printable(e.Scope, maxCell)))
	}
	for _, f := range e.Findings {
		out = append(out, f.What)
	}
	return strings.Join(out, "; ")
}
