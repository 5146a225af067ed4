package dashboard_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

// Each page of one fixed store says what a file in testdata says, which was read by a person. The
// file has the text of the page: a line for each heading, paragraph and row of a table, with links
// and fields. Write the files anew with go test ./syncjob/dashboard -update, and read the
// difference.
func TestPagesSayWhatTheirFilesSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := scene.NewFixed(t)
		d := dashboard.New(f.M, open)
		pages := scene.Pages(f.Failed, f.Busy, "runs")
		pages["task-done"] = strings.Replace(pages["results"], "results", "task", 1) + "&id=file-d"
		pages["task-late"] = strings.Replace(pages["tasks"], "tasks", "task", 1) + "&id=late"
		held, err := f.M.Latest(t.Context(), "report")
		require.NoError(t, err)
		pages["run-held"] = "run?job=report&run=" + strconv.FormatInt(held.Number(), 10)
		for name, page := range pages {
			w := httptest.NewRecorder()
			d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+page, http.NoBody))
			text := "GET " + page + "\n" + random.ReplaceAllString(spoken(t, w.Body.String()), "worker=ID")
			same(t, filepath.Join("testdata", "pages", name+".txt"), text)
		}
	})
}

// Each chart of a page is drawn as a file in testdata shows it, which a browser can open.
func TestChartsAreDrawnAsTheirFilesShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := scene.NewFixed(t)
		d := dashboard.New(f.M, open)
		for name, page := range map[string]string{
			"home": "", "queue-1h": "queue?queue=default", "queue-8h": "queue?queue=default&span=8h",
			"queue-3d": "queue?queue=gpu&span=3d", "queue-90d": "queue?queue=default&span=90d", "queues": "queues",
		} {
			w := httptest.NewRecorder()
			d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+page, http.NoBody))
			got := strings.Join(drawing.FindAllString(w.Body.String(), -1), "\n")
			require.NotEmpty(t, got, page)
			same(t, filepath.Join("testdata", "charts", name+".svg"), "<!-- GET "+page+" -->\n"+got+"\n")
		}
	})
}

var drawing = regexp.MustCompile(`(?s)<svg (class="spark" )?viewBox="0 0 \d\d.*?</svg>`)

// same compares a text with a file, or writes the file anew.
func same(t *testing.T, file, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "%s: run go test ./syncjob/dashboard -update", file)
}

// random is what differs between two stores: the IDs of workers.
var random = regexp.MustCompile(`worker=[A-Z2-7]{26}`)

// spoken is what a page says, without how it looks.
func spoken(t *testing.T, page string) string {
	t.Helper()
	_, content, found := strings.Cut(page, `tabindex="-1">`) // of main: all pages begin alike
	require.True(t, found, page)
	content, _, _ = strings.Cut(content, "</main>")
	s := speaker{d: xml.NewDecoder(strings.NewReader(content))}
	s.d.Strict, s.d.AutoClose, s.d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := s.d.Token()
		if errors.Is(err, io.EOF) {
			s.flush()
			return s.out.String()
		}
		require.NoError(t, err)
		switch v := token.(type) {
		case xml.StartElement:
			s.begin(v)
		case xml.EndElement:
			s.end(v.Name.Local)
		case xml.CharData:
			if !s.drawn {
				s.line.Write(v)
			}
		}
	}
}

type speaker struct {
	d         *xml.Decoder
	out, line strings.Builder
	links     []string
	drawn     bool // within a picture, which has its label
}

// before is what the line of an element begins with.
var before = map[string]string{
	"h1": "# ", "h2": "## ", "h3": "### ", "li": "- ", "tr": "", "p": "", "dl": "", "dt": "- ", "form": "",
	"figure": "", "label": "", "pre": "", "summary": "+ ", "section": "", "article": "", "button": "", "details": "",
}

func (s *speaker) begin(e xml.StartElement) {
	attr := func(name string) string {
		for _, a := range e.Attr {
			if a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	name := e.Name.Local
	if mark, ok := before[name]; ok {
		s.flush()
		s.line.WriteString(mark)
	}
	switch name {
	case "a":
		s.links = append(s.links, attr("href"))
		s.line.WriteString("[")
	case "dd":
		s.line.WriteString(": ")
	case "th", "td":
		s.line.WriteString(" | ")
	case "svg":
		s.drawn = true
		s.line.WriteString("{" + attr("aria-label") + "} ")
	case "progress":
		s.line.WriteString("{" + attr("value") + "/" + attr("max") + "} ")
	case "input", "select", "textarea":
		s.line.WriteString(" <" + name + " " + attr("name") + "=" + attr("value") + "> ")
	case "option":
		s.line.WriteString(" / ")
		if slices.ContainsFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == "selected" }) {
			s.line.WriteString("*")
		}
	}
}

func (s *speaker) end(name string) {
	switch name {
	case "svg":
		s.drawn = false
	case "a":
		s.line.WriteString("](" + s.links[len(s.links)-1] + ")")
		s.links = s.links[:len(s.links)-1]
	case "button":
		s.line.WriteString(" (button)")
	}
	if _, ok := before[name]; ok && name != "dt" { // its dd follows on the line
		s.flush()
	}
}

// flush ends a line.
func (s *speaker) flush() {
	text := strings.Join(strings.Fields(s.line.String()), " ")
	s.line.Reset()
	if strings.HasPrefix(text, "#") {
		s.out.WriteString("\n")
	}
	if text = strings.ReplaceAll(strings.TrimPrefix(text, "| "), " : ", ": "); text != "" {
		s.out.WriteString(text + "\n")
	}
}
