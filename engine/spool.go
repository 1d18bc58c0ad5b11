package engine

import "github.com/adbsql/antdbctl/engine/diagnosis/evidence"

// spool keeps evidence while it is collected, and gives it back.
type spool interface {
	evidence.Recorder
	evidence.Dossier
	Close() error
}

type memorySpool struct{ *evidence.InMemory }

func (memorySpool) Close() error { return nil }

func (r *run) newSpool() (spool, error) {
	return memorySpool{evidence.NewMemory(r.Clock(), 64<<20)}, nil
}
