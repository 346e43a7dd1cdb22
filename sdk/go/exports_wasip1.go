package servlet

import (
	"context"
	"fmt"

	"github.com/writ-run/writ/sdk/go/internal/abi"
)

//go:wasmexport servlet_call
func servletCall() int32 { return deliver(call(context.Background(), abi.Input())) }

//go:wasmexport servlet_describe
func servletDescribe() int32 { return deliver(describe()) }

//go:wasmexport servlet_warm
func servletWarm() int32 {
	warm()
	return 0
}

// deliver hands an answer or an error text to the host.
func deliver(out []byte, err error) int32 {
	if err == nil {
		code := abi.Output(out)
		if code == 0 {
			return 0
		}
		err = fmt.Errorf("a result of %d bytes: %w", len(out), failure(code, ""))
	}
	abi.Fail(err.Error())
	return 1
}
