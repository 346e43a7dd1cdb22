// Release makes what is handed out: the servlets that are built into Writ, the archives of every
// platform with their checksums and their bills of materials, and the packages. It is run by make.
//
//	release servlets -into DIR FOLDER...    build servlets and pack them for the next build of Writ
//	release archives -o DIR PLATFORM...     build Writ for each platform and archive it
//	release packages -o DIR                 make Debian packages, a formula and an image's folder of archives in DIR
//
// Everything that it writes is the same to the byte whenever source, Go and the three settings VERSION,
// COMMIT and SOURCE_DATE_EPOCH of the environment are the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run carries out one of the commands.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	commands := map[string]func(context.Context, edition, []string, io.Writer) error{
		"servlets": servlets, "archives": archives, "packages": packages,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New("want a command: servlets, archives or packages")
	}
	e, err := editionOf(getenv)
	if err != nil {
		return err
	}
	return commands[args[0]](ctx, e, args[1:], stdout)
}

// edition is what a release says of itself.
type edition struct {
	Version string    // semantic, without a "v"
	Commit  string    // of the source; "": not known
	Date    time.Time // of every file in it
}

var (
	semantic = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)
	hexID    = regexp.MustCompile(`^[0-9a-f]{7,64}(-dirty)?$`)
)

// earliest is the first time that a zip file can say.
var earliest = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// editionOf reads the settings. They end up in a linker's command line and in file names, so they are
// held to their form.
func editionOf(getenv func(string) string) (edition, error) {
	e := edition{Version: getenv("VERSION"), Commit: getenv("COMMIT"), Date: earliest}
	if e.Version == "" {
		e.Version = "0.0.0-devel"
	}
	if !semantic.MatchString(e.Version) {
		return e, fmt.Errorf("VERSION is %q: want a version such as 1.2.3", e.Version)
	}
	if e.Commit != "" && !hexID.MatchString(e.Commit) {
		return e, fmt.Errorf("COMMIT is %q: want the id of a commit", e.Commit)
	}
	if text := getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds < earliest.Unix() || seconds > 1<<32 {
			return e, fmt.Errorf("SOURCE_DATE_EPOCH is %q: want seconds since 1970, from 1980 on", text)
		}
		e.Date = time.Unix(seconds, 0).UTC()
	}
	return e, nil
}

// flagsOf parses the flags of a command and says what it wants when they are wrong.
func flagsOf(name string, args []string, declare func(*flag.FlagSet)) ([]string, error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	declare(set)
	if err := set.Parse(args); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return set.Args(), nil
}
