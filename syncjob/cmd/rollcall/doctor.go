package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// finding is what doctor found out about one thing.
type finding struct {
	Thing string `json:"thing"`
	State string `json:"state"` // "ok", "warning" or "bad"
	Text  string `json:"text"`
}

func (a *app) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Args: cobra.NoArgs,
		Short: "Look for problems of the server: version, eviction, rights, …",
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := a.within(c.Context(), false)
			defer cancel()
			findings, err := a.examine(ctx)
			if err != nil {
				return err
			}
			if err := list(a, slice(findings, nil), []column[finding]{
				{"thing", func(f finding) any { return f.Thing }},
				{"state", func(f finding) any { return f.State }},
				{"what", func(f finding) any { return f.Text }},
			}); err != nil {
				return err
			}
			for _, f := range findings {
				if f.State == "bad" {
					return exit(codeError)
				}
			}
			return nil
		},
	}
}

// examine asks the server itself, and opens the store as a program would.
func (a *app) examine(ctx context.Context) ([]finding, error) {
	if a.store == "" {
		return nil, usageError{errors.New("which store? Set ROLLCALL_STORE or --store")}
	}
	options, err := redisstore.ParseURL(a.store)
	if err != nil {
		return nil, err
	}
	options.DisableCache = true
	client, err := rueidis.NewClient(options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", syncjob.ErrUnavailable, err)
	}
	defer client.Close()
	info, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		return nil, fmt.Errorf("read the state of the server: %w", err)
	}
	list := judge(fields(info))
	list = append(list, clock(ctx, client))
	opened := finding{"store", "ok", "it opens, and all partitions answer"}
	if err := a.connect(ctx); err != nil {
		opened = finding{"store", "bad", err.Error()}
	} else if err := a.m.Ping(ctx); err != nil {
		opened = finding{"store", "bad", err.Error()}
	}
	return append(list, opened), nil
}

// fields reads the lines NAME:VALUE of INFO.
func fields(info string) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			m[name] = value
		}
	}
	return m
}

// judge says what the server's own figures mean for Rollcall.
func judge(info map[string]string) []finding {
	list := []finding{
		{
			"server",
			"ok",
			strings.TrimSpace(info["server_name"] + " " + info["redis_version"] + ", " + info["redis_mode"]),
		},
	}
	if v := info["redis_version"]; v != "" && older(v, 6, 2) {
		list[0] = finding{"server", "bad", v + " is older than 6.2"}
	}
	switch policy := info["maxmemory_policy"]; policy {
	case "noeviction":
		list = append(list, finding{"eviction", "ok", policy})
	case "":
		list = append(list, finding{"eviction", "warning", "the server does not say whether it removes keys"})
	default:
		list = append(
			list,
			finding{"eviction", "bad", policy + " removes keys when memory is short: tasks are lost. Set noeviction"},
		)
	}
	memory := finding{"memory", "ok", info["used_memory_human"] + " in use, no limit"}
	if limit := info["maxmemory_human"]; limit != "" && limit != "0B" {
		memory.Text = info["used_memory_human"] + " of " + limit + " in use"
	}
	list = append(list, memory)
	switch {
	case info["aof_enabled"] == "1":
		list = append(list, finding{"persistence", "ok", "append-only file"})
	case info["rdb_last_bgsave_status"] == "err":
		list = append(list, finding{"persistence", "bad", "the last snapshot failed"})
	default:
		list = append(
			list,
			finding{
				"persistence",
				"warning",
				"no append-only file: after a crash the server forgets what came since the last snapshot",
			},
		)
	}
	if role := info["role"]; role != "" && role != "master" {
		list = append(list, finding{"role", "bad", "this server is a " + role + ": it takes no writes"})
	}
	return list
}

// older reports whether a version is before major.minor.
func older(version string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(version, "%d.%d", &a, &b); err != nil {
		return false
	}
	return a < major || a == major && b < minor
}

// clock compares the clock of the server with the one of this machine.
func clock(ctx context.Context, client rueidis.Client) finding {
	before := time.Now()
	parts, err := client.Do(ctx, client.B().Time().Build()).AsIntSlice()
	took := time.Since(before)
	if err != nil || len(parts) != 2 {
		return finding{"clock", "warning", "it could not be read"}
	}
	apart := time.Unix(parts[0], parts[1]*1000).Sub(before.Add(took / 2)).Round(time.Millisecond)
	text := fmt.Sprintf("%s apart from this machine; a round trip takes %s", apart, took.Round(10*time.Microsecond))
	if apart.Abs() > time.Second {
		return finding{"clock", "warning", text + ". Times of the store are those of the server"}
	}
	return finding{"clock", "ok", text}
}
