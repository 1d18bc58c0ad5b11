// Standin is the stand-in of PGO 4.2.1 that runs in the lab: its first argument says as what. See package pgo.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/dns"
	"github.com/adbsql/antdbctl/lab/pgo/jobs"
	"github.com/adbsql/antdbctl/lab/pgo/operator"
	"github.com/adbsql/antdbctl/lab/pgo/pgcluster"
	"github.com/adbsql/antdbctl/lab/pgo/postgrescluster"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// clients are what every role needs to reach the cluster it runs in.
type clients struct {
	config  *rest.Config
	kube    kubernetes.Interface
	dynamic dynamic.Interface
}

func connect() (clients, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return clients{}, err
	}
	config.QPS, config.Burst = 50, 100
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return clients{}, err
	}
	dyn, err := dynamic.NewForConfig(config)
	return clients{config, kube, dyn}, err
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: standin apiserver|operator|backrest|rmdata|postgrescluster|exec-backup")
	}
	c, err := connect()
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	conf := settings.FromEnv(os.Getenv)
	logger := log.New(os.Stderr, args[0]+" ", log.LstdFlags|log.LUTC)
	switch args[0] {
	case "apiserver":
		return serve(ctx, c, conf, logger)
	case "operator":
		if os.Getenv("PGO_VERSION") == pgcluster.Version {
			(&pgcluster.Operator{Kube: c.kube, Dynamic: c.dynamic, Settings: conf, Now: time.Now, Log: logger}).Run(ctx, time.Second)
			return nil
		}
		o := &operator.Operator{
			Kube: c.kube, Dynamic: c.dynamic, Settings: conf, Now: time.Now, Log: logger,
			HTTP: &http.Client{Timeout: 30 * time.Second}, // Patroni's answer to a failover takes up to 20 s
		}
		o.Run(ctx, time.Second)
		return nil
	case "backrest":
		return backrest(ctx, c)
	case "rmdata":
		return remove(ctx, c)
	case "postgrescluster":
		return reconcile(ctx, c, logger)
	case "exec-backup":
		return jobs.RepoBackup{
			Namespace: os.Getenv("NAMESPACE"), Selector: os.Getenv("SELECTOR"), Container: os.Getenv("CONTAINER"),
			Command: os.Getenv("COMMAND"), Options: os.Getenv("COMMAND_OPTS"),
		}.Run(ctx, jobs.Exec{Config: c.config, Kube: c.kube}, os.Stdout)
	}
	return fmt.Errorf("unknown role %q", args[0])
}

func serve(ctx context.Context, c clients, conf settings.Settings, logger *log.Logger) error {
	cert, err := tls.LoadX509KeyPair("/tls/tls.crt", "/tls/tls.key")
	if err != nil {
		return fmt.Errorf("load the certificate: %w", err)
	}
	api := &apiserver.Server{
		Kube: c.kube, Dynamic: c.dynamic, Settings: conf, SQL: apiserver.Postgres{}, Now: time.Now, Log: logger,
		HTTP: &http.Client{Timeout: 10 * time.Second}, Exec: jobs.Exec{Config: c.config, Kube: c.kube}.Run,
	}
	handler := api.Handler()
	if os.Getenv("PGO_VERSION") == pgcluster.Version {
		handler = (&pgcluster.API{Server: api, Exec: jobs.Exec{Config: c.config, Kube: c.kube}.RunIn}).Handler()
	}
	server := &http.Server{
		Addr: ":8443", Handler: handler, TLSConfig: apiserver.TLS(cert), ErrorLog: logger,
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServeTLS("", ""); ctx.Err() == nil {
		return err
	}
	return nil
}

func backrest(ctx context.Context, c clients) error {
	if text := os.Getenv("FAIL"); text != "" {
		return errors.New(text)
	}
	command := jobs.Backrest{
		Namespace: os.Getenv("NAMESPACE"), RepoPod: os.Getenv("PODNAME"), Command: os.Getenv("COMMAND"),
		Options: os.Getenv("COMMAND_OPTS"), Host: os.Getenv("PG_HOST"), Path: os.Getenv("PG_PATH"),
	}
	return command.FromOptions().Run(ctx, jobs.Exec{Config: c.config, Kube: c.kube}, os.Stdout)
}

func remove(ctx context.Context, c clients) error {
	return jobs.Remove{
		Dynamic: c.dynamic, Exec: jobs.Exec{Config: c.config, Kube: c.kube}.Run, Out: os.Stdout,
		Namespace: os.Getenv("NAMESPACE"), Cluster: os.Getenv("PG_CLUSTER"),
		Data: os.Getenv("REMOVE_DATA") == "true", Backups: os.Getenv("REMOVE_BACKUP") == "true",
		FortySeven: os.Getenv("PGO_VERSION") == pgcluster.Version, Replica: os.Getenv("REPLICA_NAME"), Panic: os.Getenv("PANIC") == "true",
	}.Run(ctx)
}

// reconcile is the operator of PGO 5 and 6, and the name server of its pods.
func reconcile(ctx context.Context, c clients, logger *log.Logger) error {
	names, err := c.kube.CoreV1().Services(os.Getenv("PGO_NAMESPACE")).Get(ctx, "pgo-dns", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("find the name server's address: %w", err)
	}
	connection, err := net.ListenPacket("udp", ":5353")
	if err != nil {
		return err
	}
	go func() {
		if err := (dns.Server{Kube: c.kube, Log: logger}).Serve(ctx, connection); err != nil {
			logger.Printf("name server: %v", err)
		}
	}()
	r := &postgrescluster.Reconciler{
		Kube: c.kube, Dynamic: c.dynamic, Apply: postgrescluster.Applier(c.dynamic),
		Exec:     jobs.Exec{Config: c.config, Kube: c.kube}.RunIn,
		OwnImage: os.Getenv("STANDIN_IMAGE"), DNS: names.Spec.ClusterIP, Six: os.Getenv("PGO_VERSION") >= "6",
		Now: time.Now, Log: logger,
	}
	r.Run(ctx, time.Second)
	return nil
}
