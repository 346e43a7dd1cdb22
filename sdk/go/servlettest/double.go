package servlettest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	servlet "github.com/writ-run/writ/sdk/go"
	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// double answers what Writ would.
type double struct {
	t    testing.TB
	host Host
	kept map[string][]byte // as the call sees it
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
	return exchange(ctx, handler, r, head.Headers)
}

// FetchPage answers as Writ does: what the guard refuses for its form is refused here too, redirects are
// followed, and names are those that the test's handler knows.
func (d *double) FetchPage(ctx context.Context, rawHead, body []byte) ([]byte, []byte, int32, string) {
	var head struct {
		URL, Method string
		Headers     [][2]string
	}
	if err := json.Unmarshal(rawHead, &head); err != nil {
		return nil, nil, -abi.Invalid, "the request's head is malformed"
	}
	if d.host.Web == nil {
		return nil, nil, -abi.Denied, "the web is not granted"
	}
	if head.Method != http.MethodGet && head.Method != http.MethodHead || len(body) > 0 {
		return nil, nil, -abi.Denied, "the method is not granted"
	}
	for range maxRedirects {
		r, err := http.NewRequestWithContext(ctx, head.Method, head.URL, nil)
		if err != nil || r.URL.Host == "" {
			return nil, nil, -abi.Invalid, "the URL is malformed: want a full one such as https://example.com/page"
		}
		if r.URL.Scheme != "http" && r.URL.Scheme != "https" || r.URL.User != nil || !strings.Contains(r.URL.Hostname(), ".") {
			return nil, nil, -abi.Denied, "only http and https pages of public hosts may be fetched, without a user name"
		}
		r.URL.Fragment = ""
		answer, page, code, text := exchange(ctx, d.host.Web, r, head.Headers)
		var got struct {
			Status  int
			Headers [][2]string
		}
		if code != 0 || json.Unmarshal(answer, &got) != nil {
			return nil, nil, code, text
		}
		location := ""
		for _, field := range got.Headers {
			if field[0] == "Location" {
				location = field[1]
			}
		}
		if to, err := r.URL.Parse(location); location != "" && err == nil && got.Status/100 == 3 {
			head.URL = to.String()
			continue
		}
		answer, err = json.Marshal(map[string]any{"url": r.URL.String(), "status": got.Status, "headers": got.Headers})
		if err != nil {
			return nil, nil, -abi.Internal, err.Error()
		}
		return answer, page, 0, ""
	}
	return nil, nil, -abi.Unavailable, "the server redirected too often"
}

// maxRedirects bounds the pages of one request, redirects included.
const maxRedirects = 6

// exchange lets handler answer r.
func exchange(ctx context.Context, handler http.Handler, r *http.Request, fields [][2]string) ([]byte, []byte, int32, string) {
	for _, field := range fields {
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
