package clients_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/cmd/clients"
)

// server writes one server into a client's file and reads it back.
func server(t *testing.T, client, file, text string) clients.Server {
	t.Helper()
	servers, err := find(t, client).Servers(write(t, filepath.Join(t.TempDir(), file), text), "")
	if err != nil || len(servers) != 1 {
		t.Fatalf("%v, %d servers in\n%s", err, len(servers), text)
	}
	return servers[0]
}

func kinds(s clients.Server) []string {
	var out []string
	for _, f := range s.Findings() {
		out = append(out, f.Kind)
	}
	return out
}

// Each value that is a key has "LEAK" in it, so that it is seen when one is shown.
func TestKeysInPlainText(t *testing.T) {
	for _, c := range []struct {
		entry string
		want  []string // what is named; nothing else
	}{
		{`{"command": "x", "env": {"GITHUB_TOKEN": "LEAK", "HOME": "/home/ana"}}`, []string{"GITHUB_TOKEN"}},
		{`{"command": "x", "env": {"apiKey": "LEAK", "dbPassword": "LEAK", "CLIENT_SECRET": "LEAK"}}`, []string{"apiKey", "dbPassword", "CLIENT_SECRET"}},
		{`{"command": "x", "env": {"VALUE": "ghp_LEAK5678901234567890123456789012345678"}}`, []string{"VALUE"}},
		{`{"url": "https://x.test/mcp", "headers": {"Authorization": "Bearer LEAK"}}`, []string{"Authorization"}},
		{`{"url": "https://x.test/mcp", "requestInit": {"headers": {"X-Api-Key": "LEAK"}}}`, []string{"X-Api-Key"}},
		{`{"url": "https://x.test/mcp?api_key=LEAK&v=1"}`, []string{"api_key in its address"}},
		{`{"url": "https://ana:LEAK@x.test/mcp"}`, []string{"the password in its address", "url"}},
		{`{"url": "https://x.test/api/s/LEAK4567890abcdefghijklmnopqrst/mcp"}`, []string{"a long random part of its address"}},
		{`{"command": "x", "args": ["--api-key", "LEAK", "--verbose"]}`, []string{"--api-key"}},
		{`{"command": "x", "args": ["--token=LEAK"]}`, []string{"--token"}},
		{`{"command": "docker", "args": ["run", "-e", "API_KEY=LEAK", "img@sha256:` + strings.Repeat("0", 64) + `"]}`, []string{"API_KEY"}},
		{`{"command": "x", "args": ["--header", "Authorization: Bearer LEAK"]}`, []string{"Authorization"}},
		{`{"command": "x", "args": ["--header", "Authorization: Basic TEVBSzpMRUFL=="]}`, []string{"Authorization"}},
		{`{"command": "x", "args": ["postgres://ana:LEAK@db/x"]}`, []string{"argument 1"}},
		{`{"command": "x", "args": ["sk-LEAK67890123456789012345"]}`, []string{"argument 1"}},
		{`{"command": "x", "args": ["sk-LEAK67890123456789012345=x", "--sk-LEAK67890123456789012345", "y"]}`, []string{"argument 1", "argument 2"}},
		{`{"command": "npx -y pkg@1.2.3 --token sk-LEAK67890123456789012345"}`, []string{"command"}},
		{`{"command": ["x", "--secret", "LEAK"]}`, []string{"--secret"}},

		// Not keys.
		{`{"command": "x", "env": {"GITHUB_TOKEN": "${env:GITHUB_TOKEN}", "A_KEY": "$A_KEY", "B_KEY": "{env:B}", "C_KEY": "%C%", "D_KEY": "${input:d}"}}`, nil},
		{`{"command": "x", "env": {"API_KEY": "", "TOKEN": "<your token>", "SECRET": "YOUR_SECRET_HERE", "PASSWORD": "xxx"}}`, nil},
		{`{"command": "x", "env": {"MAX_TOKENS": "4096", "KEYBOARD": "de", "KEYCLOAK_URL": "https://k.test", "SSH_KEY_PATH": "/home/ana/.ssh/id", "TOKEN_LIMIT": "8k", "PUBLIC_KEY": "abc", "MONKEY": "x"}}`, nil},
		{`{"url": "https://x.test/mcp", "headers": {"Authorization": "Bearer ${KEY}"}}`, nil},
		{`{"command": "x", "args": ["--token", "--verbose", "--keys", "3", "--author", "ana"]}`, nil},
		{`{"url": "https://x.test/some-long-path-of-words-only/mcp"}`, nil},
	} {
		text := `{"mcpServers": {"one": ` + c.entry + `}}`
		s := server(t, "cursor", "mcp.json", text)
		var got []string
		for _, f := range s.Findings() {
			if f.Kind == "key" {
				got = append(got, strings.TrimPrefix(f.What, "a key in plain text: "))
			}
		}
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(c.want))) {
			t.Errorf("%s\n%q, want %q", c.entry, got, c.want)
		}
		if all := fmt.Sprint(s.Findings(), s.Shown()); strings.Contains(all, "LEAK") || strings.Contains(all, "TEVBSz") {
			t.Errorf("%s\nshown: %s", c.entry, all)
		}
	}
}

func TestUnpinnedCommands(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0a", 32)
	for _, c := range []struct {
		command []string
		want    string // what it starts; ! before it: not pinned; empty: nothing fetched
	}{
		{[]string{"npx", "-y", "@acme/server"}, "!@acme/server"},
		{[]string{"npx", "-y", "@acme/server@latest"}, "!@acme/server@latest"},
		{[]string{"npx", "-y", "@acme/server@^1.2.0"}, "!@acme/server@^1.2.0"},
		{[]string{"npx", "-y", "@acme/server@1"}, "!@acme/server@1"},
		{[]string{"npx", "-y", "@acme/server@1.2.3", "--flag"}, "@acme/server@1.2.3"},
		{[]string{"npx", "--package=server@1.2.3-rc.1", "cmd"}, "server@1.2.3-rc.1"},
		{[]string{"npx", "-p", "server", "cmd"}, "!server"},
		{[]string{"npx", "acme/server"}, "!server"},
		{[]string{"npx", "github:acme/server#" + strings.Repeat("0", 40)}, "server#" + strings.Repeat("0", 40)},
		{[]string{"npx", "./local"}, ""},
		{[]string{"cmd", "/c", "npx", "-y", "server"}, "!server"},
		{[]string{`C:\Program Files\nodejs\npx.cmd`, "-y", "server"}, "!server"},
		{[]string{"sh", "-c", "exec npx -y server"}, "!server"},
		{[]string{"bash", "-lc", "npx server@1.0.0"}, "server@1.0.0"},
		{[]string{"/usr/bin/env", "A=1", "uvx", "server"}, "!server"},
		{[]string{"npx -y server"}, "!server"},
		{[]string{"pnpm", "dlx", "server"}, "!server"},
		{[]string{"bunx", "server@2.0.0"}, "server@2.0.0"},
		{[]string{"npm", "start"}, ""},
		{[]string{"uvx", "server"}, "!server"},
		{[]string{"uvx", "server==1.2"}, "server==1.2"},
		{[]string{"uvx", "server@1.2.3"}, "server@1.2.3"},
		{[]string{"uvx", "server@latest"}, "!server@latest"},
		{[]string{"uvx", "--from", "pkg[cli]==2.0.1", "server"}, "pkg[cli]==2.0.1"},
		{[]string{"uvx", "--from", "git+https://x.test/a/pkg", "server"}, "!pkg"},
		{[]string{"uvx", "--from", "git+https://x.test/a/pkg@" + strings.Repeat("1", 40), "server"}, "pkg@" + strings.Repeat("1", 40)},
		{[]string{"uv", "tool", "run", "--python", "3.12", "server"}, "!server"},
		{[]string{"pipx", "run", "server"}, "!server"},
		{[]string{"uv", "run", "server.py"}, ""},
		{[]string{"docker", "run", "-i", "--rm", "-e", "KEY", "acme/server"}, "!acme/server"},
		{[]string{"docker", "run", "-i", "--rm", "-e", "KEY", "acme/server:latest"}, "!acme/server:latest"},
		{[]string{"docker", "run", "--rm", "-it", "-v", "/a:/b", "--network=none", "acme/server:1.2"}, "acme/server:1.2"},
		{[]string{"docker", "run", "-eKEY=1", "x.test:5000/acme/server"}, "!x.test:5000/acme/server"},
		{[]string{"podman", "run", "acme/server" + digest}, "acme/server" + digest},
		{[]string{"docker", "mcp", "gateway", "start"}, ""},
		{[]string{"node", "server.js"}, ""},
		{[]string{"/opt/writ/bin/writ", "run"}, ""},
		{[]string{"npx"}, ""},
	} {
		entry, err := json.Marshal(map[string]any{"command": c.command[0], "args": c.command[1:]})
		if err != nil {
			t.Fatal(err)
		}
		s := server(t, "cursor", "mcp.json", `{"mcpServers": {"one": `+string(entry)+`}}`)
		want, unpinned := strings.CutPrefix(c.want, "!")
		if got := slices.Contains(kinds(s), "unpinned"); got != unpinned || want != "" && !strings.HasSuffix(s.Shown(), want) {
			t.Errorf("%q: %q, unpinned %v, want %q", c.command, s.Shown(), got, c.want)
		}
	}
}

func TestUnencryptedAddresses(t *testing.T) {
	for entry, want := range map[string]bool{
		`{"url": "http://mcp.example.test/mcp"}`:                                      true,
		`{"serverUrl": "http://10.0.0.1/mcp"}`:                                        true,
		`{"command": "npx", "args": ["mcp-remote@1.0.0", "http://example.test/sse"]}`: true,
		`{"url": "https://mcp.example.test/mcp"}`:                                     false,
		`{"url": "http://127.0.0.1:3000/mcp"}`:                                        false,
		`{"url": "http://localhost/mcp"}`:                                             false,
		`{"url": "http://[::1]:80/mcp"}`:                                              false,
	} {
		s := server(t, "windsurf", "mcp.json", `{"mcpServers": {"one": `+entry+`}}`)
		if got := slices.Contains(kinds(s), "unencrypted"); got != want {
			t.Errorf("%s: %v", entry, got)
		}
	}
}

// Every way in which clients write a server is read.
func TestServersOfEveryClient(t *testing.T) {
	for client, c := range map[string]struct{ text, want string }{
		"claude-code": {
			`{"mcpServers": {"b": {"type": "http", "url": "https://x.test/mcp"}, "a": {"command": "npx", "args": ["-y", "p"]}},
			 "projects": {"/home/ana/x": {"mcpServers": {"c": {"command": "uvx", "args": ["q"]}}}, "/home/ana/y": {}, "z": 1}}`,
			"a[] npx p; b[] https://x.test; c[/home/ana/x] uvx q",
		},
		"codex": {"[mcp_servers.a]\ncommand = \"npx\"\nargs = [\"p\"]\nenabled = false\n[mcp_servers.b]\nurl = \"https://x.test/mcp\"\n", "a[] npx p off; b[] https://x.test"},
		"goose": {"extensions:\n  developer: {type: builtin, enabled: true}\n  a:\n    type: stdio\n    cmd: npx\n    args: [p]\n    enabled: false\n  b:\n    type: streamable_http\n    uri: https://x.test/mcp\n", "a[] npx p off; b[] https://x.test"},
		"opencode": {`{"mcp": {"a": {"type": "local", "command": ["npx", "p"], "enabled": false}, "b": {"type": "remote", "url": "https://x.test"}}}`,
			"a[] npx p off; b[] https://x.test"},
		"vscode": {`{"servers": {"a": {"command": "npx", "args": ["p"]}}, "inputs": []}`, "a[] npx p"},
		"zed": {`{"context_servers": {"a": {"source": "custom", "command": {"path": "npx", "args": ["p"]}}, "b": {"source": "extension", "settings": {}}}}`,
			"a[] npx p; b[] part of the client"},
		"gemini":   {`{"mcpServers": {"a": {"httpUrl": "https://x.test/mcp"}}}`, "a[] https://x.test"},
		"windsurf": {`{"mcpServers": {"a": {"serverUrl": "https://x.test/mcp", "disabled": true}}}`, "a[] https://x.test off"},
	} {
		servers, err := find(t, client).Servers(write(t, filepath.Join(t.TempDir(), "config"), c.text), "")
		if err != nil {
			t.Errorf("%s: %v", client, err)
			continue
		}
		var got []string
		for _, s := range servers {
			line := fmt.Sprintf("%s[%s] %s", s.Name, s.Scope, s.Shown())
			if s.Off {
				line += " off"
			}
			got = append(got, line)
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: %q, want %q", client, got, c.want)
		}
	}
}

func TestOwnEntries(t *testing.T) {
	for entry, want := range map[string]string{
		`"writ": {"command": "/opt/writ", "args": ["run"]}`:                                         "/opt/writ   ",
		`"x": {"command": "C:\\bin\\Writ.exe", "args": ["--home", "C:\\h", "run", "--space=work"]}`: `C:\bin\Writ.exe C:\h work `,
		`"x": {"command": "/dist/writ-linux-amd64", "args": ["run"]}`:                               "/dist/writ-linux-amd64   ",
		`"writ": {"url": "http://127.0.0.1:8787/mcp"}`:                                              "   http://127.0.0.1:8787/mcp",
		`"writ-work": {"url": "https://x.test/s/work/mcp"}`:                                         "  work https://x.test/s/work/mcp",
		`"writ": {"url": "https://x.test/other"}`:                                                   "",
		`"other": {"url": "https://x.test/mcp"}`:                                                    "",
		`"writ": {"command": "/opt/writ", "args": ["serve"]}`:                                       "",
		`"writ": {"command": "node", "args": ["run"]}`:                                              "",
		`"x": {"command": "/opt/renamed", "args": ["run"]}`:                                         "/opt/renamed   ",
		`"writ": {"command": "/opt/writ-helper", "args": ["run"]}`:                                  "",
		`"writ": {"command": "/opt/rewrite", "args": ["run"]}`:                                      "",
		`"writ": {}`: "",
	} {
		s := server(t, "cursor", "mcp.json", `{"mcpServers": {`+entry+`}}`)
		got := ""
		if own, ok := s.Own("/opt/renamed"); ok {
			got = strings.Join([]string{own.Binary, own.Home, own.Space, own.URL}, " ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", entry, got, want)
		}
	}
}

// Whatever a file says, reading it ends without a panic, and no finding quotes a token.
func FuzzServers(f *testing.F) {
	f.Add(`{"mcpServers": {"a": {"command": "npx", "args": ["-y", "@x/y", "--token", "t"], "url": "http://x"}}}`)
	f.Add(`{"mcpServers": {"a": {"command": ["sh", "-c", "docker run -e A=b img"], "args": ["", "-", "--", "=", ":"]}}}`)
	f.Add(`{"mcpServers": {"a": {"command": {"path": ""}, "headers": {"": ""}, "url": "%zz"}}}`)
	token := "ghp_" + strings.Repeat("0", 36)
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "t0ken", token)
		servers, err := find(t, "cursor").Servers(write(t, filepath.Join(t.TempDir(), "mcp.json"), text), "")
		if err != nil {
			return
		}
		for _, s := range servers {
			if all := fmt.Sprint(s.Findings(), s.Shown()); strings.Contains(all, token) {
				t.Errorf("%q\n%s", text, all)
			}
			s.Own("")
		}
	})
}
