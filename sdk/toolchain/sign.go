package toolchain

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// DefaultExpires is how long a release is installable when nothing else is said.
const DefaultExpires = 365 * 24 * time.Hour

// SignOptions of a release signature.
type SignOptions struct {
	Key ed25519.PrivateKey
	// Seq orders the releases of one name and publisher; an installer never goes back. Zero: the Unix
	// time of Issued, or one above the file's own seq when that is higher. So it grows from release to
	// release without anything to remember.
	Seq     uint64
	Issued  time.Time     // whole seconds are kept; zero: now
	Expires time.Duration // after Issued; zero: DefaultExpires
}

// Sign replaces the envelope of a servlet file by one of the given key, with seq, issued and expires.
// The file must verify, whoever signed it. Nothing else of its manifest changes, and the result is
// verified again before it is returned.
func Sign(file []byte, o SignOptions) ([]byte, error) {
	signed, err := sign(file, o)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return signed, nil
}

func sign(file []byte, o SignOptions) ([]byte, error) {
	if len(o.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("no key")
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		return nil, err
	}
	servlet, err := unverified.Verify()
	if err != nil {
		return nil, err
	}
	m := servlet.Manifest()
	if err := release(&m, o); err != nil {
		return nil, err
	}
	signed, err := capabilities.Seal(servlet.Module(), m, o.Key)
	if err != nil {
		return nil, err
	}
	if unverified, err = capabilities.Read(signed); err != nil {
		return nil, fmt.Errorf("checking the result: %w", err)
	}
	if _, err := unverified.Verify(); err != nil {
		return nil, fmt.Errorf("checking the result: %w", err)
	}
	return signed, nil
}

// release fills in what tells a release from a development build.
func release(m *capabilities.Manifest, o SignOptions) error {
	if o.Issued.IsZero() {
		o.Issued = time.Now()
	}
	if o.Expires == 0 {
		o.Expires = DefaultExpires
	}
	issued := o.Issued.UTC().Truncate(time.Second)
	if issued.Unix() <= 0 || issued.Year() > 9999 {
		return fmt.Errorf("issued %s is no time of a release", issued.Format(time.RFC3339))
	}
	if o.Expires < time.Second {
		return fmt.Errorf("it would expire %s after it was issued: choose a longer time", o.Expires)
	}
	if o.Seq == 0 {
		o.Seq = max(uint64(issued.Unix()), m.Seq+1)
	}
	m.Seq = o.Seq
	m.Issued = issued.Format(time.RFC3339)
	m.Expires = issued.Add(o.Expires).Truncate(time.Second).Format(time.RFC3339)
	return nil
}
