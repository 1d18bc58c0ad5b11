package lang

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func codecFunctions() []entry {
	return []entry{
		{"base64decode", encoding, "The text that a base64 string holds.", textFn(func(a []string) (string, error) { return base64Decode(a[0]) }, "string")},
		{"base64encode", encoding, "The string in base64.", textFn(func(a []string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(a[0])), nil }, "string")},
		{"csvdecode", encoding, "A list of objects, one for each line of a CSV text with a header.", stdlib.CSVDecodeFunc},
		{"jsondecode", encoding, "The value that a JSON text describes.", stdlib.JSONDecodeFunc},
		{"jsonencode", encoding, "The value as JSON.", noSecrets(stdlib.JSONEncodeFunc)},
		{"md5", hashing, "The MD5 of the string, hexadecimal.", hashFn(func(b []byte) []byte { s := md5.Sum(b); return s[:] })},
		{"sha1", hashing, "The SHA-1 of the string, hexadecimal.", hashFn(func(b []byte) []byte { s := sha1.Sum(b); return s[:] })},
		{"sha256", hashing, "The SHA-256 of the string, hexadecimal.", hashFn(func(b []byte) []byte { s := sha256.Sum256(b); return s[:] })},
		{"sha512", hashing, "The SHA-512 of the string, hexadecimal.", hashFn(func(b []byte) []byte { s := sha512.Sum512(b); return s[:] })},
		{"shellquote", encoding, "The string as one word for a POSIX shell.", textFn(func(a []string) (string, error) { return "'" + strings.ReplaceAll(a[0], "'", `'\''`) + "'", nil }, "string")},
		{"urldecode", encoding, "The text that a part of a URL holds.", textFn(func(a []string) (string, error) { return url.QueryUnescape(a[0]) }, "string")},
		{"urlencode", encoding, "The string as it stands in a query of a URL.", textFn(func(a []string) (string, error) { return url.QueryEscape(a[0]), nil }, "string")},
		{"yamldecode", encoding, "The value that a YAML text describes.", yaml.YAMLDecodeFunc},
		{"yamlencode", encoding, "The value as YAML.", noSecrets(yaml.YAMLEncodeFunc)},
	}
}

func hashFn(sum func([]byte) []byte) function.Function {
	return textFn(func(a []string) (string, error) { return hex.EncodeToString(sum([]byte(a[0]))), nil }, "string")
}

func base64Decode(s string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return "", fmt.Errorf("not base64: %w", err)
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("the data is no text in UTF-8")
	}
	return string(data), nil
}
