package host

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// certificate takes what the script found of a file: "pem FILE", then its lines
// after "- "; or "kubeconfig FILE BASE64".
func (m *machine) certificate(key, value string) {
	switch key {
	case "pem":
		m.reading = value
		m.pems[value] = &strings.Builder{}
	case "-":
		if b := m.pems[m.reading]; b != nil {
			b.WriteString(value + "\n")
		}
	case "kubeconfig":
		file, data, _ := strings.Cut(value, " ")
		m.kubeconfigs[file] = data
	}
}

func (m *machine) recordCertificates(rec evidence.Recorder, place evidence.Place) {
	texts := map[string]string{}
	for file, b := range m.pems {
		texts[file] = b.String()
	}
	for file, data := range m.kubeconfigs {
		text, err := base64.StdEncoding.DecodeString(strings.Trim(data, `"'`))
		if err != nil {
			rec.Gap("the certificate in "+file, place, err)
			continue
		}
		texts[file] = string(text)
	}
	now := time.Now()
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		fact, err := certificateFact(file, texts[file], now)
		if err != nil {
			rec.Gap("the certificate "+file, place, err)
			continue
		}
		rec.Fact(file, place, fact)
	}
}

// certificateFact is about the certificate that ends first of those in a file:
// nothing of a chain may be over.
func certificateFact(file, text string, now time.Time) (*evidence.Certificate, error) {
	var first *x509.Certificate
	starts := time.Time{}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read it: %w", err)
		}
		if first == nil || c.NotAfter.Before(first.NotAfter) {
			first = c
		}
		if c.NotBefore.After(starts) {
			starts = c.NotBefore
		}
	}
	if first == nil {
		return nil, errors.New("there is no certificate in it")
	}
	return &evidence.Certificate{Where: file, Subject: first.Subject.String(),
		Left: seconds(first.NotAfter.Sub(now)), Starts: seconds(starts.Sub(now))}, nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
