package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/internal/printable"
	"github.com/rollcall-go/rollcall/syncjob"
)

// column is one column of a table.
type column[T any] struct {
	name string
	cell func(T) any // numbers stand on the right
}

// chunk is how many lines of a table are laid out together: long lists begin to show at once.
const chunk = 200

// list prints a sequence. An error ends it, after what came before was printed.
func list[T any](a *app, items iter.Seq2[T, error], columns []column[T]) error {
	var rows [][]any
	var failed error
	n, headed := 0, false
	p := jsonPrinter{out: a.out, lines: a.output == "jsonl"}
	for item, err := range items {
		if err != nil {
			failed = err
			break
		}
		if a.limit > 0 && n == a.limit {
			break
		}
		n++
		if a.output != "table" {
			if err := p.item(item); err != nil {
				return err
			}
			continue
		}
		row := make([]any, len(columns))
		for i, c := range columns {
			row[i] = c.cell(item)
		}
		if rows = append(rows, row); len(rows) == chunk {
			table(a.out, a.width(), columns, rows, !headed)
			rows, headed = nil, true
		}
	}
	switch {
	case a.output != "table":
		p.end()
	case n == 0 && failed == nil:
		_, _ = fmt.Fprintln(a.out, "none")
	case len(rows) > 0:
		table(a.out, a.width(), columns, rows, !headed)
	}
	return failed
}

// slice makes a sequence of what was read at once.
func slice[T any](items []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// jsonPrinter prints one array, or a line for each item.
type jsonPrinter struct {
	out   io.Writer
	lines bool
	n     int
}

func (p *jsonPrinter) item(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	before, after := "[", ""
	switch {
	case p.lines:
		before, after = "", "\n"
	case p.n > 0:
		before = ",\n "
	}
	p.n++
	_, err = fmt.Fprint(p.out, before, string(printable.JSON(b)), after)
	return err
}

func (p *jsonPrinter) end() {
	switch {
	case p.lines:
	case p.n == 0:
		_, _ = fmt.Fprintln(p.out, "[]")
	default:
		_, _ = fmt.Fprintln(p.out, "]")
	}
}

// one prints a single thing: its fields, a line each, or JSON.
func one[T any](a *app, v T, columns []column[T]) error {
	if a.output != "table" {
		b, err := json.MarshalIndent(v, "", "  ")
		if a.output == "jsonl" {
			b, err = json.Marshal(v)
		}
		if err == nil {
			_, err = fmt.Fprintln(a.out, string(printable.JSON(b)))
		}
		return err
	}
	wide := 0
	for _, c := range columns {
		wide = max(wide, len(c.name))
	}
	for _, c := range columns {
		if text := cell(c.cell(v)); text != "" {
			_, _ = fmt.Fprintf(a.out, "%-*s  %s\n", wide, c.name, text)
		}
	}
	return nil
}

// table prints rows below each other. If they are wider than the terminal, times lose their hours,
// and then the last column its end; width 0 has room for everything.
func table[T any](out io.Writer, width int, columns []column[T], rows [][]any, head bool) {
	texts, wide := laidOut(columns, rows, head, cell)
	if width > 0 && sum(wide) > width {
		texts, wide = laidOut(columns, rows, head, brief)
	}
	last := len(wide) - 1
	room := width - sum(wide[:last]) - gap
	for _, text := range texts {
		if width > 0 && room >= minLast {
			text[last] = cut(text[last], room)
		}
		var line strings.Builder
		for i := range text {
			if i > 0 {
				line.WriteString(strings.Repeat(" ", gap))
			}
			space := strings.Repeat(" ", max(0, wide[i]-utf8.RuneCountInString(text[i])))
			if right(rows, i) {
				line.WriteString(space + text[i])
			} else {
				line.WriteString(text[i] + space)
			}
		}
		_, _ = fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
	}
}

const (
	gap     = 2  // between columns
	minLast = 12 // the last column is not cut to less
)

// laidOut returns the texts of a table and how wide its columns are.
func laidOut[T any](
	columns []column[T], rows [][]any, head bool, cell func(any) string,
) (texts [][]string, wide []int) {
	if head {
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = strings.ToUpper(c.name)
		}
		texts = append(texts, names)
	}
	for _, row := range rows {
		text := make([]string, len(row))
		for i, v := range row {
			text[i] = cell(v)
		}
		texts = append(texts, text)
	}
	wide = make([]int, len(columns))
	for _, text := range texts {
		for i := range text {
			wide[i] = max(wide[i], utf8.RuneCountInString(text[i]))
		}
	}
	return texts, wide
}

// right reports whether a column has numbers.
func right(rows [][]any, i int) bool {
	for _, row := range rows {
		switch row[i].(type) {
		case int, int64, float64:
			return true
		}
	}
	return false
}

// sum is how wide columns are together, with the gaps between them.
func sum(wide []int) int {
	all := -gap
	for _, w := range wide {
		all += w + gap
	}
	return all
}

// cut shortens a text to so many signs.
func cut(text string, room int) string {
	if signs := []rune(text); len(signs) > room {
		return string(signs[:room-1]) + "…"
	}
	return text
}

// brief is cell, but says only how far away a moment is.
func brief(v any) string {
	if at, ok := v.(time.Time); ok && !at.IsZero() {
		return away(time.Now(), at)
	}
	return cell(v)
}

// cell writes a value for people. Text from elsewhere cannot control the terminal.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return since(time.Now(), v)
	case time.Duration:
		if v == 0 {
			return ""
		}
		return v.Round(roundTo(v)).String()
	case bool:
		if v {
			return "yes"
		}
		return ""
	case float64:
		return fmt.Sprintf("%.1f", v)
	}
	return syncjob.Printable(fmt.Sprint(v))
}

func roundTo(d time.Duration) time.Duration {
	switch {
	case d < time.Second:
		return time.Millisecond
	case d < time.Minute:
		return 100 * time.Millisecond
	}
	return time.Second
}

// since writes a moment and how far away it is.
func since(now, t time.Time) string {
	layout := "2006-01-02 15:04:05"
	if t.Local().Format(time.DateOnly) == now.Local().Format(time.DateOnly) {
		layout = time.TimeOnly
	}
	return t.Local().Format(layout) + " (" + away(now, t) + ")"
}

// away writes how far away a moment is.
func away(now, t time.Time) string {
	switch d := now.Sub(t); {
	case d.Abs() < time.Millisecond:
		return "now"
	case d > 0:
		return cell(d) + " ago"
	default:
		return "in " + cell(-d)
	}
}

// many writes a number with its noun: 1 task, 2 tasks.
func many[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
