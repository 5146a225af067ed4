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
	client rueidis.Client
}

func startServer(ctx context.Context, aof bool) (*server, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return nil, err
	}
	appendonly := "no"
	if aof {
		appendonly = "yes"
	}
	s := &server{dir: dir, url: "redis://127.0.0.1:" + strconv.Itoa(port)}
	s.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir, "--save", "", "--appendonly", appendonly)
	if err := s.cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		option, _ := rueidis.ParseURL(s.url)
		option.DisableCache = true
		if s.client, err = rueidis.NewClient(option); err == nil {
			return s, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("redis-server does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *server) stop() {
	if s.client != nil {
		s.client.Close()
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

func (s *server) flush(ctx context.Context) error {
	return s.client.Do(ctx, s.client.B().Flushall().Build()).Error()
}

// usage is what server and client have used so far.
type usage struct {
	at       time.Time
	redisCPU time.Duration
	ownCPU   time.Duration
	commands int64
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
