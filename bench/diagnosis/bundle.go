package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/bench/diagnosis/corpus"
	evidencebundle "github.com/adbsql/antdbctl/engine/diagnosis/bundle"
)

// What is wanted of a bundle with a gigabyte of logs.
const (
	logsOfBundle  = 1 << 30
	timeOfBundle  = 2 * time.Second
	memoryOfWhole = 200e6
	caseOfBundle  = "G-40-story"
)

// bundle measures a diagnosis of a bundle with a gigabyte of logs.
func bundle(ctx context.Context, program, file string) (bool, error) {
	if file == "" {
		dir, err := os.MkdirTemp("", "antdbctl-bench-")
		if err != nil {
			return false, err
		}
		defer os.RemoveAll(dir)
		file = filepath.Join(dir, "site.bundle")
	}
	if _, err := os.Stat(file); err != nil {
		if err := pack(file); err != nil {
			return false, err
		}
	}
	best := cost{wall: time.Hour}
	for range 3 {
		c, out, err := run(ctx, program, "diagnose", "--bundle", file)
		if err != nil {
			return false, err
		}
		if !strings.Contains(out, "G-40") {
			return false, fmt.Errorf("the bundle's verdict is not G-40:\n%s", out)
		}
		if c.wall < best.wall {
			best = c
		}
	}
	fmt.Printf("a bundle with %d MB of logs: %s (wanted < 2 s, < 200 MB; the best of three)\n", logsOfBundle/1_000_000, best)
	return best.wall < timeOfBundle && best.peak < memoryOfWhole, nil
}

// pack writes the bundle: a case's site whose logs are long.
func pack(file string) error {
	text, err := os.ReadFile("bench/diagnosis/cases/" + caseOfBundle + ".txtar")
	if err != nil {
		return err
	}
	c, err := corpus.Parse(caseOfBundle, text)
	if err != nil {
		return err
	}
	fmt.Printf("packing a bundle with %d MB of logs …\n", logsOfBundle/1_000_000)
	spool, err := evidencebundle.NewSpool(evidencebundle.Options{Taken: c.Taken, Folder: filepath.Dir(file), PerLog: logsOfBundle, Clock: func() time.Time { return c.Taken }})
	if err != nil {
		return err
	}
	defer spool.Close()
	if err := c.Flood(spool, logsOfBundle); err != nil {
		return err
	}
	_, err = spool.Pack(file, evidencebundle.Packing{})
	return err
}
