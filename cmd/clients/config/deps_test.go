package config_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/writ-run/writ/capabilities/strictjson": "where a JSON string ends, which JSON with comments and YAML share",
			"github.com/tailscale/hujson":                      "JSON with comments, with offsets; this is its one room",
			"github.com/pelletier/go-toml/v2":                  "TOML whose errors have a line and a column; this is its one room",
			"github.com/pelletier/go-toml/v2/unstable":         "where each of its expressions stands",
			"go.yaml.in/yaml/v4":                               "YAML with the place of each node; this is its one room",
		},
		Deny: map[string]string{
			"os": "files are the room above", "net": "nothing is fetched", "net/http": "nothing is fetched",
			"os/exec": "nothing is started", "unsafe": "files of others",
		},
	})
}
