// Package sshkey makes the key pairs by which the pods of a cluster reach each other.
package sshkey

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"

	"golang.org/x/crypto/ssh"
)

// New makes an Ed25519 key: the private part as a file for ssh, the public one as a line of authorized_keys.
func New() (private, authorized []byte, err error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, nil, err
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(block), ssh.MarshalAuthorizedKey(line), nil
}
