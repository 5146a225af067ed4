package browser

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob/dashboard"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// everything is all pages, and the page of each action, by name.
func (h *house) everything() map[string]string {
	all := h.pages()
	for _, action := range dashboard.Actions() {
		q := url.Values{
			"action": {action}, "job": {h.busy.Job()}, "run": {fmt.Sprint(h.busy.Number())}, "task": {h.task},
			"set": {"tree"}, "worker": {"w1"}, "prefix": {"lock/"}, "scope-queue": {"gpu"}, "hold": {"open"},
		}
		all["act-"+action] = "act?" + q.Encode()
	}
	return all
}

// reach puts into window.order what a reader must reach with the tab key, in the order of the page,
// and counts in window.at how much was reached.
const reach = `(() => {
	window.order = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
		.filter(e => e.checkVisibility() && e.tabIndex >= 0);
	return window.order.length;
})()`

// focused says what has the focus: which of window.order, and what is wrong with how it looks.
const focused = `(() => {
	const at = document.activeElement;
	const style = getComputedStyle(at);
	const box = at.getBoundingClientRect();
	const wrong = [];
	if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) wrong.push("no outline");
	if (box.right <= 0 || box.bottom <= 0 || box.left >= innerWidth || box.top >= innerHeight) wrong.push("out of sight");
	return { place: window.order.indexOf(at), what: at.outerHTML.slice(0, 120), wrong };
})()`

type focus struct {
	Place int
	What  string
	Wrong []string
}

// The tab key alone reaches everything that a reader can use on each page, in the order of the page,
// each visibly; the first stop leaps over the navigation, and there is a way out at the end.
func TestTheKeyboardReachesEverythingInOrder(t *testing.T) {
	ctx, _ := browse(t)
	h := build(t)
	require.NoError(t, chromedp.Run(ctx, chromedp.EmulateViewport(1200, 800)))
	for name, address := range h.everything() {
		var stops int
		require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(h.url+address), chromedp.WaitVisible("main h1"),
			chromedp.Evaluate(`document.body.removeAttribute("data-live"); `+reach, &stops)))
		for i := range stops {
			var at focus
			require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(focused, &at)))
			require.Equal(t, i, at.Place, "%s: stop %d of %d is %s", name, i, stops, at.What)
			require.Empty(t, at.Wrong, "%s: %s", name, at.What)
			require.Equal(t, i == 0, strings.Contains(at.What, `class="skip"`), "%s: %s", name, at.What)
		}
		var at focus
		require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(focused, &at)))
		require.LessOrEqual(t, at.Place, 0, "%s: the last stop is a trap", name)
	}
}

// tabTo presses the tab key until something whose text begins so has the focus.
func tabTo(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	for range 100 {
		var at string
		require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.Tab),
			chromedp.Evaluate(`(a => a.innerText || a.name || "")(document.activeElement)`, &at)))
		if strings.HasPrefix(at, text) {
			return
		}
	}
	require.Fail(t, "the tab key does not reach "+text)
}

// A run is stopped without a mouse, with script and without: leap to the content, find the link,
// write why, press Enter. Who thinks better of it leaves by the link beside the button.
func TestAReaderActsByKeyboardAlone(t *testing.T) {
	for _, script := range []bool{true, false} {
		ctx, complaints := browse(t)
		h := build(t)
		var text, hash string
		require.NoError(t, chromedp.Run(ctx, emulation.SetScriptExecutionDisabled(!script),
			chromedp.Navigate(h.url+h.pages()["run-busy"]), chromedp.WaitVisible("main h1"),
			chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)))
		require.NoError(t, chromedp.Run(ctx, chromedp.Location(&hash)))
		require.True(t, strings.HasSuffix(hash, "#main"), hash)
		tabTo(t, ctx, "Pause")
		require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("form.ask")))
		tabTo(t, ctx, "Leave it as it is")
		require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(".tiles")))
		tabTo(t, ctx, "Stop")
		tabTo(t, ctx, "Stop") // the first one is graceful
		require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("form.ask")))
		tabTo(t, ctx, "reason")
		require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent("by hand"), chromedp.KeyEvent(kb.Escape),
			chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(".done"), chromedp.Text(".done", &text)))
		require.Equal(t, "The run was stopped.", text)
		final, err := h.busy.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Stopped, final.Status)
		require.Equal(t, "by hand", final.Reason)
		require.Empty(t, complaints())
	}
}

// What a reader has opened stays open, and the focus stays where it is, when the page is read again.
func TestARefreshKeepsFocusAndWhatIsOpen(t *testing.T) {
	ctx, complaints := browse(t)
	h := build(t)
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(h.url), chromedp.WaitVisible("main h1")))
	tabTo(t, ctx, "The same as a table")
	var before, after struct {
		Open bool
		Tall float64
	}
	const look = `(d => ({ open: d.open && document.activeElement === d.querySelector("summary"),
		tall: document.querySelector(".plot").getBoundingClientRect().height }))(document.querySelector("figure details"))`
	require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.Enter), chromedp.Evaluate(look, &before)))
	h.Started("newcomer")
	require.NoError(t, chromedp.Run(ctx, chromedp.WaitVisible(`//a[text()="newcomer"]`, chromedp.BySearch),
		chromedp.Evaluate(look, &after)))
	require.True(t, before.Open)
	require.Equal(t, before, after)
	require.Empty(t, complaints())
}

// named are roles that are of no use without a name.
var named = []string{
	"link", "button", "textbox", "searchbox", "combobox", "checkbox", "image", "img", "region", "navigation", "columnheader",
	"rowheader", "heading", "DisclosureTriangle", "progressbar", "form",
}

// faint finds text that is hard to read where it is: its contrast, as WCAG computes it, is below 4.5.
const faint = `(() => {
	const rgb = c => c.match(/[\d.]+/g).map(Number);
	const light = c => c.slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = rgb(getComputedStyle(e).backgroundColor);
			if (c.length === 3 || c[3] > 0) return c;
		}
		return [255, 255, 255];
	};
	return [...document.querySelectorAll("body *")].filter(e => e.checkVisibility() &&
		!e.closest("svg, option, .spoken") && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).flatMap(e => {
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
		const contrast = (a + .05) / (b + .05);
		return contrast < 4.5 ? [e.outerHTML.slice(0, 80) + " " + contrast.toFixed(2)] : [];
	});
})()`

// A screen reader finds its way: every control has a name, links of one name lead to one place, there
// is one heading of the first level and none is left out below it, and each table has heads. All text
// is easy to tell from what is behind it.
func TestPagesCanBeReadAloudAndBySight(t *testing.T) {
	ctx, _ := browse(t)
	h := build(t)
	for _, scheme := range []string{"light", "dark"} {
		require.NoError(t, chromedp.Run(ctx, emulation.SetEmulatedMedia().WithFeatures(
			[]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})))
		for name, address := range h.everything() {
			var levels []int
			var hard, ambiguous []string
			var bare int
			require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(h.url+address), chromedp.WaitVisible("main h1"),
				chromedp.Evaluate(`[...document.querySelectorAll("h1, h2, h3, h4")].map(e => +e.nodeName[1])`, &levels),
				chromedp.Evaluate(`[...document.querySelectorAll("table")].filter(e => !e.querySelector("thead th[scope=col]")).length`, &bare),
				chromedp.Evaluate(`[...Map.groupBy(document.querySelectorAll("main a"), a => a.textContent.trim())]
					.filter(([, all]) => new Set(all.map(a => a.href)).size > 1).map(([text]) => text)`, &ambiguous),
				chromedp.Evaluate(faint, &hard)))
			assert.Empty(t, hard, "%s in %s", name, scheme)
			assert.Empty(t, ambiguous, "%s: links of these names lead to several places", name)
			assert.Zero(t, bare, "%s: tables without heads", name)
			require.Equal(t, 1, levels[0], name)
			for i, level := range levels[1:] {
				require.True(t, level > 1 && level <= levels[i]+1, "%s: headings of the levels %v", name, levels)
			}
			assert.Empty(t, nameless(t, ctx), name)
		}
	}
}

// nameless lists controls of the page without a name, as screen readers see it.
func nameless(t *testing.T, ctx context.Context) (list []string) {
	t.Helper()
	type text struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored bool `json:"ignored"`
			Role    text `json:"role"`
			Name    text `json:"name"`
		} `json:"nodes"`
	}
	require.NoError(t, chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, accessibility.CommandGetFullAXTree, nil, &tree) // its own type lacks what browsers answer
	})))
	require.NotEmpty(t, tree.Nodes)
	for _, n := range tree.Nodes {
		name, _ := n.Name.Value.(string)
		if role, _ := n.Role.Value.(string); !n.Ignored && slices.Contains(named, role) && strings.TrimSpace(name) == "" {
			list = append(list, role)
		}
	}
	return list
}
