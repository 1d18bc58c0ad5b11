package postgrescluster

import (
	"crypto/rand"
	"math/big"
)

// Characters of generated passwords. ASCII is the default, and it holds what no URI may have unquoted.
const (
	alphaNumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	ascii        = alphaNumeric + "()*+,-./:;<=>?@[]^_{|}"
)

const passwordLength = 24

func newPassword(characters string) (string, error) {
	text := make([]byte, passwordLength)
	for i := range text {
		k, err := rand.Int(rand.Reader, big.NewInt(int64(len(characters))))
		if err != nil {
			return "", err
		}
		text[i] = characters[k.Int64()]
	}
	return string(text), nil
}
