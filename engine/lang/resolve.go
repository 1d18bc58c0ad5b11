package lang

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/secret"
)

// largestSecret bounds what is read as a secret: keys and certificates are small.
const largestSecret = 1 << 20

// ResolveSecrets reads every secret that the runbook uses and has hidden
// redact them, and the values of sensitive variables, from then on. A secret
// that cannot be read is reported at its block. It must not run at the same
// time as other methods; a second call reads nothing again.
func (r *Runbook) ResolveSecrets(ctx context.Context, hidden *secret.Redactor) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, v := range r.Variables {
		if v.Sensitive {
			hideAll(v.Value, hidden)
		}
	}
	for _, s := range r.Secrets {
		if !s.Used {
			continue
		}
		if err := ctx.Err(); err != nil {
			return append(diags, fault(s.Range.Ptr(), "Interrupted", "Reading the secrets was interrupted: %s.", err)...)
		}
		diags = append(diags, r.resolve(s)...)
		if hidden != nil && s.resolved {
			hidden.Add(s.value)
		}
	}
	return tidy(diags)
}

func hideAll(v cty.Value, hidden *secret.Redactor) {
	if hidden == nil || v == cty.NilVal {
		return
	}
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) { // the callback never fails
		if v.Type() == secret.Type && v.IsKnown() && !v.IsNull() {
			hidden.Add(*v.EncapsulatedValue().(*secret.Value))
		}
		return true, nil
	})
}

func (r *Runbook) resolve(s *Secret) hcl.Diagnostics {
	if s.resolved {
		return nil
	}
	o, diags := s.arguments(r.static(s.refs))
	if diags.HasErrors() {
		return diags
	}
	text, err := r.readSecret(o)
	if err != nil {
		return fault(s.Range.Ptr(), "Secret "+quote(s.Name)+" is missing", "%s.", err)
	}
	if text == "" {
		return fault(s.Range.Ptr(), "Secret "+quote(s.Name)+" is empty", "%s", "What it is read from is there, but holds nothing.")
	}
	s.value, s.resolved = secret.New(text), true
	return nil
}

func (r *Runbook) readSecret(o origin) (string, error) {
	switch {
	case o.env != "":
		text, ok := r.lookupEnv(o.env)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", o.env)
		}
		return text, nil
	case o.ageFile != "":
		return r.decrypt(o)
	case o.generate:
		return r.generated(o)
	}
	text, err := readSmall(r.path(o.file))
	return oneLine(text), err
}

// path resolves a path as a runbook writes it: "~" is the home folder,
// relative paths start at the runbook's folder.
func (r *Runbook) path(p string) string { return resolvePath(r.Dir, p) }

func resolvePath(dir, p string) string {
	if p == "~" || strings.HasPrefix(p, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, p[1:])
		}
	}
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largestSecret+1))
	if err == nil && len(text) > largestSecret {
		err = fmt.Errorf("%s is too large for a secret (more than 1 MiB)", name)
	}
	return text, err
}

// oneLine drops the line break that editors leave at the end of a file.
func oneLine(text []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
}

func (r *Runbook) decrypt(o origin) (string, error) {
	key, from := "", "the environment variable "+o.identEnv
	if o.identEnv != "" {
		text, ok := r.lookupEnv(o.identEnv)
		if !ok {
			return "", fmt.Errorf("%s, which holds the age identity, is not set", from)
		}
		key = text
	} else {
		from = r.path(o.identity)
		text, err := readSmall(from)
		if err != nil {
			return "", fmt.Errorf("read the age identity: %w", err)
		}
		key = string(text)
	}
	identities, err := age.ParseIdentities(strings.NewReader(key))
	if err != nil {
		// The parser's message may quote a line of the identity.
		return "", fmt.Errorf("%s holds no age identity (a line that starts with AGE-SECRET-KEY-1)", from)
	}
	data, err := readSmall(r.path(o.ageFile))
	if err != nil {
		return "", err
	}
	var in io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte(armor.Header)) {
		in = armor.NewReader(in)
	}
	plain, err := age.Decrypt(in, identities...)
	if err != nil {
		return "", fmt.Errorf("decrypt %s: %w", r.path(o.ageFile), err)
	}
	text, err := io.ReadAll(io.LimitReader(plain, largestSecret))
	if err != nil {
		return "", fmt.Errorf("decrypt %s: %w", r.path(o.ageFile), err)
	}
	return oneLine(text), nil
}

// generated reads the file of a generated secret, and makes it the first time.
func (r *Runbook) generated(o origin) (string, error) {
	name := r.path(o.file)
	text, err := readSmall(name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return oneLine(text), err
	}
	letters := []rune(o.charset)
	made := make([]rune, o.length)
	for i := range made {
		n, err := rand.Int(r.random, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", fmt.Errorf("generate: %w", err)
		}
		made[i] = letters[n.Int64()]
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", err
	}
	// A hard link of the finished file fails when another run was faster, and
	// then that run's secret is the one.
	tmp, err := os.CreateTemp(filepath.Dir(name), ".secret-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(string(made) + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", err
	}
	if err := os.Link(tmp.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	text, err = readSmall(name)
	return oneLine(text), err
}
