package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

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
			table(a.out, columns, rows, !headed)
			rows, headed = nil, true
		}
	}
	switch {
	case a.output != "table":
		p.end()
	case n == 0 && failed == nil:
		_, _ = fmt.Fprintln(a.out, "none")
	case len(rows) > 0:
		table(a.out, columns, rows, !headed)
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
	_, err = fmt.Fprint(p.out, before, string(b), after)
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
			_, err = fmt.Fprintln(a.out, string(b))
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

func table[T any](out io.Writer, columns []column[T], rows [][]any, head bool) {
	wide := make([]int, len(columns))
	texts := make([][]string, 0, len(rows)+1)
	if head {
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = strings.ToUpper(c.name)
		}
		texts = append(texts, names)
	}
	right := make([]bool, len(columns))
	for _, row := range rows {
		text := make([]string, len(row))
		for i, v := range row {
			text[i] = cell(v)
			switch v.(type) {
			case int, int64, float64:
				right[i] = true
			}
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		for i := range text {
			wide[i] = max(wide[i], utf8.RuneCountInString(text[i]))
		}
	}
	for _, text := range texts {
		var line strings.Builder
		for i := range text {
			if i > 0 {
				line.WriteString("  ")
			}
			space := strings.Repeat(" ", wide[i]-utf8.RuneCountInString(text[i]))
			if right[i] {
				line.WriteString(space + text[i])
			} else {
				line.WriteString(text[i] + space)
			}
		}
		_, _ = fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
	}
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
	text := t.Local().Format(layout)
	switch d := now.Sub(t); {
	case d.Abs() < time.Millisecond:
		return text + " (now)"
	case d > 0:
		return text + " (" + cell(d) + " ago)"
	default:
		return text + " (in " + cell(-d) + ")"
	}
}
