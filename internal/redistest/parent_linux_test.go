package redistest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const orphanEnv = "REDISTEST_PRINT_ADDRESS_AND_HANG"

func TestServersDieWithAKilledTestBinary(t *testing.T) {
	if os.Getenv(orphanEnv) != "" {
		fmt.Println(Start(t, nil).Addr)
		select {}
	}
	Binary(t)
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), orphanEnv+"=1")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(line[:len(line)-1])
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	require.False(t, free(number), "the server runs")

	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())

	require.Eventually(t, func() bool { return free(number) }, 10*time.Second, 5*time.Millisecond)
}
