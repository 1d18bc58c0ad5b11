package registry

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/adbsql/antdbctl/modules/image/store"
)

// sendManifest answers with the manifest that a tag or digest names.
func sendManifest(w http.ResponseWriter, images []served, what string) {
	for _, i := range images {
		if what != i.Tag && what != i.digest {
			continue
		}
		w.Header().Set("Docker-Content-Digest", i.digest)
		w.Header().Set("ETag", strconv.Quote(i.digest))
		answer(w, manifestType, i.manifest)
		return
	}
	refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "no such image")
}

// sendBlob answers with a part of one of the images, or with as much of it as
// was asked for: an engine whose connection was cut goes on where it was.
func (r *Registry) sendBlob(w http.ResponseWriter, req *http.Request, images []served, digest string) {
	for _, i := range images {
		for _, b := range append([]store.Blob{i.Config}, i.Layers...) {
			if b.Digest != digest {
				continue
			}
			f, err := i.Open(b)
			if err != nil {
				refuse(w, http.StatusInternalServerError, "BLOB_UNKNOWN", "this part is no longer in the store")
				return
			}
			defer f.Close()
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Docker-Content-Digest", digest)
			w.Header().Set("ETag", strconv.Quote(digest))
			sent := r.Sent
			if b.Digest == i.Config.Digest {
				sent = nil
			}
			http.ServeContent(w, req, "", time.Time{}, counted{f, sent})
			return
		}
	}
	refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "no image here has this part")
}

// counted tells how much of a file was read.
type counted struct {
	io.ReadSeeker
	sent func(n int)
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	if c.sent != nil {
		c.sent(n)
	}
	return n, err
}

func answer(w http.ResponseWriter, contentType string, text []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // whoever asked is gone, and nobody else is there to tell
}

// refuse answers by an error in the protocol's form, which engines print.
func refuse(w http.ResponseWriter, status int, code, message string) {
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	text, _ := json.Marshal(map[string][]fault{"errors": {{code, message}}}) // strings always encode
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
