//go:build ignore

// Zips writes the modules of this repository, as version v0.1.0, into a folder that GOPROXY can
// name with file://. With it, .ci/run installs a command as its users will, before any release.
//
//	go run .ci/zips.go FOLDER MODULE-FOLDER…
package main

import (
	"archive/zip"
	"io/fs"
	"log"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	root    = "github.com/rollcall-go/rollcall"
	version = "v0.1.0"
)

func main() {
	for _, dir := range os.Args[2:] {
		if err := write(os.Args[1], dir); err != nil {
			log.Fatal(err)
		}
	}
}

func write(proxy, dir string) error {
	module := path.Join(root, filepath.ToSlash(dir))
	at := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".mod": mod, version + ".info": []byte(`{"Version":"` + version + `"}`),
	} {
		if err := os.WriteFile(filepath.Join(at, name), content, 0o644); err != nil {
			return err
		}
	}
	out, err := os.Create(filepath.Join(at, version+".zip"))
	if err != nil {
		return err
	}
	defer out.Close()
	z := zip.NewWriter(out)
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(dir, name)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		inside, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		w, err := z.Create(module + "@" + version + "/" + filepath.ToSlash(inside))
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	})
	if err != nil {
		return err
	}
	return z.Close()
}

// skip leaves out other modules and what no module contains.
func skip(dir, name string) error {
	if name == dir {
		return nil
	}
	if strings.HasPrefix(filepath.Base(name), ".") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}
