package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// lineGap is the shortest time between two lines of progress if the output is not a terminal.
const lineGap = time.Second

// show follows a run until it ends and shows its progress: one live line on a terminal, otherwise
// plain lines. If ctx ends, it returns the error of ctx, and the run goes on.
func show(ctx context.Context, run *syncjob.Run, out io.Writer) (states.Run, error) {
	var progress interface {
		update(s states.Run)
		end()
	} = &lines{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		progress = newBar(out)
	}
	defer progress.end()
	var last states.Run
	for s, err := range run.Watch(ctx) {
		if err != nil {
			return last, err
		}
		last = s
		progress.update(s)
	}
	return last, nil
}

// counts returns how far a run is.
func counts(s states.Run) string {
	text := fmt.Sprintf("%d of %d tasks", s.Counts.Done(), s.Counts.Total)
	if s.Counts.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Counts.Failed)
	}
	if s.Retried > 0 {
		text += fmt.Sprintf(", %d retried", s.Retried)
	}
	return text
}

// speed returns how long a run takes, how fast it is, and how long it will take if no new tasks are
// added.
func speed(s states.Run) string {
	text := fmt.Sprintf(", %s elapsed", s.Elapsed.Round(time.Second))
	if s.Rate > 0 {
		text += fmt.Sprintf(", %.0f/s, ETA %s", s.Rate, s.ETA.Round(time.Second))
	}
	return text
}

// doing lists the slow copies that are running, the longest first.
func doing(s states.Run) string {
	if len(s.Reporting) == 0 {
		return ""
	}
	p := s.Reporting[0].Progress
	text := ", copying " + p.Message
	if p.Total > 0 {
		text += fmt.Sprintf(" (%.0f%%)", 100*float64(p.Done)/float64(p.Total))
	}
	if more := len(s.Reporting) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// lines shows progress in plain lines.
type lines struct {
	out  io.Writer
	last time.Time
}

func (l *lines) update(s states.Run) {
	if s.Status.Final() || time.Since(l.last) < lineGap {
		return
	}
	l.last = time.Now()
	say(l.out, "%s: %s%s%s", s.Status, counts(s), speed(s), doing(s))
}

func (l *lines) end() {}

// bar shows progress in one live line.
type bar struct {
	out io.Writer
	bar *progressbar.ProgressBar
}

func newBar(out io.Writer) *bar {
	return &bar{out: out, bar: progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(30),
		progressbar.OptionUseANSICodes(true),
		// Counts, rate and ETA are those of the run, so they do not depend on when watching began.
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
	)}
}

// update draws the line. It ignores errors: the terminal may be gone, but the run goes on.
func (b *bar) update(s states.Run) {
	b.bar.Describe(syncjob.Printable(fmt.Sprintf("%s: %s%s%s", s.Status, counts(s), speed(s), doing(s))))
	// The root task exists from the beginning. A full bar stays full, so the last step is drawn at the
	// end of the run.
	total := max(s.Counts.Total, 2)
	b.bar.ChangeMax64(total)
	_ = b.bar.Set64(min(s.Counts.Done(), total-1))
	if s.Status == states.Succeeded {
		_ = b.bar.Set64(total)
	}
}

func (b *bar) end() {
	_ = b.bar.Exit()
	fmt.Fprintln(b.out)
}
