package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// nobody is a user who owns nothing.
const nobody = 65534

// asNobody runs the program as a user who owns neither tree, or as this one where only root could
// do so.
func (tr *trees) asNobody(binary string, args ...string) (status int, o outcome, printed string) {
	tr.T.Helper()
	for dir := filepath.Dir(tr.Src); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(tr.T, os.Chmod(dir, 0o755))
	}
	require.NoError(tr.T, os.Chmod(filepath.Dir(binary), 0o755))
	cmd := exec.Command(binary, append([]string{"start", "-src", tr.Src, "-dst", tr.Dst, "-json"}, args...)...)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(tr.T, err, &exit)
	}
	return cmd.ProcessState.ExitCode(), lastLine(tr.T, string(out)), string(out)
}

// ten writes ten files of one byte to each directory.
func (tr *trees) ten(dirs ...string) {
	for _, dir := range dirs {
		for _, name := range strings.Split("0123456789", "") {
			tr.Write(filepath.Join(dir, name), "x", 0o644)
		}
	}
}

// own makes a directory of the destination, of a user and a mode.
func (tr *trees) own(rel string, uid, gid int, mode os.FileMode) {
	tr.T.Helper()
	path := filepath.Join(tr.Dst, rel)
	require.NoError(tr.T, os.MkdirAll(path, 0o755))
	if os.Getuid() == 0 {
		require.NoError(tr.T, os.Chown(path, uid, gid))
	}
	require.NoError(tr.T, os.Chmod(path, mode))
}

func TestADirectoryOfSomebodyElseDoesNotStopItsNeighbours(t *testing.T) {
	tr := newTrees(t)
	tr.ten("a", "sub", "z")
	tr.Write("sub/deep/file", "x", 0o644)
	tr.own("", nobody, nobody, 0o755)
	tr.own("sub", 0, 0, 0o555) // of which this user, if it is not root, is the owner
	status, o, printed := tr.asNobody(build(t))
	if os.Getuid() != 0 {
		require.Equal(t, files{Copied: 31, Bytes: 31}, o.files)
		return
	}
	require.Equal(t, exitOK, status, printed)
	require.Equal(t, files{Copied: 20, Failed: 11, Bytes: 20}, o.files, "10 files, and the directory with the other")
	require.Contains(t, printed, `failed: "`+tr.Src+`/sub/3": open: permission denied`)
	require.Contains(t, printed, `failed: "`+tr.Src+`/sub/deep": mkdir: permission denied`)
	require.Contains(t, printed, `not set: "`+tr.Src+`/sub": `)
	status, _, _ = tr.asNobody(build(t), "-strict")
	require.Equal(t, exitFailed, status)
}

func TestADirectoryThatTheUserMayNotEvenEnterIsOneOfMany(t *testing.T) {
	tr := newTrees(t)
	tr.ten("a", "sub")
	tr.own("", nobody, nobody, 0o755)
	tr.own("sub", 0, 0, 0o700)
	_, o, printed := tr.asNobody(build(t))
	if os.Getuid() == 0 {
		require.Equal(t, files{Copied: 10, Failed: 10, Bytes: 10}, o.files, printed)
	}
}

func TestADestinationMayLieWhereNothingCanBeMadeBesideIt(t *testing.T) {
	tr := newTrees(t)
	tr.ten("", "a")
	tr.Write("closed/file", "x", 0o644)
	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "closed"), 0o555))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(tr.Src, "closed"), 0o755) })
	mount := filepath.Join(filepath.Dir(tr.Src), "mount")
	tr.Dst = filepath.Join(mount, "dst")
	tr.own("", nobody, nobody, 0o755)
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(tr.Dst, "closed"), 0o755) })
	require.NoError(t, os.Chmod(mount, 0o555))
	t.Cleanup(func() { _ = os.Chmod(mount, 0o755) })
	status, o, printed := tr.asNobody(build(t), "-strict")
	require.Equal(t, exitOK, status, printed)
	require.Equal(t, files{Copied: 21, Bytes: 21}, o.files)
	tr.RequireEqual()
}

func TestADestinationMayBelongToTheGroup(t *testing.T) {
	tr := newTrees(t)
	tr.ten("", "a")
	tr.own("", 0, nobody, 0o775)
	status, o, printed := tr.asNobody(build(t), "-strict")
	require.Equal(t, exitOK, status, printed)
	require.Equal(t, files{Copied: 20, Bytes: 20}, o.files)
	if os.Getuid() == 0 {
		require.Contains(t, printed, `not set: "`+tr.Src+`": `)
	}
}

func TestAPathThatIsTooLongOnlyInTheDestinationIsOneOfMany(t *testing.T) {
	tr := newTrees(t)
	tr.Dst = filepath.Join(filepath.Dir(tr.Dst), strings.Repeat("d", 200))
	const longest = 4095 // of a path, in bytes
	dir := ""
	room := func() int { return longest - len(filepath.Join(tr.Dst, dir, "x")) }
	for room() > 160 {
		dir = filepath.Join(dir, strings.Repeat("s", min(200, room()-100)))
	}
	tr.ten("", dir)
	for _, name := range []string{"a", "m", "z"} {
		tr.Write(filepath.Join(dir, strings.Repeat(name, 180)), "x", 0o644)
		require.NoError(t, os.Mkdir(filepath.Join(tr.Src, dir, strings.Repeat(name, 181)), 0o755))
	}
	status, stdout, stderr := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-json")
	require.Equal(t, exitOK, status, stderr)
	o := lastLine(t, stdout)
	require.Equal(t, files{Copied: 20, Failed: 6, Bytes: 20}, o.files)
	require.Equal(t, 6, strings.Count(stdout, "file name too long"), stdout)
	require.EqualValues(t, 0, o.Retried)
}
