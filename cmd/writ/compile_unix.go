//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// limitItself bounds what this process may take, for good. A processor's time above the limit ends it;
// memory above it is not given, which ends a Go program too. It leaves no core file.
func limitItself(may compilerLimits) error {
	for resource, most := range map[int]uint64{
		unix.RLIMIT_CPU:  uint64(may.time.Seconds()),
		unix.RLIMIT_DATA: may.hard,
		unix.RLIMIT_CORE: 0,
	} {
		if err := lower(resource, most); err != nil {
			return err
		}
	}
	return nil
}

// lower sets a limit unless a lower one holds.
func lower(resource int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err != nil {
		return err
	}
	most = min(most, now.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most})
}
