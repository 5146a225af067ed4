package command

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// onDisk is how many bytes a file takes there.
func onDisk(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

func TestHolesAreKept(t *testing.T) {
	const size = 600 << 20
	data := bytes.Repeat([]byte("data"), 1024)
	for name, at := range map[string][]int64{
		"nothing but a hole": nil, "at the start": {0}, "in the middle": {300 << 20}, "at the end": {size - 4096}, "several": {0, 64 << 20, 65<<20 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrees(t)
			tr.Write("file", "", 0o644)
			f, err := os.OpenFile(filepath.Join(tr.Src, "file"), os.O_WRONLY, 0)
			require.NoError(t, err)
			require.NoError(t, f.Truncate(size))
			for _, offset := range at {
				_, err = f.WriteAt(data, offset)
				require.NoError(t, err)
			}
			require.NoError(t, f.Close())
			status, stdout, _ := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-json")
			require.Equal(t, exitOK, status)
			require.Equal(t, files{Copied: 1, Bytes: size}, lastLine(t, stdout).files)
			copied := filepath.Join(tr.Dst, "file")
			require.LessOrEqual(t, onDisk(t, copied), onDisk(t, filepath.Join(tr.Src, "file"))+64<<10)
			info, err := os.Stat(copied)
			require.NoError(t, err)
			require.EqualValues(t, size, info.Size())
			c, err := os.Open(copied)
			require.NoError(t, err)
			defer c.Close()
			for _, offset := range at {
				got := make([]byte, len(data))
				_, err := c.ReadAt(got, offset)
				require.NoError(t, err)
				require.True(t, bytes.Equal(data, got))
			}
		})
	}
}

func TestTimesOutsideOfTheNanosecondsOf64BitsAreKept(t *testing.T) {
	for _, when := range []time.Time{
		time.Date(2300, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2262, 4, 11, 23, 47, 17, 0, time.UTC), time.Date(1902, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		tr := newTrees(t)
		tr.Write("dir/file", "x", 0o644)
		for _, rel := range []string{"dir/file", "dir"} {
			path := filepath.Join(tr.Src, rel)
			require.NoError(t, syscall.UtimesNano(path, []syscall.Timespec{{Sec: when.Unix()}, {Sec: when.Unix()}}))
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.True(t, info.ModTime().Equal(when), "the file system holds %v", when)
		}
		for _, want := range []files{{Copied: 1, Bytes: 1}, {Unchanged: 1}} {
			_, stdout, _ := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-json")
			require.Equal(t, want, lastLine(t, stdout).files, when)
			tr.RequireEqual()
		}
	}
}
