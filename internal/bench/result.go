package main

import (
	"encoding/json"
	"os"
	"slices"
	"time"
)

// result is one scenario of one peer, as -json writes it: a figure that does not apply is left out.
// The ratios are Rollcall's own: vs_floor and vs_asynq divide its Redis CPU per task by the
// other's, or, where latency is measured, its p50.
type result struct {
	Scenario     string  `json:"scenario"`
	Peer         string  `json:"peer"`
	AOF          bool    `json:"aof,omitempty"`
	N            int     `json:"n"`
	TasksPerS    float64 `json:"tasks_per_s,omitempty"`
	RedisUs      float64 `json:"redis_us_per_task,omitempty"`
	ClientUs     float64 `json:"client_us_per_task,omitempty"`
	Commands     float64 `json:"commands_per_task,omitempty"` // those inside of scripts included
	BytesPerTask float64 `json:"bytes_per_task,omitempty"`
	P50Us        float64 `json:"p50_us,omitempty"`
	P99Us        float64 `json:"p99_us,omitempty"`
	LongestMs    float64 `json:"longest_command_ms,omitempty"`
	RequestsPerS float64 `json:"requests_per_s,omitempty"` // of idle workers: commands that clients send
	CommandsPerS float64 `json:"commands_per_s,omitempty"` // those inside of scripts included
	Busy         float64 `json:"busy,omitempty"`           // the least possible time by the real one
	Share        float64 `json:"share,omitempty"`          // of the worker that did less, of two

	VsFloor       float64 `json:"vs_floor,omitempty"`
	VsFloorClient float64 `json:"vs_floor_client,omitempty"`
	VsAsynq       float64 `json:"vs_asynq,omitempty"`
	VsAsynqClient float64 `json:"vs_asynq_client,omitempty"`
	VsAsynqTasks  float64 `json:"vs_asynq_tasks_per_s,omitempty"`

	grown       float64       // bytes per task that the server's memory grew by
	elapsed     time.Duration // wall time
	unsupported bool
}

// key tells the rows of one scenario, peer and server.
type key struct {
	scenario, peer string
	aof            bool
}

func (r *result) key() key { return key{r.Scenario, r.Peer, r.AOF} }

// figures are what medians are taken of.
func (r *result) figures() []*float64 {
	return []*float64{
		&r.TasksPerS, &r.RedisUs, &r.ClientUs, &r.Commands, &r.BytesPerTask, &r.P50Us, &r.P99Us, &r.RequestsPerS, &r.CommandsPerS, &r.Busy, &r.Share,
	}
}

// medians makes one row of the rounds of each scenario, peer and server. The longest command is
// that of all rounds. Then it adds the sum of what a task costs in both halves of its life.
func medians(all []result) []result {
	rows := make(map[key][]result)
	var order []key
	for _, r := range all {
		if rows[r.key()] == nil {
			order = append(order, r.key())
		}
		rows[r.key()] = append(rows[r.key()], r)
	}
	var out []result
	for _, k := range order {
		m := rows[k][0]
		for i, figure := range m.figures() {
			var values []float64
			for _, r := range rows[k] {
				values = append(values, *r.figures()[i])
			}
			slices.Sort(values)
			*figure = values[len(values)/2]
		}
		for _, r := range rows[k] {
			m.LongestMs = max(m.LongestMs, r.LongestMs)
		}
		out = append(out, m)
	}
	return sums(out)
}

// sumScenario is the row for enqueue-batch and drain-100 taken together.
const sumScenario = "enqueue+drain"

// sums adds the rows of sumScenario, before that which follows drain-100.
func sums(rows []result) []result {
	first := make(map[key]result)
	var out, added []result
	for _, r := range rows {
		if r.Scenario != "drain-100" && added != nil {
			out, added = append(out, added...), nil
		}
		out = append(out, r)
		first[r.key()] = r
		fill, ok := first[key{"enqueue-batch", r.Peer, r.AOF}]
		if r.Scenario == "drain-100" && ok && !fill.unsupported {
			r.Scenario = sumScenario
			r.RedisUs += fill.RedisUs
			r.ClientUs += fill.ClientUs
			r.Commands += fill.Commands
			r.TasksPerS = 1 / (1/fill.TasksPerS + 1/r.TasksPerS)
			r.LongestMs = max(r.LongestMs, fill.LongestMs)
			added = append(added, r)
		}
	}
	return append(out, added...)
}

// compare sets the ratios of Rollcall's rows.
func compare(rows []result) {
	byKey := make(map[key]*result)
	for i := range rows {
		byKey[rows[i].key()] = &rows[i]
	}
	for i := range rows {
		r := &rows[i]
		if r.Peer != "rollcall" {
			continue
		}
		if f := byKey[key{r.Scenario, "floor", r.AOF}]; f != nil {
			r.VsFloor, r.VsFloorClient = ratio(r.RedisUs, f.RedisUs), ratio(r.ClientUs, f.ClientUs)
			if r.P50Us > 0 {
				r.VsFloor = ratio(r.P50Us, f.P50Us)
			}
		}
		if a := byKey[key{r.Scenario, "asynq", r.AOF}]; a != nil {
			r.VsAsynq, r.VsAsynqClient = ratio(r.RedisUs, a.RedisUs), ratio(r.ClientUs, a.ClientUs)
			r.VsAsynqTasks = ratio(r.TasksPerS, a.TasksPerS)
			if r.P50Us > 0 {
				r.VsAsynq = ratio(r.P50Us, a.P50Us)
			}
		}
	}
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func writeJSON(path string, results []result) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	for _, r := range results {
		if r.unsupported {
			continue
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return f.Close()
}
