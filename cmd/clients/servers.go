package clients

import (
	"cmp"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/writ-run/writ/cmd/clients/config"
)

// Server is one MCP server in the file of a client.
type Server struct {
	Client string
	File   string
	Scope  string // folder that the entry holds for, where the client keeps several in one file
	Name   string
	Off    bool // the client does not use it

	value config.Value
}

// Servers reads every server in a file of the client, by name. A file that cannot be read as what it
// should be is ErrBroken.
func (c Client) Servers(file, within string) ([]Server, error) {
	was, err := take(file, within, c.syntax.MaxSize())
	if err != nil {
		return nil, err
	}
	root, err := c.syntax.Read(was.data)
	if err != nil {
		return nil, broken(file, err)
	}
	all := c.serversOf(file, "", root.Get(c.key))
	if projects := root.Get("projects"); c.Name == "claude-code" && projects != nil && projects.Kind == config.Table {
		for _, p := range projects.Members {
			all = append(all, c.serversOf(file, p.Name, p.Value.Get(c.key))...)
		}
	}
	return all, nil
}

// internal are the kinds of goose's extensions that are parts of itself.
var internal = []string{"builtin", "platform", "frontend"}

func (c Client) serversOf(file, scope string, in *config.Value) []Server {
	if in == nil || in.Kind != config.Table {
		return nil
	}
	var out []Server
	for _, m := range in.Members {
		if m.Value.Kind != config.Table || c.Name == "goose" && slices.Contains(internal, m.Value.Get("type").Str()) {
			continue
		}
		off := m.Value.Get("disabled").Is("true") || m.Value.Get("enabled").Is("false")
		out = append(out, Server{Client: c.Name, File: file, Scope: scope, Name: m.Name, Off: off, value: m.Value})
	}
	slices.SortStableFunc(out, func(a, b Server) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Command is the program that the client starts with its arguments; nil when it calls an address.
// Arguments may hold keys: they are for Findings, not for a screen.
func (s Server) Command() []string {
	program, args := s.value.Get("command"), s.value.Get("args")
	if program == nil {
		program = s.value.Get("cmd")
	}
	switch {
	case program == nil:
		return nil
	case program.Kind == config.List:
		return program.Strings()
	case program.Kind == config.Table: // an older form of Zed's
		return append([]string{program.Get("path").Str()}, program.Get("args").Strings()...)
	case program.Str() == "":
		return nil
	}
	return append([]string{program.Str()}, args.Strings()...)
}

// URL is the address that the client calls, or "".
func (s Server) URL() string {
	for _, name := range urlNames {
		if at := s.value.Get(name).Str(); at != "" {
			return at
		}
	}
	return ""
}

// Shown is what the server is, fit to be seen: the program's name, or the address without what may
// be a key in it.
func (s Server) Shown() string {
	if text := s.shown(); !tokenShape.MatchString(text) {
		return text
	}
	return "a program"
}

func (s Server) shown() string {
	if command := s.Command(); len(command) > 0 {
		shown := base(command[0])
		if words := strings.Fields(command[0]); strings.ContainsAny(shown, " \t") && len(words) > 0 {
			shown = base(words[0]) // a whole command line, whose end may hold a key
		}
		if pkg, ok := launched(command); ok {
			shown += " " + pkg.shown
		}
		return shown
	}
	if u, err := url.Parse(s.URL()); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return "part of the client"
}

// Own is an entry of Writ's: what it starts, or the address that it calls.
type Own struct {
	Binary string // absolute path as a rule
	Home   string // "" is the default one
	Space  string
	URL    string // instead of a binary
}

// binaryName are the names of the binary, as built and as released.
var binaryName = regexp.MustCompile(`(?i)^writ(-(linux|darwin|windows)-(amd64|arm64))?(\.exe)?$`)

// Own returns what an entry of Writ's says, and whether it is one: it was made by Writ, or by hand as
// Writ makes them. It starts a program of that name, or self, with run; or it is called writ and calls
// an MCP endpoint of its kind.
func (s Server) Own(self string) (Own, bool) {
	if command := s.Command(); len(command) > 0 {
		args := command[1:]
		if !binaryName.MatchString(base(command[0])) && command[0] != self || !slices.Contains(args, "run") {
			return Own{}, false
		}
		return Own{Binary: command[0], Home: flagOf(args, "home"), Space: flagOf(args, "space")}, true
	}
	u, err := url.Parse(s.URL())
	if err != nil || u.Host == "" || s.Name != DefaultName && !strings.HasPrefix(s.Name, DefaultName+"-") {
		return Own{}, false
	}
	own := Own{URL: s.URL()}
	if ok, _ := path.Match("/s/*/mcp", u.Path); ok {
		own.Space = strings.Split(u.Path, "/")[2]
		return own, true
	}
	return own, u.Path == "/mcp"
}

// flagOf is the value of --name in args.
func flagOf(args []string, name string) string {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			return v
		}
		if a == "--"+name && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// base is the last part of a path of any system.
func base(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
