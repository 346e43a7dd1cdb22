package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/registry"
)

// Tool is one tool as a client sees it.
type Tool struct {
	Name       string          `json:"name"` // <alias>_<tool>
	Alias      string          `json:"alias"`
	Definition json.RawMessage `json:"definition"` // signed MCP tool object with the prefixed name
	Ready      bool            `json:"ready"`
	Why        string          `json:"why,omitempty"` // one sentence with the command that mends it, when not ready
}

// lists are the tools of each space, as of a generation of the registry.
type lists struct {
	mu      sync.Mutex
	bySpace map[string]list // guarded by mu
}

type list struct {
	generation uint64
	tools      []listed
}

// listed is a tool and what has to be looked at each time: a folder may vanish without a change of
// the registry.
type listed struct {
	Tool
	in     registry.Installation
	rights capabilities.Rights
}

// maxLists bounds the spaces whose lists are kept.
const maxLists = 256

// Tools lists the granted tools of the caller's space, sorted by name, without running guest code.
// A servlet that cannot be loaded is left out of no one's list: its own tools stay listed, not ready,
// as they were signed or, when its file cannot be read, as its grant names them.
//
// It comes back at 120 % of Times.Discovery at the latest.
func (h *Host) Tools(ctx context.Context, by capabilities.Caller) ([]Tool, error) {
	return deadline.Do(ctx, &h.asked, deadline.Phase{Name: phaseDiscovery, Time: h.times.Discovery}, func(ctx context.Context) ([]Tool, error) {
		return h.tools(ctx, by)
	})
}

func (h *Host) tools(ctx context.Context, by capabilities.Caller) (tools []Tool, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("listing tools panicked", "panic", p)
			tools, err = nil, fmt.Errorf("listing tools: %w", errPanic)
		}
	}()
	all, err := h.listed(ctx, by)
	if err != nil {
		return nil, err
	}
	tools = make([]Tool, 0, len(all))
	for _, l := range all {
		if l.Ready {
			if p := missingFolder(l.in, l.rights); p != nil {
				l.Ready, l.Why = false, p.sentence(l.Name)
			}
		}
		tools = append(tools, l.Tool)
	}
	return tools, nil
}

// listed makes the list of a space, or takes the one of this generation. The generation is read
// first: a change in between makes the next list anew. A list is the same for every principal of a
// space until roles narrow grants.
func (h *Host) listed(ctx context.Context, by capabilities.Caller) ([]listed, error) {
	generation := h.store.Generation()
	h.lists.mu.Lock()
	kept, ok := h.lists.bySpace[by.Space]
	h.lists.mu.Unlock()
	if ok && kept.generation == generation && by.Principal != "" {
		return kept.tools, nil
	}
	installed, err := h.store.List(ctx, by)
	if err != nil {
		return nil, fmt.Errorf("listing tools: %w", err)
	}
	h.loader.readAhead(ctx, installed)
	var all []listed
	whole := true
	for _, in := range installed {
		tools, err := h.toolsOf(ctx, by, in)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			whole = false
			h.log.Error("servlet listed without its file", "space", in.Space, "alias", in.Alias, "error", err)
			tools = bare(in, unreadable(in, err))
		}
		all = append(all, tools...)
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.Name, b.Name) })
	if whole { // a file that cannot be read now may be there the next time
		h.lists.keep(by.Space, list{generation, all})
	}
	return all, nil
}

// bare lists the granted tools of a servlet whose file is not there to say what they are: a tool that
// vanished without a word could not be asked about.
func bare(in registry.Installation, p problem) []listed {
	var tools []listed
	for _, tool := range in.Grant.Rights.Tools {
		name, err := capabilities.ToolName(in.Alias, tool)
		if err != nil {
			continue
		}
		why := p.sentence(name)
		definition, err := strictjson.Encode(struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			InputSchema json.RawMessage `json:"inputSchema"`
		}{name, why, json.RawMessage(`{"type":"object"}`)})
		if err != nil {
			continue
		}
		tools = append(tools, listed{Tool: Tool{Name: name, Alias: in.Alias, Definition: definition, Why: why}, in: in})
	}
	return tools
}

func (l *lists) keep(space string, made list) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bySpace == nil || len(l.bySpace) >= maxLists {
		l.bySpace = map[string]list{}
	}
	l.bySpace[space] = made
}

// toolsOf lists one servlet. A panic in it is an error of this servlet alone.
func (h *Host) toolsOf(ctx context.Context, by capabilities.Caller, in registry.Installation) (tools []listed, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("listing a servlet panicked", "alias", in.Alias, "panic", p)
			tools, err = nil, errPanic
		}
	}()
	s, err := h.loader.read(ctx, in.Digest)
	if err != nil {
		return nil, err
	}
	set, err := h.store.Secrets(ctx, by, in.Alias)
	if err != nil && !errors.Is(err, registry.ErrNotFound) { // removed meanwhile: the next list is without it
		return nil, err
	}
	// A revoked grant may be empty: what is signed stays visible, and says why it does not run.
	revoked := in.Revoked && len(in.Grant.Rights.Tools) == 0
	for _, t := range s.tools {
		if !revoked && !slices.Contains(in.Grant.Rights.Tools, t.Name) {
			continue
		}
		one, err := h.toolOf(by, in, s, t, set)
		if err != nil {
			h.log.Error("tool left out of the list", "alias", in.Alias, "tool", t.Name, "error", err)
			continue
		}
		tools = append(tools, one)
	}
	return tools, nil
}

func (h *Host) toolOf(by capabilities.Caller, in registry.Installation, s *servlet, t *tool, set []registry.Secret) (listed, error) {
	name, err := capabilities.ToolName(in.Alias, t.Name)
	if err != nil {
		return listed{}, err
	}
	policy, err := capabilities.Effective(s.manifest, s.digest, in.Grant, by, in.Alias, t.Name, nil)
	one := listed{Tool: Tool{Name: name, Alias: in.Alias, Ready: true}, in: in, rights: policy.Rights}
	var known *capabilities.Rights
	if p := ungranted(in, s, err); p != nil {
		one.Ready, one.Why = false, p.sentence(name)
	} else {
		known = &policy.Rights
		if p := unsetSecret(in, policy.Rights, set); p != nil {
			one.Ready, one.Why = false, p.sentence(name)
		}
	}
	one.Definition, err = define(t.Raw, name, known)
	return one, err
}
