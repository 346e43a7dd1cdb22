package clients

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// software is what a command fetches from a registry and runs.
type software struct {
	runner string // npx, uvx, docker ...
	shown  string // the package or image, without what may be a key
	pinned bool   // it is the same the next time
}

var (
	exactVersion = regexp.MustCompile(`^v?\d+(\.\d+){1,3}([-+.][0-9A-Za-z.+-]+)?$`)
	commit       = regexp.MustCompile(`[@#][0-9a-f]{40}$`)
	imageDigest  = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
)

// launched finds what a command fetches and runs.
func launched(command []string) (software, bool) {
	got, ok := fetched(command)
	if tokenShape.MatchString(got.shown) {
		got.shown = "a package"
	}
	return got, ok
}

// fetched looks through cmd /c, sh -c and env.
func fetched(command []string) (software, bool) {
	if len(command) == 1 {
		command = strings.Fields(command[0]) // some write the whole line as the command
	}
	for len(command) > 1 {
		name := strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(base(command[0]), ".exe"), ".cmd"))
		args := command[1:]
		switch name {
		case "cmd":
			command = skipFlags(args, "/")
			continue
		case "env":
			command = args
			for len(command) > 0 && (strings.Contains(command[0], "=") || strings.HasPrefix(command[0], "-")) {
				command = command[1:]
			}
			continue
		case "sh", "bash", "zsh":
			if i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") && strings.HasSuffix(a, "c") }); i >= 0 && i+1 < len(args) {
				command = strings.Fields(strings.TrimPrefix(args[i+1], "exec "))
				continue
			}
			return software{}, false
		case "npx", "bunx", "pnpx":
			return npm(name, args)
		case "pnpm", "yarn", "npm", "bun":
			if args[0] == "dlx" || args[0] == "exec" || args[0] == "x" {
				return npm(name+" "+args[0], args[1:])
			}
			return software{}, false
		case "uvx":
			return python(name, args)
		case "pipx":
			if args[0] == "run" {
				return python("pipx run", args[1:])
			}
			return software{}, false
		case "uv":
			if len(args) > 2 && args[0] == "tool" && args[1] == "run" {
				return python("uv tool run", args[2:])
			}
			return software{}, false
		case "docker", "podman", "nerdctl":
			if i := slices.Index(args, "run"); i >= 0 {
				return image(name, args[i+1:])
			}
			return software{}, false
		}
		return software{}, false
	}
	return software{}, false
}

func skipFlags(args []string, mark string) []string {
	for len(args) > 0 && strings.HasPrefix(args[0], mark) {
		args = args[1:]
	}
	return args
}

// npm reads the package of npx and its like.
func npm(runner string, args []string) (software, bool) {
	pkg := ""
	for i := 0; i < len(args) && pkg == ""; i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case (name == "-p" || name == "--package") && joined:
			pkg = value
		case (name == "-p" || name == "--package") && i+1 < len(args):
			pkg = args[i+1]
		case !strings.HasPrefix(args[i], "-"):
			pkg = args[i]
		}
	}
	if pkg == "" || strings.HasPrefix(pkg, ".") || strings.HasPrefix(pkg, "/") || strings.HasPrefix(pkg, "file:") {
		return software{}, false
	}
	if strings.Contains(pkg, ":") || strings.Count(pkg, "/") > strings.Count(pkg[:1], "@") { // a repository
		return software{runner, path.Base(pkg), commit.MatchString(pkg)}, true
	}
	version := ""
	if i := strings.LastIndexByte(pkg, '@'); i > 0 {
		version = pkg[i+1:]
	}
	return software{runner, pkg, exactVersion.MatchString(version)}, true
}

// pythonValues are the flags of uvx that take the next word.
var pythonValues = []string{"--from", "--with", "--spec", "--python", "-p", "--index", "--index-url", "--default-index", "--extra-index-url", "--directory", "--project", "--env-file"}

// python reads the package of uvx and its like.
func python(runner string, args []string) (software, bool) {
	pkg, from := "", ""
	for i := 0; i < len(args) && pkg == ""; i++ {
		name, value, joined := strings.Cut(args[i], "=")
		takes := slices.Contains(pythonValues, name)
		if takes && !joined && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch {
		case name == "--from" || name == "--spec":
			from = value
		case !strings.HasPrefix(args[i], "-") && !takes:
			pkg = args[i]
		}
	}
	if from != "" {
		pkg = from
	}
	if pkg == "" || strings.HasPrefix(pkg, ".") || strings.HasPrefix(pkg, "/") {
		return software{}, false
	}
	if strings.Contains(pkg, "://") {
		return software{runner, path.Base(pkg), commit.MatchString(pkg)}, true
	}
	_, version, _ := strings.Cut(pkg, "==")
	if version == "" {
		_, version, _ = strings.Cut(pkg, "@")
	}
	return software{runner, pkg, exactVersion.MatchString(version)}, true
}

// switches are the flags of docker run that take no further word.
var switches = []string{"-i", "-t", "-it", "-ti", "--rm", "--init", "-d", "--detach", "--interactive", "--tty", "--privileged", "--read-only", "-P", "--publish-all", "--no-healthcheck", "-q", "--quiet", "--sig-proxy", "--oom-kill-disable"}

// image reads the image of docker run. A tag can be moved to other content, except for latest it is
// taken for what its publisher meant to keep; a digest cannot.
func image(runner string, args []string) (software, bool) {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case !strings.HasPrefix(a, "-"):
			tag := ""
			if at := strings.LastIndexByte(a, ':'); at > strings.LastIndexByte(a, '/') {
				tag = a[at+1:]
			}
			return software{runner, a, imageDigest.MatchString(a) || tag != "" && tag != "latest"}, true
		case strings.Contains(a, "=") || slices.Contains(switches, a):
		case len(a) > 2 && a[1] != '-': // -eNAME=x
		default:
			i++
		}
	}
	return software{}, false
}
