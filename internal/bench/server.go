package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

// server is a redis-server of our own on a free loopback port.
type server struct {
	cmd    *exec.Cmd
	dir    string
	url    string
	aof    bool
	client rueidis.Client
}

// slowAfter is from what duration on the server logs a command, in µs.
const slowAfter = "500"

func startServer(ctx context.Context, aof bool) (*server, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	_ = free.Close()
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return nil, err
	}
	appendonly := "no"
	if aof {
		appendonly = "yes"
	}
	s := &server{dir: dir, url: "redis://127.0.0.1:" + port, aof: aof}
	s.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "",
		"--appendonly", appendonly, "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0",
		"--slowlog-log-slower-than", slowAfter, "--slowlog-max-len", "100000", "--maxclients", "10000")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive a bench that is killed
	if err := s.cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if s.client, err = newClient(s.url); err == nil {
			return s, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("redis-server does not answer: %w", err)
		}
	}
}

func newClient(url string) (rueidis.Client, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	option.DisableCache = true
	return rueidis.NewClient(option)
}

func (s *server) stop() {
	if s.client != nil {
		s.client.Close()
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

// reset empties the server and its slow log.
func (s *server) reset(ctx context.Context) error {
	if err := s.empty(ctx); err != nil {
		return err
	}
	return s.client.Do(ctx, s.client.B().SlowlogReset().Build()).Error()
}

func (s *server) empty(ctx context.Context) error {
	return s.client.Do(ctx, s.client.B().Flushall().Sync().Build()).Error()
}

// longest is how long the longest command since the reset occupied the server, in ms; 0 if
// it was none worth logging.
func (s *server) longest(ctx context.Context) (float64, error) {
	entries, err := s.client.Do(ctx, s.client.B().SlowlogGet().Count(-1).Build()).ToArray()
	if err != nil {
		return 0, err
	}
	longest := int64(0)
	for _, e := range entries {
		fields, err := e.ToArray() // id, time, µs, command, …
		if err != nil || len(fields) < 4 {
			return 0, fmt.Errorf("read the slow log: %w", err)
		}
		command, err := fields[3].AsStrSlice()
		if err != nil {
			return 0, err
		}
		if own(command[0]) {
			continue
		}
		took, err := fields[2].AsInt64()
		if err != nil {
			return 0, err
		}
		longest = max(longest, took)
	}
	return float64(longest) / 1e3, nil
}

// own reports whether a command is one of the bench itself.
func own(command string) bool {
	switch strings.ToLower(command) {
	case "flushall", "info", "slowlog":
		return true
	}
	return false
}

// usage is what server and client have used so far.
type usage struct {
	at       time.Time
	redisCPU time.Duration
	ownCPU   time.Duration
	commands int64 // those that scripts make included
	requests int64 // reads from clients: where they are far apart, one each
	memory   int64
}

func (s *server) usage(ctx context.Context) (usage, error) {
	u := usage{at: time.Now()}
	text, err := s.client.Do(ctx, s.client.B().Info().Section("everything").Build()).ToString()
	if err != nil {
		return u, err
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		field, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		switch field {
		case "used_cpu_user_main_thread", "used_cpu_sys_main_thread":
			seconds, _ := strconv.ParseFloat(value, 64)
			u.redisCPU += time.Duration(seconds * float64(time.Second))
		case "total_commands_processed":
			u.commands, _ = strconv.ParseInt(value, 10, 64)
		case "total_reads_processed":
			u.requests, _ = strconv.ParseInt(value, 10, 64)
		case "used_memory":
			u.memory, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return u, err
	}
	u.ownCPU = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return u, lines.Err()
}
