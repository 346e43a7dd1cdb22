package toolchain_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/sdk/toolchain"
)

// scriptIn writes a TypeScript servlet into a new folder.
func scriptIn(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "servlet")
	if files["servlet.toml"] == "" {
		files["servlet.toml"] = "name = \"hello\"\nversion = \"1.0.0\"\ndescription = \"Says hello.\"\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const hello = `import { McpServer } from "writ-servlet";
const server = new McpServer();
server.registerTool("hello", { description: "Says hello." }, () => "hello");
`

func buildIn(t *testing.T, dir string) ([]byte, toolchain.Result, error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.wasm")
	made, err := toolchain.Build(t.Context(), toolchain.Options{Dir: dir, Output: out, Key: key, CacheDir: cacheDir})
	if err != nil {
		if _, left := os.Stat(out); !errors.Is(left, os.ErrNotExist) {
			t.Errorf("a refused build left a file: %v", left)
		}
		return nil, made, err
	}
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return file, made, nil
}

// Each is one line that starts with the author's file and line.
func TestScriptsThatAreRefused(t *testing.T) {
	config := "name = \"hello\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[[capabilities.config]]\nkey = \"K\"\ndefault = \"v\"\n[uses]\nhello = [\"config:K\"]\n"
	http := "name = \"hello\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[[capabilities.http]]\nid = \"api\"\norigin = \"https://example.com\"\nmethods = [\"GET\"]\npaths = [\"/\"]\nwhy = \"w\"\n[uses]\nhello = [\"http:api\"]\n"
	kept := "name = \"hello\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[capabilities.kv]\nquota_kb = 64\nscope = \"caller\"\nwhy = \"w\"\n[uses]\nhello = [\"kv\"]\n"
	docs := "name = \"hello\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[[capabilities.fs]]\nid = \"docs\"\nguest = \"/docs\"\nmode = \"ro\"\nwhy = \"w\"\n[uses]\nhello = [\"fs:docs:ro\"]\n"
	rows := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a syntax error", map[string]string{"main.ts": "const a = 1;\nconst b = ;\n"}, `main.ts:2:11: Unexpected ";"`},
		{"a syntax error in another file", map[string]string{"main.ts": "import './lib/x';", "lib/x.ts": "\nlet let = 1"}, "lib/x.ts:2:5: "},
		{"a module of Node.js", map[string]string{"main.ts": hello + "import fs from 'node:fs';\nfs.readFileSync('/etc/passwd');\n"},
			`main.ts:4:16: "node:fs" is a part of Node.js, and servlets run without it: use "writ-servlet/files"`},
		{"one without its prefix", map[string]string{"main.ts": "import 'child_process';\n"}, `main.ts:1:8: "child_process" is a part of Node.js`},
		{"one in a package", map[string]string{"main.ts": "import 'pkg';", "node_modules/pkg/index.js": "require('net')"}, `node_modules/pkg/index.js:1:9: "net" is a part of Node.js`},
		{"a package that is not there", map[string]string{"main.ts": hello + "import 'leftpad';"}, `main.ts:4:8: cannot find "leftpad": if it is a package, run "npm install" in the source folder`},
		{"a file that is not there", map[string]string{"main.ts": "import './nope';"}, `main.ts:1:8: cannot find "./nope"`},
		{"a part of the SDK that is not there", map[string]string{"main.ts": "import 'writ-servlet/nope';"}, `main.ts:1:8: the SDK has no module "writ-servlet/nope"`},
		{"the SDK's insides", map[string]string{"main.ts": "import 'writ:host';"}, `main.ts:1:8: "writ:host" is a part of the SDK: import "writ-servlet"`},
		{"a name that the SDK has not", map[string]string{"main.ts": "import { Server } from 'writ-servlet';\nnew Server();"}, `main.ts:1:10: No matching export in "writ:index" for import "Server"`},
		{"waiting at the top level", map[string]string{"main.ts": hello + "await Promise.resolve();"}, "main.ts:4:1: the top level cannot wait: it runs once, while the servlet is built; await inside a tool"},
		{"waiting for the network at the top level", map[string]string{"servlet.toml": http, "main.ts": hello + "const page = await fetch('https://example.com/');"}, "main.ts:4:14: the top level cannot wait"},
		{"the network at the top level", map[string]string{"servlet.toml": http, "main.ts": hello + "let page: any;\nfetch('https://example.com/').then((r) => { page = r; });"}, "main.ts:5:1: HostError: fetch cannot be used while the servlet is built: use it inside a tool"},
		{"the kept data at the top level", map[string]string{"servlet.toml": kept, "main.ts": hello + "import { kv } from 'writ-servlet';\nkv.set('started', '1');"}, "main.ts:5:4: HostError: kv cannot be used while the servlet is built"},
		{"files at the top level", map[string]string{"servlet.toml": docs, "main.ts": hello + "import { readTextFile } from 'writ-servlet/files';\nexport const words = readTextFile('/docs/words');"}, "main.ts:5:22: HostError: files cannot be used while the servlet is built"},
		{"a throw at the top level", map[string]string{"main.ts": hello + "if (Date.now() > 0)\n  throw new Error('no table');"}, "main.ts:5:13: Error: no table"},
		{"a circle of imports that is used too early", map[string]string{"main.ts": hello + "import './a';", "a.ts": "import { b } from './b';\nexport const a = [b];", "b.ts": "import { a } from './c';\n\nexport const b = a.length;", "c.ts": "export * from './a';"},
			"b.ts:3:20: TypeError: cannot read property 'length' of undefined (b.ts, c.ts, a.ts and b.ts again import each other: what one has at its top level the next may not have yet)"},
		{"a module of Node.js by its common name", map[string]string{"main.ts": hello + "import { Buffer } from 'buffer';\nBuffer.from('x');"}, `main.ts:4:24: "buffer" is a part of Node.js, and servlets run without it: use Uint8Array and TextEncoder`},
		{"a name of Node.js", map[string]string{"main.ts": hello + "export const home = process.env.HOME;"}, "main.ts:4:21: ReferenceError: process is not defined"},
		{"a recursion without an end", map[string]string{"main.ts": hello + "const f = (): number => f() + 1;\nf();"}, "main.ts:4:25: RangeError: Maximum call stack size exceeded"},
		{"an endless wait", map[string]string{"main.ts": hello + "const spin = async () => {\n  for (;;) await null;\n};\nvoid spin();"}, "main.ts:5:12: the top level does too much"},

		{"an exception", map[string]string{"main.ts": hello + "\nfunction f(): never {\n  throw new RangeError('far');\n}\nf();"}, "main.ts:6:13: RangeError: far"},
		{"an exception at the top level", map[string]string{"main.ts": hello + "const o: any = undefined;\no.x;"}, "main.ts:5:3: TypeError: cannot read property 'x' of undefined"},
		{"an exception of a package", map[string]string{"main.ts": "import { f } from 'pkg';\n\n  f();\n" + hello, "node_modules/pkg/index.js": "export function f() {\n  throw new Error('no window')\n}"},
			"main.ts:3:3: Error: no window (at node_modules/pkg/index.js:2:13)"},
		{"a name of a page", map[string]string{"main.ts": hello + "document.title;"}, "main.ts:4:1: ReferenceError: document is not defined"},
		{"a host call at the top level", map[string]string{"servlet.toml": config, "main.ts": "import { config } from 'writ-servlet';\n" + hello + "\nexport const k = config('K');"},
			"main.ts:6:18: HostError: config cannot be used while the servlet is built: use it inside a tool"},
		{"a timer at the top level", map[string]string{"main.ts": hello + "setTimeout(() => {}, 1);"}, "main.ts:4:1: HostError: a timer cannot be used while the servlet is built"},
		{"a rejection at the top level", map[string]string{"main.ts": hello + "const start = async () => {\n  await null;\n  throw new Error('no start');\n};\nvoid start();"}, "main.ts:6:13: Error: no start"},
		{"randomness at the top level", map[string]string{"main.ts": hello + "export const id = crypto.randomUUID();"}, "main.ts:4:26: HostError: crypto.randomUUID cannot be used while the servlet is built"},
		{"a loop without an end", map[string]string{"main.ts": hello + "function spin() {\n  for (;;);\n}\nspin();"}, "main.ts:5:11: the top level does too much: it runs once, while the servlet is built; do the work inside a tool"},
		{"too much memory", map[string]string{"main.ts": hello + "const s: string[] = [];\nfor (let i = 0; i < 64; i++)\n  s.push('x'.repeat(1 << 24).toUpperCase() + i);"}, "main.ts:6:"},
		{"a string of a gigabyte", map[string]string{"main.ts": hello + "'x'.repeat(2 ** 30);"}, "main.ts:4:"},
		{"two tools of one name", map[string]string{"main.ts": hello + "server.registerTool('hello', {}, () => '');"}, `main.ts:4:8: Error: two tools are named "hello"`},
		{"no tool", map[string]string{"main.ts": "import { McpServer } from 'writ-servlet';\nnew McpServer();"}, "the servlet has no tools: register one"},
		{"no SDK", map[string]string{"main.ts": "export {};"}, `main.ts imports no "writ-servlet"`},
		{"a schema that says nothing", map[string]string{"main.ts": hello + "server.registerTool('x', { inputSchema: { '~standard': { vendor: 'valibot', validate() {} } } }, () => '');"},
			`main.ts:4:8: TypeError: a schema of valibot does not say its JSON Schema: wrap it in toStandardJsonSchema of "@valibot/to-json-schema"`},

		{"config that is not requested", map[string]string{"main.ts": "import { config as c } from 'writ-servlet';\n" + hello + "server.registerTool('c', {}, () =>\n  c('K')!);"},
			"main.ts:6:3: config needs a capability that servlet.toml does not request: add [[capabilities.config]] to it"},
		{"fetch that is not requested", map[string]string{"main.ts": hello + "const own = (fetch: any) => fetch();\nserver.registerTool('f', {}, () => own(globalThis.fetch('x')));"},
			"main.ts:5:40: fetch needs a capability that servlet.toml does not request: add [[capabilities.http]] to it"},
		{"files that are not requested", map[string]string{"main.ts": hello + "import { readTextFile } from 'writ-servlet/files';\nserver.registerTool('f', {}, () => readTextFile('/x'));"},
			`"writ-servlet/files" needs a capability that servlet.toml does not request: add [[capabilities.fs]] to it`},
		{"kept data that is not requested", map[string]string{"main.ts": "import { kv } from 'writ-servlet';\n" + hello + "server.registerTool('k', {}, () => kv.get('x') ?? '');"},
			"main.ts:5:36: kv needs a capability that servlet.toml does not request: add [capabilities.kv] to it"},
		{"two languages", map[string]string{"main.ts": hello, "go.mod": "module x"}, "has both go.mod and main.ts"},
		{"escapes for a terminal", map[string]string{"main.ts": hello + "throw new Error('\\x1b[31mred\\x07')"}, `main.ts:4:11: Error: \u001b[31mred\u0007`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := buildIn(t, scriptIn(t, row.files))
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") || strings.ContainsAny(err.Error(), "\x1b\a") {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
			if err != nil && !errors.Is(err, toolchain.ErrSource) && !errors.Is(err, toolchain.ErrDeclaration) {
				t.Errorf("the error is no author's: %v", err)
			}
		})
	}
}

func TestScriptsAreReproducible(t *testing.T) {
	files := map[string]string{
		"main.ts":  hello + "import { a } from './lib/a';\nserver.registerTool('time', {}, () => `${a} ${Date.now()} ${Math.random()}`);\nexport const built = [Date.now(), Math.random(), new Map([[{}, 1]])];",
		"lib/a.ts": "export const a = new URL('https://example.com/ä').href;", "node_modules/pkg/index.js": "",
	}
	one, made, err := buildIn(t, scriptIn(t, files))
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := buildIn(t, scriptIn(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Error("two folders with the same source give two files")
	}
	if bytes.Contains(one, []byte("built = [")) || bytes.Contains(one, []byte(os.TempDir())) {
		t.Error("the source or its place is in the servlet")
	}
	if len(made.Inputs) != 3 || made.Inputs[0].Name != "writ-servlet" {
		t.Errorf("it is said to be made of %v", made.Inputs)
	}
}

// What a servlet does not request is not imported, and what runs is the same for all: a host compiles it
// once.
func TestScriptsShareTheirCode(t *testing.T) {
	plain, made, err := buildIn(t, scriptIn(t, map[string]string{"main.ts": hello}))
	if err != nil {
		t.Fatal(err)
	}
	if len(plain) > 900_000 {
		t.Errorf("a servlet with one tool has %d bytes", len(plain))
	}
	if len(made.Kinds) != 0 {
		t.Errorf("a servlet that requests nothing imports what %v need", made.Kinds)
	}
	s, err := script()
	if err != nil {
		t.Fatal(err)
	}
	if made, want := s.servlet.Manifest().Capabilities.Kinds(), 3; len(made) != want {
		t.Fatalf("testdata/script requests %v, want %d kinds", made, want)
	}
	w, err := web()
	if err != nil {
		t.Fatal(err)
	}
	const code, data = 10, 11
	one, two, other := sectionsOf(t, verified(t, plain).Module()), sectionsOf(t, w.servlet.Module()), sectionsOf(t, s.servlet.Module())
	if !bytes.Equal(one[code], other[code]) {
		t.Error("servlets that request other capabilities have another engine")
	}
	for id := range max(len(one), len(two)) {
		if byte(id) != data && !bytes.Equal(one[byte(id)], two[byte(id)]) {
			t.Errorf("two servlets that request the same differ in section %d", id)
		}
	}
}

// What servlet.toml requests and the script does not use is not imported either, unless it may be used in
// a way that cannot be seen.
func TestScriptsImportWhatTheyUse(t *testing.T) {
	all := "name = \"hello\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[[capabilities.http]]\nid = \"api\"\norigin = \"https://example.com\"\nmethods = [\"GET\"]\npaths = [\"/\"]\n[[capabilities.config]]\nkey = \"K\"\n" +
		"[capabilities.web]\nmethods = [\"GET\"]\n[capabilities.kv]\nquota_kb = 64\nscope = \"caller\"\n[[capabilities.fs]]\nid = \"docs\"\nguest = \"/docs\"\nmode = \"ro\"\n[uses]\nhello = [\"http:api\", \"web\", \"kv\", \"fs:docs:ro\", \"config:K\"]\n"
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "", "[]"},
		{"a setting", "import { config as c } from 'writ-servlet';\nserver.registerTool('x', {}, () => c('K') ?? '');", "[config]"},
		{"kept data", "import { kv } from 'writ-servlet';\nserver.registerTool('x', {}, () => kv.get('x') ?? '');", "[kv]"},
		{"files", "import { readTextFile } from 'writ-servlet/files';\nserver.registerTool('x', {}, () => readTextFile('/docs/x'));", "[fs]"},
		{"sites and pages", "server.registerTool('x', {}, async () => (await fetch('https://example.com/')).text());", "[http web]"},
		{"all of the SDK by a name", "import * as sdk from 'writ-servlet';\nserver.registerTool('x', {}, () => (sdk as any)['k' + 'v'].get('x'));", "[config fs kv]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, made, err := buildIn(t, scriptIn(t, map[string]string{"servlet.toml": all, "main.ts": hello + row.text}))
			if got := fmt.Sprint(made.Kinds); err != nil || got != row.want {
				t.Errorf("it imports what %s need, want %s (%v)", got, row.want, err)
			}
		})
	}
}

// The second servlet finds the machine code of the first: what differs is the memory that they start with,
// whose size is one of few.
func TestScriptsAreCompiledOnce(t *testing.T) {
	compiled := func() (n int) {
		err := filepath.WalkDir(cacheDir, func(path string, entry fs.DirEntry, err error) error {
			if inRuntime := strings.Contains(path, "wazero-"); err == nil && inRuntime && entry.Type().IsRegular() {
				n++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	compile := func(text string) {
		t.Helper()
		file, _, err := buildIn(t, scriptIn(t, map[string]string{"main.ts": hello + text}))
		if err != nil {
			t.Fatal(err)
		}
		runtime, err := sandbox.New(t.Context(), sandbox.Config{CacheDir: cacheDir})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = runtime.Close(context.WithoutCancel(t.Context())) }()
		admitted, err := sandbox.Admit(verified(t, file).Module(), capabilities.ABI, nil)
		if err != nil {
			t.Fatal(err)
		}
		code, err := runtime.Compile(t.Context(), admitted)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := textOf(t, code.Run(t.Context(), scriptCall(scriptHost{}, "hello", "{}"))); text != "hello" {
			t.Fatalf("it answers %q", text)
		}
	}
	compile("")
	before := compiled()
	compile("const table = Array.from({ length: 5_000 }, (_, i) => `entry ${i}`);\nserver.registerTool('other', {}, () => table[7]! + new URL('https://example.com/'));")
	if after := compiled(); before == 0 || after != before {
		t.Errorf("there was code of %d modules, and is of %d", before, after)
	}
}

// sectionsOf splits a module.
func sectionsOf(t *testing.T, module []byte) map[byte][]byte {
	t.Helper()
	sections := map[byte][]byte{}
	for rest := module[8:]; len(rest) > 0; {
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || uint64(len(rest)) < uint64(1+n)+size {
			t.Fatal("the module is cut")
		}
		sections[rest[0]] = rest[1+n : uint64(1+n)+size]
		rest = rest[uint64(1+n)+size:]
	}
	return sections
}
