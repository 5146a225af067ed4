package syncjob

import "github.com/rollcall-go/rollcall/internal/printable"

// Printable makes a text from an unknown source, such as an error, a reason, a progress message or
// a file name, safe to print. The result is one line. It cannot control a terminal, fake another
// line, or look different from what is stored. These are replaced by escapes as in Go source (\n,
// \x1b, \u202e): control characters (line breaks, ESC, DEL, C1), bidirectional marks, characters of
// no width, line and paragraph separators, unusual spaces, and bytes that are not valid UTF-8.
// Everything else stays as it is, backslashes too; so the result is for reading and cannot be
// decoded. [states.Run] and the other types that the Manager returns hold such texts as they were
// written. [Explanation.String] and [states.RepairReport.String] make them printable.
func Printable(text string) string { return printable.Text(text) }
