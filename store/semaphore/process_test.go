package semaphore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

// The environment of a test binary that shall be a process of its own: what it does, and where.
const (
	roleEnv      = "SEMAPHORE_TEST_ROLE"
	urlEnv       = "SEMAPHORE_TEST_URL"
	namespaceEnv = "SEMAPHORE_TEST_NAMESPACE"
)

var roles = map[string]func(ctx context.Context, sems *semaphore.Semaphores) error{
	"holder":  holdFor(2 * time.Second), // a machine may be slow: it has this time to be seen
	"sleeper": holdFor(300 * time.Millisecond),
	"taker":   takeManyTimes,
}

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(roleEnv)]; ok {
		if err := playRole(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func playRole(role func(context.Context, *semaphore.Semaphores) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // also if its parent dies
	defer cancel()
	s, err := redisstore.Open(ctx, os.Getenv(urlEnv), redisstore.Config{Namespace: os.Getenv(namespaceEnv)})
	if err != nil {
		return err
	}
	return errors.Join(role(ctx, semaphore.New(s)), s.Close())
}

// process is a child and what it says.
type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func start(t *testing.T, role string, server *redistest.Server, namespace string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, urlEnv+"="+server.URL(), namespaceEnv+"="+namespace)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &process{cmd, bufio.NewScanner(out)}
}

// says waits for the next line.
func (p *process) says(t *testing.T) string {
	t.Helper()
	require.True(t, p.out.Scan(), "it ended: %v", p.out.Err())
	return p.out.Text()
}

// holdFor returns a gated runner that goes on until its lease is lost.
func holdFor(ttl time.Duration) func(context.Context, *semaphore.Semaphores) error {
	return func(ctx context.Context, sems *semaphore.Semaphores) error {
		gate := semaphore.Gate{Semaphores: sems, Key: "k", TTL: ttl, Holder: "child"}
		err := gate.Run(ctx, func(ctx context.Context) error {
			fmt.Println("holds")
			<-ctx.Done()
			fmt.Println("cancelled:", context.Cause(ctx))
			return nil
		})
		fmt.Println("release:", errors.Is(err, store.ErrLeaseLost))
		return nil
	}
}

func TestThePlaceOfAKilledHolderReturnsAfterItsTime(t *testing.T) {
	server, namespace := redistest.Shared(t)
	child := start(t, "holder", server, namespace)
	require.Equal(t, "holds", child.says(t))
	sems := semaphore.New(onServer(t, server, namespace))
	_, err := sems.TryAcquire(t.Context(), "k", one("heir"))
	require.ErrorIs(t, err, semaphore.ErrNotAcquired)

	require.NoError(t, child.cmd.Process.Kill())

	heir, err := sems.Acquire(t.Context(), "k", one("heir"))
	require.NoError(t, err)
	require.NoError(t, heir.Release(t.Context()))
}

func TestAPausedHolderIsCancelledWhenItGoesOnAndTouchesNobodysLease(t *testing.T) {
	server, namespace := redistest.Shared(t)
	child := start(t, "sleeper", server, namespace)
	require.Equal(t, "holds", child.says(t))
	require.NoError(t, child.cmd.Process.Signal(syscall.SIGSTOP))
	sems := semaphore.New(onServer(t, server, namespace))
	heir, err := sems.Acquire(t.Context(), "k", one("heir"))
	require.NoError(t, err)

	require.NoError(t, child.cmd.Process.Signal(syscall.SIGCONT))

	require.Equal(t, "cancelled: lease lost", child.says(t))
	require.Equal(t, "release: true", child.says(t))
	require.NoError(t, child.cmd.Wait())
	require.NoError(t, heir.Refresh(t.Context()))
	require.NoError(t, heir.Release(t.Context()))
}

// takeManyTimes prints a line for each of its leases: number, and from when until when it held it
// for certain, by the store's clock.
func takeManyTimes(ctx context.Context, sems *semaphore.Semaphores) error {
	return together(ctx, takersPerProcess, func(ctx context.Context, _ int) error {
		var lines strings.Builder
		for range acquisitionsPerTaker {
			lease, err := sems.Acquire(ctx, "k", &semaphore.Options{Max: crowdedPlaces, Holder: "taker"})
			if err != nil {
				return err
			}
			from := lease.Deadline().Add(-semaphore.DefaultTTL)
			if err := lease.Refresh(ctx); err != nil {
				return err
			}
			to := lease.Deadline().Add(-semaphore.DefaultTTL)
			if err := lease.Release(ctx); err != nil {
				return err
			}
			fmt.Fprintln(&lines, lease.Fence, from.UnixMilli(), to.UnixMilli())
		}
		_, err := os.Stdout.WriteString(lines.String())
		return err
	})
}
