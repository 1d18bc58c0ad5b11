package pgo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// Version is what is spoken until the apiserver says otherwise: it wants exactly
// its own version in every call.
const Version = "4.2.1"

const (
	callTimeout = 60 * time.Second // as the pgo client's
	maxAnswer   = 16 << 20
)

// api calls one PGO apiserver.
type api struct {
	base     string // https://host:port
	speaks   string // the version to claim
	user     string
	password secret.Value
	http     *http.Client
}

// Refusal is an answer that says no: its HTTP status is 200 and its Code is
// "error", as for everything that the apiserver refuses after authentication.
type Refusal struct{ Msg string }

func (r *Refusal) Error() string { return "the PGO apiserver refuses: " + r.Msg }

// call sends in as JSON (nothing when nil) and reads the answer into out.
func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(a.user, a.password.Reveal())
	resp, err := a.http.Do(req)
	if err != nil {
		return a.unreached(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a.unreached(err)
	}
	if resp.StatusCode != http.StatusOK {
		return a.turnedAway(path, resp.StatusCode, text)
	}
	return a.read(ctx, path, text, out)
}

// status is how every answer says whether it worked; POST /clusters alone puts
// it one level deeper.
type status struct {
	Code, Msg string
	Status    *struct{ Code, Msg string } `json:"status"`
}

func (a *api) read(ctx context.Context, path string, text []byte, out any) error {
	var s status
	if err := json.Unmarshal(text, &s); err != nil {
		return module.At("api", fmt.Errorf("%s%s answers something else than the JSON of a PGO apiserver: %.200q", a.base, path, text))
	}
	if s.Status != nil {
		s.Code, s.Msg = s.Status.Code, s.Status.Msg
	}
	switch {
	case strings.Contains(s.Msg, "version mismatch"):
		return a.mismatch(ctx)
	case s.Code != "ok":
		return &Refusal{s.Msg}
	}
	return json.Unmarshal(text, out)
}

// otherVersion says that the apiserver is not the one that was spoken to.
type otherVersion struct{ server, spoken string }

func (e *otherVersion) Error() string {
	return fmt.Sprintf("the PGO apiserver is %s, and was spoken to as %s", e.server, e.spoken)
}

// mismatch asks for the version that the server has: its refusal does not say.
func (a *api) mismatch(ctx context.Context) error {
	v, err := a.version(ctx)
	if err != nil {
		v = "another version"
	}
	return module.At("api", &otherVersion{server: v, spoken: a.speaks})
}

func (a *api) version(ctx context.Context) (string, error) {
	var out struct{ Version string }
	err := a.call(ctx, http.MethodGet, "/version", nil, &out)
	return out.Version, err
}

// turnedAway explains the answers that come before the apiserver looks at a
// request; they are plain text.
func (a *api) turnedAway(path string, code int, text []byte) error {
	said := fmt.Sprintf("%d %s: %s", code, http.StatusText(code), strings.TrimSpace(string(text[:min(len(text), 200)])))
	err := fmt.Errorf("the PGO apiserver at %s turns %s away (%s)", a.base, path, said)
	remedy := ""
	switch {
	case code == http.StatusUnauthorized:
		remedy = fmt.Sprintf("check the name and password of the PGO user %q (Secret pgouser-%[1]s in the operator's namespace)", a.user)
	case code == http.StatusForbidden && strings.Contains(string(text), "Certificate"):
		remedy = "give api.cert and api.key: the apiserver wants a client certificate beside the password"
	case code == http.StatusForbidden:
		remedy = fmt.Sprintf("give the role of PGO user %q the permission for this action (Secret pgorole-… in the operator's namespace)", a.user)
	case code == http.StatusNotFound:
		remedy = "this does not look like PGO " + a.speaks + ": check api.url"
	}
	return module.At("api", module.Explain(err, remedy))
}
