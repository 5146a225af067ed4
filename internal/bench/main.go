// Bench measures what a task costs: CPU of Redis and of the client, commands, memory, latency and
// wall time, beside other libraries and beside the floor, which is the bare minimum of the same
// work. It starts redis-servers of its own, without and with an append-only file.
//
//	go run -C internal/bench . [-peers rollcall,asynq,watermill,floor] [-scenarios a,b] [-n N] [-rounds N]
//	        [-quick] [-json FILE] [-markdown] [-cpuprofile FILE]
//
// CPU per task is the figure to trust. Machines are noisy, so peers take turns in each round, and
// medians and ratios of one run are printed. What a peer cannot do is printed as "–".
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
)

func main() {
	peers := flag.String("peers", strings.Join(peerNames(), ","), "who takes part, separated by commas")
	scenarios := flag.String(
		"scenarios", "", "which scenarios to run, separated by commas: prefixes of their names (default all)",
	)
	n := flag.Int("n", 0, "tasks per scenario and round; slow peers do a tenth (default 300000, quick 30000)")
	rounds := flag.Int("rounds", 0, "rounds, of which medians are printed (default 3, quick 1)")
	quick := flag.Bool("quick", false, "everything smaller, to end within 50 seconds")
	jsonFile := flag.String("json", "", "write the results to this file as JSON, one object per line")
	markdown := flag.Bool("markdown", false, "print the tables of the README instead")
	profile := flag.String("cpuprofile", "", "write a CPU profile of this process to this file")
	flag.Parse()

	cfg := config{sizes: fullSizes(*n), rounds: 3, log: os.Stderr}
	if *quick {
		cfg.sizes, cfg.rounds = quickSizes(*n), 1
	}
	if *rounds > 0 {
		cfg.rounds = *rounds
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, cfg, *peers, *scenarios, *profile, *jsonFile, *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg config, peers, scenarios, profile, jsonFile string, markdown bool) (err error) {
	if cfg.peers, err = selectPeers(peers); err != nil {
		return err
	}
	if cfg.scenarios, err = selectScenarios(scenarios); err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	results, err := bench(ctx, cfg)
	if err != nil {
		return err
	}
	if err := writeJSON(jsonFile, results); err != nil {
		return err
	}
	if markdown {
		return printMarkdown(os.Stdout, results)
	}
	return printTable(os.Stdout, results)
}
