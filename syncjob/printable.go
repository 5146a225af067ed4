package syncjob

import "github.com/rollcall-go/rollcall/internal/printable"

// Printable returns a text that others wrote, such as an error, a reason, a progress message or a
// file name, made safe to be shown: one line, in which nothing drives a terminal, forges a line, or
// reads otherwise than it is stored. In place of each control character (line breaks, ESC, DEL, C1), bidirectional
// mark, character of no width, line or paragraph separator, unusual space, and byte that is not valid UTF-8, there is an
// escape as in Go source: \n, \x1b, \u202e. Everything else stays as it is, backslashes too, so what it returns is to be
// read, not decoded. [RunState] and what else the Manager returns hold such texts as they were written;
// [Explanation.String] and [RepairReport.String] make them printable.
func Printable(text string) string { return printable.Text(text) }
