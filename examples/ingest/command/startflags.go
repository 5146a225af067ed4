package command

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
)

const startUsage = `ingest start -src DIR [-dst DIR] [flags]

Starts a job that makes DST like SRC, and leaves alone what only DST has, unless -delete says
otherwise. Files whose size and modification time are right are skipped, and get their mode if only
that is not. Owners are not kept, and hard links become files of their own; holes in files are kept,
where the system tells of them. What cannot be copied is counted and listed, and everything else is
copied all the same. A file that changes while it is copied is tried again; if it goes on changing
it is left as it was in DST, and counted as changed.

With -interval it is a periodic job: a run at once, and one each interval after that; a time at which the last run is
still under way is skipped. It goes on until it is stopped. Starting it again changes it, and begins
a run at once unless one is under way.

With -operation put, nothing that DST has is changed. With append, a file that is longer than its
copy gets what is new appended to the copy, in place, if the copy is how the file begins; no other
file that DST has is changed. With none, DST stays as it is, and only the hooks are called. -delete
goes with sync and append.

With -delete, files and directories that vanished from SRC are removed from DST, or moved to -trash,
if a run with -delete put them there: what it puts there is written down beside DST. What is
excluded, or cannot be read, has not vanished, and what somebody else put into DST or changed there
stays. An empty SRC is one from which everything vanished: do not sync the mount point of a file
system that may not be mounted, but a directory in it.

An expression of -exclude-name or -exclude-dir is searched for anywhere in the full path, that of SRC included: "node"
leaves out /src/nodes, too. Anchor it with ^ and $ where that is not meant: "/node$".

On memory:// the job runs in this process, which waits for it. On Redis it is worked off by
"ingest worker" processes, and by this one if -workers is given. Interrupt it to stop the
job: files that are being copied are completed. The exit status is 0 only if the job succeeded.`

// minInterval prevents that a mistyped interval keeps disks busy.
const minInterval = time.Second

// startFlags is the command line of start.
type startFlags struct {
	src, dst, name, url string
	restartQueue        string
	workers             int
	interval            time.Duration
	wait, json, strict  bool
	options             mirror.Options
	trash, record       string
	attributes          attributes
	setup               setup
}

func (t tool) parseStart(args []string, io streams) (*startFlags, error) {
	f := &startFlags{setup: setup{handlers: t.handlers}}
	fs := newFlags(startUsage, io.err)
	fs.StringVar(&f.src, "src", "", "`directory` to copy, or what else this program reads, with its scheme")
	fs.StringVar(&f.dst, "dst", "", "destination `directory` (default: a new temporary one)")
	fs.StringVar(&f.name, "name", "", "`name` of the job (default a generated one)")
	fs.StringVar(&f.url, "store", "memory://", "`url` of where the job lives: memory:// or redis://HOST:PORT")
	fs.IntVar(
		&f.workers,
		"workers",
		0,
		"run up to `N` tasks at once in this process (default by the number of processors on memory://,\n"+
			"and none on Redis); implies -wait",
	)
	fs.DurationVar(
		&f.interval,
		"interval",
		0,
		"make it a periodic job with a run each `interval`, such as 10m (default one run)",
	)
	fs.IntVar(&f.options.FilesPerTask, "files-per-task", 50, "put at most `N` files in one task, up to 1000")
	fs.BoolVar(&f.wait, "wait", false, "wait for the end of the job; always so on memory://")
	fs.BoolVar(&f.json, "json", false, "make the last line of standard output a JSON object; implies -wait")
	fs.BoolVar(
		&f.strict, "strict", false,
		"exit with status 1 if a file could not be copied, or changed while it was copied; implies -wait",
	)
	fs.BoolVar(&f.options.IgnoreCache, "ignore-cache", false, "copy every file, even if its copy seems to be equal")
	fs.BoolVar(&f.options.DryRun, "dry-run", false, "compare and count, but change nothing")
	fs.Var((*characters)(&f.options.CharacterMap), "character-map",
		"replace each of some characters in names, as in :?=_ for a DST that does not take them:\n"+
			"`CHARACTERS=TEXT`; may be repeated")
	f.attributes.register(fs, t.handlers)
	fs.StringVar((*string)(&f.options.Operation), "operation", "sync",
		"what to do with DST: sync, put (never change what is there), append (add to files that grow)\n"+
			"or none (only call the hooks)")
	fs.BoolVar(&f.options.Initial, "initial", false, "copy everything without a look at DST, which should be empty")
	fs.StringVar((*string)(&f.options.Delete), "delete", "none",
		"what becomes of files that were copied from SRC and vanished there, a `mode`: none, trash or delete")
	fs.StringVar(&f.trash, "trash", "", "`directory` that -delete trash moves them to")
	fs.StringVar(&f.record, "record", "",
		"`directory` where -delete writes down what is put into DST (default a hidden one beside DST)")
	fs.Var(
		(*list)(&f.options.Exclude.Names),
		"exclude-name",
		"leave out files with a full path that matches the regular `expression`; may be repeated",
	)
	fs.Var(
		(*list)(&f.options.Exclude.Dirs),
		"exclude-dir",
		"leave out directories with a full path that matches the regular `expression`, and their entries; may be repeated",
	)
	fs.Var(
		(*list)(&f.options.Exclude.Types),
		"exclude-type",
		"leave out a `type`: "+mirror.TypeNames()+"; may be repeated",
	)
	fs.StringVar(&f.restartQueue, "restart-queue", mirror.RestartQueue, "`queue` of the root task")
	fs.StringVar(&f.options.PathQueue, "path-queue", mirror.PathQueue, "`queue` of the scans")
	fs.StringVar(&f.options.FileQueue, "file-queue", mirror.FileQueue, "`queue` of the copying")
	f.setup.register(fs, slog.LevelWarn)
	if _, err := parse(fs, args, ""); err != nil {
		return nil, err
	}
	return f, f.validate()
}

// validate reports every problem of the command line, and completes it.
func (f *startFlags) validate() error {
	var problems []error
	bad := func(flag, reason string) { problems = append(problems, &usageError{Flag: flag, Reason: reason}) }
	switch {
	case f.src == "":
		bad("src", "is missing")
	case hasScheme(f.src) && f.setup.handlers.Open == nil:
		bad("src", "has a scheme, and this program reads only directories")
	}
	if f.workers < 0 || f.workers > syncjob.MaxConcurrency {
		bad("workers", fmt.Sprintf("is not between 0 and %d", syncjob.MaxConcurrency))
	}
	if f.interval != 0 && f.interval < minInterval {
		bad("interval", fmt.Sprintf("is less than %v", minInterval))
	}
	var err error
	if f.options.Trash, err = absolute(f.trash); err == nil {
		f.options.Record, err = absolute(f.record)
	}
	problems = append(problems, err)
	if f.setup.profile != "" && !f.works() {
		bad("profile", "needs -workers on Redis, because no task runs in this process")
	}
	f.wait = f.wait || f.json || f.strict || f.works()
	if f.name == "" {
		f.name = "ingest-" + time.Now().Format("20060102-150405-") + token()[:4]
	}
	problems = append(problems,
		inputError("name", store.ValidateJobName(f.name)),
		inputError("restart-queue", store.ValidateName("", f.restartQueue)),
		f.attributes.validate(),
		optionErrors(f.options.Validate()))
	return errors.Join(problems...)
}

// works reports whether tasks run in this process.
func (f *startFlags) works() bool {
	return inMemory(f.url) || f.workers > 0
}

// absolute returns the absolute path of a directory; nil if there is none.
func absolute(dir string) ([]byte, error) {
	if dir == "" {
		return nil, nil
	}
	path, err := filepath.Abs(dir)
	return []byte(path), err
}

func token() string { return strings.ToLower(rand.Text()) }

// args returns the arguments of the run. It makes a temporary destination if -dst is not set.
func (f *startFlags) args() (mirror.Args, error) {
	src, err := f.src, error(nil)
	if !hasScheme(src) {
		src, err = filepath.Abs(src)
	}
	if err != nil {
		return mirror.Args{}, err
	}
	dst := f.dst
	if dst == "" {
		dst, err = os.MkdirTemp("", "ingest-")
	}
	if err == nil {
		dst, err = filepath.Abs(dst)
	}
	if err != nil {
		return mirror.Args{}, err
	}
	return mirror.Args{Src: []byte(src), Dst: []byte(dst), Options: f.options}, nil
}
