package ssh

import (
	"context"
	"io"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// sftpState is the one sftp session of a connection.
type sftpState struct {
	mu     sync.Mutex
	client *sftp.Client
	none   bool // the server has no sftp
	names  map[nameKey]string
}

// sftp gives the sftp session of the connection; nil where there is none.
func (h *Host) sftp(ctx context.Context) (*link, *sftp.Client, error) {
	for {
		l, err := h.link(ctx)
		if err != nil {
			return nil, nil, err
		}
		c, opened, err := h.sftpOn(ctx, l)
		if err != nil || opened == l {
			return l, c, err
		}
		// The connection was made anew meanwhile.
	}
}

// sftpOn gives the sftp session of l. When l is lost meanwhile, opened is
// another connection and nothing is given.
func (h *Host) sftpOn(ctx context.Context, l *link) (c *sftp.Client, opened *link, err error) {
	l.sftp.mu.Lock()
	defer l.sftp.mu.Unlock()
	if l.sftp.client != nil || l.sftp.none {
		return l.sftp.client, l, nil
	}
	opened, ch, requests, err := h.channel(ctx)
	if err != nil {
		return nil, nil, err
	}
	go ssh.DiscardRequests(requests)
	if opened != l {
		_ = ch.Close()
		return nil, opened, nil
	}
	err = within(ctx, func() (err error) { c, err = startSFTP(ctx, ch); return })
	if err != nil {
		_ = ch.Close()
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if l.isLost() {
			return nil, nil, h.lostOr(l, err)
		}
		// Not configured, or configured and not installed: all the same to us.
		l.sftp.none = true
		return nil, l, nil
	}
	l.sftp.client = c
	return c, l, nil
}

func startSFTP(ctx context.Context, ch ssh.Channel) (*sftp.Client, error) {
	if err := request(ctx, ch, "subsystem", "sftp"); err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, ch.Stderr()) }()
	return sftp.NewClientPipe(ch, ch, sftp.UseConcurrentWrites(true))
}
