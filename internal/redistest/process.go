package redistest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
)

const (
	loopback     = "127.0.0.1"
	readyTimeout = 20 * time.Second
	portTries    = 20

	// Ports are taken from below the range that kernels use for outgoing
	// connections: there, a client that redials a killed server would sooner or
	// later connect to itself and keep the port from being bound again. The bus
	// port of a cluster node, 10,000 higher, is below that range too.
	firstPort, lastPort, busOffset = 11_000, 21_999, 10_000
)

// spec is what a process is launched with.
type spec struct {
	binary string
	dir    string
	port   int
	args   []string
	env    []string // beside that of the test
	// config is the text of a configuration file; empty for none. A sentinel
	// needs one, since it rewrites it.
	config string
	// loading says that it is ready when it answers that it is loading.
	loading bool
}

// process is one running server.
type process struct {
	cmd    *exec.Cmd
	group  *lifecycle.Group
	exited chan struct{} // closed when the process is gone and was waited for
}

// errExited reports a process that ended before it was ready: most likely
// another process bound the port first.
var errExited = errors.New("redis-server exited")

// launchOnFreePort tries ports until the server could bind one. A port that
// was free when it was looked at may be taken by the time the server binds it.
func launchOnFreePort(sp spec) (*process, *reservation, error) {
	var last error
	for range portTries {
		ports, err := reserve(randomPort())
		if err != nil {
			last = err
			continue
		}
		sp.port = ports.port
		proc, err := launch(sp)
		if err == nil {
			return proc, ports, nil
		}
		ports.release()
		if !errors.Is(err, errExited) {
			return nil, nil, err
		}
		last = err
	}
	return nil, nil, fmt.Errorf("no port could be bound: %w", last)
}

// reservation keeps the ports of a server from the servers of all other tests, also while it is
// dead: otherwise one of these could answer in its place, and it could not be started again. It is
// an open UDP socket on each of the two numbers, which no server uses. So it ends with this process.
type reservation struct {
	port    int
	sockets []net.PacketConn
}

// reserve reserves a port and that of the bus, unless another server has one of them.
func reserve(port int) (*reservation, error) {
	r := &reservation{port: port}
	for _, number := range []int{port, port + busOffset} {
		socket, err := net.ListenPacket("udp", net.JoinHostPort(loopback, strconv.Itoa(number)))
		if err != nil {
			r.release()
			return nil, err
		}
		r.sockets = append(r.sockets, socket)
		if !free(number) {
			r.release()
			return nil, fmt.Errorf("somebody listens on port %d", number)
		}
	}
	return r, nil
}

func (r *reservation) release() {
	for _, socket := range r.sockets {
		_ = socket.Close()
	}
}

func randomPort() int { return firstPort + rand.IntN(lastPort-firstPort+1) }

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// launch starts a process and returns when it answers.
func launch(sp spec) (*process, error) {
	logFile := filepath.Join(sp.dir, "redis.log")
	args, err := sp.commandLine(logFile)
	if err != nil {
		return nil, err
	}
	p := &process{
		cmd:    exec.Command(sp.binary, args...),
		group:  lifecycle.New(context.Background()),
		exited: make(chan struct{}),
	}
	p.cmd.Dir = sp.dir
	p.cmd.Env = append(os.Environ(), sp.env...)
	dieWithParent(p.cmd)

	started := make(chan error, 1)
	p.group.Go(func(context.Context) {
		// The kernel ties the parent-death signal to the thread that started
		// the child: that thread must live as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	ready := pong
	if sp.loading {
		ready = "-LOADING "
	}
	if err := p.awaitReady(sp.port, ready); err != nil {
		p.kill()
		text, _ := os.ReadFile(logFile)
		return nil, fmt.Errorf("redis-server on port %d: %w\n%s", sp.port, err, text)
	}
	return p, nil
}

func (sp spec) commandLine(logFile string) ([]string, error) {
	var args []string
	if sp.config != "" {
		name := filepath.Join(sp.dir, "redis.conf")
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) { // kept over a restart
			if err := os.WriteFile(name, []byte(sp.config), 0o600); err != nil {
				return nil, fmt.Errorf("write configuration: %w", err)
			}
		}
		args = append(args, name)
	}
	return append(append(args,
		"--bind", loopback,
		"--port", strconv.Itoa(sp.port),
		"--dir", sp.dir,
		"--logfile", logFile,
		"--daemonize", "no",
	), sp.args...), nil
}

// kill ends the process and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it is gone
	<-p.exited
	p.group.Wait()
}
