package main

import (
	"context"
	"errors"
	"fmt"

	extism "github.com/extism/go-sdk"
)

// timeoutMS is set because a call that nothing can end is no comparison.
const timeoutMS = 10_000

// openExtism makes calls of a plug-in, each in a fresh instance of it.
func openExtism(module []byte) (call, error) {
	ctx := context.Background()
	manifest := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: module}}, Timeout: timeoutMS}
	compiled, err := extism.NewCompiledPlugin(ctx, manifest, extism.PluginConfig{EnableWasi: true}, nil)
	if err != nil {
		return nil, err
	}
	return func(request []byte) ([]byte, error) {
		p, err := compiled.Instance(ctx, extism.PluginInstanceConfig{})
		if err != nil {
			return nil, err
		}
		code, out, err := p.CallWithContext(ctx, "work", request)
		if err == nil && code != 0 {
			err = fmt.Errorf("the plug-in returned %d", code)
		}
		return out, errors.Join(err, p.CloseWithContext(ctx))
	}, nil
}
