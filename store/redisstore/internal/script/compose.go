package script

import (
	"bytes"
	"embed"
	"regexp"
	"strings"
)

//go:embed lua/*.lua lua/parts/*.lua
var luaFiles embed.FS

var (
	usesLine  = regexp.MustCompile(`(?m)^-- Uses: .*\.$`)
	hereLine  = regexp.MustCompile(`^ *-- Here: .*\.\n$`)
	partsLine = regexp.MustCompile(`-- (?:Uses|Here): (.*)\.`)
)

// compose returns the text of lua/NAME.lua. The comment of the file names the parts of lua/parts
// that it uses; so do the comments of the parts. Each part comes before its users. Other parts are
// left out, because each function of a part costs time at each call.
//
// A line "-- Here: PARTS." in a script is replaced by parts, with what they use beyond those in
// front. It stands in a function. So what only few calls need costs the others nothing.
func compose(name string) string {
	var text strings.Builder
	seen := make(map[string]bool)
	var add func(file string)
	parts := func(line []byte) {
		if named := partsLine.FindSubmatch(line); named != nil {
			for part := range strings.SplitSeq(string(named[1]), ", ") {
				add("parts/" + part)
			}
		}
	}
	add = func(file string) {
		if seen[file] {
			return
		}
		seen[file] = true
		b, err := luaFiles.ReadFile("lua/" + file + ".lua")
		if err != nil {
			panic(err) // embedded
		}
		parts(usesLine.Find(b))
		for line := range bytes.Lines(b) {
			text.Write(line)
			if hereLine.Match(line) {
				parts(line)
			}
		}
		text.WriteByte('\n')
	}
	add("parts/commands")
	add(name)
	return text.String()
}
