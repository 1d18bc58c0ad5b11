package tape_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/tape"
	"github.com/adbsql/antdbctl/engine/secret"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// lines is a tape that is being written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) keep(e tape.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := json.NewEncoder(&l.text).Encode(e); err != nil {
		panic(err)
	}
}

func (l *lines) read(t *testing.T) *tape.Tape {
	played, skipped, err := tape.Read(bytes.NewReader(l.text.Bytes()))
	require.NoError(t, err)
	require.Zero(t, skipped)
	return played
}

var here = conn.Target{Kind: conn.Local, Name: "here"}

func dial(t *testing.T, openers map[string]conn.Opener, target conn.Target, s conn.Settings) conn.Host {
	pool := conn.NewPool(openers, map[string]conn.Settings{target.Config: s})
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	h, err := pool.Dial(t.Context(), target)
	require.NoError(t, err)
	return h
}

// look asks a place all that can be noted, and gives what it answers.
func look(t *testing.T, h conn.Host, password, folder string) []string {
	var all []string
	add := func(parts ...any) {
		text, err := json.Marshal(parts)
		require.NoError(t, err)
		all = append(all, string(text))
	}
	ctx := t.Context()
	res, err := h.Run(ctx, conn.Cmd{Args: []string{"sh", "-c", "cat; echo ${PASSWORD:+set} >&2; exit 3"}, Stdin: strings.NewReader("in with " + password),
		Env: map[string]secret.Value{"PASSWORD": secret.New(password)}})
	code, _ := conn.ExitCode(err)
	add(res, code)
	var out strings.Builder
	res, err = h.Run(ctx, conn.Cmd{Args: []string{"echo", "streamed"}, Stdout: &out})
	require.NoError(t, err)
	add(res, out.String())
	files, err := h.Files()
	require.NoError(t, err)
	info, err := files.Stat(ctx, filepath.Join(folder, "x"))
	require.NoError(t, err)
	add(info.Size, info.Mode, info.Owner, info.ModTime.Unix())
	r, err := files.Open(ctx, filepath.Join(folder, "x"))
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	add(string(text))
	_, err = files.Stat(ctx, filepath.Join(folder, "none"))
	add(errors.Is(err, fs.ErrNotExist))
	_, err = files.Open(ctx, filepath.Join(folder, "none"))
	add(errors.Is(err, fs.ErrNotExist))
	return all
}

func TestWhatWasSeenOfAMachineIsPlayedBack(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "x"), []byte("content"), 0o640))
	var known secret.Redactor
	known.Add(secret.New("hunter2-and-more"))
	var noted lines
	openers := tape.NewRecorder(&known, noted.keep).Openers(map[string]conn.Opener{conn.Local: local.Open})
	seen := look(t, dial(t, openers, here, conn.Settings{}), "hunter2-and-more", folder)
	require.NoError(t, os.RemoveAll(folder))

	played := noted.read(t)
	h := dial(t, played.Openers(&known), here, conn.Settings{})
	require.Equal(t, seen, look(t, h, "hunter2-and-more", folder))
	require.Equal(t, seen, look(t, h, "hunter2-and-more", folder), "again and again")

	ctx := t.Context()
	_, err := h.Run(ctx, conn.Command("touch", "/tmp/x"))
	require.ErrorIs(t, err, tape.ErrNotNoted)
	require.ErrorContains(t, err, "here: the command touch: not in the bundle")
	_, err = h.Dial(ctx, "tcp", "127.0.0.1:5432")
	require.ErrorIs(t, err, tape.ErrNotNoted)
	files, err := h.Files()
	require.NoError(t, err)
	require.ErrorIs(t, files.Write(ctx, "/x", strings.NewReader(""), conn.FileMeta{}), tape.ErrNotNoted)
	require.ErrorIs(t, files.Remove(ctx, "/x"), tape.ErrNotNoted)
	_, err = played.Openers(&known)[conn.SSH](ctx, conn.Target{Kind: conn.SSH, Name: "node9"}, conn.Settings{}, nil)
	require.ErrorIs(t, err, tape.ErrNotNoted)
}

func TestAPlaceThatWasNotReachedIsNotReachedAgain(t *testing.T) {
	var noted lines
	openers := tape.NewRecorder(nil, noted.keep).Openers(map[string]conn.Opener{
		conn.SSH: func(context.Context, conn.Target, conn.Settings, conn.Dialer) (conn.Host, error) {
			return nil, &conn.Unreachable{Target: "node1", Err: errors.New("connection refused"), Hint: "start sshd"}
		},
	})
	node := conn.Target{Kind: conn.SSH, Name: "node1"}
	_, err := openers[conn.SSH](t.Context(), node, conn.Settings{}, nil)
	require.Error(t, err)
	_, again := noted.read(t).Openers(nil)[conn.SSH](t.Context(), node, conn.Settings{}, nil)
	require.Equal(t, err, again)
}

func TestAnswersThatChangedArePlayedInTheirOrder(t *testing.T) {
	counter := filepath.Join(t.TempDir(), "n")
	count := func(h conn.Host) string {
		res, err := h.Run(t.Context(), conn.Script(`echo x >> "$1"; wc -l < "$1"`, counter))
		require.NoError(t, err)
		return strings.TrimSpace(res.Stdout)
	}
	var noted lines
	h := dial(t, tape.NewRecorder(nil, noted.keep).Openers(map[string]conn.Opener{conn.Local: local.Open}), here, conn.Settings{})
	require.Equal(t, []string{"1", "2"}, []string{count(h), count(h)})
	h = dial(t, noted.read(t).Openers(nil), here, conn.Settings{})
	require.Equal(t, []string{"1", "2", "2"}, []string{count(h), count(h), count(h)})
}

func TestGarbageOnATapeIsSkipped(t *testing.T) {
	_, skipped, err := tape.Read(strings.NewReader("{}\n[1]\n{\"key\":\"x\"}\n"))
	require.NoError(t, err)
	require.Equal(t, 2, skipped)
	_, _, err = tape.Read(strings.NewReader("{"))
	require.Error(t, err)
}

func TestAClusterIsPlayedBack(t *testing.T) {
	server := kubetest.Start(t)
	admin := server.Cluster(t)
	namespace := admin.Namespace()
	target := conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: namespace}
	settings := conn.Settings{Kind: conn.Kubernetes, Kubeconfig: server.Kubeconfig()}
	var noted lines
	openers := tape.NewRecorder(nil, noted.keep).Openers(map[string]conn.Opener{conn.Kubernetes: kube.Open})
	_, err := admin.Clientset().CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "users"}, StringData: map[string]string{"password": "hunter2-and-more"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	ask := func(h conn.Host) (version, names, resource string) {
		c, err := kube.Of(h)
		require.NoError(t, err)
		require.Equal(t, namespace, c.Namespace())
		v, ok := c.Version()
		require.True(t, ok)
		list, err := c.Clientset().CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, s := range list.Items {
			names += s.Name + " "
			require.NotEmpty(t, s.Data["password"])
		}
		_, err = c.Clientset().CoreV1().ConfigMaps(namespace).Get(t.Context(), "none", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err))
		mapping, err := c.Mapper().ResourceFor(schema.GroupVersionResource{Resource: "deploy"})
		require.NoError(t, err)
		return v.String(), names, mapping.Resource
	}
	version, names, resource := ask(dial(t, openers, target, settings))
	require.Contains(t, names, "users")
	text := noted.text.String()
	require.NotContains(t, text, "hunter2-and-more")
	require.NotContains(t, text, base64.StdEncoding.EncodeToString([]byte("hunter2-and-more")))

	h := dial(t, noted.read(t).Openers(nil), target, conn.Settings{Kind: conn.Kubernetes})
	v, n, r := ask(h)
	require.Equal(t, []string{version, names, resource}, []string{v, n, r})
	c, err := kube.Of(h)
	require.NoError(t, err)
	_, err = c.Clientset().CoreV1().Pods(namespace).Get(t.Context(), "unasked", metav1.GetOptions{})
	require.ErrorIs(t, err, tape.ErrNotNoted)
	err = c.Clientset().CoreV1().Secrets(namespace).Delete(t.Context(), "users", metav1.DeleteOptions{})
	require.ErrorIs(t, err, tape.ErrNotNoted)
}
