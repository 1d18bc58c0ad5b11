// Package registry serves images of a store to container engines that pull: the
// reading half of the distribution protocol that Docker, containerd and podman
// have in common, for the time of a pull.
//
// Nothing is copied or kept in memory: layers go out from the store's files, as
// they are, uncompressed. So their digests are those of the image's
// configuration, and an engine asks only for layers that it does not have.
// Manifests are of Docker's schema 2, which even Docker 18.09 and containerd 1.2
// take.
package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// Image is an image and how pulls call it.
type Image struct {
	Repository string // path of the name, such as "crunchydata/antdb-ha"
	Tag        string
	*store.Image
}

// Registry is an http.Handler. It lets nobody read who does not know its
// password, which is made anew for each. It is safe for concurrent use.
type Registry struct {
	// Sent, when set, is told how many more bytes of layers were handed out. It
	// is called from several goroutines at once.
	Sent func(n int)

	password secret.Value
	images   []served
}

type served struct {
	Image
	manifest []byte
	digest   string // of the manifest
}

// Media types of Docker's image manifests, version 2, schema 2.
const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar"
)

// User is whom pulls log in as.
const User = "antdbctl"

// New makes a registry of images.
func New(images ...Image) *Registry {
	r := &Registry{password: secret.New(rand.Text() + rand.Text())}
	for _, i := range images {
		s := served{Image: i, manifest: manifest(i.Image)}
		sum := sha256.Sum256(s.manifest)
		s.digest = "sha256:" + hex.EncodeToString(sum[:])
		r.images = append(r.images, s)
	}
	return r
}

// Password is that of User.
func (r *Registry) Password() secret.Value { return r.password }

// Digest is the digest of the manifest of an image, by which a pull gets this
// image and no other, whoever answers.
func (r *Registry) Digest(repository string) string {
	for _, s := range r.images {
		if s.Repository == repository {
			return s.digest
		}
	}
	return ""
}

func manifest(i *store.Image) []byte {
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Size      int64  `json:"size"`
		Digest    string `json:"digest"`
	}
	layers := make([]descriptor, len(i.Layers))
	for n, l := range i.Layers {
		layers[n] = descriptor{layerType, l.Size, l.Digest}
	}
	text, err := json.MarshalIndent(struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{2, manifestType, descriptor{configType, i.Config.Size, i.ID}, layers}, "", "   ")
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return text
}

// ServeHTTP answers one request of a pull.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	switch {
	case !r.knows(req):
		w.Header().Set("WWW-Authenticate", `Basic realm="antdbctl"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "this registry serves one pull alone")
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry can only be read")
	case req.URL.Path == "/v2/" || req.URL.Path == "/v2":
		answer(w, "application/json", []byte("{}"))
	default:
		r.find(w, req)
	}
}

// knows tells, in the same time for every guess, whether the password is right.
func (r *Registry) knows(req *http.Request) bool {
	user, password, ok := req.BasicAuth()
	got, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(r.password.Reveal()))
	return ok && user == User && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// Authorization is the header's value that pulls may be made with.
func (r *Registry) Authorization() secret.Value {
	return secret.New("Basic " + base64.StdEncoding.EncodeToString([]byte(User+":"+r.password.Reveal())))
}

// find reads /v2/REPOSITORY/{manifests,blobs,tags}/WHAT, where a repository may
// have slashes itself.
func (r *Registry) find(w http.ResponseWriter, req *http.Request) {
	parts := strings.Split(strings.TrimPrefix(req.URL.Path, "/v2/"), "/")
	if len(parts) < 3 {
		refuse(w, http.StatusNotFound, "UNSUPPORTED", "there is nothing of this kind here")
		return
	}
	n := len(parts) - 2
	repository, kind, what := strings.Join(parts[:n], "/"), parts[n], parts[n+1]
	images := slices.DeleteFunc(slices.Clone(r.images), func(s served) bool { return s.Repository != repository })
	switch {
	case len(images) == 0:
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "no such repository")
	case kind == "manifests":
		sendManifest(w, images, what)
	case kind == "blobs":
		r.sendBlob(w, req, images, what)
	case kind == "tags" && what == "list":
		list := struct {
			Name string   `json:"name"`
			Tags []string `json:"tags"`
		}{Name: repository}
		for _, i := range images {
			list.Tags = append(list.Tags, i.Tag)
		}
		text, _ := json.Marshal(list) // strings always encode
		answer(w, "application/json", text)
	default:
		refuse(w, http.StatusNotFound, "UNSUPPORTED", "there is nothing of this kind here")
	}
}
