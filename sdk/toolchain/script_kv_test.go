package toolchain_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
)

// keeper keeps values in memory, in pages of two keys.
type keeper struct {
	sandbox.Host
	values map[string]string
}

func (*keeper) Preopens() []effect.Preopen { return nil }

func (k *keeper) Keep(_ context.Context, req effect.KVRequest) (res effect.KVResponse, refused *effect.Error) {
	switch req.Op {
	case effect.KVGet:
		value, found := k.values[req.Key]
		if !found {
			return res, &effect.Error{Code: effect.NotFound, Text: "no such key"}
		}
		res.Value = []byte(value)
	case effect.KVSet:
		if len(req.Value) > effect.MaxKVValue {
			return res, &effect.Error{Code: effect.Limit, Text: "the value is too large"}
		}
		k.values[req.Key] = string(req.Value)
	case effect.KVDelete:
		delete(k.values, req.Key)
	case effect.KVList:
		for _, key := range slices.Sorted(maps.Keys(k.values)) {
			if !strings.HasPrefix(key, req.Prefix) || key <= req.Cursor {
				continue
			}
			if len(res.Keys) == 2 {
				res.More = true
				break
			}
			res.Keys = append(res.Keys, key)
			if req.Values {
				res.Values = append(res.Values, []byte(k.values[key]))
			}
		}
	}
	return res, nil
}

func TestScriptsKeep(t *testing.T) {
	s, err := buildScript("testdata/kept")
	if err != nil {
		t.Fatal(err)
	}
	host := &keeper{values: map[string]string{}}
	text, isError := textOf(t, s.code.Run(t.Context(), scriptCall(host, "keep", "{}")))
	const want = `{"text":true,"bytes":[255,128],"empty":"","missing":["undefined","undefined"],"keys":["bytes","empty","n/0","n/1","n/2","n/4","text"],` +
		`"some":["n/0","n/1","n/2","n/4"],"entries":[["n/0",""],["n/1","1"],["n/2","22"],["n/4","4444"]],"none":[],"long":"invalid","odd":"invalid","large":"limit","ops":4}`
	if text != want || isError {
		t.Errorf("got %s\nwant %s", text, want)
	}
}
