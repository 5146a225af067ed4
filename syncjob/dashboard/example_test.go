package dashboard_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

// A program that has a manager shows it in one line. Everybody may look; only those who know the
// password may act.
func ExampleNew() {
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.Handle("/rollcall/", dashboard.New(m, dashboard.Options{
		Title: "Gallery, production",
		Authorize: func(r *http.Request, a dashboard.Action) error {
			_, password, _ := r.BasicAuth()
			if a.Name != dashboard.View && password != "open sesame" {
				return errors.New("ask an operator")
			}
			return nil
		},
	}))

	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/rollcall/jobs", http.NoBody),
		httptest.NewRequest(http.MethodPost, "/rollcall/act", strings.NewReader("action=read-only")),
	} {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(r.Method, r.URL.Path, w.Code)
	}
	// Output:
	// GET /rollcall/jobs 200
	// POST /rollcall/act 403
}
