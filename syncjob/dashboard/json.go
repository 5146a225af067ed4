package dashboard

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// exact encodes a value as encoding/json does, but writes numbers of 64 bits as strings: a reader
// that keeps numbers as floats, such as a browser, would round them.
func exact(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := encodeExact(&b, reflect.ValueOf(v)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func encodeExact(b *bytes.Buffer, v reflect.Value) error {
	if !v.IsValid() || nilable(v.Kind()) && v.IsNil() {
		b.WriteString("null")
		return nil
	}
	if t := v.Type(); v.Kind() != reflect.Pointer && (t.Implements(marshaler) || t.Implements(textMarshaler)) {
		return plainly(b, v)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return encodeExact(b, v.Elem())
	case reflect.Int64:
		b.WriteString(strconv.Quote(strconv.FormatInt(v.Int(), 10)))
	case reflect.Uint64:
		b.WriteString(strconv.Quote(strconv.FormatUint(v.Uint(), 10)))
	case reflect.Slice, reflect.Array:
		return encodeList(b, v)
	case reflect.Map:
		return encodeMap(b, v)
	case reflect.Struct:
		b.WriteByte('{')
		err := encodeFields(b, v)
		b.WriteByte('}')
		return err
	default:
		return plainly(b, v)
	}
	return nil
}

func nilable(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Interface || k == reflect.Map
}

func plainly(b *bytes.Buffer, v reflect.Value) error {
	text, err := json.Marshal(v.Interface())
	b.Write(text)
	return err
}

func encodeList(b *bytes.Buffer, v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return plainly(b, v)
	}
	b.WriteByte('[') // also for nil: a list without elements
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := encodeExact(b, v.Index(i)); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func encodeMap(b *bytes.Buffer, v reflect.Value) error {
	if v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("a map by %s", v.Type().Key())
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
	b.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := plainly(b, key); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := encodeExact(b, v.MapIndex(key)); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// encodeFields appends the fields of a struct. Those of embedded structs stand among them.
func encodeFields(b *bytes.Buffer, v reflect.Value) error {
	for field, f := range jsonFields(v.Type()) {
		value := v.FieldByIndex(f.index)
		if f.omitEmpty && isEmpty(value) || f.omitZero && value.IsZero() {
			continue
		}
		if last := b.Bytes()[b.Len()-1]; last != '{' {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(field))
		b.WriteByte(':')
		if err := encodeExact(b, value); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	return nil
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// jsonField is a field of a struct as its tag describes it.
type jsonField struct {
	index               []int
	typ                 reflect.Type
	omitEmpty, omitZero bool
}

// jsonFields yields the fields of a struct by their names in JSON, in their order.
func jsonFields(t reflect.Type) iter.Seq2[string, jsonField] {
	return func(yield func(string, jsonField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
				continue
			}
			if name == "" {
				name = f.Name
			}
			list := strings.Split(options, ",")
			if !yield(
				name,
				jsonField{f.Index, f.Type, slices.Contains(list, "omitempty"), slices.Contains(list, "omitzero")},
			) {
				return
			}
		}
	}
}
