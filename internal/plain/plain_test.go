package plain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/plain"
)

type args struct {
	At time.Time
	N  int8
	In struct{ Names []string }
}

func TestErrorsTellWhatIsWrongAndNothingOfTheData(t *testing.T) {
	for data, want := range map[string]string{
		`{"N":4111111111111111}`:              "number at offset 21 does not fit int8 of field N",
		`{"In":{"Names":["a",{"s3cret":1}]}}`: "object at offset 21 does not fit string of field In.Names",
		`{"At":"s3cret"}`:                     "refused by a type that decodes itself, with *time.ParseError",
		`{"N":s3cret}`:                        "not JSON from offset 6 on",
		``:                                    "not JSON from offset 0 on",
	} {
		var v args
		err := plain.Unmarshal([]byte(data), &v)
		require.EqualError(t, err, want, data)
	}
	var parse *time.ParseError
	require.ErrorAs(t, plain.Unmarshal([]byte(`{"At":"s3cret"}`), new(args)), &parse, "the details are there for who asks")
	require.ErrorContains(t, plain.Unmarshal([]byte(`{}`), nil), "json: Unmarshal(nil)")
	var v args
	require.NoError(t, plain.Unmarshal([]byte(`{"N":1}`), &v))
	require.Equal(t, int8(1), v.N)
}
