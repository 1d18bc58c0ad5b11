package pgo_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/lab/pgo"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/pgcluster"
)

const fortySevenCluster = `
apiVersion: crunchydata.com/v1
kind: Pgcluster
metadata:
  annotations: {current-primary: seven}
  labels: {crunchy-pgha-scope: seven, deployment-name: seven, name: seven, pg-cluster: seven, pgo-version: 4.7.10, pgouser: pgoadmin}
  name: seven
  namespace: pguser47
spec:
  BackrestStorage: {accessmode: ReadWriteMany, size: 900M, storagetype: create}
  PrimaryStorage: {accessmode: ReadWriteMany, name: seven, size: 900M, storagetype: create}
  ReplicaStorage: {accessmode: ReadWriteMany, size: 900M, storagetype: create}
  ccpimage: antdb-ha
  ccpimageprefix: crunchydata
  ccpimagetag: operator-test
  clustername: seven
  database: appdb
  name: seven
  namespace: pguser47
  port: "5432"
  user: appuser
  userlabels: {pgo-version: 4.7.10}
`

// fortySeven makes a cluster by its resource alone, changes it by REST, and deletes the resource.
func (l *live) fortySeven(t *testing.T) {
	ctx := t.Context()
	opts := pgo.FortySeven(t.TempDir(), "test")
	require.NoError(t, pgo.Install(ctx, l.config, opts))
	rest := &live{t: l.t, kube: l.kube, door: door{namespace: opts.Namespace, certs: opts.CertDir}}
	u := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(fortySevenCluster), &u.Object))
	clusters := l.dyn.Resource(crv1.Clusters).Namespace("pguser47")
	_, err := clusters.Create(ctx, u, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = clusters.Delete(context.Background(), "seven", metav1.DeleteOptions{}) })
	store := crv1.StoreOf[pgcluster.Cluster](l.dyn, crv1.Clusters, "Pgcluster")
	l.eventually(t, 6*time.Minute, "the first backup", func() bool {
		c, err := store.Get(ctx, "pguser47", "seven")
		return err == nil && c.Status.State == crv1.ClusterInitialized
	})

	rest.post(t, "/clusters/scale/seven", `{"clientVersion":"4.7.10","name":"seven","namespace":"pguser47","replicaCount":1}`)
	rest.post(t, "/userupdate", `{"Clusters":["seven"],"ClientVersion":"4.7.10","Namespace":"pguser47","Username":"appuser","Password":"changedPass1","PasswordValidAlways":true}`)
	service, err := l.kube.CoreV1().Services("pguser47").Get(ctx, "seven", metav1.GetOptions{})
	require.NoError(t, err)
	l.eventually(t, 3*time.Minute, "a login with the changed password", func() bool {
		return loginAs(ctx, service.Spec.ClusterIP, "appuser", "changedPass1", "appdb") == nil
	})
	l.eventually(t, 5*time.Minute, "a ready replica", func() bool { return l.readyIn("pguser47", "pg-cluster=seven,role=replica") })

	require.NoError(t, clusters.Delete(ctx, "seven", metav1.DeleteOptions{}))
	l.eventually(t, 5*time.Minute, "everything of the cluster to go", func() bool {
		of := metav1.ListOptions{LabelSelector: "pg-cluster=seven"}
		claims, err := l.kube.CoreV1().PersistentVolumeClaims("pguser47").List(ctx, of)
		secrets, fault := l.kube.CoreV1().Secrets("pguser47").List(ctx, of)
		return err == nil && fault == nil && len(claims.Items)+len(secrets.Items) == 0
	})
}
