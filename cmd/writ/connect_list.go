package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/writ-run/writ/cmd/clients"
)

// known is a client with what is set in its file.
type known struct {
	Client  string     `json:"client"`
	File    string     `json:"file"`
	Found   bool       `json:"found"`
	Entries []ownEntry `json:"entries,omitempty"`
	Broken  string     `json:"broken,omitempty"` // why the file cannot be read
}

// ownEntry is an entry of Writ's in a client's file.
type ownEntry struct {
	Name    string `json:"name"`
	Binary  string `json:"binary,omitempty"`
	Home    string `json:"home,omitempty"` // empty: the default one
	Space   string `json:"space,omitempty"`
	URL     string `json:"url,omitempty"`
	Off     bool   `json:"off,omitempty"`     // switched off in the client
	Problem string `json:"problem,omitempty"` // why it does not reach this Writ and this home
}

// look reads what is set in the file of a client.
func (a *app) look(c clients.Client, project string) (known, error) {
	at, within, err := a.locate(c, project)
	if err != nil {
		return known{}, err
	}
	k := known{Client: c.Name, File: at.File, Found: at.Found}
	servers, err := c.Servers(at.File, within)
	if err != nil {
		k.Broken = err.Error()
	}
	self, err := binary()
	if err != nil {
		return k, err
	}
	for _, s := range servers {
		own, ok := s.Own(self)
		if !ok {
			continue
		}
		problem, err := a.problem(own, self)
		if err != nil {
			return k, err
		}
		k.Entries = append(k.Entries, ownEntry{s.Name, own.Binary, own.Home, own.Space, own.URL, s.Off, problem})
	}
	return k, nil
}

// problem says why an entry does not reach this binary and this home, or "".
func (a *app) problem(own clients.Own, self string) (string, error) {
	if own.URL != "" {
		return "", nil
	}
	home, err := a.homeDir()
	if err != nil {
		return "", err
	}
	theirs := own.Home
	if theirs == "" {
		if theirs, err = usualHome(); err != nil {
			return "", err
		}
	}
	switch info, err := os.Stat(own.Binary); {
	case !filepath.IsAbs(own.Binary):
		return fmt.Sprintf("it starts %q by name, which a client may look for elsewhere", own.Binary), nil
	case err != nil || info.IsDir():
		return fmt.Sprintf("it starts %s, which is not there", own.Binary), nil
	case !sameFile(own.Binary, self):
		return fmt.Sprintf("it starts another binary, %s", own.Binary), nil
	case theirs == home || sameFile(theirs, home):
		return "", nil
	}
	if _, err := os.Stat(theirs); errors.Is(err, os.ErrNotExist) {
		return fmt.Sprintf("it uses the home %s, which is not there", theirs), nil
	}
	return fmt.Sprintf("it uses another home, %s", theirs), nil
}

// listClients shows every client and what is set in it.
func (a *app) listClients(project string) error {
	var all []known
	for _, c := range clients.All() {
		k, err := a.look(c, project)
		if isAny(err, clients.ErrPlace) {
			continue // it reads no file of a project
		}
		if err != nil {
			return err
		}
		all = append(all, k)
	}
	if a.json {
		return a.printJSON(map[string]any{"clients": all})
	}
	var rows [][]string
	for _, k := range all {
		rows = append(rows, []string{k.Client, k.state(), k.File})
	}
	if err := a.printTable("CLIENT STATE FILE", rows); err != nil {
		return err
	}
	a.say("connect one with %s", a.command("connect CLIENT"))
	return nil
}

func (k known) state() string {
	var names []string
	for _, e := range k.Entries {
		names = append(names, e.Name)
		switch {
		case e.Problem != "":
			return e.Name + ": " + e.Problem
		case e.Off:
			return e.Name + ": switched off in the client"
		}
	}
	switch {
	case k.Broken != "":
		return "cannot be read: " + k.Broken
	case len(names) > 0:
		return "connected as " + strings.Join(names, ", ")
	case !k.Found:
		return "not found"
	}
	return "not connected"
}
