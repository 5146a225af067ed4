// Package printable makes texts of unknown origin safe to show, such as file names, errors and
// reasons. A line break in such a text can fake a line. An escape sequence can control the
// terminal. With a bidirectional mark, a text looks different from what is stored. Two names that
// differ only by an invisible character look the same.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// hidden has the characters that are invisible or change how text is shown: controls, with ESC, DEL
// and C1; format characters, with bidirectional marks and those of no width; line and paragraph
// separators; variation selectors; characters that fonts ignore by the Unicode standard; and spaces
// other than U+0020. It is a list of its own, because characters that are newer than the tables of
// this binary must count as visible in every process.
var hidden = []*unicode.RangeTable{
	unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs,
	unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
}

// blank is the letter of Braille without dots. It looks like a space.
const blank = '\u2800'

// Rune reports whether a character is visible and does not change how text is shown.
func Rune(r rune) bool {
	if r >= ' ' && r <= '~' {
		return true
	}
	return r != blank && utf8.ValidRune(r) && !unicode.In(r, hidden...)
}

// String reports whether Rune is true for all characters of a text, and the text is valid UTF-8.
func String(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !Rune(r) }) < 0
}

// Text replaces each character for which Rune is false, and each byte that is not valid UTF-8, by
// an escape as in Go source. The result is one line. Other text does not change, backslashes
// included: the escapes are for people, and cannot be decoded.
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

// JSON replaces, in a JSON document of one or more lines, each character for which Rune is false by
// its escape. The document means the same.
func JSON(document []byte) []byte {
	if String(strings.ReplaceAll(string(document), "\n", "")) {
		return document
	}
	var b []byte
	for _, r := range string(document) {
		if r == '\n' || Rune(r) {
			b = utf8.AppendRune(b, r)
			continue
		}
		for _, half := range utf16.Encode([]rune{r}) {
			b = fmt.Appendf(b, `\u%04x`, half)
		}
	}
	return b
}
