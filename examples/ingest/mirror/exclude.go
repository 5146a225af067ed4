package mirror

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
)

// Excludes say what of the source is left out.
type Excludes struct {
	Names []string `json:"names,omitempty"` // expressions for the full source path of files
	Dirs  []string `json:"dirs,omitempty"`  // expressions for directories, which are left out with their entries
	Types []string `json:"types,omitempty"`
}

// fileTypes are the types, by their names in [Excludes].
var fileTypes = map[string]fs.FileMode{
	"regular":   0,
	"directory": fs.ModeDir,
	"character": fs.ModeDevice | fs.ModeCharDevice,
	"block":     fs.ModeDevice,
	"socket":    fs.ModeSocket,
	"pipe":      fs.ModeNamedPipe,
	"link":      fs.ModeSymlink,
}

// excluder is the compiled form of [Excludes].
type excluder struct {
	names, dirs []*regexp.Regexp
	types       []fs.FileMode
}

// compile reports every expression and type that is not valid.
func (x Excludes) compile() (*excluder, error) {
	var problems []error
	expressions := func(field string, list []string) []*regexp.Regexp {
		var compiled []*regexp.Regexp
		for _, text := range list {
			re, err := regexp.Compile(text)
			if err != nil {
				problems = append(problems, &store.FieldError{Field: field, Reason: err.Error()})
				continue
			}
			compiled = append(compiled, re)
		}
		return compiled
	}
	e := &excluder{
		names: expressions("Exclude.Names", x.Names),
		dirs:  expressions("Exclude.Dirs", x.Dirs),
	}
	for _, name := range x.Types {
		mode, ok := fileTypes[name]
		if !ok {
			problems = append(
				problems, &store.FieldError{Field: "Exclude.Types", Reason: fmt.Sprintf("%q is not one of %s", name, TypeNames())},
			)
			continue
		}
		e.types = append(e.types, mode)
	}
	return e, errors.Join(problems...)
}

// TypeNames lists the types that can be left out.
func TypeNames() string {
	var names []string
	for name := range fileTypes {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// excludes reports whether an entry of the source tree is left out.
func (e *excluder) excludes(path string, mode fs.FileMode) bool {
	if slices.Contains(e.types, mode.Type()) {
		return true
	}
	list := e.names
	if mode.IsDir() {
		list = e.dirs
	}
	return slices.ContainsFunc(list, func(re *regexp.Regexp) bool { return re.MatchString(path) })
}
