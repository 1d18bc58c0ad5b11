package sql

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/adbsql/antdbctl/engine/secret"
)

// scramRounds is the server's own default.
const scramRounds = 4096

// verifier turns a password into what the server keeps of it, so that the
// password itself never stands in a statement. encryption is the server's
// password_encryption; before PostgreSQL 10 that was a boolean, meaning md5.
func verifier(role string, password secret.Value, encryption string) (secret.Value, error) {
	if encryption != "scram-sha-256" {
		return md5Verifier(role, password), nil
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return secret.Value{}, err
	}
	return scramVerifier(password, salt, scramRounds)
}

// proves reports whether a login with password would pass against stored, what
// the server keeps in pg_authid.rolpassword.
func proves(stored secret.Value, role string, password secret.Value) (bool, error) {
	text := stored.Reveal()
	switch {
	case strings.HasPrefix(text, "SCRAM-SHA-256$"):
		salt, rounds, err := scramParameters(text)
		if err != nil {
			return false, err
		}
		want, err := scramVerifier(password, salt, rounds)
		return err == nil && same(want, stored), err
	case strings.HasPrefix(text, "md5") && len(text) == 35:
		return same(md5Verifier(role, password), stored), nil
	}
	return same(password, stored), nil // servers before 10 could keep it in the clear
}

func same(a, b secret.Value) bool { return hmac.Equal([]byte(a.Reveal()), []byte(b.Reveal())) }

func md5Verifier(role string, password secret.Value) secret.Value {
	sum := md5.Sum([]byte(password.Reveal() + role))
	return secret.New("md5" + hex.EncodeToString(sum[:]))
}

// scramVerifier follows RFC 5802, in the form that pg_authid keeps:
// SCRAM-SHA-256$<rounds>:<salt>$<StoredKey>:<ServerKey>.
func scramVerifier(password secret.Value, salt []byte, rounds int) (secret.Value, error) {
	salted, err := pbkdf2.Key(sha256.New, saslPrep(password.Reveal()), salt, rounds, sha256.Size)
	if err != nil {
		return secret.Value{}, err
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return secret.New(fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s",
		rounds, b64(salt), b64(stored[:]), b64(mac(salted, "Server Key")))), nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func scramParameters(stored string) (salt []byte, rounds int, err error) {
	parts := strings.Split(stored, "$")
	count, salt64, ok := "", "", false
	if len(parts) == 3 {
		count, salt64, ok = strings.Cut(parts[1], ":")
	}
	if ok {
		rounds, err = strconv.Atoi(count)
	}
	if ok && err == nil {
		salt, err = base64.StdEncoding.DecodeString(salt64)
	}
	if !ok || err != nil || rounds < 1 {
		return nil, 0, fmt.Errorf("the server keeps a SCRAM verifier of an unknown form")
	}
	return salt, rounds, nil
}

// saslPrep normalises a password as the server does (RFC 4013): spaces to the
// plain space, invisible characters away, then compatibility composition.
func saslPrep(password string) string {
	if !strings.ContainsFunc(password, func(r rune) bool { return r > unicode.MaxASCII }) {
		return password
	}
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case r > unicode.MaxASCII && unicode.Is(unicode.Zs, r):
			return ' '
		case strings.ContainsRune("\u00AD\u034F\u1806\u180B\u180C\u180D\u200B\u200C\u200D\u2060\uFEFF", r),
			r >= 0xFE00 && r <= 0xFE0F:
			return -1
		}
		return r
	}, password))
}
