package approval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval/screen"
	"github.com/writ-run/writ/registry"
)

// Propose works out what installing c with choice would mean in this home. It writes nothing. A
// directory or kind that needs the word DANGER and was not named so is an error that is ErrDanger.
func Propose(ctx context.Context, reg *registry.Registry, by capabilities.Caller, c *Candidate, choice Choice) (Plan, error) {
	s := c.subject()
	if err := sameSpace(by, choice); err != nil {
		return Plan{}, planning(s, err)
	}
	st, err := standingOf(ctx, reg, by, s)
	if err != nil {
		return Plan{}, planning(s, err)
	}
	if err := st.admits(ctx, reg, s, choice.Dev, time.Now()); err != nil {
		return Plan{}, planning(s, err)
	}
	alias, err := aliasOf(s, choice.As, st.installed)
	if err != nil {
		return Plan{}, planning(s, err)
	}
	r, err := resolve(s, choice, here(reg.Home()))
	if err != nil {
		return Plan{}, planning(s, err)
	}
	return draft(s, st, alias, by.Space, r, nil, nil)
}

func planning(s subject, err error) error {
	return fmt.Errorf("planning %s: %w", s.manifest.Name, err)
}

// sameSpace refuses a choice made for another space than the caller's: what is shown for one must
// not be carried out in the other.
func sameSpace(by capabilities.Caller, choice Choice) error {
	if by.Space == "" {
		return errors.New("the caller has no space")
	}
	if choice.Space != "" && choice.Space != by.Space {
		return fmt.Errorf("the choice is for space %s and the caller is in %s", shown(choice.Space), shown(by.Space))
	}
	return nil
}

// draft writes the plan: it is a function of its arguments, without a look at the home or the clock,
// so that the same answer to the same question has the same digest.
// compare makes the screen that of a change to what is installed; nil for an install.
func draft(s subject, st standing, alias, space string, r resolution, compare func(*Plan), extra []string) (Plan, error) {
	m := s.manifest
	reaches := reachOf(s, r.rights)
	tools := given(reaches, r.rights.Tools)
	p := Plan{
		Alias:       alias,
		Space:       space,
		Name:        m.Name,
		Version:     m.Version,
		Publisher:   s.keyID,
		Known:       st.known,
		Development: st.development,
		BuiltIn:     st.origin == builtInHere,
		File:        s.file,
		Manifest:    s.digest,
		Rights:      r.rights,
		Powers:      capabilities.Powers(m, s.kinds, &r.rights),
		Missing:     r.missing,
		Warnings:    slices.Concat(extra, r.warnings, combined(tools), nearNames(m.Name, st.installed), steers(s.tools, st.installed)),
	}
	p.view, p.rows = page(s, st, p, tools)
	p.tools = told(s, alias, r.rights, reaches)
	if compare != nil {
		compare(&p)
	}
	m.Tools = nil
	rest, err := m.Encode()
	if err != nil {
		return Plan{}, planning(s, err)
	}
	p.rest = rest
	p.Text = p.Screen(screen.Width, false)
	digest, err := p.digest()
	if err != nil {
		return Plan{}, planning(s, err)
	}
	p.Digest = digest
	return p, nil
}

// planLabel keeps a plan's digest apart from every other hash of Writ's.
const planLabel = "writ plan v1"

// digest hashes the fields that an approval binds, each with its length, so that no two plans share
// an encoding.
func (p Plan) digest() (string, error) {
	rights, err := json.Marshal(p.Rights) // maps are written in the order of their keys
	if err != nil {
		return "", fmt.Errorf("encoding rights: %w", err)
	}
	h := sha256.New()
	fields := []string{planLabel, p.Publisher, p.Manifest, p.File, string(rights), p.Alias, p.Space, p.Name, p.Version, p.Text}
	if p.Upgrade != nil {
		fields = append(fields, "upgrade", p.Upgrade.FromFile)
	}
	for _, field := range fields {
		fmt.Fprintf(h, "%d:%s\n", len(field), field)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// page composes the screen of a plan; tools is what each given tool reaches.
func page(s subject, st standing, p Plan, tools []reach) (screen.View, []row) {
	shownRows, rows := table(s, p.Rights)
	v := screen.View{
		Name:     p.Name,
		Version:  p.Version,
		Signer:   signer(s, st),
		Trusted:  st.known || st.development || st.origin == builtInHere,
		Rows:     shownRows,
		Warnings: p.Warnings,
	}
	if p.Alias != p.Name || p.Space != capabilities.DefaultSpace {
		v.Intro = append(v.Intro, fmt.Sprintf("It will be called %s, in the space %s.", p.Alias, p.Space))
	}
	v.Intro = append(v.Intro, added(s, tools))
	v.Outro = append(v.Outro, never(p.Rights, p.Powers))
	v.Outro = append(v.Outro, standings(p.Powers)...)
	v.Outro = append(v.Outro, could(s, p.Rights, tools)+" Whatever it returns is sent to your AI provider.")
	return v, rows
}

// told lists every tool for the details.
func told(s subject, alias string, rights capabilities.Rights, reaches []reach) []screen.Tool {
	var all []screen.Tool
	for i, tool := range s.tools {
		name, err := capabilities.ToolName(alias, tool.Name)
		if err != nil {
			name = tool.Name // refused before it gets here
		}
		all = append(all, screen.Tool{
			Name:        name,
			Called:      tool.Name,
			Effect:      reaches[i].effect(),
			Given:       slices.Contains(rights.Tools, tool.Name),
			Title:       tool.Title,
			Description: tool.Description,
			Params:      params(tool.InputSchema),
			Results:     params(tool.OutputSchema),
			Signed:      tool.Raw,
		})
	}
	return all
}

// params reads the members at the top level of a schema, in the order of their names.
func params(schema []byte) []screen.Param {
	var top struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	if json.Unmarshal(schema, &top) != nil {
		return nil // the signed text is shown in any case
	}
	var all []screen.Param
	for name, raw := range top.Properties {
		var p struct {
			Type        any    `json:"type"`
			Description string `json:"description"`
		}
		kind := "any"
		if json.Unmarshal(raw, &p) == nil && p.Type != nil {
			kind = fmt.Sprint(p.Type)
		}
		all = append(all, screen.Param{Name: name, Type: kind, Required: slices.Contains(top.Required, name), Description: p.Description})
	}
	slices.SortFunc(all, func(a, b screen.Param) int { return strings.Compare(a.Name, b.Name) })
	return all
}
