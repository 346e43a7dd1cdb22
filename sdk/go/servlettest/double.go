package servlettest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	servlet "github.com/writ-run/writ/sdk/go"
	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// double answers what Writ would.
type double struct {
	t    testing.TB
	host Host
}

var _ abi.Host = (*double)(nil)

func (d *double) Config(key string) (string, int32) {
	value, ok := d.host.Config[key]
	if !ok {
		return "", -abi.NotFound
	}
	return value, 0
}

func (d *double) Log(level int32, text string) {
	if d.host.Log != nil {
		d.host.Log(servlet.Level(level), text)
		return
	}
	d.t.Logf("servlet: %s", text)
}

func (d *double) Progress(done, total float64, text string) {
	if d.host.Progress != nil {
		d.host.Progress(done, total, text)
	}
}

func (d *double) Fetch(ctx context.Context, rawHead, body []byte) ([]byte, []byte, int32, string) {
	var head struct {
		Capability, Method, Path, Query string
		Headers                         [][2]string
	}
	if err := json.Unmarshal(rawHead, &head); err != nil {
		return nil, nil, -abi.Invalid, "the request's head is malformed"
	}
	handler := d.host.HTTP[head.Capability]
	if handler == nil {
		return nil, nil, -abi.Denied, "http:" + head.Capability + " is not granted"
	}
	url := "http://" + head.Capability + ".test" + head.Path
	if head.Query != "" {
		url += "?" + head.Query
	}
	r, err := http.NewRequestWithContext(ctx, head.Method, url, bytes.NewReader(body))
	if err != nil || head.Path == "" || head.Path[0] != '/' {
		return nil, nil, -abi.Invalid, "the method or the path is malformed"
	}
	for _, field := range head.Headers {
		r.Header.Add(field[0], field[1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if ctx.Err() != nil {
		return nil, nil, -abi.Cancelled, "the call was cancelled"
	}
	headers := [][2]string{}
	for name, values := range w.Result().Header {
		for _, value := range values {
			headers = append(headers, [2]string{name, value})
		}
	}
	answer, err := json.Marshal(map[string]any{"status": w.Code, "headers": headers})
	if err != nil {
		return nil, nil, -abi.Internal, err.Error()
	}
	return answer, w.Body.Bytes(), 0, ""
}
