package resources

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// pinger is a second MCP client, which asks the server for a sign of life over HTTP.
type pinger struct {
	client  *http.Client
	url     string
	session string
}

// newPinger opens a session of its own.
func newPinger(address string) (*pinger, error) {
	p := &pinger{client: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}, url: "http://" + address + "/s/" + otherSpace + "/mcp"}
	_, err := p.post(context.Background(), `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"pinger","version":"1"}}}`)
	if err == nil {
		_, err = p.post(context.Background(), `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the second client's session: %w", err)
	}
	return p, nil
}

// post sends one message and reads the answer to its end.
func (p *pinger) post(ctx context.Context, message string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(message))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if p.session != "" {
		req.Header.Set("Mcp-Session-Id", p.session)
		req.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	}
	res, err := p.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("status %d: %.200s", res.StatusCode, body)
	}
	if id := res.Header.Get("Mcp-Session-Id"); id != "" {
		p.session = id
	}
	return string(body), err
}

// between is the time from one ping to the next.
const between = 5 * time.Millisecond

// watch pings until ctx ends.
func (p *pinger) watch(ctx context.Context) (seen observation) {
	for n := 2; ctx.Err() == nil; n++ {
		began := time.Now()
		answer, err := p.post(context.WithoutCancel(ctx), fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, n))
		seen.Calls++
		seen.Walls = append(seen.Walls, time.Since(began))
		if err == nil && !strings.Contains(answer, `"result"`) {
			err = fmt.Errorf("answer %.200q", answer)
		}
		if err != nil && len(seen.Errors) < 10 {
			seen.Errors = append(seen.Errors, err.Error())
		}
		select {
		case <-time.After(between):
		case <-ctx.Done():
		}
	}
	return seen
}

// close ends the session.
func (p *pinger) close() {
	req, err := http.NewRequest(http.MethodDelete, p.url, nil)
	if err == nil {
		req.Header.Set("Mcp-Session-Id", p.session)
		if res, err := p.client.Do(req); err == nil {
			res.Body.Close()
		}
	}
	p.client.CloseIdleConnections()
}
