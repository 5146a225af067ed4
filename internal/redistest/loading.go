package redistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// loadKeys and loadBytes are what a server has to load: each key takes it loadDelay microseconds,
	// so all of them a minute, and between two keys it answers commands, most of them with LOADING.
	loadKeys, loadBytes, loadDelay = 3000, 2048, "20000"
)

// Load restarts the server with a large dump, and returns when it answers that it is loading: it
// goes on to do so for a minute, or until [Server.FinishLoading]. What the server held stays,
// beside keys under "redistest:load:".
func (s *Server) Load(ctx context.Context) error {
	filler := strings.Repeat("x", loadBytes)
	for first := 0; first < loadKeys; first += 100 {
		words := []string{"MSET"}
		for i := range 100 {
			words = append(words, fmt.Sprintf("redistest:load:%d", first+i), filler)
		}
		if err := s.Do(ctx, words...); err != nil {
			return fmt.Errorf("fill the server: %w", err)
		}
	}
	if err := errors.Join(s.Do(ctx, "CONFIG", "SET", "rdbcompression", "no"), s.Snapshot(ctx)); err != nil {
		return err
	}
	s.proc.kill()
	slow := s.spec
	slow.args = append(
		slices.Clone(slow.args), "--key-load-delay", loadDelay, "--loading-process-events-interval-bytes", "1024",
	)
	slow.loading = true
	proc, err := launch(slow)
	if err != nil {
		return err
	}
	s.proc = proc
	return nil
}

// FinishLoading has a server that loads do the rest at once, and returns when it serves.
func (s *Server) FinishLoading(ctx context.Context) error {
	if err := s.Do(ctx, "CONFIG", "SET", "key-load-delay", "0"); err != nil {
		return fmt.Errorf("load faster: %w", err)
	}
	return s.proc.awaitReady(s.spec.port, pong)
}
