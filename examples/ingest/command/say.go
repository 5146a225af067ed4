package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf16"

	"github.com/rollcall-go/rollcall/syncjob"
)

// The output has names of files, errors and reasons. They may have line breaks, escape sequences
// and marks that change the direction of text. The functions here print everything, and show these
// as escapes.

// say prints one line.
func say(out io.Writer, format string, args ...any) {
	fmt.Fprintln(out, syncjob.Printable(fmt.Sprintf(format, args...)))
}

// complain prints the errors of a command, each in its own line.
func complain(out io.Writer, command string, err error) {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) && errors.Join(several.Unwrap()...).Error() == err.Error() {
		for _, one := range several.Unwrap() {
			complain(out, command, one)
		}
		return
	}
	say(out, "ingest %s: %v", command, err)
}

// table prints lines with aligned cells.
type table struct{ *tabwriter.Writer }

func newTable(out io.Writer) table { return table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)} }

func (t table) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = syncjob.Printable(fmt.Sprint(cell))
	}
	fmt.Fprintln(t, strings.Join(texts, "\t"))
}

// printJSON prints a value in one line. Characters that cannot be printed are escaped as in JSON.
func printJSON(out io.Writer, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // all types of this program can be encoded
	}
	var b strings.Builder
	for _, r := range string(text) {
		if c := string(r); syncjob.Printable(c) == c {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	fmt.Fprintln(out, b.String())
}
