package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// startRedis starts a redis-server that ends with the function that it returns.
func startRedis(ctx context.Context) (url string, end func(), err error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errors.New(
			"there is no redis-server on the PATH: install one, or say where one runs with -redis",
		)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // finds a free port
	if err != nil {
		return "", nil, err
	}
	addr := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	dir, err := os.MkdirTemp("", "fleet-redis-")
	if err != nil {
		return "", nil, err
	}
	server := exec.Command(binary, "--bind", "127.0.0.1", "--port", fmt.Sprint(addr.Port), //nolint:noctx // ends last
		"--dir", dir, "--save", "", "--appendonly", "no")
	own(server)
	if err := server.Start(); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	end = func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	for {
		if c, err := net.Dial("tcp", addr.String()); err == nil { //nolint:noctx // on this machine
			return "redis://" + addr.String(), end, c.Close()
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			end()
			return "", nil, context.Cause(ctx)
		}
	}
}
