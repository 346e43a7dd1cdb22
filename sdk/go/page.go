package servlet

import (
	"context"
	"fmt"

	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// PageRequest asks for one public web page. It needs [capabilities.web] in servlet.toml, which the
// operator is shown as a danger: prefer an http capability for sites that you know.
type PageRequest struct {
	// URL is a full http or https URL. Its host is a public DNS name: Writ refuses IP addresses, names
	// of inner networks, user names, and whatever resolves to an address that is not public.
	URL    string
	Method string // GET or HEAD; empty: GET
	Header Header // Accept, Accept-Language, User-Agent and the conditional ones; credentials are refused
}

// Page is what came back. A status of 400 or above is a page, not an error.
type Page struct {
	URL string // where the page was after redirects, without a fragment
	Response
}

type wirePageRequest struct {
	URL     string      `json:"url"`
	Method  string      `json:"method"`
	Headers [][2]string `json:"headers,omitempty"`
}

// FetchPage gets one public page and waits for all of it; redirects are followed. Run several in
// goroutines and they overlap. Its errors are as those of [Fetch].
func FetchPage(ctx context.Context, r PageRequest) (Page, error) {
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	head := wirePageRequest{URL: r.URL, Method: r.Method, Headers: r.Header.lines()}
	if head.Method == "" {
		head.Method = "GET"
	}
	raw, err := encode(head)
	if err != nil {
		return Page{}, err
	}
	url, out, err := answer(ctx, abi.StartWeb(raw, nil))
	if err != nil {
		return Page{}, fmt.Errorf("%s %s: %w", head.Method, r.URL, err)
	}
	return Page{URL: url, Response: out}, nil
}
