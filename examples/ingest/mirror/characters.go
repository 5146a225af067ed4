package mirror

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store"
)

// Replacement says what stands in the destination for characters that it does not take.
type Replacement struct {
	// From has the characters, each for itself. U+FFFD stands for every byte that is not UTF-8.
	From string `json:"from"`
	// To stands for each of them. It may be empty. It has none of the characters that are replaced.
	To string `json:"to"`
}

// characterMap has the replacement of each character that the destination does not take.
type characterMap map[rune]string

// compileCharacters checks the replacements.
func (o *Options) compileCharacters() (characterMap, error) {
	var problems []error
	m := make(characterMap)
	for i, r := range o.CharacterMap {
		bad := func(format string, args ...any) {
			problems = append(problems, &store.FieldError{
				Field: fmt.Sprintf("CharacterMap[%d]", i), Reason: fmt.Sprintf(format, args...),
			})
		}
		switch {
		case r.From == "":
			bad("replaces no character")
		case !utf8.ValidString(r.From) || !utf8.ValidString(r.To):
			bad("is not valid UTF-8")
		case strings.ContainsAny(r.From+r.To, "/\x00"):
			bad("has a slash or a NUL, which no name has")
		}
		for _, c := range r.From {
			if _, twice := m[c]; twice {
				bad("replaces %q, which is replaced already", c)
			}
			m[c] = r.To
		}
	}
	for i, r := range o.CharacterMap {
		for _, c := range r.To {
			if _, replaced := m[c]; replaced {
				problems = append(problems, &store.FieldError{
					Field: fmt.Sprintf("CharacterMap[%d]", i), Reason: fmt.Sprintf("has %q, which is replaced itself", c),
				})
			}
		}
	}
	return m, errors.Join(problems...)
}

// name returns the name, or the path, that the destination has for one of the source. The name of
// that name is the same.
func (m characterMap) name(source string) string {
	if len(m) == 0 {
		return source
	}
	var b strings.Builder
	for rest := source; rest != ""; {
		c, size := utf8.DecodeRuneInString(rest)
		if to, replaced := m[c]; replaced {
			b.WriteString(to)
		} else {
			b.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	return b.String()
}
