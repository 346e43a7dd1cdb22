package sandbox

import (
	"fmt"
	"os"
)

// privateDir makes dir with mode 0700, or checks that the one that is there is private. Whoever can
// write into it runs machine code in this process: the cache is guarded by a checksum only.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder (links are not followed); remove it", dir)
	}
	return checkOwner(dir, info)
}
