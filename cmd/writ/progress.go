package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/writ-run/writ/capabilities"
)

const (
	barCells  = 20
	barBeat   = 100 * time.Millisecond // between two drawings
	nameCells = 30                     // of what is downloaded
)

// progressBar shows a person at a terminal how far a download is, in one line of standard error that
// leaves nothing behind. The zero bar shows nothing.
type progressBar struct {
	out   *os.File // nil: nobody watches
	name  string
	width int // of the terminal, in columns

	began, drawn time.Time
	columns      int // of what is on the line now
}

// progressBar makes one for the file at an address. There is none with --json, nor without a terminal.
func (a *app) progressBar(address string) *progressBar {
	out, ok := a.stderr.(*os.File)
	if !ok || a.json || !term.IsTerminal(int(out.Fd())) {
		return &progressBar{}
	}
	width, _, err := term.GetSize(int(out.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	name := address[strings.LastIndexByte(strings.TrimRight(address, "/"), '/')+1:]
	return &progressBar{out: out, name: capabilities.Printable(name, nameCells), width: width, began: time.Now()}
}

// show draws the line anew, now and then and at the end.
func (b *progressBar) show(came, size int64) {
	if b.out == nil || came != size && time.Since(b.drawn) < barBeat {
		return
	}
	b.drawn = time.Now()
	line := barLine(b.name, came, size, time.Since(b.began))
	// A line that wraps could not be drawn over.
	if runes := []rune(line); len(runes) >= b.width {
		line = string(runes[:max(b.width-1, 0)])
	}
	columns := len([]rune(line))
	fmt.Fprintf(b.out, "\r%s%*s", line, max(b.columns-columns, 0), "")
	b.columns = max(columns, b.columns)
}

// clear takes the line away.
func (b *progressBar) clear() {
	if b.columns > 0 {
		fmt.Fprintf(b.out, "\r%*s\r", b.columns, "")
	}
	b.columns = 0
}

// barLine is the line after some time. size is -1 when nobody said it; what came is never above it.
func barLine(name string, came, size int64, since time.Duration) string {
	rate := ""
	if seconds := since.Seconds(); seconds >= 1 {
		rate = fmt.Sprintf(", %.1f MB/s", float64(came)/1e6/seconds)
	}
	if size <= 0 {
		return fmt.Sprintf("downloading %s  %.1f MB%s", name, float64(came)/1e6, rate)
	}
	full := int(came * barCells / size)
	return fmt.Sprintf("downloading %s  [%s%s] %3d %%  %.1f of %.1f MB%s", name,
		strings.Repeat("#", full), strings.Repeat(".", barCells-full), came*100/size, float64(came)/1e6, float64(size)/1e6, rate)
}
