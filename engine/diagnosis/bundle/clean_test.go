package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/secret"
)

func cleaned(t testing.TB, known *secret.Redactor, text string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, cleaner{known}.clean(&out, strings.NewReader(text), map[string]int{}))
	return out.String()
}

const planted = "Zq9-plant.Ed7"

// Each of these shows planted, in a way that antdbctl is not told of.
var plantedTexts = []string{
	"connecting to postgres://testuser:" + planted + "@antdb.pgouser1:5432/userdb",
	"jdbc:postgresql://u:" + planted + "@h/d?ssl=on",
	"https://:" + planted + "@host/",
	"dsn: host=antdb user=postgres password=" + planted + " dbname=postgres",
	"dsn: host=antdb user=postgres password='" + planted + " with blanks' dbname=postgres",
	"PGPASSWORD=" + planted + " psql -h antdb",
	`+ export PGPASSWORD="` + planted + `"`,
	`+ export PG_ROOT_PASSWORD='` + planted + `'`,
	"PATRONI_SUPERUSER_PASSWORD=" + planted,
	"AWS_SECRET_ACCESS_KEY=" + planted,
	"GITHUB_TOKEN=" + planted,
	`{"user":"x","password":"` + planted + `","port":5432}`,
	`{"user":"x", "Password" : "` + planted + `"}`,
	`level=debug msg="{\"password\":\"` + planted + `\",\"x\":1}"`,
	`{"log":"{\\\"password\\\": \\\"` + planted + `\\\"}\n","stream":"stdout"}`,
	`{'user': 'postgres', 'password': '` + planted + `', 'host': 'x'}`,
	"  password: " + planted,
	"- api_key: \"" + planted + "\"",
	"2026-03-05T05:52:03.096123456Z stdout F   password: " + planted,
	"map[password:" + planted + " username:postgres]",
	"{Username:x Password:" + planted + "}",
	`{"name":"PGPASSWORD","value":"` + planted + `"}`,
	`{"name": "PGO_TOKEN", "value": "` + planted + `"}`,
	`{"value":"` + planted + `","name":"DB_PASSWORD"}`,
	"- name: PGPASSWORD\n  value: " + planted,
	"pgo create user --password " + planted + " -n x",
	"pgo create user --password=" + planted,
	"patronictl --client-secret '" + planted + "'",
	"STATEMENT:  ALTER ROLE testuser PASSWORD '" + planted + "'",
	"LOG:  statement: create user x encrypted password\n\t'" + planted + "' valid until 'infinity'",
	"ALTER USER x WITH PASSWORD E'" + planted + "\\n''x'",
	"ALTER USER x WITH PASSWORD '" + planted,
	"密码：" + planted,
	"新口令为 " + planted,
	"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+planted)),
	`"Authorization":["Bearer ` + planted + `"]`,
	"authorization: " + planted,
	"> Authorization: token " + planted,
	"using Bearer " + planted + " for it",
	"Set-Cookie: sid=" + planted + "; Path=/",
	"curl -k -u admin:" + planted + " https://pgo:8443/version",
	"curl --user admin:" + planted + " https://pgo:8443/version",
	"antdb:5432:*:testuser:" + planted,
	`"kind":"Secret","data":{"x":"` + planted + `"}`,
	`{"apiVersion":"v1","data":{"x":"` + planted + `","y":"` + planted + `"},"kind":"Secret","type":"Opaque"}`,
	`kubectl.kubernetes.io/last-applied-configuration: "{\"stringData\":{\"x\":\"` + planted + `\"},\"kind\":\"Secret\"}"`,
	"apiVersion: v1\ndata:\n  x: " + planted + "\n  y: " + planted + "\nkind: Secret\nmetadata:\n  name: x\n",
	"kind: Secret\nstringData:\n    x: \"" + planted + "\"\n",
}

func TestSecretsThatNobodyNamedAreFound(t *testing.T) {
	for _, text := range plantedTexts {
		for _, framed := range []string{text, "before\n" + text + "\nafter\n", "2020-03-05 05:52:03.096 UTC [9] LOG:  " + text} {
			if strings.HasPrefix(framed, "2020") && (strings.HasPrefix(text, "  password") || strings.HasPrefix(text, "- ") || strings.HasPrefix(text, "2026") || strings.Contains(text, "kind: Secret") ||
				strings.HasPrefix(text, "antdb:")) {
				continue // these are files that a log quotes line by line
			}
			got := cleaned(t, nil, framed)
			require.NotContains(t, got, planted, framed)
			require.NotContains(t, got, base64.StdEncoding.EncodeToString([]byte("admin:"+planted)), framed)
			require.Contains(t, got, secret.Hidden, framed)
			require.Equal(t, strings.Count(framed, "\n"), strings.Count(got, "\n"), "lines keep their numbers")
		}
	}
}

func TestWhatIsASecretByItsLookIsFound(t *testing.T) {
	jwt := "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50In0.c2lnbmF0dXJl"
	for text, hidden := range map[string]string{
		"token is " + jwt + ".": jwt,
		"rolpassword | SCRAM-SHA-256$4096:c2FsdHNhbHQ=$c3RvcmVka2V5:c2VydmVya2V5": "c2FsdHNhbHQ=$c3RvcmVka2V5:c2VydmVya2V5",
		"rolpassword | md5a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5":                       "md5a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5",
		"key AKIAIOSFODNN7EXAMPLE used":                                           "AKIAIOSFODNN7EXAMPLE",
		"identity AGE-SECRET-KEY-1QQPQYPQRQ9X8G7F6D5S4A3":                         "AGE-SECRET-KEY-1QQPQYPQRQ9X8G7F6D5S4A3",
	} {
		require.NotContains(t, cleaned(t, nil, text), hidden)
	}
}

func TestPrivateKeysAreFoundWholeAndInPieces(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	// Of the length of an RSA key.
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: bytes.Repeat(der, 20)}))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	prefixed := "2026-03-05T05:52:03.096Z stdout F " + strings.Join(lines, "\n2026-03-05T05:52:03.096Z stdout F ") + "\n"
	inJSON, err := json.Marshal(map[string]string{"tls.key": text})
	require.NoError(t, err)
	for name, form := range map[string]string{
		"whole": text, "crlf": strings.ReplaceAll(text, "\n", "\r\n"), "indented": "  " + strings.Join(lines, "\n  ") + "\n", "prefixed": prefixed,
		"json": string(inJSON), "no end": strings.Join(lines[:len(lines)-2], "\n") + "\n", "no beginning": strings.Join(lines[5:], "\n") + "\n",
		"base64": base64.StdEncoding.EncodeToString([]byte(text)),
	} {
		for _, before := range []int{0, partSize - holdBack - 100, partSize - 100} {
			filler := strings.Repeat("an unharmed line\n", before/17)
			got := cleaned(t, nil, filler+"unharmed before\n"+form+"\nunharmed after, surely\n")
			for _, line := range lines[6:20] {
				require.NotContains(t, got, line, "%s %d", name, before)
			}
			require.NotContains(t, got, base64.StdEncoding.EncodeToString([]byte(text))[40:80], "%s %d", name, before)
			require.Contains(t, got, "unharmed before\n", name)
			require.Contains(t, got, "\nunharmed after, surely\n", name)
			require.Equal(t, strings.Count(filler+form, "\n")+3, strings.Count(got, "\n"), name)
		}
	}
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for _, public := range []string{certificate, base64.StdEncoding.EncodeToString([]byte(certificate)), "-----BEGIN PUBLIC KEY-----"} {
		require.Equal(t, public, cleaned(t, nil, public))
	}
}

// evidence must stay as it is.
var evidenceTexts = []string{
	`FATAL:  password authentication failed for user "testuser"`,
	`DETAIL:  Connection matched pg_hba.conf line 95: "host all all 0.0.0.0/0 md5"`,
	`致命错误:  用户 "testuser" Password 认证失败`,
	`用户 "testuser" 密码认证失败`,
	"fe_sendauth: no password supplied",
	"LOG:  password_encryption = scram-sha-256",
	"password_encryption: md5",
	`secret "antdb-primaryuser-secret" not found`,
	`MountVolume.SetUp failed for volume "pgo-auth" : secret "pgo-auth" not found`,
	"ssh: unable to authenticate, attempted methods [none publickey password], no supported methods remain",
	"Permission denied (publickey,gssapi-keyex,gssapi-with-mic,password).",
	"sudo: a password is required",
	"Basic Authentication credentials must be provided according to RFC 7617, Section 2.",
	"pull access denied, repository does not exist or may require authorization: server message: insufficient_scope",
	"SCRAM authentication requires libpq version 10 or above",
	"secretName: antdb-backrest-repo-config",
	"automountServiceAccountToken: false",
	"PWD=/pgdata/antdb", "passfile=/home/postgres/.pgpass", "--password-file /tmp/x",
	"https://registry:5000/v2/antdb-ha/manifests/sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	"http://10.0.0.1:8008/patroni and mail a@b.c",
	"dial tcp 10.244.1.3:5432: connect: connection refused",
	"ERROR: [044]: PostgreSQL version 11, system-id 6800000000000000001 do not match stanza version 11",
	"syntax error at or near \"password\" at character 12",
	"created token for user x", "password=", `password=""`, "password: ********", "password=$PGPASSWORD", "password=(secret)",
	"the token has expired", "invalid bearer token, Token has expired",
	"MD5 checksum mismatch in base/16384/2619",
}

func TestEvidenceIsNotTakenForASecret(t *testing.T) {
	for _, text := range evidenceTexts {
		require.Equal(t, text, cleaned(t, nil, text))
		require.Equal(t, "a\n"+text+"\r\nb", cleaned(t, nil, "a\n"+text+"\r\nb"))
	}
}

func TestKnownSecretsAreFoundInEveryFormAtEveryPlace(t *testing.T) {
	const known = `kn0wn"se/cret'é&more`
	var r secret.Redactor
	r.Add(secret.New(known))
	quoted, err := json.Marshal(known)
	require.NoError(t, err)
	again, err := json.Marshal(string(quoted[1 : len(quoted)-1]))
	require.NoError(t, err)
	b64 := base64.StdEncoding.EncodeToString([]byte(known))
	for n, form := range []string{
		known[:9] + "\r\n    " + known[9:], known, b64, base64.RawURLEncoding.EncodeToString([]byte(known)), url.QueryEscape(known), url.PathEscape(known), string(quoted[1 : len(quoted)-1]), string(again[1 : len(again)-1]),
		hex.EncodeToString([]byte(known)), strings.ToUpper(hex.EncodeToString([]byte(known))), strings.ReplaceAll(known, "'", `'\''`), strings.ReplaceAll(known, "'", "''"),
		b64[:len(b64)/2] + "\n" + b64[len(b64)/2:],
	} {
		places := []int{0, 1, 200}
		if n == 0 {
			places = []int{0, partSize - holdBack - 3, partSize - holdBack, partSize - 3, partSize, 2 * partSize}
		}
		for _, at := range places {
			for _, filler := range []string{"x", "a line of text!\n"} {
				before := strings.Repeat(filler, at/len(filler)+1)[:at]
				got := cleaned(t, &r, before+form+strings.Repeat(filler, 100))
				want := before + secret.Hidden + strings.Repeat("\n", strings.Count(form, "\n")) + strings.Repeat(filler, 100)
				if want != got {
					t.Fatalf("%q at %d: %.300q", form, at, got[max(0, at-100):])
				}
			}
		}
	}
	require.NotContains(t, cleaned(t, &r, "Basic x "+base64.StdEncoding.EncodeToString([]byte("user:"+known+"\n"))), b64[4:len(b64)-6])
}

func TestCleaningGoesOnWhateverTheReads(t *testing.T) {
	text := strings.Repeat(strings.Join(plantedTexts, "\n")+"\n", 200)
	var out bytes.Buffer
	counts := map[string]int{}
	require.NoError(t, cleaner{}.clean(&out, iotest.HalfReader(strings.NewReader(text)), counts))
	require.NotContains(t, out.String(), planted)
	require.Equal(t, strings.Count(text, "\n"), strings.Count(out.String(), "\n"))
	require.Greater(t, counts["url"], 500)
}

// BenchmarkClean says how fast logs are kept.
func BenchmarkClean(b *testing.B) {
	var text bytes.Buffer
	for n := 0; text.Len() < 32<<20; n++ {
		fmt.Fprintf(&text, "2026-03-05 05:52:03.096 UTC [%d] LOG:  connection authorized: user=testuser database=userdb application_name=app%d\n", n%9000, n)
	}
	var r secret.Redactor
	for n := range 20 {
		r.Add(secret.New(fmt.Sprintf("secret-number-%d", n)))
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		require.NoError(b, cleaner{&r}.clean(&bytes.Buffer{}, bytes.NewReader(text.Bytes()), map[string]int{}))
	}
}
