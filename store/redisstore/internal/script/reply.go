package script

import (
	"strconv"

	"github.com/redis/rueidis"
)

// Text reads a reply that is a string or a number.
func Text(m rueidis.RedisMessage) string {
	if s, err := m.ToString(); err == nil {
		return s
	}
	if n, err := m.AsInt64(); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// Integer reads a reply that is a number, or the text of one; 0 if it is neither.
func Integer(m rueidis.RedisMessage) int64 {
	n, _ := strconv.ParseInt(Text(m), 10, 64)
	return n
}

// Number reads a reply that is a number; 0 if it is not a number.
func Number(m rueidis.RedisMessage) int64 {
	n, _ := m.AsInt64()
	return n
}

// First reads a reply of one field; "" if it is nil.
func First(v []rueidis.RedisMessage, err error) (string, error) {
	if err != nil || len(v) == 0 || v[0].IsNil() {
		return "", err
	}
	return Text(v[0]), nil
}
