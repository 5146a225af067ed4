package storetest

import (
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

var (
	strangeTexts = []string{
		"", "a", "a b", "a/b", "a:b", "{a}", "}", "@pre", "@post", "@other", " a", "a ", "a\nb", "a\x00b", "\x1b[31m", "a\u200bb", "\xff\xfe", "é", "日本", "%", "*", "-1", "0",
		strings.Repeat(
			"x", 64,
		), strings.Repeat("x", 65), strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("x", 512), strings.Repeat("x", 513),
		strings.Repeat("x", 1025), strings.Repeat("y", 10_000),
	}
	strangeNumbers = []int64{
		0, 1, -1, 2, 3, 255, 256, 257, 1000, 1001, 1024, 1 << 20, 1<<31 - 1, 1 << 31, 1 << 40, 1<<53 - 1, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64, -(1 << 53),
	}
	strangeDurations = []time.Duration{
		math.MinInt64,
		-time.Hour,
		-1,
		0,
		time.Hour,
		never,
		math.MaxInt64 - 1,
		math.MaxInt64,
	}
	strangeTimes = []time.Time{
		{}, beforeTime, firstTime, lastTime, afterTime, before1970, time.Unix(0, 0), time.Unix(0, 1), time.UnixMilli(1), time.Unix(1e9, 999_999_999),
		time.Date(
			292277026596, 1, 1, 0, 0, 0, 0, time.UTC,
		), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 1, time.FixedZone("odd", 90*60+7)),
	}
	strangeFloats = []float64{
		0,
		-1,
		1,
		math.NaN(),
		math.Inf(1),
		math.Inf(-1),
		bounds.MinWeight,
		bounds.MinWeight / 2,
		bounds.MaxWeight,
		bounds.MaxWeight * 2,
		math.MaxFloat64,
		math.SmallestNonzeroFloat64,
	}
)

// spoil replaces one part of a value by what is strange.
func (g *twinCalls) spoil(v reflect.Value) {
	if v.Type() == timeType {
		v.Set(reflect.ValueOf(pickOf(g, strangeTimes...)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(pickOf(g, strangeTexts...))
	case reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			v.SetInt(int64(pickOf(g, strangeDurations...)))
			return
		}
		v.SetInt(pickOf(g, strangeNumbers...))
	case reflect.Int:
		v.SetInt(pickOf(g, strangeNumbers...))
	case reflect.Uint8:
		v.SetUint(uint64(g.IntN(14)))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Float64:
		v.SetFloat(pickOf(g, strangeFloats...))
	case reflect.Struct:
		g.spoil(v.Field(g.IntN(v.NumField())))
	case reflect.Pointer:
		g.spoilPointer(v)
	case reflect.Slice:
		g.spoilList(v)
	case reflect.Map:
		g.spoilMap(v)
	}
}

func (g *twinCalls) spoilPointer(v reflect.Value) {
	if v.IsNil() || g.one(4) {
		v.SetZero()
		return
	}
	copied := reflect.New(v.Type().Elem())
	copied.Elem().Set(v.Elem())
	g.spoil(copied.Elem())
	v.Set(copied)
}

func (g *twinCalls) spoilList(v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		v.SetBytes([]byte(pickOf(g, strangeTexts...)))
		return
	}
	copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(copied, v)
	switch n := v.Len(); {
	case n == 0:
		copied = reflect.Append(copied, reflect.Zero(v.Type().Elem()))
	case g.one(8):
		copied = reflect.Zero(v.Type())
	case g.one(4):
		copied = reflect.Append(copied, copied.Index(0)) // doubled
	case g.one(9):
		for range pickOf(g, 255, 256, 1000) {
			copied = reflect.Append(copied, copied.Index(0))
		}
	default:
		g.spoil(copied.Index(g.IntN(n)))
	}
	v.Set(copied)
}

func (g *twinCalls) spoilMap(v reflect.Value) {
	switch v.Interface().(type) {
	case map[string]string:
		v.Set(reflect.ValueOf(map[string]string{pickOf(g, strangeTexts...): pickOf(g, strangeTexts...)}))
	case map[string]int64:
		v.Set(reflect.ValueOf(map[string]int64{pickOf(g, strangeTexts...): pickOf(g, strangeNumbers...)}))
	case map[store.Lease]bool:
		v.Set(reflect.ValueOf(map[store.Lease]bool{g.lease(g.run()): g.one(2)}))
	}
}
