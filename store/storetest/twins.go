package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

// TwinOptions tune [RunTwins].
type TwinOptions struct {
	// Calls is how many calls are compared. Defaults to 500.
	Calls int
	// Seed of the calls. Defaults to 1: each run plays the same ones.
	Seed uint64
	// Dump lists everything that is stored in the first store, with its content. The suite compares it
	// before and after each call that is refused. Nil leaves that out.
	Dump func(tb testing.TB, s store.Store) []string
}

// RunTwins makes the same random calls of two stores and compares their answers, by kind and field
// where they are errors. Most calls have something wrong with them, or are at a bound: names and
// numbers that cannot be, times that are past or far, lists that are empty, doubled or too long.
// Every method of [store.Store] is among them. A call that is refused must have written nothing.
// Stores run in real time here.
func RunTwins(t *testing.T, h, reference Harness, o TwinOptions) {
	if o.Calls == 0 {
		o.Calls = 500
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	g := &twinCalls{Rand: rand.New(rand.NewPCG(o.Seed, 0))}
	made := make(map[string]int)
	var first, second *twin
	refused, age := 0, callsOfGeneration
	for i := range o.Calls {
		if age == callsOfGeneration {
			first, second = newTwin(t, h), newTwin(t, reference)
			g.begin(t, first, second)
			age = 0
		}
		age++
		c := g.call()
		made[c.method]++
		var before []string
		if o.Dump != nil {
			before = o.Dump(t, first.made)
		}
		one, failed := first.make(c)
		other, _ := second.make(c)
		if one != other && c.method == "Fetch" && strings.Contains(one, "{Lease:") {
			age = callsOfGeneration // it may leave some for the next
			continue
		}
		if one != other {
			from := max(0, commonPrefix(one, other)-100)
			t.Errorf(
				"call %d of seed %d, %s\nis answered: … %.400s\nand by the reference: … %.400s", i, o.Seed, c, one[from:],
				other[from:],
			)
			age = callsOfGeneration // what follows would differ, too
			continue
		}
		if failed {
			refused++
			if o.Dump != nil {
				require.Equal(
					t, before, o.Dump(t, first.made), "call %d of seed %d, %s was refused, and wrote", i, o.Seed, c,
				)
			}
		}
	}
	for _, method := range twinMethods() {
		require.True(t, made[method] > 0 || o.Calls < 500, "no call of %s", method)
	}
	t.Logf("%d calls of %d methods answered alike, %d of them refused", o.Calls, len(made), refused)
}

func commonPrefix(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// callsOfGeneration is how many calls are made of the same two stores: numbers at their bounds use
// up streams and sessions.
const callsOfGeneration = 50

// twin is one of two stores, and what its runs are called.
type twin struct {
	tb          testing.TB
	made, store store.Store
	runs        []store.RunID
	leases      []store.Lease
}

func newTwin(tb testing.TB, h Harness) *twin {
	made := h.New(tb)
	tb.Cleanup(func() { _ = made.Close() })
	return &twin{tb: tb, made: made, store: store.Checked(made)}
}

// twinCall is a call that each twin makes with its own runs and leases: in the arguments they have
// numbers that stand for them.
type twinCall struct {
	method string
	args   []any
}

func (c twinCall) String() string {
	text := fmt.Sprintf("%s(%+v)", c.method, c.args)
	if len(text) > 2000 {
		text = text[:2000] + " …"
	}
	return text
}

// make makes a call and returns the answer in a form that does not depend on the store, and whether
// it was refused.
func (w *twin) make(c twinCall) (answer string, refused bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for _, arg := range c.args {
		v := reflect.New(reflect.TypeOf(arg)).Elem()
		v.Set(w.own(reflect.ValueOf(arg)))
		in = append(in, v)
	}
	call := reflect.ValueOf(w.store).MethodByName(c.method)
	out := call.Call(in)
	for { // a search goes on as its caller would: stores look at more or less in a call
		reply, _ := out[0].Interface().(store.ChangeTaskReply)
		if reply.Change != "" || reply.Next == "" {
			break
		}
		in[1].FieldByName("Cursor").SetString(reply.Next)
		out = call.Call(in)
	}
	err, _ := out[len(out)-1].Interface().(error)
	for _, v := range out[:len(out)-1] {
		w.learn(v.Interface())
	}
	n := &twinForm{runs: w.runs, method: c.method}
	if err != nil {
		out = out[len(out)-1:] // beside an error nothing is said
	}
	for _, v := range out {
		n.write(v)
	}
	return n.String(), err != nil
}

// learn notes what later calls may name.
func (w *twin) learn(reply any) {
	switch r := reply.(type) {
	case store.StartReply:
		w.meet(r.Run)
	case store.FireReply:
		w.meet(r.Run)
	case store.FetchReply:
		slices.SortFunc(r.Deliveries, func(a, b store.Delivery) int { return strings.Compare(w.form(a), w.form(b)) })
		for _, d := range r.Deliveries {
			if !slices.Contains(w.leases, d.Lease) {
				w.leases = append(w.leases, d.Lease)
			}
		}
	}
}

// form is an answer as it is compared.
func (w *twin) form(answer any) string {
	n := &twinForm{runs: w.runs}
	n.write(reflect.ValueOf(answer))
	return n.String()
}

func (w *twin) meet(id store.RunID) {
	if id.Number == 0 {
		return
	}
	for _, known := range w.runs {
		if known == id {
			return
		}
	}
	w.runs = append(w.runs, id)
}

var (
	runType   = reflect.TypeFor[store.RunID]()
	leaseType = reflect.TypeFor[store.Lease]()
	timeType  = reflect.TypeFor[time.Time]()
	errorType = reflect.TypeFor[error]()
)

// own copies an argument with the twin's own runs and leases in place of what stands for them.
func (w *twin) own(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Type() == runType:
		id := v.Interface().(store.RunID)
		if i := id.Number - firstRun; i >= 0 && i < int64(len(w.runs)) {
			id.Number = w.runs[i].Number
		}
		out.Set(reflect.ValueOf(id))
	case v.Type() == leaseType:
		l := v.Interface().(store.Lease)
		if i := int(l.Fetch - firstRun); i >= 0 && i < 10 && len(w.leases) > 0 {
			l = w.leases[max(0, len(w.leases)-1-i)]
		}
		l.Lane.Run = w.own(reflect.ValueOf(l.Lane.Run)).Interface().(store.RunID)
		out.Set(reflect.ValueOf(l))
	case v.Type() == timeType:
		out.Set(v)
	default:
		w.ownParts(v, out)
	}
	return out
}

func (w *twin) ownParts(v, out reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(w.own(v.Field(i)))
		}
		if scope, ok := out.Addr().Interface().(*store.ValueScope); ok && scope.Of == store.ScopeRun {
			scope.Run = w.own(reflect.ValueOf(store.RunID{Job: scope.Job, Number: scope.Run})).Interface().(store.RunID).Number
		}
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			out.Set(v)
			return
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(w.own(v.Index(i)))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(w.own(v.Elem()))
		}
	default:
		out.Set(v)
	}
}
