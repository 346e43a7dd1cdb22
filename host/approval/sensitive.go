package approval

import (
	"os"
	"path/filepath"
)

// area is a place whose content is worth more than a servlet should get in passing.
type area struct {
	path string
	what string
}

// private are areas below a person's home directory. A directory is sensitive when it lies in one of
// them or holds one: giving the parent gives the child.
var private = []area{
	{".ssh", "it holds SSH keys"},
	{".gnupg", "it holds GPG keys"},
	{".aws", "it holds cloud credentials"},
	{".azure", "it holds cloud credentials"},
	{".oci", "it holds cloud credentials"},
	{".kube", "it holds cluster credentials"},
	{".docker", "it holds registry credentials"},
	{".terraform.d", "it holds cloud credentials"},
	{".password-store", "it holds passwords"},
	{".pki", "it holds certificates and keys"},
	{".config", "it holds settings, browser profiles and credentials of many programs"},
	{".local", "it holds keyrings, programs and data of many programs"},
	{".cache", "it holds data of many programs"},
	{".mozilla", "it holds browser profiles"},
	{".thunderbird", "it holds mail"},
	{".var/app", "it holds data of many programs"},
	{"snap", "it holds data of many programs"},
	{".bitcoin", "it holds a wallet"},
	{".ethereum", "it holds a wallet"},
	{".electrum", "it holds a wallet"},
	{".cursor", "it holds an AI client's settings, which start programs"},
	{".claude", "it holds an AI client's settings, which start programs"},
	{".codex", "it holds an AI client's settings, which start programs"},
	{".gemini", "it holds an AI client's settings, which start programs"},
	{".codeium", "it holds an AI client's settings, which start programs"},
	{".continue", "it holds an AI client's settings, which start programs"},
	{".vscode", "it holds an editor's settings, which start programs"},
	{".vscode-server", "it holds an editor's settings, which start programs"},
	{"Library", "it holds keychains, browser profiles and data of many programs"},
	{"AppData", "it holds credentials, browser profiles and data of many programs"},
}

// system are areas of the machine.
var system = []area{
	{"/etc", "it is the system's configuration"},
	{"/proc", "it shows running programs"},
	{"/sys", "it controls the kernel"},
	{"/dev", "it is the machine's devices"},
	{"/boot", "it is what the machine starts from"},
	{"/root", "it is the administrator's home directory"},
	{"/run", "it holds sockets and keys of running services"},
	{"/bin", "it holds the system's programs"},
	{"/sbin", "it holds the system's programs"},
	{"/lib", "it holds the system's programs"},
	{"/lib64", "it holds the system's programs"},
	{"/usr", "it holds the system's programs"},
	{"/var/lib", "it holds the data of services"},
	{"/var/run", "it holds sockets and keys of running services"},
	{"/var/log", "it holds the system's logs"},
	{"/var/spool", "it holds mail and scheduled jobs"},
	{"/System", "it is the system"},
	{"/Library", "it holds settings and programs of every user"},
	{"/Applications", "it holds programs"},
	{"/private/etc", "it is the system's configuration"},
	{"/private/var/db", "it holds the data of services"},
}

// broad are directories that are sensitive themselves, while what lies in them need not be.
var broad = []string{"/", "/home", "/Users", "/var", "/private", "/private/var", "/opt", "/srv", "/mnt", "/media", "/Volumes", "/tmp", "/private/tmp", "/var/tmp"}

// placed returns the checks of directories for a person's home directory and Writ's state.
func placed(user, state string) directories {
	d := directories{state: state, user: user, broad: broad}
	for _, a := range system {
		// Where the person's own home lies in such an area (/root in a container), the rules for a home
		// hold instead.
		if user == "" || !inside(user, a.path) {
			d.areas = append(d.areas, a)
		}
	}
	if user == "" {
		return d
	}
	for _, a := range private {
		d.areas = append(d.areas, area{filepath.Join(user, filepath.FromSlash(a.path)), a.what})
	}
	return d
}

// here returns the checks for whoever runs this process.
func here(state string) directories {
	user, err := os.UserHomeDir()
	if err != nil {
		user = "" // no home directory, nothing to protect below it
	}
	return placed(user, state)
}

// sensitive says why the directory at path needs the word DANGER; empty when it does not. path is real.
func (d directories) sensitive(path string) string {
	if filepath.Dir(path) == path {
		return "it is the whole disk"
	}
	if d.user != "" && inside(d.user, path) {
		return "it is a home directory, with keys, passwords and settings of every program, or holds one"
	}
	for _, dir := range d.broad {
		if same(path, dir) {
			return "it is shared by many programs or people"
		}
	}
	for _, a := range d.areas {
		if inside(path, a.path) {
			return a.what
		}
		if inside(a.path, path) {
			return a.what + " below it"
		}
	}
	return ""
}

// same says that two paths name one existing directory.
func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
