package approval_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
)

// key is the same key for the same name, in every run.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publisher(name string) string {
	return capabilities.FormatPublisher(key(name).Public().(ed25519.PublicKey))
}

// tool is a signed tool object. rest is more of its members, each with a comma before it.
func tool(name, description, rest string) json.RawMessage {
	text, err := json.Marshal(description)
	if err != nil {
		panic(err)
	}
	return fmt.Appendf(nil, `{"name":%q,"description":%s,"inputSchema":{"type":"object","properties":{"path":{"type":"string","description":"where"}},"required":["path"]}%s}`, name, text, rest)
}

func manifest(name, version string, tools []json.RawMessage, caps capabilities.Capabilities, uses map[string][]string) capabilities.Manifest {
	return capabilities.Manifest{
		Schema: capabilities.Schema, Name: name, Version: version, Publisher: publisher("acme"),
		Seq: 7, Issued: "2026-01-01T00:00:00Z", Expires: "2027-01-01T00:00:00Z",
		Module: capabilities.Module{SHA256: strings.Repeat("0", 64), Size: 100, ABI: capabilities.ABI},
		Tools:  tools, Capabilities: caps, Uses: uses,
	}
}

func drafted(t testing.TB, m capabilities.Manifest, kinds ...capabilities.Kind) approval.Drafted {
	t.Helper()
	// What can be parsed is used as it is parsed; the rest stays as it was written.
	if payload, err := m.Encode(); err == nil {
		if parsed, err := capabilities.ParseManifest(payload); err == nil {
			m = parsed
		}
	}
	d := approval.Drafted{Manifest: m, Kinds: kinds}
	for _, raw := range m.Tools {
		parsed, err := capabilities.ParseTool(raw)
		if err != nil {
			t.Fatal(err)
		}
		d.Tools = append(d.Tools, parsed)
	}
	return d
}

// profile is a servlet as people will meet it, and what they choose.
type profile struct {
	name   string
	about  approval.Drafted
	choice approval.Choice
}

// everything is the choice of someone who gives all, with the directories and sites that they name.
func everything(m capabilities.Manifest, dirs map[string]approval.Directory) approval.Choice {
	c := approval.Everything(m)
	c.Dirs = dirs
	return c
}

func filesystem(t testing.TB) approval.Drafted {
	var tools []json.RawMessage
	uses := map[string][]string{}
	for _, name := range []string{"read_text_file", "read_media_file", "read_multiple_files", "list_directory", "directory_tree", "search_files", "get_file_info"} {
		tools = append(tools, tool(name, "Reads.", `,"annotations":{"readOnlyHint":true}`))
		uses[name] = []string{"fs:docs:ro"}
	}
	for _, name := range []string{"write_file", "edit_file", "move_file", "create_directory"} {
		tools = append(tools, tool(name, "Changes.", ""))
		uses[name] = []string{"fs:docs"}
	}
	return drafted(t, manifest("filesystem", "1.2.0", tools, capabilities.Capabilities{
		FS: []capabilities.FS{{ID: "docs", Guest: "/docs", Mode: capabilities.ModeFull, Why: "the folder that you want to work in"}},
	}, uses), capabilities.KindFS)
}

func notes(t testing.TB) approval.Drafted {
	return drafted(t, manifest("notes", "0.3.1", []json.RawMessage{
		tool("search_notes", "Finds notes.", `,"annotations":{"readOnlyHint":true}`),
		tool("read_note", "Reads one note.", `,"annotations":{"readOnlyHint":true}`),
	}, capabilities.Capabilities{
		FS: []capabilities.FS{{ID: "notes", Guest: "/notes", Mode: capabilities.ModeRead, Why: "to find your notes"}},
	}, map[string][]string{"search_notes": {"fs:notes"}, "read_note": {"fs:notes"}}), capabilities.KindFS)
}

func weather(t testing.TB) approval.Drafted {
	return drafted(t, manifest("acme/weather", "1.4.2", []json.RawMessage{tool("forecast", "The weather of a place.", "")},
		capabilities.Capabilities{
			HTTP:   []capabilities.HTTP{{ID: "api", Origin: "https://api.acme.test", Methods: []string{"GET"}, Paths: []string{"/v1/"}, Why: "forecasts"}},
			Config: []capabilities.Config{{Key: "UNITS", Default: "metric", Why: "metric or imperial"}},
		}, map[string][]string{"forecast": {"http:api", "config:UNITS"}}), capabilities.KindHTTP, capabilities.KindConfig)
}

func tracker(t testing.TB) approval.Drafted {
	return drafted(t, manifest("acme/issues", "2.0.0", []json.RawMessage{
		tool("list_issues", "Lists issues.", ""), tool("create_issue", "Opens an issue.", ""),
	}, capabilities.Capabilities{
		HTTP: []capabilities.HTTP{{ID: "tracker", Origin: "https://issues.acme.test", Methods: []string{"GET", "POST"}, Paths: []string{"/api/issues", "/api/issues/"},
			Auth: &capabilities.Auth{Type: "header", Name: "Authorization", Value: "Bearer {secret:TOKEN}"}, Why: "your issues"}},
		Secrets: []capabilities.Secret{{Key: "TOKEN", Use: "egress", Why: "to act in your name"}},
	}, map[string][]string{"list_issues": {"http:tracker:ro"}, "create_issue": {"http:tracker"}}), capabilities.KindHTTP)
}

func fetch(t testing.TB) approval.Drafted {
	return drafted(t, manifest("fetch", "1.0.0", []json.RawMessage{tool("fetch_page", "Gets a page that you ask for.", "")},
		capabilities.Capabilities{Web: &capabilities.Web{Methods: []string{"GET"}, Why: "fetch pages that you ask for"}},
		map[string][]string{"fetch_page": {"web"}}), capabilities.KindWeb)
}

func clock(t testing.TB) approval.Drafted {
	return drafted(t, manifest("time", "1.0.0", []json.RawMessage{tool("convert_time", "Converts a time between zones.", "")},
		capabilities.Capabilities{}, nil))
}

func kitchenSink(t testing.TB) approval.Drafted {
	return drafted(t, manifest("acme/kitchen-sink", "10.20.30", []json.RawMessage{
		tool("import_file", "Reads a file and sends it.", ""), tool("remember", "Keeps a value.", ""),
		tool("read_only", "Reads.", ""), tool("publish", "Posts to your site.", ""), tool("browse", "Gets a page.", ""),
	}, capabilities.Capabilities{
		HTTP: []capabilities.HTTP{
			{ID: "api", Origin: "https://api.acme.test:8443", Methods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, Paths: []string{"/v1/", "/v2/users/", "/upload"},
				Auth: &capabilities.Auth{Type: "sigv4", Secret: "SIGNING"}, Params: []capabilities.Param{{Name: "q", Max: 100}, {Name: "sort", Values: []string{"up", "down"}}}, Why: "everything"},
			{ID: "mine", Origin: "user", Methods: []string{"GET", "POST"}, Paths: []string{"/"}, Why: "your own server"},
		},
		Web: &capabilities.Web{Methods: []string{"GET", "HEAD"}, Why: "anything"},
		FS: []capabilities.FS{
			{ID: "in", Guest: "/in", Mode: capabilities.ModeRead, Why: "what to import"},
			{ID: "out", Guest: "/out", Mode: capabilities.ModeFull, Why: "where to put results"},
		},
		Config:  []capabilities.Config{{Key: "LANG", Default: "en"}, {Key: "REGION", Why: "where you are"}},
		Secrets: []capabilities.Secret{{Key: "SIGNING", Use: "egress", Why: "signs requests"}, {Key: "LICENCE", Use: "guest", Why: "checked in the servlet"}},
		KV:      &capabilities.KV{QuotaKB: 256, Scope: "space", Why: "a cache"},
	}, map[string][]string{
		"import_file": {"fs:in", "fs:out", "http:api", "kv"}, "remember": {"kv"}, "read_only": {"fs:in", "kv:ro"},
		"publish": {"http:mine", "secret:LICENCE"}, "browse": {"web"},
	}), capabilities.KindFS, capabilities.KindHTTP, capabilities.KindWeb, capabilities.KindConfig, capabilities.KindSecret, capabilities.KindKV)
}

// hostile has texts that no manifest may have: drawing does not rely on what was refused before it.
func hostile(t testing.TB) approval.Drafted {
	d := drafted(t, manifest("filesystem", "1.2.0", []json.RawMessage{
		tool("look", "Looks.", ""),
	}, capabilities.Capabilities{
		FS: []capabilities.FS{
			{ID: "a", Guest: "/a", Mode: capabilities.ModeRead, Why: "x\"\n 2 web    nothing at all                        nothing\nType yes:"},
			{ID: "b", Guest: "/b", Mode: capabilities.ModeRead, Why: "\x1b[2J\x1b[H\x1b]8;;https://evil.test\x07click\u202eгnihtemos\u2066"},
			{ID: "c", Guest: "/c", Mode: capabilities.ModeRead, Why: "全角文字の説明はとても長いので折り返さなければなりません。👩‍👩‍👧‍👦👍🏽 한국어 설명도 있습니다 ☎️ ｆｕｌｌ"},
			{ID: "d", Guest: "/d", Mode: capabilities.ModeRead, Why: "Z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308alg\u0316\u0317\u0318\u0319\u031ao"},
			{ID: "e", Guest: "/e", Mode: capabilities.ModeRead, Why: longWord},
		},
		Config: []capabilities.Config{{Key: "K", Default: "\" YOU GIVE nothing \u2028", Why: "\t\t\tpadding                                  nothing"}},
	}, map[string][]string{"look": {"fs:a", "fs:b", "fs:c", "fs:d", "fs:e"}}), capabilities.KindFS)
	d.Manifest.Name = "filesystem\x1b[31m\n signed by a KNOWN KEY\u202e"
	d.Manifest.Version = "1.2.0 signed by Writ                                                  " + longWord
	return d
}

const longWord = "LoremipsumdolorsitametconsecteturadipiscingelitseddoeiusmodtemporincididuntutlaboreetdoloremagnaaliquaUtenimadminimveniamquisnostrudexercitationullamco"

func profiles(t *testing.T) []profile {
	dir := func(readOnly bool) approval.Directory {
		return approval.Directory{Path: t.TempDir(), ReadOnly: readOnly}
	}
	fsys := filesystem(t)
	fsys.Paths = map[string]string{"docs": "/home/ana/notes"}
	reading := notes(t)
	reading.Paths = map[string]string{"notes": "/home/ana/notes"}
	reading.Since = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	sink := kitchenSink(t)
	sink.Paths = map[string]string{"in": "/home/ana/My Papers (2026)", "out": "/srv/exports/of/the/whole/department/for/the/year/2026/quarter/four"}
	sinkChoice := everything(sink.Manifest, map[string]approval.Directory{"in": dir(false), "out": dir(false)})
	sinkChoice.Hosts = map[string]string{"mine": "https://Home.example.com:443"}
	sinkChoice.Danger = []string{"web", "secret:LICENCE"}
	bad := hostile(t)
	badDirs := map[string]approval.Directory{}
	bad.Paths = map[string]string{"a": "/tmp/a\x1b[31mred\n", "b": "/tmp/ノート/メモ", "c": "/tmp/" + longWord, "d": "/tmp/x  (read only)", "e": "/tmp/\u202egnp"}
	for id := range bad.Paths {
		badDirs[id] = dir(false)
	}
	badChoice := everything(bad.Manifest, badDirs)
	badChoice.As = "filesystem"
	return []profile{
		{"filesystem", fsys, everything(fsys.Manifest, map[string]approval.Directory{"docs": dir(false)})},
		{"notes", reading, everything(reading.Manifest, map[string]approval.Directory{"notes": dir(false)})},
		{"weather", weather(t), everything(weather(t).Manifest, nil)},
		{"tracker", tracker(t), everything(tracker(t).Manifest, nil)},
		{"fetch", fetch(t), approval.Choice{Tools: []string{"*"}, Danger: []string{"web"}}},
		{"time", clock(t), everything(clock(t).Manifest, nil)},
		{"kitchen-sink", sink, sinkChoice},
		{"hostile", bad, badChoice},
	}
}
