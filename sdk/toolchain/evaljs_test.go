package toolchain_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/sdk/toolchain"
)

// evalJS is servlets/eval-js, built once.
var evalJS = sync.OnceValues(func() (installed, error) { return buildScript("../../servlets/eval-js") })

// evalCall is a call of eval_js with what its manifest grants it.
func evalCall(t *testing.T, code string) (installed, sandbox.Call) {
	t.Helper()
	s, err := evalJS()
	if err != nil {
		t.Fatal(err)
	}
	arguments, err := json.Marshal(map[string]string{"code": code})
	if err != nil {
		t.Fatal(err)
	}
	call := scriptCall(scriptHost{}, "eval_js", string(arguments))
	l := s.servlet.Manifest().Limits
	call.Limits.Memory, call.Limits.Wall, call.Limits.Output = int64(l.MemoryMB)<<20, time.Duration(l.WallMS)*time.Millisecond, l.ResultKB<<10
	return s, call
}

func TestEvalJS(t *testing.T) {
	rows := []struct {
		name, code string
		want       []string // the texts of the answer; one that ends in "..." is a beginning
		isError    bool
	}{
		{"a value", "1 + 1", []string{"2"}, false},
		{"a text", "'ä'.padStart(3)", []string{"  ä"}, false},
		{"data", "({ a: 1, b: [true, null] })", []string{`{"a":1,"b":[true,null]}`}, false},
		{"much data", "Array.from({ length: 40 }, (_, i) => i)", []string{"[\n  0,\n  1,..."}, false},
		{"what JSON has not", "[1n, -0, undefined, new Map([['k', { v: NaN }]]), () => {}]", []string{`[1n, -0, undefined, Map {"k" => {v: NaN}}, [function without a name]]`}, false},
		{"nothing", "if (false) 1", []string{"undefined"}, false},
		{"a statement's value", "let sum = 0; for (const n of [1, 2, 3]) sum += n", []string{"6"}, false},
		{"the console, then the value", "console.log('%s is %d', 'x', 7); console.warn({ a: 1 }); 'end'", []string{"x is 7\n{a: 1}", "end"}, false},
		{"the console alone", "console.group('a'); console.log('b\\nc'); console.groupEnd(); undefined", []string{"a\n  b\n  c"}, false},
		{"an empty line", "console.log(''); console.log(1)", []string{"\n1"}, false},
		{"waiting at the top level", "const n = await new Promise((done) => setTimeout(done, 5, 4)); n * 2", []string{"8"}, false},
		{"a promise", "(async () => 'later')()", []string{"later"}, false},
		{"a timer that still runs", "let n = 0; const id = setInterval(() => { console.log(++n); if (n === 3) clearInterval(id); }, 1); 'x'", []string{"1\n2\n3", "x"}, false},
		{"a deep recursion", "const depth = (n) => (n ? 1 + depth(n - 1) : 0); depth(10_000)", []string{"10000"}, false},
		{"a digest", "Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'))).subarray(0, 3))", []string{"[186,120,22]"}, false},

		{"an error with its lines", "function f() {\n  return nope.x;\n}\n\nf()", []string{"ReferenceError: nope is not defined\n    at f (<code>:2:10)\n    at <eval> (<code>:5:1)"}, true},
		{"one after waiting", "await null;\nthrow new RangeError('far', { cause: 'it' })", []string{"RangeError: far\n    at <eval> (<code>:2:..."}, true},
		{"what was written before it", "console.log('so far'); throw new Error('no')", []string{"so far", "Error: no\n..."}, true},
		{"a syntax error", "let a = 1;\nlet b = ;", []string{"SyntaxError: unexpected token in expression: ';'\n    at <code>:2:9"}, true},
		{"what is no error", "throw { a: 1 }", []string{"The program threw {a: 1}"}, true},
		{"a rejection", "(async () => { throw new TypeError('late'); })()", []string{"TypeError: late\n..."}, true},
		{"a recursion without an end", "const f = () => f();\nf()", []string{"RangeError: Maximum call stack size exceeded\n    at f (<code>:1:..."}, true},
		{"a string of a gigabyte", "'x'.repeat(2 ** 30)", []string{"RangeError: invalid string length\n..."}, true},
		{"the network", "await fetch('https://example.com/')", []string{"HostError: this sandbox has no network..."}, true},
		{"another program's world", "require('fs')", []string{"ReferenceError: require is not defined\n    at <eval> (<code>:1:1)\nThis is neither Node.js nor a browser..."}, true},
		{"a module", "import fs from 'fs'", []string{"SyntaxError: ..."}, true},
		{"the host's own functions", "typeof __writ + typeof globalThis.__writ", []string{"undefinedundefined"}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, call := evalCall(t, row.code)
			texts, isError := textsOf(t, s.code.Run(t.Context(), call))
			if isError != row.isError || len(texts) != len(row.want) {
				t.Fatalf("got %q, error %v; want %q", texts, isError, row.want)
			}
			for i, want := range row.want {
				if begin, ok := strings.CutSuffix(want, "..."); texts[i] != want && !(ok && strings.HasPrefix(texts[i], begin)) {
					t.Errorf("got %q, want %q", texts[i], want)
				}
			}
		})
	}
}

func textsOf(t *testing.T, o sandbox.Outcome) (texts []string, isError bool) {
	t.Helper()
	if o.Fault != nil {
		t.Fatalf("the call failed: %v\nlog: %v", o.Fault, o.Logs)
	}
	var result struct {
		Content []struct{ Text string }
		IsError bool
	}
	if err := json.Unmarshal(o.Output, &result); err != nil {
		t.Fatalf("the answer is %s (%v)", o.Output, err)
	}
	for _, block := range result.Content {
		texts = append(texts, block.Text)
	}
	return texts, result.IsError
}

// It asks for nothing, and has no import through which anything could be asked for.
func TestEvalJSCanDoNothing(t *testing.T) {
	s, _ := evalCall(t, "")
	if kinds := s.servlet.Manifest().Capabilities.Kinds(); len(kinds) != 0 {
		t.Errorf("it requests %v", kinds)
	}
	if admitted, err := sandbox.Admit(s.servlet.Module(), capabilities.ABI, nil); err != nil || len(admitted.Kinds()) != 0 {
		t.Errorf("it imports what %v need: %v", admitted.Kinds(), err)
	}
}

// What a call makes and loses is collected, in circles too; what it started with is not.
func TestEvalJSCollectsGarbage(t *testing.T) {
	for code, want := range map[string]string{
		"let n = 0; for (let i = 0; i < 250_000; i++) { const a = { i, text: 'x'.repeat(40) + i }; a.self = a; n += a.self.i & 1; } n":                                            "125000",
		"Array.prototype.kept = []; for (let i = 0; i < 300_000; i++) { const o = { i }; o.o = o; if (i % 1000 === 0) [].kept.push(o); } [].kept.filter((o) => o.o === o).length": "300",
		"let text = ''; for (let i = 0; i < 60_000; i++) text += `chunk ${i}`; text.length":                                                                                       "648890",
	} {
		s, call := evalCall(t, code)
		call.Limits.Memory = 32 << 20
		if texts, _ := textsOf(t, s.code.Run(t.Context(), call)); texts[0] != want {
			t.Errorf("%s: got %q", code, texts)
		}
	}
}

func TestEvalJSKeepsNothing(t *testing.T) {
	for range 3 {
		s, call := evalCall(t, "globalThis.n = (globalThis.n ?? 0) + 1; Array.prototype.map = null; JSON.parse = null; n")
		if texts, _ := textsOf(t, s.code.Run(t.Context(), call)); texts[0] != "1" {
			t.Fatalf("a call sees %s calls before it", texts[0])
		}
	}
}

func TestEvalJSIsBounded(t *testing.T) {
	s, call := evalCall(t, "for (let i = 0; i < 3e4; i++) console.log(`\\u0001${i}`); 'x'.repeat(1e6)")
	texts, isError := textsOf(t, s.code.Run(t.Context(), call))
	if isError || len(texts) != 2 || len(texts[0]) > 101_000 || !strings.HasSuffix(texts[0], "characters more were left out]") || !strings.HasSuffix(texts[1], "xx\n[995000 characters more were left out]") {
		t.Errorf("got %d texts, %d bytes, %.100q", len(texts), len(texts[0]), texts[len(texts)-1])
	}
	// What is escaped is six times as long, and an answer that is too long would be none.
	for _, code := range []string{
		"console.log('\\x01'.repeat(2e5)); throw '\\x01'.repeat(2e5)", "console.log('\\x01'.repeat(2e5)); '\\x01'.repeat(2e5)",
		"throw new Error('\\x01'.repeat(2e5))", "console.log('x' + '😀'.repeat(6e4)); '😀'.repeat(6e4)",
	} {
		s, call = evalCall(t, code)
		if texts, _ := textsOf(t, s.code.Run(t.Context(), call)); !strings.HasSuffix(texts[len(texts)-1], "characters more were left out]") {
			t.Errorf("%s: got %.100q", code, texts)
		}
	}
	s, call = evalCall(t, "for (let i = 0; i < 2e5; i++) console.log(''); 'end'")
	if texts, _ := textsOf(t, s.code.Run(t.Context(), call)); len(texts) != 2 || len(texts[0]) > 101_000 || !strings.HasSuffix(texts[0], "\n[100000 characters more were left out]") {
		t.Errorf("empty lines: %d texts, %d bytes", len(texts), len(texts[0]))
	}
	s, call = evalCall(t, "for (;;);")
	call.Limits.Wall = 200 * time.Millisecond
	if o := s.code.Run(t.Context(), call); o.Fault == nil || o.Fault.Kind != sandbox.FaultDeadline {
		t.Errorf("an endless loop: %v", o.Fault)
	}
	s, call = evalCall(t, "for (;;) await null;")
	call.Limits.Wall = 200 * time.Millisecond
	if o := s.code.Run(t.Context(), call); o.Fault == nil || o.Fault.Kind != sandbox.FaultDeadline {
		t.Errorf("an endless wait: %v", o.Fault)
	}
	for _, code := range []string{
		"const all = [];\nfor (;;) all.push(new Array(1e5).fill(1));", "const all = new Map();\nfor (let i = 0; ; i++) all.set(i, { i });", "let all = 'x';\nfor (;;) all += all;",
	} {
		s, call = evalCall(t, code)
		call.Limits.Memory = 32 << 20
		o := s.code.Run(t.Context(), call)
		switch {
		case o.Fault != nil && (o.Fault.Text == "out of memory" || strings.Contains(o.Fault.Text, "32 MiB of memory")):
		case o.Fault != nil:
			t.Errorf("memory: %v", o.Fault)
		default:
			texts, isError := textsOf(t, o)
			if !isError || !strings.Contains(texts[0], "out of memory") && !strings.Contains(texts[0], "string too long") {
				t.Errorf("memory: %q", texts)
			}
		}
	}
}

// The calls that are beside their source, as an author makes them.
func TestScriptedServletsAnswerTheirOwnTests(t *testing.T) {
	for _, name := range []string{"brave-search", "eval-js"} {
		report, err := toolchain.Test(t.Context(), toolchain.TestOptions{Dir: "../../servlets/" + name, CacheDir: cacheDir, Hostile: 30, Seed: 1})
		if err != nil || len(report.Calls) < 6 || len(report.Hostile) == 0 {
			t.Fatalf("%s: %d calls, %v", name, len(report.Calls), err)
		}
		for _, r := range report.Calls {
			if r.Failure != "" {
				t.Errorf("%s: %s: %s", name, r.Name, r.Failure)
			}
		}
	}
}
