package dashboard

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// functions are those of the templates.
var functions = template.FuncMap{
	"text":   syncjob.Printable,
	"n":      grouped,
	"rate":   func(r float64) string { return grouped(strconv.FormatFloat(r, 'f', 1, 64)) },
	"ago":    func(now, t time.Time) when { return when{t, now} },
	"took":   took,
	"link":   func(page string, pairs ...any) string { return link(page, texts(pairs)...) },
	"bar":    bar,
	"dict":   dict,
	"plural": plural,
	"lines":  printableLines,
	"limit":  limit,

	"navigation": func() []navigation { return navigations },
}

// navigation is a link that each page has.
type navigation struct{ Page, Link, Name string }

var navigations = []navigation{
	{"home", "./", "Home"},
	{"jobs", "jobs", "Jobs"},
	{"runs", "runs", "Runs"},
	{"failing", "failing", "Failures"},
	{"queues", "queues", "Queues"},
	{"workers", "workers", "Workers"},
	{"schedules", "schedules", "Schedules"},
	{"sets", "sets", "Sets"},
	{"locks", "locks", "Locks"},
	{"pauses", "pauses", "Pauses"},
	{"audit", "audit", "Audit"},
}

// limit writes a limit; what is not positive limits nothing.
func limit(n int) string {
	if n <= 0 {
		return "any"
	}
	return grouped(n)
}

// printableLines makes each line printable, and keeps the lines and tabs.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		parts := strings.Split(line, "\t")
		for j, part := range parts {
			parts[j] = syncjob.Printable(part)
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}

func texts(values []any) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = fmt.Sprint(v)
	}
	return list
}

// dict makes the argument of a template with several values.
func dict(pairs ...any) (map[string]any, error) {
	m := make(map[string]any)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok || i+1 == len(pairs) {
			return nil, fmt.Errorf("argument %d of dict is no name with a value", i)
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// grouped writes a number with its thousands apart: 1,234,567.8.
func grouped(v any) string {
	text := fmt.Sprint(v)
	digits := strings.TrimPrefix(text, "-")
	sign := text[:len(text)-len(digits)]
	digits, part, broken := strings.Cut(digits, ".")
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if broken {
		b.WriteString("." + part)
	}
	return b.String()
}

// plural writes a number with its noun: 1 task, 2 tasks.
func plural(v any, noun string) string {
	if text := fmt.Sprint(v); text != "1" {
		return grouped(v) + " " + noun + "s"
	}
	return "1 " + noun
}

// when is a moment, for both kinds of readers.
type when struct{ at, now time.Time }

// Machine is for the attribute datetime.
func (w when) Machine() string { return w.at.UTC().Format(time.RFC3339Nano) }

// Absolute is in UTC, with the day unless that is today.
func (w when) Absolute() string {
	at, now := w.at.UTC(), w.now.UTC()
	if at.Year() == now.Year() && at.YearDay() == now.YearDay() {
		return at.Format("15:04:05")
	}
	return at.Format("2006-01-02 15:04:05")
}

// Relative is "3 min ago" or "in 3 min".
func (w when) Relative() string {
	switch d := w.at.Sub(w.now); {
	case d > -time.Second && d < time.Second:
		return "now"
	case d < 0:
		return took(-d) + " ago"
	default:
		return "in " + took(d)
	}
}

// Text is both, for sentences.
func (w when) Text() string { return w.Absolute() + " UTC (" + w.Relative() + ")" }

// For is how long ago it was.
func (w when) For() string { return took(max(0, w.now.Sub(w.at))) }

// Zero reports whether there is no such moment.
func (w when) Zero() bool { return w.at.IsZero() }

// took writes a duration in two units at most: 850 ms, 12.3 s, 4 min 5 s, 3 h 20 min, 5 d 2 h.
func took(d time.Duration) string {
	switch {
	case d > 0 && d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return two(d, time.Minute, "min", time.Second, "s")
	case d < 24*time.Hour:
		return two(d, time.Hour, "h", time.Minute, "min")
	}
	return two(d, 24*time.Hour, "d", time.Hour, "h")
}

func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// segment is a part of a bar, in percent of its width.
type segment struct {
	State    string
	At, Wide float64
	Count    int64
}

// bar divides a progress bar by what became of the tasks. A state that any task has is seen: it has
// at least half a percent.
func bar(c states.Counts) []segment {
	if c.Total <= 0 {
		return nil
	}
	var list []segment
	at := 0.0
	for _, s := range []segment{
		{State: "succeeded", Count: c.Succeeded}, {State: "failed", Count: c.Failed},
		{State: "cancelled", Count: c.Cancelled},
		{State: "running", Count: c.Running}, {State: "delayed", Count: c.Delayed},
	} {
		if s.Count <= 0 {
			continue
		}
		s.At, s.Wide = at, max(0.5, 100*float64(s.Count)/float64(c.Total))
		s.Wide = min(s.Wide, 100-s.At)
		at += s.Wide
		list = append(list, s)
	}
	return list
}

// link is an address within the dashboard. Empty values are left out.
func link(page string, pairs ...string) string {
	q := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return page
	}
	return fmt.Sprintf("%s?%s", page, q.Encode())
}
