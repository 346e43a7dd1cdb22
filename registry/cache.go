package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// cache remembers what was read under a settled generation. As long as the generation is the same,
// no process has changed anything, and a lookup costs one look at a file's size.
type cache struct {
	mu         sync.Mutex
	generation uint64                // guarded by mu
	spaces     map[string]*spaceView // guarded by mu; of that generation; nil when it was not settled
	decoded    map[string]Installation
}

// maxSpaces bounds what is remembered for callers who ask for spaces that do not exist.
const maxSpaces = 1024

// spaceView is what a space holds. It is not changed after it is made.
type spaceView struct {
	installed map[string]Installation // by alias
	config    map[string]configRecord // by alias
	secrets   map[string]secretRecord // by record key
	vault     *vaultRecord            // nil: no secret was ever set
}

// spaceView returns the caller's space as the store has it now.
func (r *Registry) spaceView(ctx context.Context, by capabilities.Caller) (*spaceView, error) {
	view, _, err := r.spaceViewAt(ctx, by)
	return view, err
}

// spaceViewAt is spaceView with the generation that the view is of; an odd one when that is not known, or no
// settled one.
func (r *Registry) spaceViewAt(ctx context.Context, by capabilities.Caller) (*spaceView, uint64, error) {
	if err := checkCaller(by); err != nil {
		return nil, 1, err
	}
	before, settled := r.store.Generation()
	r.cache.mu.Lock()
	if settled && r.cache.generation == before {
		if view := r.cache.spaces[by.Space]; view != nil {
			r.cache.mu.Unlock()
			return view, before, nil
		}
	}
	r.cache.mu.Unlock()

	var view *spaceView
	err := r.store.View(ctx, func(tx Tx) (err error) {
		view, err = r.cache.load(tx, by.Space)
		return err
	})
	if err != nil {
		return nil, 1, err
	}
	after, stillSettled := r.store.Generation()
	if settled && stillSettled && before == after {
		r.cache.keep(by.Space, view, after)
		return view, after, nil
	}
	return view, before | 1, nil
}

// keep remembers a view that was read while the generation stood at the given number.
func (c *cache) keep(space string, view *spaceView, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation || c.spaces == nil || len(c.spaces) >= maxSpaces {
		c.generation, c.spaces = generation, map[string]*spaceView{}
	}
	c.spaces[space] = view
}

func (c *cache) load(tx Tx, space string) (*spaceView, error) {
	view := &spaceView{installed: map[string]Installation{}, config: map[string]configRecord{}}
	from, to := spaceRange(space)
	for rec, err := range tx.Range(KindInstallation, from, to) {
		if err != nil {
			return nil, err
		}
		in, err := c.decode(rec)
		if err != nil {
			return nil, err
		}
		view.installed[in.Alias] = in
	}
	for rec, err := range tx.Range(KindConfig, from, to) {
		if err != nil {
			return nil, err
		}
		var config configRecord
		if err := strictjson.Decode(rec.Value, &config); err != nil {
			return nil, fmt.Errorf("reading config %+.80q: %v", rec.Key, err)
		}
		view.config[strings.TrimPrefix(rec.Key, from)] = config
	}
	return view, view.loadSecrets(tx, space)
}

// decode spares the decoding of records that did not change: a version is never used twice.
func (c *cache) decode(rec Record) (Installation, error) {
	c.mu.Lock()
	in, ok := c.decoded[rec.Key]
	c.mu.Unlock()
	if ok && in.Revision == rec.Version {
		return in, nil
	}
	in, err := decodeInstallation(rec)
	if err != nil {
		return Installation{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.decoded == nil || len(c.decoded) > 4096 {
		c.decoded = map[string]Installation{}
	}
	c.decoded[rec.Key] = in
	return in, nil
}

// Lookup finds an installation by alias in the caller's space.
func (r *Registry) Lookup(ctx context.Context, by capabilities.Caller, alias string) (Installation, error) {
	view, err := r.spaceView(ctx, by)
	if err != nil {
		return Installation{}, err
	}
	in, ok := view.installed[alias]
	if !ok {
		return Installation{}, notInstalled(by.Space, alias)
	}
	return in.clone(), nil
}

// Configured is Lookup and Config of one moment: the values are those of the installation that was found.
// As long as Generation is what it returns, both are what they were; it is odd when that cannot be told.
func (r *Registry) Configured(ctx context.Context, by capabilities.Caller, alias string) (in Installation, values map[string]string, generation uint64, err error) {
	view, generation, err := r.spaceViewAt(ctx, by)
	if err != nil {
		return Installation{}, nil, generation, err
	}
	in, ok := view.installed[alias]
	if !ok {
		return Installation{}, nil, generation, notInstalled(by.Space, alias)
	}
	return in.clone(), view.valuesOf(in), generation, nil
}

// List returns the installations of the caller's space by alias.
func (r *Registry) List(ctx context.Context, by capabilities.Caller) ([]Installation, error) {
	view, err := r.spaceView(ctx, by)
	if err != nil {
		return nil, err
	}
	out := make([]Installation, 0, len(view.installed))
	for _, in := range view.installed {
		out = append(out, in.clone())
	}
	slices.SortFunc(out, func(a, b Installation) int { return strings.Compare(a.Alias, b.Alias) })
	return out, nil
}

// Generation is bumped before every acknowledged change, by any process. An odd number is a change
// that is under way.
func (r *Registry) Generation() uint64 {
	generation, _ := r.store.Generation()
	return generation
}

// watchInterval is how often Watch looks.
const watchInterval = 250 * time.Millisecond

// Watch calls changed after every change of the home by any process (polled, 250 ms) until ctx ends.
// Changes that follow each other closely are told once. A change that a killed process left without
// an end is ended here, so that it is told too.
func (r *Registry) Watch(ctx context.Context, changed func(generation uint64)) {
	told, _ := r.store.Generation()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for unsettled := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		generation, settled := r.store.Generation()
		if settled {
			unsettled = 0
		} else if unsettled++; unsettled == 2 {
			// Any transaction settles what a killed process left. Its own error is told to whom it
			// concerns: the next who reads.
			_ = r.store.View(ctx, func(Tx) error { return nil })
			generation, settled = r.store.Generation()
		}
		if settled && generation != told {
			told = generation
			changed(generation)
		}
	}
}
