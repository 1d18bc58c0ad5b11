// Command ssh measures what the product costs over the bare protocol: it starts
// one sshd on loopback that serves 50 addresses, and lets first a bare
// x/crypto/ssh program, then the product's connection pool, open 50 connections
// and run 10 commands on each; then `antdbctl apply` checks a runbook of 10
// idempotent steps on all of them. Run it in the repository's root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	antssh "github.com/adbsql/antdbctl/engine/conn/ssh"
)

func main() {
	hosts := flag.Int("hosts", 50, "hosts to connect to")
	commands := flag.Int("commands", 10, "commands on each")
	rounds := flag.Int("rounds", 3, "rounds of both; the fastest counts")
	user := flag.String("user", "", "log in as root (the default, for root) or plain")
	limit := flag.Float64("limit", 0, "fail when the ratio is larger")
	flag.Parse()

	r := &run{}
	defer r.cleanup()
	s := conntest.RunSSH(r, conntest.SSHOptions{Hosts: *hosts, Users: *user != ""})
	for i := range s.Targets {
		if *user != "" {
			s.Targets[i].User = *user
		}
	}
	dir, err := os.MkdirTemp("", "bench-ssh-*")
	if err != nil {
		r.Errorf("%v", err)
		r.FailNow()
	}
	r.Cleanup(func() { os.RemoveAll(dir) })
	book := newSite(r, s, dir, *commands)
	first := r.measure(func() error { return book.apply(false) })

	var bare, ours, apply []time.Duration
	for range *rounds {
		apply = append(apply, r.measure(func() error { return book.apply(true) }))
		bare = append(bare, r.measure(func() error { return runBare(s, *commands) }))
		ours = append(ours, r.measure(func() error { return runPool(s, *commands) }))
	}
	b := slices.Min(bare).Seconds()
	ratio := slices.Min(apply).Seconds() / b
	fmt.Printf("%d hosts x %d commands or steps, fastest of %d\n", *hosts, *commands, *rounds)
	fmt.Printf("  bare x/crypto/ssh            %8.3f s  ratio 1.00\n", b)
	fmt.Printf("  connection pool              %8.3f s  ratio %.2f\n", slices.Min(ours).Seconds(), slices.Min(ours).Seconds()/b)
	fmt.Printf("  antdbctl apply, no change    %8.3f s  ratio %.2f\n", slices.Min(apply).Seconds(), ratio)
	fmt.Printf("  antdbctl apply, first time   %8.3f s\n", first.Seconds())
	if *limit > 0 && ratio > *limit {
		r.Errorf("the ratio is above %.2f", *limit)
		r.FailNow()
	}
}

// runPool is the product's way.
func runPool(s *conntest.SSHServer, commands int) error {
	ctx := context.Background()
	pool := conn.NewPool(map[string]conn.Opener{conn.SSH: antssh.Open}, map[string]conn.Settings{"": s.Settings})
	err := each(s.Targets, func(t conn.Target) error {
		h, err := pool.Dial(ctx, t)
		if err != nil {
			return err
		}
		for range commands {
			if _, err := h.Run(ctx, conn.Command("test", "-d", "/tmp")); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, pool.Close())
}

// runBare is what somebody would write who needs just this.
func runBare(s *conntest.SSHServer, commands int) error {
	text, err := os.ReadFile(s.Key)
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return err
	}
	public, err := os.ReadFile(s.HostKey + ".pub")
	if err != nil {
		return err
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey(public)
	if err != nil {
		return err
	}
	return each(s.Targets, func(t conn.Target) error {
		c, err := ssh.Dial("tcp", fmt.Sprintf("%s:%d", t.Address, t.Port), &ssh.ClientConfig{
			User: t.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(hostKey),
			HostKeyAlgorithms: []string{hostKey.Type()},
		})
		if err != nil {
			return err
		}
		defer c.Close()
		for range commands {
			session, err := c.NewSession()
			if err != nil {
				return err
			}
			if _, err := session.Output("test -d /tmp"); err != nil {
				return err
			}
			_ = session.Close()
		}
		return nil
	})
}

// each works on all hosts at once.
func each(targets []conn.Target, f func(conn.Target) error) error {
	errs := make([]error, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() { errs[i] = f(t) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
