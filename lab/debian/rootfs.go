package debian

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/adbsql/antdbctl/lab/proc"
)

// RootFS is a root file system made of Debian packages.
type RootFS struct {
	Packages []string
	// Hooks are shell commands with the new root as $1: Essential run when the essential packages are in,
	// Customize when all are.
	Essential, Customize []string
}

// trimmed is never read in a container, and makes half of a small image.
var trimmed = []string{
	"path-exclude=/usr/share/man/*", "path-exclude=/usr/share/info/*", "path-exclude=/usr/share/doc/*",
	"path-exclude=/usr/share/locale/*", "path-include=/usr/share/locale/locale.alias", "path-exclude=/usr/share/lintian/*",
}

// Build writes the file system as a tar file, by way of a temporary name.
func (r RootFS) Build(ctx context.Context, sources, target string, log io.Writer) error {
	argv := []string{"mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar", "--include=" + strings.Join(r.Packages, ",")}
	for _, option := range trimmed {
		argv = append(argv, "--dpkgopt="+option)
	}
	apt, err := hostAptOptions(ctx)
	if err != nil {
		return err
	}
	for _, option := range apt {
		argv = append(argv, "--aptopt="+option)
	}
	for _, hook := range r.Essential {
		argv = append(argv, "--essential-hook="+hook)
	}
	for _, hook := range r.Customize {
		argv = append(argv, "--customize-hook="+hook)
	}
	part := target + ".part"
	argv = append(argv, Release, part, "-")
	build := proc.Command{Argv: argv, Stdin: strings.NewReader(sources), Env: []string{"TMPDIR=" + os.TempDir()}, Log: log}
	if _, err := build.Output(ctx); err != nil {
		os.Remove(part)
		return fmt.Errorf("make a root file system: %w", err)
	}
	return os.Rename(part, target)
}

// hostAptOptions are the host's proxy and date-check settings: mmdebstrap does not read /etc/apt/apt.conf.d itself.
func hostAptOptions(ctx context.Context) ([]string, error) {
	dump, err := proc.Run(ctx, "apt-config", "dump")
	if err != nil {
		return nil, err
	}
	var options []string
	for _, line := range strings.Split(dump, "\n") {
		for _, prefix := range []string{"Acquire::http::", "Acquire::https::", "Acquire::Check-"} {
			if strings.HasPrefix(line, prefix) && !strings.HasSuffix(line, `"";`) {
				options = append(options, line)
			}
		}
	}
	return options, nil
}
