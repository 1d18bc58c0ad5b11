package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// authorization is the header by which a node may read the image. A registry
// takes a user's credentials as they are, or gives a token for them. The other
// engines fetch that by themselves; ctr would need the password for it on its
// command line, so it is fetched here, from the node, as the node sees the
// registry. Whatever goes wrong is left for ctr to tell.
func (o origin) authorization(ctx context.Context, env *module.Env) secret.Value {
	if o.auth.IsZero() {
		return o.auth
	}
	plain := secret.New("Basic " + o.auth.Reveal())
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: env.Dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: nodeRoots(ctx, env, o.host)}}}
	realm, err := o.askRealm(ctx, client)
	if err != nil || realm == nil {
		return plain
	}
	token, err := o.fetchToken(ctx, client, realm)
	if err != nil {
		env.Logf("a token for %s: %s", o.host, err)
		return plain
	}
	return token
}

var challenge = regexp.MustCompile(`(realm|service)="([^"]*)"`)

// askRealm gives the address of tokens for the image; nil where the registry
// wants none.
func (o origin) askRealm(ctx context.Context, client *http.Client) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.scheme+"://"+o.host+"/v2/", nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	said := res.Header.Get("WWW-Authenticate")
	if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(strings.ToLower(said), "bearer ") {
		return nil, nil
	}
	words := map[string]string{}
	for _, m := range challenge.FindAllStringSubmatch(said, -1) {
		words[m[1]] = m[2]
	}
	realm, err := url.Parse(words["realm"])
	if err != nil {
		return nil, err
	}
	if realm.Scheme != "https" && o.scheme == "https" {
		return nil, fmt.Errorf("%s sends passwords to %s, which is not encrypted", o.host, realm.Host)
	}
	repository, _, _ := strings.Cut(strings.TrimPrefix(o.ref, o.host+"/"), "@")
	query := realm.Query()
	query.Set("service", words["service"])
	query.Set("scope", "repository:"+repository+":pull")
	realm.RawQuery = query.Encode()
	return realm, nil
}

func (o origin) fetchToken(ctx context.Context, client *http.Client, realm *url.URL) (secret.Value, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, realm.String(), nil)
	if err != nil {
		return secret.Value{}, err
	}
	req.Header.Set("Authorization", "Basic "+o.auth.Reveal())
	res, err := client.Do(req)
	if err != nil {
		return secret.Value{}, err
	}
	defer res.Body.Close()
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	if res.StatusCode != http.StatusOK {
		return secret.Value{}, fmt.Errorf("%s answers %s", realm.Host, res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil {
		return secret.Value{}, fmt.Errorf("%s answers what is no token", realm.Host)
	}
	if answer.Token == "" {
		answer.Token = answer.AccessToken
	}
	if answer.Token == "" || strings.ContainsAny(answer.Token, "\"\\\n") { // it goes into a TOML string
		return secret.Value{}, fmt.Errorf("%s gives no token", realm.Host)
	}
	return secret.New("Bearer " + answer.Token), nil
}

// authorities are where engines look for the certificate of a registry's own
// authority; %s is the registry's host.
var authorities = []string{"/etc/containerd/certs.d/%s/ca.crt", "/etc/docker/certs.d/%s/ca.crt"}

// nodeRoots are the authorities that this machine and the node trust.
func nodeRoots(ctx context.Context, env *module.Env, host string) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	files, err := env.Files()
	if err != nil {
		return pool
	}
	for _, path := range authorities {
		f, err := files.Open(ctx, fmt.Sprintf(path, host))
		if err != nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(f, 1<<20))
		_ = f.Close()
		if err == nil {
			pool.AppendCertsFromPEM(text)
		}
	}
	return pool
}
