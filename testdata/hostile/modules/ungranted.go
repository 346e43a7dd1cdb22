package modules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var ungranted = attack.Row{
	ID:    "A4",
	Title: "imports of kinds that the manifest does not request, the grant lacks or the moment forbids",
	Mutants: []string{
		"admit-kind", "admit-abi", "denied-config", "denied-open", "refused-http", "refused-reserved",
		"describe-denied", "warm-denied", "init-denied", "guard-http-granted", "guard-config-declared", "guard-folder-granted",
		"meter-start",
	},
	Run: func(r *attack.Report) {
		unrequested(r)
		withoutHost(r)
		tooEarly(r)
		withoutGrant(r)
	},
}

// kinds are the functions that take a request, and one that only the unbuilt kinds have.
var kinds = map[string]capabilities.Kind{
	"http_start": capabilities.KindHTTP, "web_start": capabilities.KindWeb, "config_get": capabilities.KindConfig,
	"kv_start": capabilities.KindKV, "elicit_start": "elicit",
}

// unrequested imports what no manifest asked for.
func unrequested(r *attack.Report) {
	for name, kind := range kinds {
		module := importing(func(m *w.Module) { target.Import(m, name) })
		others := slices.DeleteFunc(slices.Clone(target.Kinds), func(k capabilities.Kind) bool { return k == kind })
		for label, requested := range map[string][]capabilities.Kind{"nothing": nil, "all others": others} {
			r.Variant(name+" where "+label+" is requested", func() error {
				_, err := sandbox.Admit(module, capabilities.ABI, requested)
				return target.Refused(err, fmt.Sprintf("module imports writ1.%s but servlet.toml requests no %s capability", name, kind))
			})
		}
	}
	r.Variant("two kinds, each named", func() error {
		_, err := sandbox.Admit(importing(func(m *w.Module) { target.Import(m, "kv_start"); target.Import(m, "config_get") }), capabilities.ABI, nil)
		return target.Refused(err, "module imports writ1.config_get but servlet.toml requests no config capability; module imports writ1.kv_start but servlet.toml requests no kv capability")
	})
	for _, abi := range []string{"", "writ2", "extism2", "WRIT1", "writ1\x00"} {
		r.Variant("as ABI "+fmt.Sprintf("%q", abi), func() error {
			_, err := sandbox.Admit(importing(func(*w.Module) {}), abi, nil)
			return target.Refused(err, fmt.Sprintf("admitting module: its guest interface %q is not known; this Writ runs \"writ1\" and \"extism1\"", capabilities.Printable(abi, 40)))
		})
	}
	throughCommand(r, "a kind that the manifest does not request", importing(func(m *w.Module) { target.Import(m, "http_start") }),
		"module imports writ1.http_start but servlet.toml requests no http capability")
}

// Places in the memory of an asker.
const (
	keyAt, pathAt, answersAt, headAt = 0, 16, 64, 512
	head                             = `{"capability":"api","method":"GET","path":"/v1/"}`
)

// asker is a guest that asks for a value, an exchange, three unbuilt kinds and two files at a moment of its life, and
// answers the results in its call.
func asker(moment string) []byte {
	m := &w.Module{}
	var list [][]byte
	ask := func(name string, args ...[]byte) {
		f := target.Import(m, name)
		list = append(list, w.Code(w.I32(int32(answersAt+4*len(list))), w.Code(args...), w.Call(f), w.Store32()))
	}
	i := w.I32
	ask("config_get", i(keyAt), i(3), i(256), i(64))
	ask("http_start", i(headAt), i(int32(len(head))), i(0), i(0))
	ask("web_start", i(headAt), i(int32(len(head))), i(0), i(0))
	ask("kv_start", i(keyAt), i(3), i(0), i(0))
	ask("elicit_start", i(keyAt), i(3))
	ask("path_open", i(3), i(0), i(pathAt), i(1), i(0), w.I64(2), w.I64(0), i(0), i(128))
	ask("path_filestat_get", i(3), i(0), i(pathAt), i(1), i(192))
	asks := slices.Concat(list...)
	write := target.Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	m.Data(keyAt, []byte("KEY"))
	m.Data(pathAt, []byte("f"))
	m.Data(headAt, []byte(head))
	say := w.Code(i(answersAt), i(int32(4*len(list))), w.Call(write), w.Drop(), i(0))
	switch moment {
	case "start":
		m.Start(m.Func("", "", "", asks))
		m.Func("servlet_call", "", "i", say)
	case "_initialize":
		m.Func("_initialize", "", "", asks)
		m.Func("servlet_call", "", "i", say)
	case "servlet_warm":
		m.Func("servlet_warm", "", "i", asks, say)
		m.Func("servlet_call", "", "i", say)
	case "servlet_describe":
		m.Func("servlet_describe", "", "i", asks, say)
		m.Func("servlet_call", "", "i", i(1))
	default:
		m.Func("servlet_call", "", "i", asks, say)
	}
	return m.Bytes()
}

// refusals are what an asker has to be told: denied for every kind, and an errno for files.
func refusals(files effect.Errno) []byte {
	var p []byte
	for _, v := range []int32{-1, -1, -1, -1, -1, int32(files), int32(files)} {
		p = binary.LittleEndian.AppendUint32(p, uint32(v))
	}
	return p
}

// withoutHost asks where nobody answers.
func withoutHost(r *attack.Report) {
	for _, way := range target.Ways(r) {
		r.Variant("no host, "+string(way), func() error {
			out, err := target.Run(way, asker("servlet_call"), target.Call(nil))
			if err != nil {
				return err
			}
			return target.Output(out, refusals(effect.ErrBadFD))
		})
	}
}

// tooEarly asks a host that would grant everything, before there is a call to grant it to.
func tooEarly(r *attack.Report) {
	for _, way := range target.Ways(r) {
		for _, moment := range []string{"start", "_initialize"} {
			r.Variant(moment+", "+string(way), func() error {
				return reachesNothing(way, moment, sandbox.EntryCall, effect.ErrAccess)
			})
		}
		r.Variant("servlet_warm, "+string(way), func() error {
			return reachesNothing(way, "servlet_warm", sandbox.EntryWarm, effect.ErrAccess)
		})
		r.Variant("servlet_describe, "+string(way), func() error {
			return reachesNothing(way, "servlet_describe", sandbox.EntryDescribe, effect.ErrBadFD)
		})
	}
	r.Variant("servlet_warm before the image is taken", func() error {
		host := target.NewWilling("/data")
		out, err := target.Run(target.Reset, asker("servlet_warm"), target.Call(host))
		if err == nil && host.Asked.Load() > 0 {
			err = fmt.Errorf("%d requests reached the host", host.Asked.Load())
		}
		return errors.Join(err, target.Output(out, refusals(effect.ErrAccess)))
	})
}

func reachesNothing(way target.Way, moment string, entry sandbox.Entry, files effect.Errno) error {
	host := target.NewWilling("/data")
	call := target.Call(host)
	call.Entry = entry
	out, err := target.Run(way, asker(moment), call)
	if err == nil && host.Asked.Load() > 0 {
		err = fmt.Errorf("%d requests reached the host", host.Asked.Load())
	}
	return errors.Join(err, target.Output(out, refusals(files)))
}

// withoutGrant asks the product's guard for what the call does not have.
func withoutGrant(r *attack.Report) {
	up := target.NewUpstream(nil)
	defer up.Stop()
	granted := capabilities.HTTPRight{Origin: up.Origin, Methods: []string{"GET"}, Paths: []string{"/v1/"}}
	for name, c := range map[string]struct{ capability, text string }{
		"no http right at all":   {"api", "this http capability is not granted"},
		"another http right":     {"other", "this http capability is not granted"},
		"an empty id":            {"", "this http capability is not granted"},
		"an id of another case":  {"API", "this http capability is not granted"},
		"an id with a null byte": {`api\u0000`, "this http capability is not granted"},
	} {
		r.Variant(name, func() error {
			p := capabilities.Policy{Limits: capabilities.DefaultLimits}
			if !strings.HasPrefix(name, "no ") {
				p.Rights.HTTP = map[string]capabilities.HTTPRight{"api": granted}
			}
			err := fetchRefused(up, p, fmt.Sprintf(`{"capability":"%s","method":"GET","path":"/v1/"}`, c.capability), effect.Denied, c.text)
			if up.Lookups.Load()+up.Hits.Load() > 0 {
				err = errors.Join(err, fmt.Errorf("%d lookups, %d connections", up.Lookups.Load(), up.Hits.Load()))
			}
			return err
		})
	}
	r.Variant("a key that is set but not declared", func() error {
		p := capabilities.Policy{Limits: capabilities.DefaultLimits, Values: map[string]string{"KEY": "SECRET"}}
		g, err := target.Guard(p, up.Network)
		if err != nil {
			return err
		}
		defer g.End()
		out, err := target.Run(target.Reset, target.Caller(target.Named("config_get"), "KEY"), target.Call(g, target.Arguments(0, 3, 64, 64)...))
		return errors.Join(err, target.Output(out, code(effect.NotFound)))
	})
	r.Variant("a folder that was not granted", func() error { return folderNotGranted(up) })
	r.Variant("the control: what was granted", func() error {
		p := capabilities.Policy{Limits: capabilities.DefaultLimits, Rights: capabilities.Rights{HTTP: map[string]capabilities.HTTPRight{"api": granted}}}
		if err := fetchRefused(up, p, head, effect.OK, ""); err != nil {
			return err
		}
		if up.Hits.Load() != 1 {
			return fmt.Errorf("%d connections; want 1", up.Hits.Load())
		}
		return nil
	})
}

// code is the answer of a Caller whose function refused.
func code(c effect.Code) []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(-int32(c)))
}

// folderNotGranted opens a file below a directory that the manifest has and the grant does not.
func folderNotGranted(up *target.Upstream) error {
	dir, err := target.Dir()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "f"), []byte("SECRET"), 0o600)
	}
	if err != nil {
		return err
	}
	g, err := target.Guard(capabilities.Policy{
		Limits: capabilities.DefaultLimits, Preopens: []capabilities.FSRight{{Guest: "/data", Path: dir, Mode: capabilities.ModeNone}},
	}, up.Network)
	if err != nil {
		return err
	}
	defer g.End()
	open := target.Caller(target.Named("path_open"), "f")
	out, err := target.Run(target.Reset, open, target.Call(g, target.Arguments(3, 0, 0, 1, 0, 2, 0, 0, 64)...))
	return errors.Join(err, target.Output(out, binary.LittleEndian.AppendUint32(nil, uint32(effect.ErrAccess))))
}

// fetchRefused does one exchange and wants its code and text.
func fetchRefused(up *target.Upstream, p capabilities.Policy, head string, want effect.Code, text string) error {
	g, err := target.Guard(p, up.Network)
	if err != nil {
		return err
	}
	defer g.End()
	out, err := target.Run(target.Reset, fetcher(), target.Call(g, []byte(head)...))
	if err != nil {
		return err
	}
	return target.Output(out, append(code(want), text...))
}

// fetcher starts an exchange with its input as head, waits for it, and answers its status and its error text.
func fetcher() []byte { return starter("http_start") }

// starter is a fetcher by another function.
func starter(name string) []byte {
	m := &w.Module{}
	length, read, write := target.Import(m, "input_len"), target.Import(m, "input_read"), target.Import(m, "output_write")
	start, wait, status := target.Import(m, name), target.Import(m, "op_wait"), target.Import(m, "op_status")
	part := target.Import(m, "op_read")
	const op, result, input, text = 0, 8, 1024, 60 << 10
	i := w.I32
	m.Memory(w.Range(1, 64))
	m.FuncLocals("servlet_call", "", "i", []byte{1, 1, 0x7f},
		i(40), w.Grow(), w.Drop(),
		i(input), w.Call(length), i(0), w.Call(read), w.Drop(),
		i(op), i(input), w.Call(length), i(0), i(0), w.Call(start), w.Store32(),
		i(result), i(op), w.Load32(), w.Store32(), // what start answers when it refuses
		i(op), w.Load32(), i(0), []byte{0x4a}, // i32.gt_s
		w.If(i(op), i(1), w.I64(-1), w.Call(wait), w.Drop(), i(result), i(op), w.Load32(), w.Call(status), w.Store32()),
		i(result), i(4), w.Call(write), w.Drop(),
		i(op), w.Load32(), i(2), i(0), i(text), i(4096), w.Call(part), w.Set(0),
		w.Get(0), i(0), []byte{0x4a}, w.If(i(text), w.Get(0), w.Call(write), w.Drop()),
		i(0))
	return m.Bytes()
}
