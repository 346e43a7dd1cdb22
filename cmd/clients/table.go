package clients

import "github.com/writ-run/writ/cmd/clients/config"

// table is what is known of each client: its makers' documentation and, where it is open, its source,
// as of autumn 2026.
var table = []Client{
	{
		Name: "claude-code", Title: "Claude Code", syntax: config.JSONC, key: "mcpServers", places: claudeCode, project: ".mcp.json",
		local: typed("stdio", command), remote: typed("http", address("url")), bearer: header("headers", "${", "}"),
		limits: limits{prefix: "mcp__NAME__", name: 64, cut: "some models refuse it"},
	},
	{
		Name: "claude-desktop", Title: "Claude Desktop", syntax: config.JSONC, key: "mcpServers", places: claudeDesktop,
		local: command, limits: limits{name: 64, cut: "it is refused"},
	},
	{
		Name: "codex", Title: "Codex", syntax: config.TOML, key: "mcp_servers", places: codex, project: ".codex/config.toml",
		local: command, remote: address("url"),
		bearer: func(env string) []config.Field {
			return []config.Field{{Name: "bearer_token_env_var", Value: env}}
		},
		limits: limits{prefix: "mcp__NAME__", name: 64, cut: "it is shortened"},
	},
	{
		Name: "cursor", Title: "Cursor", syntax: config.JSONC, key: "mcpServers", places: cursor, project: ".cursor/mcp.json",
		local: command, remote: address("url"), bearer: header("headers", "${env:", "}"),
		limits: limits{prefix: "NAME", name: 59, cut: "the tool is left out", tools: 40, over: "some models use no more, and choose worse"},
	},
	{
		Name: "gemini", Title: "Gemini CLI", syntax: config.JSONC, key: "mcpServers", places: gemini, project: ".gemini/settings.json",
		local: command, remote: address("httpUrl"), bearer: header("headers", "${", "}"),
		limits: limits{prefix: "mcp_NAME_", name: 63, cut: "it is shortened in the middle"},
	},
	{
		Name: "goose", Title: "goose", syntax: config.YAML, key: "extensions", places: goose,
		local: extension("stdio", func(e Entry) []config.Field {
			return []config.Field{{Name: "cmd", Value: e.Command}, {Name: "args", Value: e.Args}}
		}),
		remote: extension("streamable_http", address("uri")),
		bearer: func(env string) []config.Field {
			return append(header("headers", "${", "}")(env), config.Field{Name: "env_keys", Value: []string{env}})
		},
		limits: limits{prefix: "NAME__", name: 64, cut: "some models refuse it"},
	},
	{
		Name: "opencode", Title: "OpenCode", syntax: config.JSONC, key: "mcp", places: opencode, project: "opencode.json",
		local: switchedOn(typed("local", func(e Entry) []config.Field {
			return []config.Field{{Name: "command", Value: append([]string{e.Command}, e.Args...)}}
		})),
		remote: switchedOn(typed("remote", address("url"))), bearer: header("headers", "{env:", "}"),
		limits: limits{prefix: "NAME_", name: 64, cut: "some models refuse it"},
	},
	{
		Name: "vscode", Title: "Visual Studio Code", syntax: config.JSONC, key: "servers", places: vscode, project: ".vscode/mcp.json",
		local: typed("stdio", command), remote: typed("http", address("url")), bearer: header("headers", "${env:", "}"),
		limits: limits{prefix: "mcp_NAME_", name: 64, cut: "it is cut off", tools: 128, over: "the rest is hidden behind groups, or the request fails"},
	},
	{
		Name: "windsurf", Title: "Windsurf", syntax: config.JSONC, key: "mcpServers", places: windsurf,
		local: command, remote: address("serverUrl"), bearer: header("headers", "${env:", "}"),
		limits: limits{name: 64, cut: "some models refuse it", tools: 100, over: "no more are used"},
	},
	{
		Name: "zed", Title: "Zed", syntax: config.JSONC, key: "context_servers", places: zed, project: ".zed/settings.json",
		local: func(e Entry) []config.Field {
			return append([]config.Field{{Name: "source", Value: "custom", Once: true}}, command(e)...)
		},
		remote: func(e Entry) []config.Field {
			return append([]config.Field{{Name: "source", Value: "custom", Once: true}}, address("url")(e)...)
		},
		limits: limits{name: 64, cut: "it is shortened"},
	},
}

// urlNames are the members that hold an address, by client.
var urlNames = []string{"url", "serverUrl", "httpUrl", "uri"}

// command is the entry of a program to start. Members of an address go: a client that finds both
// takes the one or the other.
func command(e Entry) []config.Field {
	out := []config.Field{{Name: "command", Value: e.Command}, {Name: "args", Value: e.Args}}
	return append(out, none(append([]string{"headers", "http_headers", "bearer_token_env_var"}, urlNames...)...)...)
}

// address is the entry of an address to call, in the member of a name.
func address(name string) func(Entry) []config.Field {
	return func(e Entry) []config.Field {
		out := []config.Field{{Name: name, Value: e.URL}}
		return append(out, none("command", "cmd", "args", "env")...)
	}
}

func none(names ...string) []config.Field {
	var out []config.Field
	for _, n := range names {
		out = append(out, config.Field{Name: n})
	}
	return out
}

// typed names the kind of an entry first.
func typed(kind string, of func(Entry) []config.Field) func(Entry) []config.Field {
	return func(e Entry) []config.Field { return append([]config.Field{{Name: "type", Value: kind}}, of(e)...) }
}

// switchedOn adds the switch that the client's own list has; a person may turn it off later.
func switchedOn(of func(Entry) []config.Field) func(Entry) []config.Field {
	return func(e Entry) []config.Field {
		return append(of(e), config.Field{Name: "enabled", Value: true, Once: true})
	}
}

// extension is an entry of goose, which wants more than the others; its time limit is in seconds.
func extension(kind string, of func(Entry) []config.Field) func(Entry) []config.Field {
	return func(e Entry) []config.Field {
		out := []config.Field{
			{Name: "enabled", Value: true, Once: true}, {Name: "type", Value: kind}, {Name: "name", Value: e.Name},
			{Name: "description", Value: "Servlets that you approved", Once: true}, {Name: "timeout", Value: 300, Once: true},
		}
		if kind == "stdio" {
			out = append(out, none("uri", "headers")...)
		}
		return append(out, of(e)...)
	}
}

// header is a member with a key that the client takes from its environment.
func header(name, open, end string) func(env string) []config.Field {
	return func(env string) []config.Field {
		return []config.Field{{Name: name, Value: map[string]string{"Authorization": "Bearer " + open + env + end}}}
	}
}
