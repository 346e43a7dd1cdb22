package clients

import (
	"fmt"
	"strings"
)

// limits are what a client, or the model behind it, takes of tools.
type limits struct {
	prefix string // what the client puts before a tool's name, with NAME for the entry's
	name   int    // characters of both together
	cut    string // what happens to a longer one
	tools  int    // of all servers together; 0: none is known
	over   string // what happens to more
}

// Warnings says which tools of an entry the client will not take as they are, one line each.
func (c Client) Warnings(entry string, tools []string) []string {
	var out []string
	prefix := strings.ReplaceAll(c.limits.prefix, "NAME", entry)
	for _, tool := range tools {
		if n := len(prefix) + len(tool); c.limits.name > 0 && n > c.limits.name {
			out = append(out, fmt.Sprintf("%s takes tool names of %d characters, and %s%s has %d: %s; give its servlet a shorter name with --as, or the entry one with --name",
				c.Name, c.limits.name, prefix, tool, n, c.limits.cut))
		}
	}
	if c.limits.tools > 0 && len(tools) > c.limits.tools {
		out = append(out, fmt.Sprintf("%s takes about %d tools from all servers together, and this entry has %d: %s; install fewer with --tools, or split them with --space",
			c.Name, c.limits.tools, len(tools), c.limits.over))
	}
	return out
}
