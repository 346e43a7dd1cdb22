package vault_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"golang.org/x/crypto/chacha20poly1305": "seals secrets; this is its one room",
			"golang.org/x/crypto/argon2":           "makes a passphrase dear to guess",
			"github.com/zalando/go-keyring":        "the keyring of each operating system, without cgo; this is its one room",
		},
		Deny: map[string]string{
			"net": "keys reach no network", "net/http": "keys reach no network", "os/exec": "no process is started", "unsafe": "nothing here needs it",
			"log": "keys are not spoken of", "log/slog": "keys are not spoken of",
			"math/rand": "keys are not guessable", "math/rand/v2": "keys are not guessable",
		},
	})
}
