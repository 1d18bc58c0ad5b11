package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// docker speaks the docker command line over any Runner. It asks nothing of
// the engine that Docker 18.09 did not have.
type docker struct {
	conn.Runner
	place string // how messages call where it runs
}

func dockerOn(env *module.Env) docker { return docker{env.Host, env.Target.String()} }

// imageInfo is what `docker image inspect` tells about an image. The zero
// imageInfo means that there is none.
type imageInfo struct {
	ID           string `json:"Id"`
	RepoTags     []string
	RepoDigests  []string
	Created      string
	Architecture string
	Os           string
	Size         int64
	Config       struct {
		User         string
		Env          []string
		Entrypoint   []string
		Cmd          []string
		WorkingDir   string
		Labels       map[string]string
		Volumes      map[string]struct{}
		ExposedPorts map[string]struct{}
	}
	RootFS struct{ Layers []string }
}

// inspect describes images in one call; one that is not there is missing in
// the map.
func (d docker) inspect(ctx context.Context, refs ...string) (map[string]imageInfo, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	out, err := d.Run(ctx, conn.Command(append([]string{"docker", "image", "inspect"}, refs...)...))
	text := out.Stdout
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) && onlyMissing(exit.Stderr) {
		text, err = exit.Stdout, nil
	}
	if err != nil {
		return nil, d.explain(err, "inspect "+refs[0])
	}
	var infos []imageInfo
	if text = strings.TrimSpace(text); text != "" {
		if err := json.Unmarshal([]byte(text), &infos); err != nil {
			return nil, fmt.Errorf("inspect %s on %s: docker answered what is no JSON: %w", refs[0], d.place, err)
		}
	}
	found := map[string]imageInfo{}
	for i, ref := range refs {
		if len(infos) == len(refs) { // all there, so they come in order
			found[ref] = infos[i]
			continue
		}
		for _, info := range infos {
			if info.answers(ref) {
				found[ref] = info
			}
		}
	}
	return found, nil
}

// onlyMissing reports whether all complaints are about images that are not
// there, in the words of any Docker.
func onlyMissing(stderr string) bool {
	missing := false
	for line := range strings.Lines(stderr) {
		switch line = strings.ToLower(strings.TrimSpace(line)); {
		case strings.Contains(line, "no such image"):
			missing = true
		case line == "", strings.HasPrefix(line, "warning"):
		default:
			return false
		}
	}
	return missing
}

// answers reports whether ref means this image.
func (i imageInfo) answers(ref string) bool {
	if strings.HasPrefix(i.ID, ref) || strings.HasPrefix(strings.TrimPrefix(i.ID, "sha256:"), ref) {
		return true
	}
	for _, name := range append(i.RepoTags, i.RepoDigests...) {
		if sameName(name, ref) {
			return true
		}
	}
	return false
}

// one describes a single image; it is an error when there is none.
func (d docker) one(ctx context.Context, ref string) (imageInfo, error) {
	found, err := d.inspect(ctx, ref)
	if err != nil {
		return imageInfo{}, err
	}
	info, ok := found[ref]
	if !ok {
		return info, module.Explain(fmt.Errorf("there is no image %s on %s", ref, d.place),
			"build it there with image.build or bring it with image.load; `docker image ls` on "+d.place+" lists what there is")
	}
	return info, nil
}

func (d docker) tag(ctx context.Context, id string, refs ...string) error {
	for _, ref := range refs {
		if _, err := d.Run(ctx, conn.Command("docker", "image", "tag", id, ref)); err != nil {
			return d.explain(err, "tag "+ref)
		}
	}
	return nil
}

// untag takes those of the names away that mean the image id.
func (d docker) untag(ctx context.Context, id string, refs ...string) error {
	found, err := d.inspect(ctx, refs...)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if info, ok := found[ref]; !ok || info.ID != id {
			continue
		}
		_, err := d.Run(ctx, conn.Command("docker", "image", "rm", ref))
		if exit := (*conn.ExitError)(nil); errors.As(err, &exit) && onlyMissing(exit.Stderr) {
			continue
		}
		if err != nil {
			return d.explain(err, "remove "+ref)
		}
	}
	return nil
}

// explain says what an operator can do about a docker command that failed.
func (d docker) explain(err error, what string) error {
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return explain(exit, fmt.Sprintf("%s on %s", what, d.place))
}

// complaints are the failures of container engines that have one cause and one
// remedy, by what they print.
var complaints = []struct{ says, means, remedy string }{
	{"permission denied while trying to connect", "this user may not use the Docker engine", "connect as root or as a member of the group docker, or set sudo = true in the target"},
	{"cannot connect to the docker daemon", "the Docker engine does not run", "start it (systemctl start docker), or set DOCKER_HOST or the target's host to where it listens"},
	{"connect: permission denied", "this user may not use containerd", "connect as root, or set sudo = true in the target"},
	{"failed to dial", "containerd does not run", "start it (systemctl start containerd)"},
	{"no space left on device", "the disk is full", "free space there (docker system prune, or crictl rmi --prune), or move the engine's folder to a larger disk"},
	{"docker: not found", "docker is not installed", "install Docker Engine there, or choose another target"},
	{`"docker": executable file not found`, "docker is not installed", "install Docker Engine there, or choose another target"},
	{"docker: command not found", "docker is not installed", "install Docker Engine there, or choose another target"},
}

// failure is a failed command in words of what was done. The command's own
// error stays reachable, and with it the whole of what it printed.
type failure struct {
	text string
	exit *conn.ExitError
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.exit }

// explain gives a failed command the name of what was done, and its cause and
// remedy where these are known.
func explain(exit *conn.ExitError, what string) error {
	text := strings.ToLower(exit.Stderr)
	for _, c := range complaints {
		if strings.Contains(text, c.says) {
			return module.Explain(&failure{what + ": " + c.means, exit}, c.remedy)
		}
	}
	if exit.Code == 127 {
		return module.Explain(&failure{what + ": " + lastLine(exit), exit}, "install that program there, or choose another target")
	}
	return &failure{what + ": " + lastLine(exit), exit}
}

// lastLine is where programs say what stopped them.
func lastLine(exit *conn.ExitError) string {
	if line := tail(strings.TrimSpace(exit.Stderr), 1); line != "" {
		return line
	}
	return fmt.Sprintf("exit status %d", exit.Code)
}

// tail is the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
