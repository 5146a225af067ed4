package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// column is one figure of the tables; format returns "" where it does not apply.
type column struct {
	title  string
	format func(r *result) string
}

func number(title, format string, of func(r *result) float64) column {
	return column{title, func(r *result) string {
		if v := of(r); v != 0 {
			return fmt.Sprintf(format, v)
		}
		return ""
	}}
}

var columns = []column{
	{"scenario", func(r *result) string {
		if r.AOF {
			return r.Scenario + " (AOF)"
		}
		return r.Scenario
	}},
	{"peer", func(r *result) string { return r.Peer }},
	{"n", func(r *result) string { return strconv.Itoa(r.N) }},
	number("tasks/s", "%.0f", func(r *result) float64 { return r.TasksPerS }),
	number("redis µs", "%.2f", func(r *result) float64 { return r.RedisUs }),
	number("client µs", "%.2f", func(r *result) float64 { return r.ClientUs }),
	number("cmds", "%.3f", func(r *result) float64 { return r.Commands }),
	number("bytes", "%.0f", func(r *result) float64 { return r.BytesPerTask }),
	number("p50 ms", "%.3f", func(r *result) float64 { return r.P50Us / 1e3 }),
	number("p99 ms", "%.3f", func(r *result) float64 { return r.P99Us / 1e3 }),
	number("longest ms", "%.1f", func(r *result) float64 { return r.LongestMs }),
	number("requests/s", "%.1f", func(r *result) float64 { return r.RequestsPerS }),
	number("cmds/s", "%.1f", func(r *result) float64 { return r.CommandsPerS }),
	number("busy", "%.2f", func(r *result) float64 { return r.Busy }),
	number("share", "%.2f", func(r *result) float64 { return r.Share }),
	number("redis/floor", "%.2f", func(r *result) float64 { return r.VsFloor }),
	number("client/floor", "%.2f", func(r *result) float64 { return r.VsFloorClient }),
	number("tasks/s:asynq", "%.1f", func(r *result) float64 { return r.VsAsynqTasks }),
	number("redis/asynq", "%.4f", func(r *result) float64 { return r.VsAsynq }),
	number("client/asynq", "%.4f", func(r *result) float64 { return r.VsAsynqClient }),
}

// printTable prints everything, for a terminal.
func printTable(out io.Writer, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range columns {
		fmt.Fprint(w, c.title, "\t")
	}
	fmt.Fprintln(w)
	for i := range results {
		r := &results[i]
		for k, c := range columns {
			cell := c.format(r)
			if r.unsupported && k > 1 {
				cell = "–"
			}
			fmt.Fprint(w, cell, "\t")
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// printMarkdown prints the tables of the README: what differs between peers, and what only
// Rollcall does.
func printMarkdown(out io.Writer, results []result) error {
	var b strings.Builder
	markdownTable(
		&b,
		results,
		[]string{
			"scenario",
			"peer",
			"tasks/s",
			"redis µs",
			"client µs",
			"redis/floor",
			"client/floor",
			"tasks/s:asynq",
			"redis/asynq",
			"client/asynq",
		},
		func(r *result) bool { return r.RedisUs != 0 || r.unsupported && byTask(r.Scenario) },
	)
	b.WriteByte('\n')
	markdownTable(
		&b,
		results,
		[]string{
			"scenario",
			"peer",
			"n",
			"bytes",
			"p50 ms",
			"p99 ms",
			"requests/s",
			"cmds/s",
			"busy",
			"share",
			"longest ms",
		},
		func(r *result) bool { return r.RedisUs == 0 || r.Busy != 0 || r.P50Us != 0 },
	)
	_, err := io.WriteString(out, b.String())
	return err
}

// byTask reports whether a scenario measures CPU per task of every peer.
func byTask(scenario string) bool {
	for _, prefix := range []string{"enqueue", "drain", "both", "handlers"} {
		if strings.HasPrefix(scenario, prefix) {
			return true
		}
	}
	return false
}

func markdownTable(b *strings.Builder, results []result, titles []string, wanted func(*result) bool) {
	var chosen []column
	for _, title := range titles {
		for _, c := range columns {
			if c.title == title {
				chosen = append(chosen, c)
			}
		}
	}
	line := func(cell func(column) string) {
		b.WriteString("|")
		for _, c := range chosen {
			b.WriteString(" " + cell(c) + " |")
		}
		b.WriteString("\n")
	}
	line(func(c column) string { return c.title })
	line(func(column) string { return "---" })
	for i := range results {
		r := &results[i]
		if !wanted(r) {
			continue
		}
		line(func(c column) string {
			if cell := c.format(r); cell != "" && (!r.unsupported || c.title == "scenario" || c.title == "peer") {
				return cell
			}
			return "–"
		})
	}
}
