package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// config is what one run of the bench measures.
type config struct {
	peers     []opener
	scenarios []scenario
	sizes     sizes
	rounds    int
	log       io.Writer // progress
}

// bench measures every scenario for every peer, round by round, and returns medians with ratios.
func bench(ctx context.Context, cfg config) ([]result, error) {
	plain, err := startServer(ctx, false)
	if err != nil {
		return nil, err
	}
	defer plain.stop()
	aof, err := startServer(ctx, true)
	if err != nil {
		return nil, err
	}
	defer aof.stop()
	var all []result
	for round := range cfg.rounds {
		for _, sc := range cfg.scenarios {
			if sc.once && round > 0 {
				continue
			}
			for _, open := range cfg.peers {
				rows, err := attempt(ctx, cfg, plain, sc, open)
				if err == nil && sc.aof {
					var durable []result
					durable, err = attempt(ctx, cfg, aof, sc, open)
					rows = append(rows, durable...)
				}
				if err != nil {
					return nil, err
				}
				all = append(all, rows...)
			}
		}
	}
	results := medians(all)
	compare(results)
	return results, nil
}

// errUnsupported is a peer's answer to what it cannot do.
var errUnsupported = errors.New("not supported")

// unwind is how long a scenario whose time is over may take to return.
const unwind = 15 * time.Second

// attempt runs one scenario with one peer, from an empty server, within the scenario's
// time: a peer that hangs fails the run of the bench.
func attempt(ctx context.Context, cfg config, s *server, sc scenario, open opener) ([]result, error) {
	if err := s.reset(ctx); err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // what the one before left is not this one's work
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, sc.limit)
	defer cancel()
	t := &trial{server: s, open: open, sizes: cfg.sizes.of(open), scenario: sc.name}
	done := make(chan error, 1)
	go func() { done <- t.run(ctx, sc) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(unwind):
			err = errors.New("hangs")
		}
	}
	fmt.Fprintf(cfg.log, "%s %s: %.1f s\n", sc.name, open.name, time.Since(begun).Seconds())
	switch {
	case errors.Is(err, errUnsupported):
		return []result{{Scenario: sc.name, Peer: open.name, AOF: s.aof, unsupported: true}}, nil
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", sc.name, open.name, err)
	}
	longest, err := s.longest(ctx)
	for i := range t.rows {
		t.rows[i].LongestMs = longest
	}
	return t.rows, err
}

// trial is one scenario run by one peer.
type trial struct {
	server   *server
	open     opener
	peer     peer
	sizes    sizes
	scenario string
	rows     []result
}

func (t *trial) run(ctx context.Context, sc scenario) error {
	var err error
	if t.peer, err = t.open.open(ctx, t.server.url); err != nil {
		return err
	}
	defer func() { t.peer.close() }()
	return sc.run(ctx, t)
}

// reopen begins anew, on an empty server.
func (t *trial) reopen(ctx context.Context) error {
	if err := t.server.empty(ctx); err != nil {
		return err
	}
	p, err := t.open.open(ctx, t.server.url)
	if err == nil {
		t.peer.close()
		t.peer = p
	}
	return err
}

// measure records what n tasks' worth of work costs.
func (t *trial) measure(ctx context.Context, n int, work func() error) (*result, error) {
	return t.measureAs(ctx, t.scenario, n, work)
}

// measureAs is measure for one part of a scenario, under a name of its own.
func (t *trial) measureAs(ctx context.Context, name string, n int, work func() error) (*result, error) {
	before, err := t.server.usage(ctx)
	if err != nil {
		return nil, err
	}
	if err := work(); err != nil {
		return nil, err
	}
	after, err := t.server.usage(ctx)
	if err != nil {
		return nil, err
	}
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(n) }
	t.rows = append(t.rows, result{
		Scenario: name, Peer: t.open.name, AOF: t.server.aof, N: n,
		TasksPerS: float64(n) / after.at.Sub(before.at).Seconds(),
		RedisUs:   per(after.redisCPU - before.redisCPU),
		ClientUs:  per(after.ownCPU - before.ownCPU),
		Commands:  float64(after.commands-before.commands) / float64(n),
		grown:     float64(after.memory-before.memory) / float64(n),
		elapsed:   after.at.Sub(before.at),
	})
	return &t.rows[len(t.rows)-1], nil
}

// row adds a row for what is not measured by CPU.
func (t *trial) row(n int) *result {
	t.rows = append(t.rows, result{Scenario: t.scenario, Peer: t.open.name, AOF: t.server.aof, N: n})
	return &t.rows[len(t.rows)-1]
}
