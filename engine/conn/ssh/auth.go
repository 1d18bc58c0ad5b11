package ssh

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/adbsql/antdbctl/engine/secret"
)

// AuthError reports a host that lets us in by none of our keys and passwords.
type AuthError struct {
	User  string
	Tried []string // what was offered, and what could not be
	Err   error
}

func (e *AuthError) Error() string {
	tried := "nothing to offer"
	if len(e.Tried) > 0 {
		tried = "offered " + strings.Join(e.Tried, "; ")
	}
	return fmt.Sprintf("user %s is refused: %s (%v)", e.User, tried, e.Err)
}

func (e *AuthError) Unwrap() error { return e.Err }

func (e *AuthError) hint() string {
	return fmt.Sprintf("put one of these public keys into ~%s/.ssh/authorized_keys there, or name another key (identity), user or password in the target", e.User)
}

// credentials are what one login offers. The agent stays connected for as long
// as the handshake needs its signatures.
type credentials struct {
	methods []ssh.AuthMethod
	tried   []string
	agent   net.Conn
}

func (c *credentials) close() {
	if c.agent != nil {
		_ = c.agent.Close()
	}
}

// newCredentials gathers keys in the order: files somebody named, the agent,
// the default files. With IdentitiesOnly the agent signs for the former alone.
func newCredentials(r *route) *credentials {
	c := &credentials{}
	given, defaults := c.fromFiles(r)
	agents := c.fromAgent(r, given)
	var signers []ssh.Signer
	seen := map[string]bool{}
	for _, k := range append(append(given, agents...), defaults...) {
		id := string(k.public.Marshal())
		if k.signer == nil || seen[id] {
			continue
		}
		seen[id] = true
		signers = append(signers, k.signer)
		c.tried = append(c.tried, fmt.Sprintf("%s key %s from %s", algorithm(k.public), ssh.FingerprintSHA256(k.public), k.from))
	}
	if len(signers) > 0 {
		c.methods = append(c.methods, ssh.PublicKeys(signers...))
	}
	if !r.password.IsZero() {
		c.methods = append(c.methods, ssh.Password(r.password.Reveal()), ssh.KeyboardInteractive(answer(r.password.Reveal())))
		c.tried = append(c.tried, "the password")
	}
	return c
}

// key is a key pair, of which the private half may be the agent's, or locked.
type key struct {
	public ssh.PublicKey
	signer ssh.Signer
	from   string
}

func (c *credentials) fromFiles(r *route) (given, defaults []key) {
	for _, id := range r.identities {
		k, err := readKey(id.path, r)
		if k.public != nil {
			if id.given {
				given = append(given, k)
			} else {
				defaults = append(defaults, k)
			}
		}
		if err != nil && (id.given || !errors.Is(err, fs.ErrNotExist)) {
			c.tried = append(c.tried, fmt.Sprintf("not %s: %v", id.path, reason(err)))
		}
	}
	return given, defaults
}

// reason leaves out the path, which the message has already.
func reason(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// readKey reads a private key. Of a locked one the public half may be known
// all the same, and the agent may have it open.
func readKey(path string, r *route) (key, error) {
	k := key{from: path}
	text, err := os.ReadFile(path)
	if err != nil {
		k.public = publicHalf(path)
		return k, err
	}
	k.signer, err = ssh.ParsePrivateKey(text)
	if locked := (*ssh.PassphraseMissingError)(nil); errors.As(err, &locked) {
		if r.passphrase.IsZero() {
			if k.public = locked.PublicKey; k.public == nil {
				k.public = publicHalf(path)
			}
			return k, errors.New("it is locked and the target has no passphrase")
		}
		if k.signer, err = unlock(text, r.passphrase); err != nil {
			return key{}, errors.New("the passphrase does not open it")
		}
	}
	if err != nil {
		return key{}, err
	}
	k.public = k.signer.PublicKey()
	return k, nil
}

// unlocked are the keys that were opened: passphrases are slow to check by
// design, and many hosts share a key.
var unlocked struct {
	sync.Mutex
	by map[[sha256.Size]byte]ssh.Signer
}

func unlock(text []byte, passphrase secret.Value) (ssh.Signer, error) {
	id := sha256.Sum256([]byte(string(text) + "\x00" + passphrase.Reveal()))
	unlocked.Lock()
	defer unlocked.Unlock()
	if s := unlocked.by[id]; s != nil {
		return s, nil
	}
	s, err := ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase.Reveal()))
	if err != nil {
		return nil, err
	}
	if unlocked.by == nil {
		unlocked.by = map[[sha256.Size]byte]ssh.Signer{}
	}
	unlocked.by[id] = s
	return s, nil
}

func publicHalf(path string) ssh.PublicKey {
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return public
}

func (c *credentials) fromAgent(r *route, given []key) []key {
	if r.agent == "" {
		return nil
	}
	nc, err := net.Dial("unix", r.agent)
	if err != nil {
		c.tried = append(c.tried, fmt.Sprintf("not the agent: %v", err))
		return nil
	}
	c.agent = nc
	signers, err := agent.NewClient(nc).Signers()
	if err != nil {
		c.tried = append(c.tried, fmt.Sprintf("not the agent: %v", err))
		return nil
	}
	wanted := map[string]bool{}
	for _, k := range given {
		wanted[string(k.public.Marshal())] = true
	}
	var keys []key
	for _, s := range signers {
		if !r.identitiesOnly || wanted[string(s.PublicKey().Marshal())] {
			keys = append(keys, key{public: s.PublicKey(), signer: s, from: "the agent"})
		}
	}
	return keys
}

// answer gives the password to every question that hides what is typed.
func answer(password string) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range questions {
			if !echos[i] {
				answers[i] = password
			}
		}
		return answers, nil
	}
}
