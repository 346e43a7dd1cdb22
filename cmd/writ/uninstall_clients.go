package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/writ-run/writ/cmd/clients"
)

// findEntries lists the entries of clients that start Writ on this home, and the copies of their files.
func (a *app) findEntries(home string, u *uninstallation) error {
	m, err := a.machine()
	if err != nil {
		return err
	}
	for _, c := range clients.All() {
		// Where an entry was the only thing in a file, its copy may be all that is left.
		files := c.Files(m)
		if usual := c.Locate(m).File; !slices.Contains(files, usual) {
			files = append(files, usual)
		}
		for _, file := range files {
			if err := a.findEntriesIn(c, file, home, u); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) findEntriesIn(c clients.Client, file, home string, u *uninstallation) error {
	servers, err := c.Servers(file, "")
	if err != nil {
		u.Leaves = append(u.Leaves, leftover{file, fmt.Sprintf("whether %s starts Writ cannot be read: %v", c.Name, err)})
		return nil
	}
	others := false
	for _, s := range servers {
		own, ok := s.Own(u.Binary)
		if !ok {
			continue
		}
		used, err := usedHome(own.Home)
		if err != nil {
			return err
		}
		why := ""
		switch {
		case own.URL != "":
			why = "it calls an address, which may be another machine's"
		case !sameHome(used, home):
			why = "it is for another home, " + used
		case s.Scope != "":
			why = "it holds for " + s.Scope + " alone: take it out in the client"
		default:
			u.Removes = append(u.Removes, removal{What: "entry", Path: file, Client: c.Name, Entry: s.Name})
			continue
		}
		others = true
		u.Leaves = append(u.Leaves, leftover{fmt.Sprintf("%s in %s", s.Name, file), why})
	}
	// As long as an entry of Writ's stays, so does the file from before it.
	backup := file + clients.BackupSuffix
	if info, err := os.Lstat(backup); err == nil && info.Mode().IsRegular() && !others {
		u.Removes = append(u.Removes, removal{What: "backup", Path: backup, Client: c.Name})
	}
	return nil
}

// removeEntry takes one entry out of a client's file, and the copy that this makes when there was none.
func (a *app) removeEntry(r removal) error {
	c, err := clients.Find(r.Client)
	if err != nil {
		return err
	}
	self, err := binary()
	if err != nil {
		return err
	}
	_, before := os.Lstat(r.Path + clients.BackupSuffix)
	change, err := c.Disconnect(r.Path, "", clients.Entry{Name: r.Entry, Command: self})
	if err != nil {
		return clientError(err)
	}
	backup, err := change.Apply()
	if err == nil && backup != "" && before != nil {
		err = os.Remove(backup)
	}
	return clientError(err)
}
