package image

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// site is a registry as a step names it: "harbor.site:5000/antdb", with
// "http://" before it where it speaks no https.
type site struct{ scheme, host, project string }

var sitePattern = regexp.MustCompile(`^(?:(https?)://)?([A-Za-z0-9.-]+(?::[0-9]+)?)((?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)/?$`)

func parseSite(text string) (site, error) {
	m := sitePattern.FindStringSubmatch(text)
	if m == nil || !strings.ContainsAny(m[2], ".:") && m[2] != "localhost" {
		return site{}, fmt.Errorf("%q is no registry: it is written host[:port]/project, such as harbor.site:5000/antdb", text)
	}
	s := site{m[1], m[2], m[3]}
	if s.scheme == "" {
		s.scheme = "https"
	}
	return s, nil
}

// name is what an image is called in the registry.
func (s site) name(full string) string {
	if strings.HasPrefix(full, s.host+s.project+"/") {
		return full
	}
	return s.host + s.project + "/" + path.Base(full)
}

// validateRegistry checks the arguments about the registry.
func (s *Ship) validateRegistry() error {
	switch {
	case s.Registry == "" && (s.RegistryUser != "" || !s.RegistryPassword.IsZero()):
		return module.At("registry", errors.New("there are credentials and no registry to use them with"))
	case s.Registry == "":
		return nil
	case (s.RegistryUser == "") != s.RegistryPassword.IsZero():
		return module.At("registry_user", errors.New("registry_user and registry_password come together"))
	}
	_, err := parseSite(s.Registry)
	return module.At("registry", err)
}

// pushes remembers what this process has pushed where, so that many nodes cost
// one push: the digest of the manifest by source, image and name.
var pushes = struct {
	*turns
	digests sync.Map
}{turns: &turns{busy: map[string]chan struct{}{}}}

// push brings the image from its source to the registry, and says where nodes
// find it.
func (s *Ship) push(ctx context.Context, env *module.Env) (origin, error) {
	at, err := parseSite(s.Registry)
	if err != nil {
		return origin{}, module.At("registry", err)
	}
	name := at.name(s.names()[0])
	from := origin{scheme: at.scheme, host: at.host}
	if s.RegistryUser != "" {
		from.auth = basic(s.RegistryUser, s.RegistryPassword)
	}
	key := s.From.Key() + " " + s.info.ID + " " + name
	done, err := pushes.take(ctx, key)
	if err != nil {
		return origin{}, err
	}
	defer done()
	digest, pushed := pushes.digests.Load(key)
	if !pushed {
		env.Phase("push")
		if digest, err = s.source.push(ctx, s.info.ID, name, at.host, from.auth); err != nil {
			return origin{}, err
		}
		pushes.digests.Store(key, digest)
	}
	repository, _, _ := strings.Cut(strings.TrimPrefix(name, at.host), ":")
	from.ref = at.host + repository + "@" + digest.(string)
	from.ids = append(s.identities(), digest.(string))
	return from, nil
}

// pushScript pushes an image (HOST ID NAME, credentials on stdin). The name is
// only for the push: what it meant before, it means afterwards. Credentials are
// tried before, because a push that is refused is tried again for most of a
// minute.
const pushScript = asUser + `host=$1 id=$2 name=$3
if [ -n "$auth" ]; then
	docker_login "$host"
	plain() { printf %s "$auth" | base64 -d; }
	plain | cut -d: -f2- | docker login --username "$(plain | cut -d: -f1)" --password-stdin "$host" >/dev/null || exit 1
fi
before=$(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null)
docker image tag "$id" "$name" || exit 1
docker image push "$name"
result=$?
if [ -z "$before" ]; then
	docker image rm "$name" >/dev/null 2>&1
elif [ "$before" != "$id" ]; then
	docker image tag "$before" "$name"
fi
exit $result`

var pushedDigest = regexp.MustCompile(`digest: (sha256:[0-9a-f]{64})`)

// push gives the digest that the registry has the image under.
func (d docker) push(ctx context.Context, id, name, host string, auth secret.Value) (string, error) {
	cmd := conn.Script(pushScript, host, id, name)
	cmd.Stdin = strings.NewReader(auth.Reveal())
	out, err := d.Run(ctx, cmd)
	what := fmt.Sprintf("push %s from %s", name, d.place)
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return "", module.At("registry", explainPull(exit, what, host))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	m := pushedDigest.FindStringSubmatch(out.Stdout)
	if m == nil {
		return "", fmt.Errorf("%s: docker told no digest: %s", what, tail(out.Stdout, 1))
	}
	return m[1], nil
}
