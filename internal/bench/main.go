// Bench measures what a task costs: Redis CPU, client CPU, commands, memory and
// wall time, beside the floor of the same work. It starts a redis-server of its own.
//
//	go run -C internal/bench . [-peers rollcall,floor] [-n N] [-rounds N] [-aof] [-quick] [-json FILE]
//
// CPU per task is the figure to trust; machines are noisy, so peers take turns and
// medians and ratios of one run are printed.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// peer is one way to do the work.
type peer interface {
	name() string
	// fill stores n tasks in batches, each with a payload of its own.
	fill(ctx context.Context, n int) error
	// drain runs the n tasks that fill stored, with handlers that do nothing.
	drain(ctx context.Context, n, concurrency int) error
	close()
}

var peers = map[string]func(ctx context.Context, url string) (peer, error){
	"floor":    newFloor,
	"rollcall": newRollcall,
}

// result is one scenario of one peer, as -json writes it.
type result struct {
	Scenario      string  `json:"scenario"`
	Peer          string  `json:"peer"`
	N             int     `json:"n"`
	TasksPerS     float64 `json:"tasks_per_s"`
	RedisUs       float64 `json:"redis_us_per_task"`
	ClientUs      float64 `json:"client_us_per_task"`
	Commands      float64 `json:"commands_per_task"`
	BytesPerTask  float64 `json:"bytes_per_task,omitempty"`
	VsFloorRedis  float64 `json:"vs_floor,omitempty"`
	VsFloorClient float64 `json:"vs_floor_client,omitempty"`
}

func main() {
	names := flag.String("peers", "rollcall,floor", "who takes part, separated by commas")
	n := flag.Int("n", 300_000, "tasks per scenario and round")
	rounds := flag.Int("rounds", 3, "rounds; medians are printed")
	aof := flag.Bool("aof", false, "let redis-server write an append-only file")
	quick := flag.Bool("quick", false, "a smaller n")
	out := flag.String("json", "", "write the results to this file as JSON, one object per line")
	flag.Parse()
	if *quick {
		*n = 100_000
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, strings.Split(*names, ","), *n, *rounds, *aof, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, names []string, n, rounds int, aof bool, out string) error {
	s, err := startServer(ctx, aof)
	if err != nil {
		return err
	}
	defer s.stop()
	var all []result
	for range rounds {
		for _, name := range names {
			open := peers[name]
			if open == nil {
				return fmt.Errorf("no peer is named %q", name)
			}
			r, err := round(ctx, s, open, n)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			all = append(all, r...)
		}
	}
	results := medians(all)
	compare(results)
	if err := report(results); err != nil {
		return err
	}
	return write(out, results)
}

// payload is 200 bytes of JSON, different for each task as real ones are: equal
// strings would cost a script less.
func payload(i int) []byte {
	return fmt.Appendf(make([]byte, 0, 200), "\"%0198d\"", i)
}

// concurrency of the drain.
const concurrency = 100

// round fills and drains once, from an empty server.
func round(ctx context.Context, s *server, open func(context.Context, string) (peer, error), n int) ([]result, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	p, err := open(ctx, s.url)
	if err != nil {
		return nil, err
	}
	defer p.close()
	fill, err := measure(ctx, s, "enqueue-batch", p, n, func() error { return p.fill(ctx, n) })
	if err != nil {
		return nil, err
	}
	drain, err := measure(ctx, s, fmt.Sprintf("drain-%d", concurrency), p, n, func() error { return p.drain(ctx, n, concurrency) })
	drain.BytesPerTask = 0
	return []result{fill, drain}, err
}

func measure(ctx context.Context, s *server, scenario string, p peer, n int, work func() error) (result, error) {
	before, err := s.usage(ctx)
	if err != nil {
		return result{}, err
	}
	if err := work(); err != nil {
		return result{}, err
	}
	after, err := s.usage(ctx)
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(n) }
	return result{
		Scenario: scenario, Peer: p.name(), N: n,
		TasksPerS:    float64(n) / after.at.Sub(before.at).Seconds(),
		RedisUs:      per(after.redisCPU - before.redisCPU),
		ClientUs:     per(after.ownCPU - before.ownCPU),
		Commands:     float64(after.commands-before.commands) / float64(n),
		BytesPerTask: float64(after.memory-before.memory) / float64(n),
	}, err
}

func medians(all []result) []result {
	type key struct{ scenario, peer string }
	rows := make(map[key][]result)
	var order []key
	for _, r := range all {
		k := key{r.Scenario, r.Peer}
		if rows[k] == nil {
			order = append(order, k)
		}
		rows[k] = append(rows[k], r)
	}
	var out []result
	for _, k := range order {
		median := func(of func(result) float64) float64 {
			v := make([]float64, len(rows[k]))
			for i, r := range rows[k] {
				v[i] = of(r)
			}
			slices.Sort(v)
			return v[len(v)/2]
		}
		r := rows[k][0]
		r.TasksPerS = median(func(r result) float64 { return r.TasksPerS })
		r.RedisUs = median(func(r result) float64 { return r.RedisUs })
		r.ClientUs = median(func(r result) float64 { return r.ClientUs })
		r.Commands = median(func(r result) float64 { return r.Commands })
		r.BytesPerTask = median(func(r result) float64 { return r.BytesPerTask })
		out = append(out, r)
	}
	// Both halves of a task's life together.
	for _, name := range []string{"rollcall", "floor"} {
		sum := result{Scenario: "both", Peer: name}
		for _, r := range out {
			if r.Peer == name {
				sum.N = r.N
				sum.RedisUs += r.RedisUs
				sum.ClientUs += r.ClientUs
				sum.Commands += r.Commands
				sum.TasksPerS += 1 / r.TasksPerS
			}
		}
		if sum.N > 0 {
			sum.TasksPerS = 1 / sum.TasksPerS
			out = append(out, sum)
		}
	}
	slices.SortStableFunc(out, func(a, b result) int { return strings.Compare(a.Scenario, b.Scenario) })
	return out
}

func compare(results []result) {
	for i := range results {
		for _, f := range results {
			if f.Peer == "floor" && f.Scenario == results[i].Scenario {
				results[i].VsFloorRedis = results[i].RedisUs / f.RedisUs
				results[i].VsFloorClient = results[i].ClientUs / f.ClientUs
			}
		}
	}
}

func report(results []result) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scenario\tpeer\ttasks\ttasks/s\tredis µs/task\tclient µs/task\tcommands/task\tbytes/task\tredis ×floor\tclient ×floor\t")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.0f\t%.2f\t%.2f\t%.4f\t%.0f\t%.2f\t%.2f\t\n",
			r.Scenario, r.Peer, r.N, r.TasksPerS, r.RedisUs, r.ClientUs, r.Commands, r.BytesPerTask, r.VsFloorRedis, r.VsFloorClient)
	}
	return w.Flush()
}

func write(path string, results []result) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return f.Close()
}
