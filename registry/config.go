package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
)

// Limits of config values.
const (
	maxConfigKeys  = 256
	maxConfigValue = 64 << 10
)

// configRecord holds the values of one alias. They belong to the servlet that they were set for: when
// another one is installed under the alias, it does not get them.
type configRecord struct {
	Name      string            `json:"name"`
	Publisher string            `json:"publisher"`
	Values    map[string]string `json:"values"`
}

func (c configRecord) belongsTo(in Installation) bool {
	return c.Name == in.Name && c.Publisher == in.Publisher
}

// Config returns the values that were set for an installation.
func (r *Registry) Config(ctx context.Context, by capabilities.Caller, alias string) (map[string]string, error) {
	view, err := r.spaceView(ctx, by)
	if err != nil {
		return nil, err
	}
	in, ok := view.installed[alias]
	if !ok {
		return nil, notInstalled(by.Space, alias)
	}
	return view.valuesOf(in), nil
}

// valuesOf are a copy of the values that were set for an installation.
func (v *spaceView) valuesOf(in Installation) map[string]string {
	values := map[string]string{}
	if c, ok := v.config[in.Alias]; ok && c.belongsTo(in) {
		maps.Copy(values, c.Values)
	}
	return values
}

// SetConfig sets one value of at most 64 KiB. Whether the key is declared is the caller's to check.
func (r *Registry) SetConfig(ctx context.Context, by capabilities.Caller, alias, key, value string) error {
	if err := checkName("config key", key, 128); err != nil {
		return err
	}
	if len(value) > maxConfigValue || !utf8.ValidString(value) {
		return fmt.Errorf("value of %+.80q: use UTF-8 text of at most %d bytes", key, maxConfigValue)
	}
	return r.changeConfig(ctx, by, alias, key, func(values map[string]string) error {
		values[key] = value
		if len(values) > maxConfigKeys {
			return fmt.Errorf("config of %s: more than %d values", alias, maxConfigKeys)
		}
		return nil
	})
}

// UnsetConfig removes a value; ErrNotFound when there is none.
func (r *Registry) UnsetConfig(ctx context.Context, by capabilities.Caller, alias, key string) error {
	return r.changeConfig(ctx, by, alias, key, func(values map[string]string) error {
		if _, ok := values[key]; !ok {
			return fmt.Errorf("config %+.80q of %s: %w", key, alias, ErrNotFound)
		}
		delete(values, key)
		return nil
	})
}

func (r *Registry) changeConfig(ctx context.Context, by capabilities.Caller, alias, key string, change func(map[string]string) error) error {
	return r.change(ctx, by, "config", alias, func(tx Tx) (any, error) {
		in, err := getInstallation(tx, by.Space, alias)
		if err != nil {
			return nil, err
		}
		var c configRecord
		version, err := getJSON(tx, KindConfig, aliasKey(by.Space, alias), &c)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if !c.belongsTo(in) || c.Values == nil {
			c = configRecord{Name: in.Name, Publisher: in.Publisher, Values: map[string]string{}}
		}
		if err := change(c.Values); err != nil {
			return nil, err
		}
		value, isSet := c.Values[key]
		// The audit says that a value was set, not which: it may be private.
		return struct {
			Key   string `json:"key"`
			Set   bool   `json:"set"`
			Bytes int    `json:"bytes"`
		}{key, isSet, len(value)}, putJSON(tx, KindConfig, aliasKey(by.Space, alias), c, version)
	})
}

func deleteConfig(tx Tx, space, alias string) error {
	rec, err := tx.Get(KindConfig, aliasKey(space, alias))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.Delete(KindConfig, rec.Key, rec.Version)
}
