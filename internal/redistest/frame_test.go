package redistest

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// wholeFrames are one value each, of every type of RESP2 and RESP3.
var wholeFrames = []string{
	"+OK\r\n",
	"+\r\n",
	"-ERR no\r\n",
	":-12\r\n",
	"$0\r\n\r\n",
	"$-1\r\n",
	"$6\r\n\r\n$3\r\n\r\n",
	"$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n",
	"*0\r\n",
	"*-1\r\n",
	"*3\r\n:1\r\n*1\r\n$1\r\na\r\n$-1\r\n",
	"*?\r\n:1\r\n*?\r\n.\r\n.\r\n",
	"_\r\n",
	"#t\r\n",
	",inf\r\n",
	"(3492890328409238509324850943850943825024385\r\n",
	"!21\r\nSYNTAX invalid syntax\r\n",
	"=15\r\ntxt:Some string\r\n",
	"%2\r\n+first\r\n:1\r\n+second\r\n%1\r\n:2\r\n_\r\n",
	"%?\r\n+a\r\n:1\r\n.\r\n",
	"~3\r\n+orange\r\n#f\r\n:100\r\n",
	">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n",
	"|1\r\n+key-popularity\r\n%1\r\n$1\r\na\r\n,0.1923\r\n*2\r\n:1\r\n|1\r\n+ttl\r\n:3600\r\n:2\r\n",
}

func TestEveryTypeIsOneFrame(t *testing.T) {
	for _, want := range wholeFrames {
		const next = "+next\r\n"
		r := bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(want+next)), 16)

		got, err := readFrame(r)
		require.NoError(t, err, "%q", want)
		require.Equal(t, want, string(got.raw))

		got, err = readFrame(r)
		require.NoError(t, err, "%q must leave what follows", want)
		require.Equal(t, next, string(got.raw))
		_, err = readFrame(r)
		require.Equal(t, io.EOF, err)
	}
}

func TestAFrameKnowsItsTypeBehindAttributes(t *testing.T) {
	f, err := readFrame(bufio.NewReader(strings.NewReader("|1\r\n+a\r\n+b\r\n>2\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n")))
	require.NoError(t, err)
	require.Equal(t, byte('>'), f.kind())
	require.Equal(t, "SUBSCRIBE", pushName(f))
}

func TestATornFrameIsAnUnexpectedEnd(t *testing.T) {
	for _, whole := range wholeFrames {
		for cut := 1; cut < len(whole); cut++ {
			_, err := readFrame(bufio.NewReader(strings.NewReader(whole[:cut])))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", whole[:cut])
		}
	}
}

func TestMalformedFramesAreRefused(t *testing.T) {
	deep := strings.Repeat("*1\r\n", maxDepth+1) + ":1\r\n"
	for _, bad := range []string{"\r\n", "x\r\n", "+no return\n", "$x\r\n", "$-2\r\n", "$9999999999\r\n", "$1\r\nabc", "*x\r\n", "$?\r\n:1\r\n", ".\r\n", deep} {
		_, err := readFrame(bufio.NewReader(strings.NewReader(bad)))
		require.ErrorIs(t, err, errFrame, "%q", bad)
	}
}

func TestRequestsAreArraysOrLines(t *testing.T) {
	for in, want := range map[string]Command{
		"*2\r\n$3\r\nget\r\n$4\r\na\r\nb\r\n": {Name: "GET", Args: [][]byte{[]byte("a\r\nb")}},
		"ping  hello\r\n":                     {Name: "PING", Args: [][]byte{[]byte("hello")}},
		"*0\r\n":                              {},
		"*-1\r\n":                             {},
		"\r\n":                                {},
	} {
		got, err := readCommand(bufio.NewReader(strings.NewReader(in)))
		require.NoError(t, err)
		require.Equal(t, in, string(got.raw))
		require.Equal(t, want.Name, got.Name)
		require.Len(t, got.Args, len(want.Args))
		for i := range want.Args {
			require.Equal(t, want.Args[i], got.Args[i])
		}
	}
	for _, bad := range []string{"*1\r\n:1\r\n", "*1\r\n$-1\r\n", "*1\r\n*1\r\n$1\r\na\r\n"} {
		_, err := readCommand(bufio.NewReader(strings.NewReader(bad)))
		require.ErrorIs(t, err, errFrame, "%q", bad)
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, whole := range wholeFrames {
		f.Add([]byte(whole))
	}
	f.Add([]byte("*2\r\n$3\r\nget\r\n$1\r\na\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := readFrame(bufio.NewReader(bytes.NewReader(in)))
		slow, slowErr := readFrame(bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(in)), 16))
		require.Equal(t, err, slowErr, "how the bytes arrive must not matter")
		_, _ = readCommand(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			return
		}
		require.Equal(t, got, slow)
		require.True(t, bytes.HasPrefix(in, got.raw), "bytes are unchanged")
		_ = pushName(got)

		again, err := readFrame(bufio.NewReader(bytes.NewReader(got.raw)))
		require.NoError(t, err)
		require.Equal(t, got, again)
		for cut := 1; cut < min(len(got.raw), 64); cut++ {
			_, err := readFrame(bufio.NewReader(bytes.NewReader(got.raw[:cut])))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
	})
}
