package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/writ-run/writ/host/sandbox/codecache"
	"github.com/writ-run/writ/host/wasm"
)

// Start is how calls of a servlet get their instances, for a person to read: each text is one line
// without a period.
type Start struct {
	Rung    Rung   `json:"rung"`
	Reason  string `json:"reason,omitempty"`  // why it is no better rung, or not as fast as this one can be
	Entropy string `json:"entropy,omitempty"` // what the image holds of randomness and clocks; empty: there is no image
}

// Start tells how calls of c get their instances now.
func (c *Code) Start() Start {
	var s Start
	s.Rung, s.Reason = c.Rung()
	if s.Rung != RungPlain {
		s.Entropy = c.Entropy()
	}
	return s
}

// Scan tells the best rung that an admitted module can be on, and why it is no better, from its code
// alone: nothing of it runs or is compiled. Whether its initialisation can be captured is known when it
// has run.
func (e *Engine) Scan(m Admitted) (rung Rung, why string, err error) {
	if m.gated.Code() == nil {
		return RungPlain, "", errors.New("scanning module: it was not admitted")
	}
	metered, err := e.meter(m.gated)
	if errors.Is(err, wasm.ErrInvalid) {
		return RungPlain, "", fmt.Errorf("scanning module: %w", wasm.ErrInvalid)
	}
	if err != nil {
		return RungPlain, "", fmt.Errorf("scanning module: %w", err)
	}
	rung, why = e.reachable(metered.Shape())
	return rung, why, nil
}

// Remember keeps in the cache folder of which files the code of a module is made, for Expect, and how
// calls of the servlet start, for Remembered and Forget. The servlet is named by the SHA-256 of its file,
// the module by its own. When the folder grew by it, what was not used for longest makes room.
func (e *Engine) Remember(servlet, module string, c *Code) {
	if e.folder == nil || c.file == "" {
		return
	}
	if err := e.remember(servlet, module, c); err != nil {
		e.logger.Warn("keeping compiled code in order", "error", err)
	}
}

func (e *Engine) remember(servlet, module string, c *Code) error {
	entry := codecache.Entry{Program: c.file, Files: []string{c.file}}
	if file := e.machineFile(c.machine.key); file != "" {
		entry.Files = append(entry.Files, file)
	}
	hint, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	if name := hintFile(module); !bytes.Equal(e.folder.Get(name), hint) {
		if err := e.folder.Put(name, hint); err != nil {
			return err
		}
	}
	if entry.Note, err = json.Marshal(c.Start()); err != nil {
		return err
	}
	entry.Files = append(entry.Files, hintFile(module))
	others, err := e.folder.Remember(servlet, entry)
	if err != nil || !others {
		return err
	}
	return e.folder.Trim(e.cacheBytes)
}

// Remembered tells how calls of a servlet started when it was last loaded; false: it was never loaded
// here, or its code was dropped since.
func (e *Engine) Remembered(servlet string) (Start, bool) {
	if e.folder == nil {
		return Start{}, false
	}
	entry, ok := e.folder.Recall(servlet)
	var s Start
	if !ok || json.Unmarshal(entry.Note, &s) != nil || s.Rung == "" {
		return Start{}, false
	}
	return s, true
}

// Forget drops the compiled code of a servlet that was removed, unless another one shares it.
func (e *Engine) Forget(servlet string) error {
	if e.folder == nil {
		return nil
	}
	return e.folder.Forget(servlet)
}
