// Package clients edits the configuration files of MCP clients, so that they start Writ, and reads
// what else is set in them.
//
// The way of an edit:
//
//  1. Locate: where this client keeps its servers on this machine (places.go, table.go).
//  2. Connect or Disconnect: read the file whole, once; change the one entry in memory; nothing else
//     may read differently afterwards (room config).
//  3. Apply: the file is still what was read; a copy of it is put beside it; the new one takes its
//     place in one step, with the same mode and owner.
//
// A file that cannot be read as what it should be is named with line and column, and never written.
package clients

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/writ-run/writ/cmd/clients/config"
)

// Errors of the room. Texts that wrap them say what to do.
var (
	ErrUnknown = errors.New("unknown client")
	ErrEntry   = errors.New("not a usable entry")
	ErrPlace   = errors.New("not a usable place")
	ErrBroken  = errors.New("not readable") // the file is not what it should be, or only a person should edit it
	ErrTaken   = errors.New("the name is taken")
	ErrChanged = errors.New("changed meanwhile") // by another program, between reading and writing
)

// refusal is an error in words of its own that still matches the one it stands for.
type refusal struct {
	text string
	is   []error
}

func (r *refusal) Error() string   { return r.text }
func (r *refusal) Unwrap() []error { return r.is }

func refuse(is error, format string, args ...any) error {
	return &refusal{fmt.Sprintf(format, args...), []error{is}}
}

// broken is a file that cannot be read or edited, with the reason, which says where.
func broken(file string, err error) error {
	return &refusal{fmt.Sprintf("%s: %v", file, err), []error{ErrBroken, err}}
}

// Client is a program that starts or calls MCP servers.
type Client struct {
	Name  string // as in `writ connect NAME`
	Title string // as its makers write it

	syntax  config.Syntax
	key     string // of the table that holds the servers
	places  func(Machine) candidates
	project string // file below a project's folder, with slashes; empty: the client reads none
	local   func(Entry) []config.Field
	remote  func(Entry) []config.Field // nil: its file takes no addresses
	bearer  func(env string) []config.Field
	limits  limits
}

// All lists the clients by name.
func All() []Client { return slices.Clone(table) }

// Names lists the names of all clients.
func Names() []string {
	var names []string
	for _, c := range table {
		names = append(names, c.Name)
	}
	return names
}

// Find returns the client of a name, or ErrUnknown with all the names.
func Find(name string) (Client, error) {
	for _, c := range table {
		if c.Name == name {
			return c, nil
		}
	}
	return Client{}, refuse(ErrUnknown, "there is no client %q: want one of %s", name, strings.Join(Names(), ", "))
}

// Entry is what a client is told: a command to start, or an address to call.
type Entry struct {
	Name    string   // of the entry, 1 to 40 of letters, digits and "-"
	Command string   // absolute path of the binary
	Args    []string // of the command
	URL     string   // instead of a command
	KeyEnv  string   // variable of the client's environment with the key for URL; empty: none is sent
}

// DefaultName is the name of the entry for the default space.
const DefaultName = "writ"

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,39}$`)
	variable = regexp.MustCompile(`\$|%[A-Za-z_]\w*%|\{(env|file):`)
	envForm  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// fields checks an entry and returns it in the form of the client's file.
func (c Client) fields(e Entry) ([]config.Field, error) {
	switch {
	case !nameForm.MatchString(e.Name):
		return nil, refuse(ErrEntry, "an entry is named with 1 to 40 letters, digits and \"-\", and %q is not", e.Name)
	case e.URL != "" && c.remote == nil:
		return nil, refuse(ErrEntry, "the file of %s takes no addresses: leave --url out, or add the address in its settings", c.Name)
	case e.URL != "":
		return c.remoteFields(e)
	}
	for _, word := range append([]string{e.Command}, e.Args...) {
		if err := literal(word); err != nil {
			return nil, err
		}
	}
	return c.local(e), nil
}

// literal refuses words that clients would not pass on as they are: several replace variables in
// commands and arguments, and then another program or home would be used than was named here.
func literal(word string) error {
	switch {
	case !utf8.ValidString(word) || strings.ContainsFunc(word, unicode.IsControl):
		return refuse(ErrEntry, "%q has characters that no client takes: move it to another folder", word)
	case variable.MatchString(word):
		return refuse(ErrEntry, "%q has characters that clients replace by a variable: move it to another folder", word)
	}
	return nil
}

func (c Client) remoteFields(e Entry) ([]config.Field, error) {
	if err := literal(e.URL); err != nil {
		return nil, err
	}
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, refuse(ErrEntry, "--url %q: want an address such as http://127.0.0.1:8787/mcp", e.URL)
	case u.User != nil:
		return nil, refuse(ErrEntry, "--url has a password in it, which would be in the file for everyone to read")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return nil, refuse(ErrEntry, "--url %q: without https, only an address of this machine is safe from being read and changed on its way", e.URL)
	case e.KeyEnv == "":
		return c.remote(e), nil
	case !envForm.MatchString(e.KeyEnv):
		return nil, refuse(ErrEntry, "--key-env %q is not the name of a variable", e.KeyEnv)
	case c.bearer == nil:
		return nil, refuse(ErrEntry, "the file of %s cannot take a key from a variable: leave --key-env out", c.Name)
	}
	return append(c.remote(e), c.bearer(e.KeyEnv)...), nil
}

// Loopback says that a host of an address is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Project is the file that the client reads in a project's folder, or ErrPlace.
func (c Client) Project(dir string) (string, error) {
	if c.project == "" {
		return "", refuse(ErrPlace, "%s reads no file of a project: leave --project out", c.Name)
	}
	file := filepath.Join(dir, filepath.FromSlash(c.project))
	// OpenCode reads either, and the one with comments last.
	if with := file + "c"; c.Name == "opencode" && exists(with) {
		return with, nil
	}
	return file, nil
}
