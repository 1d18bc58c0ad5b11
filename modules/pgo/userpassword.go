package pgo

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

// md5Of is what a server that keeps passwords as md5 keeps of one.
func md5Of(user string, password secret.Value) secret.Value {
	sum := md5.Sum([]byte(password.Reveal() + user))
	return secret.New("md5" + hex.EncodeToString(sum[:]))
}

// scramOf is what a server that keeps SCRAM verifiers keeps of a password:
// SCRAM-SHA-256$<rounds>:<salt>$<StoredKey>:<ServerKey> (RFC 5802, RFC 7677).
func scramOf(password secret.Value) (secret.Value, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return secret.Value{}, err
	}
	return scramWith(password, salt, 4096) // as many rounds as the server's own default
}

func scramWith(password secret.Value, salt []byte, rounds int) (secret.Value, error) {
	salted, err := pbkdf2.Key(sha256.New, prepared(password.Reveal()), salt, rounds, sha256.Size)
	if err != nil {
		return secret.Value{}, err
	}
	client, server := hmac.New(sha256.New, salted), hmac.New(sha256.New, salted)
	client.Write([]byte("Client Key"))
	server.Write([]byte("Server Key"))
	stored, b64 := sha256.Sum256(client.Sum(nil)), base64.StdEncoding.EncodeToString
	return secret.New(fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, b64(salt), b64(stored[:]), b64(server.Sum(nil)))), nil
}

// verifies reports whether a SCRAM verifier is one of the password.
func verifies(verifier, password secret.Value) bool {
	parts := strings.Split(verifier.Reveal(), "$")
	if len(parts) != 3 || parts[0] != "SCRAM-SHA-256" {
		return false
	}
	count, salt64, _ := strings.Cut(parts[1], ":")
	rounds, err := strconv.Atoi(count)
	salt, saltErr := base64.StdEncoding.DecodeString(salt64)
	if err != nil || saltErr != nil || rounds < 1 {
		return false
	}
	want, err := scramWith(password, salt, rounds)
	return err == nil && hmac.Equal([]byte(want.Reveal()), []byte(verifier.Reveal()))
}

// prepared normalises a password as servers and clients do (SASLprep, RFC
// 4013): blanks to the plain one, invisible characters away, compatibility
// forms composed.
func prepared(password string) string {
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case r > unicode.MaxASCII && unicode.Is(unicode.Zs, r):
			return ' '
		case strings.ContainsRune("\u00AD\u034F\u1806\u180B\u180C\u180D\u200B\u200C\u200D\u2060\uFEFF", r), r >= 0xFE00 && r <= 0xFE0F:
			return -1
		}
		return r
	}, password))
}
