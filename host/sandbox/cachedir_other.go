//go:build !unix

package sandbox

import "io/fs"

// checkOwner has nothing to read here: the folder inherits the access list of the user's profile.
func checkOwner(string, fs.FileInfo) error { return nil }
