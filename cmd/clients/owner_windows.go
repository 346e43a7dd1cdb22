package clients

import (
	"io/fs"
	"os"
)

// keepOwner does nothing: on Windows a new file takes the rights of its folder.
func keepOwner(*os.File, fs.FileInfo) error { return nil }
