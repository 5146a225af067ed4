package handlers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
)

// What is read of any stored text is valid, and is written and read again the same; all else is
// corrupt.
func FuzzDecodeConfiguration(f *testing.F) {
	for _, seed := range []string{
		`{"v":1,"set":{"timeout":5,"params":null},"kinds":{"scan":{"max_retries":-1,"rate":{"events":3}},"file":null}}`,
		`{"v":1,"set":{"backoff":{"first":-1,"jitter":0.5},"weight":1e300}}`, `{"v":2}`, `{"V":1,"Set":{"QUEUE":"a"}}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		c, err := handlers.DecodeConfiguration(stored)
		if err != nil {
			require.ErrorIs(t, err, store.ErrCorrupt)
			return
		}
		require.NoError(t, c.Validate())
		again, err := c.Encode()
		if err != nil {
			require.ErrorIs(t, err, store.ErrInvalid) // escapes may make it longer than it was
			return
		}
		read, err := handlers.DecodeConfiguration(again)
		require.NoError(t, err)
		twice, err := read.Encode()
		require.NoError(t, err)
		require.Equal(t, string(again), string(twice))
	})
}
