package syncjob

import (
	"runtime/debug"
	"sync"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// programVersion is the version that Go stamped into this program.
var programVersion = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return versionOf(info)
})

// versionOf is the version of the main module, else the revision of its source. A program that was
// built from a directory without version control has neither.
func versionOf(info *debug.BuildInfo) string {
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		var dirty string
		version = ""
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				version = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "+dirty"
			}
		}
		if version != "" {
			version += dirty
		}
	}
	if len(version) > bounds.MaxVersionLen {
		return ""
	}
	return version
}
