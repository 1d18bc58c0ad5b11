package cluster

import (
	"context"
	"fmt"
	"net"
	"time"
)

// ports of a node that must answer: sshd and the kubelet. What the API server says of a node that has just been started
// again is from before.
var ports = []string{"22", "10250"}

// WaitAnswer waits until something accepts connections at a TCP address.
func WaitAnswer(ctx context.Context, address string, limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; {
		err := answer(ctx, address)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("nobody answers after %s: %w", limit, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func answer(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
