package format

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/store"
)

// AuditLine encodes a line of the audit, without its number and run: a script adds these.
func AuditLine(l store.AuditLine) string {
	l.Number, l.Run = 0, 0
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // of texts
	}
	return string(b)
}

// ParseAuditLine reads what audit.lua keeps of a line: "NUMBER RUN LINE".
func ParseAuditLine(s string) (l store.AuditLine, err error) {
	number, rest, _ := strings.Cut(s, " ")
	run, line, _ := strings.Cut(rest, " ")
	if err = json.Unmarshal([]byte(line), &l); err == nil {
		l.Number, err = ParseInt(number)
	}
	if err == nil {
		l.Run, err = ParseInt(run)
	}
	if err != nil {
		return l, fmt.Errorf("%w: line %s of the audit", store.ErrCorrupt, number)
	}
	return l, nil
}
