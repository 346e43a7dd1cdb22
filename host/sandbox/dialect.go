package sandbox

import (
	"fmt"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/wasm"
)

// dialect is by what exported functions a module is entered.
type dialect struct {
	call, describe, warm string   // empty: it has none
	inits                []string // what runs before any of them, in this order
	foreign              bool     // the ABI is extism1
	newer                bool     // of it: the request has another form than that of writ1
}

// export is the function for an entry; empty: there is none.
func (d dialect) export(e Entry) string {
	switch e {
	case EntryCall:
		return d.call
	case EntryDescribe:
		return d.describe
	case EntryWarm:
		return d.warm
	}
	return ""
}

// own is the dialect of ABI writ1.
var own = dialect{call: string(EntryCall), describe: string(EntryDescribe), warm: string(EntryWarm), inits: []string{initExport}}

// plugin and newerPlugin are the dialects of ABI extism1: plug-ins of mcp.run and of hyper-mcp's first
// version answer "call" and "describe", those of its second "call_tool" and "list_tools".
var (
	plugin      = dialect{call: "call", describe: "describe", foreign: true}
	newerPlugin = dialect{call: "call_tool", describe: "list_tools", foreign: true, newer: true}
)

// dialectOf finds the dialect of a module of ABI extism1. One that has the functions of both versions is
// of the first, as in hyper-mcp.
func dialectOf(exports map[string]wasm.Export) (dialect, error) {
	d := plugin
	_, call := exports[plugin.call]
	_, described := exports[plugin.describe]
	if _, newer := exports[newerPlugin.call]; newer && !(call && described) {
		d, call = newerPlugin, true
	}
	if !call {
		return dialect{}, fmt.Errorf("admitting module: it exports neither %q nor %q, by one of which a plug-in with tools is called", plugin.call, newerPlugin.call)
	}
	for _, e := range []string{d.call, d.describe} {
		ex, ok := exports[e]
		if ok && (ex.Kind != wasm.KindFunc || len(ex.Type.Params) > 0 || !ex.Type.Equal(status) && len(ex.Type.Results) > 0) {
			return dialect{}, fmt.Errorf("admitting module: export %q is not a function without parameters that returns an i32 or nothing", e)
		}
	}
	if _, ok := exports[d.describe]; !ok {
		d.describe = ""
	}
	d.inits = initsOf(exports)
	return d, nil
}

// status is the signature of a function that answers how it went.
var status = wasm.FuncType{Results: []byte{wasm.I32}}

// Initialisers of plug-ins: constructors of C and its relatives, and Haskell's runtime.
const (
	constructors = "__wasm_call_ctors"
	haskellInit  = "hs_init"
)

// initsOf are the initialisers of a plug-in. A command's _start is none: it would run main and exit.
func initsOf(exports map[string]wasm.Export) (list []string) {
	if _, reactor := exports[initExport]; reactor {
		list = append(list, initExport)
	} else if _, ok := exports[constructors]; ok {
		list = append(list, constructors)
	}
	if _, ok := exports[haskellInit]; ok {
		list = append(list, haskellInit)
	}
	return list
}

// rulesOf are the gate's rules for a module of an ABI.
func rulesOf(abi string) (wasm.Rules, error) {
	offered, known := interfaces()[abi]
	if !known {
		return wasm.Rules{}, fmt.Errorf("admitting module: its guest interface %q is not known; this Writ runs %q and %q",
			capabilities.Printable(abi, 40), capabilities.ABI, capabilities.ABIExtism)
	}
	rules := wasm.Rules{
		Imports: map[[2]string]wasm.FuncType{}, Optional: map[string]wasm.FuncType{initExport: {}},
		Memory: "memory", MaxMemoryPages: maxMemoryPages,
	}
	for _, f := range offered {
		rules.Imports[[2]string{f.module, f.name}] = f.signature()
	}
	if abi == capabilities.ABIExtism {
		rules.Optional[constructors] = wasm.FuncType{}
		rules.Optional[haskellInit] = wasm.FuncType{Params: []byte{wasm.I32, wasm.I32}}
		return rules, nil
	}
	rules.Exports = map[string]wasm.FuncType{string(EntryCall): status}
	rules.Optional[string(EntryDescribe)] = status
	rules.Optional[string(EntryWarm)] = status
	rules.Optional[traceExport] = wasm.FuncType{Params: []byte{wasm.I32}}
	rules.Optional[reseedExport] = wasm.FuncType{Params: []byte{wasm.I64, wasm.I64}}
	return rules, nil
}
