package daemon

import "runtime/debug"

// version is set by the Makefile: -ldflags "-X …/internal/daemon.version=v1.2.3".
var version string //nolint:gochecknoglobals // the linker can only set a package variable

// Version is the program's version: what the build set, else what Go recorded of the module or commit, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
