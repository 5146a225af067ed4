// Package printable tells what a reader sees of a text from what acts on the place where it
// is shown. File names, errors and reasons come from anywhere: one that holds a line break forges
// lines, one that holds an escape sequence drives the terminal, one that holds a
// bidirectional mark reads otherwise than it is stored, and two names that differ by an invisible
// character look the same.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden are the characters that are not seen as themselves: controls, with ESC, DEL and C1; format
// characters, with the bidirectional marks and those of no width; line and paragraph separators;
// variation selectors; what fonts leave out by the Unicode standard; and spaces other than U+0020.
// They are listed, rather than all that Unicode does not call printable, so that characters newer
// than the tables of this binary count as seen, in every process alike.
var hidden = []*unicode.RangeTable{
	unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs,
	unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
}

// blank is a letter of Braille without a dot: one more space.
const blank = '\u2800'

// Rune reports whether a character is seen as itself.
func Rune(r rune) bool {
	if r >= ' ' && r <= '~' {
		return true
	}
	return r != blank && utf8.ValidRune(r) && !unicode.In(r, hidden...)
}

// String reports whether all of a text is seen as it is. Text that is not valid UTF-8 is not.
func String(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !Rune(r) }) < 0
}

// Text returns a text with an escape as in Go source in place of each character that is not seen as
// itself, and of each byte that is not valid UTF-8. What it returns is one line. Text that is seen
// as it is comes back as it is, backslashes too: the escapes are for people, and are not decoded.
func Text(s string) string {
	if String(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case Rune(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r <= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[n:]
	}
	return b.String()
}
