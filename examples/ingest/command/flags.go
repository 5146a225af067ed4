package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob"
)

// usageError is bad input on the command line.
type usageError struct {
	Flag   string // without its dash; empty for an argument
	Reason string
}

// Error implements error.
func (e *usageError) Error() string {
	if e.Flag == "" {
		return e.Reason
	}
	return "-" + e.Flag + ": " + e.Reason
}

// list is a flag that may be repeated.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// characters is a flag that may be repeated, of the form CHARACTERS=TEXT.
type characters []mirror.Replacement

// String implements flag.Value.
func (c *characters) String() string { return "" }

// Set implements flag.Value. The last equals sign divides, so that one can be replaced.
func (c *characters) Set(value string) error {
	at := strings.LastIndexByte(value, '=')
	if at < 1 {
		return errors.New("is not of the form CHARACTERS=TEXT")
	}
	*c = append(*c, mirror.Replacement{From: value[:at], To: value[at+1:]})
	return nil
}

// newFlags returns the flags of a command with its help text.
func newFlags(usage string, help io.Writer) *flag.FlagSet {
	command, _, _ := strings.Cut(usage, "\n")
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(help)
	fs.Usage = func() {
		fmt.Fprintf(help, "usage: %s\n\n", usage)
		fs.PrintDefaults()
	}
	return fs
}

// parse reads flags and at most one argument. It may come before, between or after the flags.
func parse(fs *flag.FlagSet, args []string, want string) (argument string, err error) {
	// The caller reports the error. The flag set would report it, too, and print its whole help text.
	help, out := fs.Usage, fs.Output()
	fs.Usage = func() {}
	fs.SetOutput(io.Discard)
	var found []string
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(out)
			help()
			return "", err
		} else if err != nil {
			return "", &usageError{Reason: err.Error()}
		}
		if fs.NArg() == 0 {
			break
		}
		found = append(found, fs.Arg(0))
		args = fs.Args()[1:]
	}
	switch {
	case want == "" && len(found) > 0:
		return "", &usageError{Reason: fmt.Sprintf("unexpected argument %q", found[0])}
	case want != "" && len(found) != 1:
		return "", &usageError{Reason: fmt.Sprintf("give one %s, not %d", want, len(found))}
	case want != "":
		argument = found[0]
	}
	return argument, nil
}

// namespace keeps these jobs apart from those of other programs in the same Redis.
const namespace = "ingest"

// inMemory reports whether a store ends with this process.
func inMemory(url string) bool {
	return strings.HasPrefix(strings.ToLower(url), "memory:")
}

// sharedStore checks that other processes can use the store. A new memory store is empty, so it has
// nothing to list, stop or run.
func sharedStore(url string) error {
	if url == "" || inMemory(url) {
		return &usageError{
			Flag:   "store",
			Reason: "needs a Redis that other processes can reach, such as redis://localhost:6379",
		}
	}
	return nil
}

// inputError turns a library error about bad input into a usage error.
func inputError(flag string, err error) error {
	if fe := (*syncjob.FieldError)(nil); errors.As(err, &fe) {
		return &usageError{Flag: flag, Reason: fe.Reason}
	}
	return err
}

// optionErrors turns errors about fields of the options into errors about the flags of these names:
// Exclude.Names is -exclude-name.
func optionErrors(err error) error {
	several, ok := err.(interface{ Unwrap() []error })
	if ok {
		var problems []error
		for _, one := range several.Unwrap() {
			problems = append(problems, optionErrors(one))
		}
		return errors.Join(problems...)
	}
	if fe := (*syncjob.FieldError)(nil); errors.As(err, &fe) {
		return &usageError{Flag: flagOf(fe.Field), Reason: fe.Reason}
	}
	return err
}

// flagOf returns the name of the flag for a field of the options.
func flagOf(field string) string {
	field, plural := strings.CutPrefix(field, "Exclude.")
	field, _, _ = strings.Cut(field, "[")
	var name strings.Builder
	for i, r := range field {
		if unicode.IsUpper(r) && i > 0 {
			name.WriteByte('-')
		}
		name.WriteRune(unicode.ToLower(r))
	}
	if plural {
		return "exclude-" + strings.TrimSuffix(name.String(), "s")
	}
	return name.String()
}
