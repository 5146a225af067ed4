// Package browser tests the pages of package dashboard in a real browser. It is a module of its
// own, so that nobody who imports the library downloads what drives a browser.
//
// The tests need chromium. They are skipped without it, unless ROLLCALL_REQUIRE_BROWSER is set.
// They keep a picture of each page in the folder pictures, which git ignores: look at them after a
// change.
package browser
