package mcpserver

import (
	"context"
	"time"

	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/registry"
)

// InTime are keys of which every answer comes within a time, whatever the store waits for: who cannot be
// asked in time lets nobody in. tell is told of each step of a question that takes long.
func InTime(keys Keys, limit time.Duration, tell func(deadline.Phase, deadline.Step)) Keys {
	return &timedKeys{keys, deadline.Phase{Name: "authentication", Time: limit}, deadline.Group{Most: maxConnections, Tell: tell}}
}

type timedKeys struct {
	keys  Keys
	phase deadline.Phase
	group deadline.Group
}

// HasKeys implements Keys.
func (k *timedKeys) HasKeys(ctx context.Context) (bool, error) {
	return deadline.Do(ctx, &k.group, k.phase, k.keys.HasKeys)
}

// Authenticate implements Keys.
func (k *timedKeys) Authenticate(ctx context.Context, text string) (registry.AccessKey, error) {
	return deadline.Do(ctx, &k.group, k.phase, func(ctx context.Context) (registry.AccessKey, error) {
		return k.keys.Authenticate(ctx, text)
	})
}

// KeyStands implements Keys.
func (k *timedKeys) KeyStands(ctx context.Context, key registry.AccessKey) error {
	_, err := deadline.Do(ctx, &k.group, k.phase, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, k.keys.KeyStands(ctx, key)
	})
	return err
}

// RecordUse implements Keys.
func (k *timedKeys) RecordUse(ctx context.Context, used map[string]time.Time) error {
	return k.keys.RecordUse(ctx, used) // nobody waits for it
}
