package sandbox

import "regexp"

// The names in a cache folder: what is kept in it by the engine, and in the folders of the runtime what
// that puts there, whole or being written. "valid" was a mark of earlier versions.
var (
	cacheFolders = regexp.MustCompile(`^wazero-[^/]+(/wazero-[^/]+)?$`)
	cacheFiles   = regexp.MustCompile(`^((servlet|module|program|valid)-|(wazero-[^/]+/){0,2})[0-9a-f]{64}(\.[0-9]+\.tmp)?$`)
)

// MadeInCache says whether an engine makes a file, or a folder, with that slash-separated path below
// Config.CacheDir. What others put there is not an engine's to remove.
func MadeInCache(name string, folder bool) bool {
	if folder {
		return cacheFolders.MatchString(name)
	}
	return cacheFiles.MatchString(name)
}
