package download

import (
	"context"
	"crypto/x509"
	"net/http"
)

// Trusting is a client as Fetch uses it that believes one more authority, with the newest version of TLS
// that it may speak; 0: any.
func Trusting(roots *x509.CertPool, newest uint16, cfg Config) *http.Client {
	client, _ := newClient(cfg)
	secure := client.Transport.(byScheme).secure
	secure.TLSClientConfig.RootCAs, secure.TLSClientConfig.MaxVersion = roots, newest
	secure.Proxy = nil
	return client
}

// FetchWith is Fetch by a given client.
func FetchWith(ctx context.Context, client *http.Client, address string, cfg Config) ([]byte, error) {
	at, err := Parse(address)
	if err != nil {
		return nil, err
	}
	return fetch(ctx, client, at, cfg)
}

// DialPlain connects as a request over http does.
func DialPlain(ctx context.Context, cfg Config, address string) error {
	client, _ := newClient(cfg)
	conn, err := client.Transport.(byScheme).plain.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

var LoopbackOnly = loopbackOnly
