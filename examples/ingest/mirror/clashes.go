package mirror

import (
	"errors"
	"slices"
	"strings"
)

// Reasons why an entry has no name in the destination.
var (
	errNoName   = errors.New("has no name in the destination that a file can have")
	errSameName = errors.New("has the same name in the destination as another entry")
)

// findClashes finds the names of the destination that several entries of a directory would have. If
// one of them has that name in the source, it gets it. Otherwise none does, so that it does not
// depend on the order in which the source lists them.
func (s *scanner) findClashes(names []nameHash) {
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			s.clashes = append(s.clashes, names[i])
		}
	}
}

// checkName reports why an entry of the source cannot have a name in the destination.
func (s *scanner) checkName(source, name string) error {
	if name == source {
		return nil
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return &fileError{errNoName}
	}
	if _, clash := slices.BinarySearch(s.clashes, hashOf(name)); clash {
		return &fileError{errSameName}
	}
	return nil
}
