package auth

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Run keeps keys and revocations fresh until ctx ends, and returns when all that
// it started is gone. It returns no other error than that of ctx: what cannot
// be read leaves in force what was there before, is logged and counted.
func (v *Verifier) Run(ctx context.Context) error {
	var started sync.WaitGroup
	if v.fetch != nil {
		started.Go(func() { v.fetch.run(ctx, v.metrics) })
	}
	keys := source{name: sourceKeys, path: v.config.HS256KeyFile + v.config.PublicKeyFile, load: v.loadKeys}
	revoked := source{name: sourceRevoked, path: v.config.RevokedFile, load: v.loadRevocations}
	tick := time.NewTicker(ReloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			started.Wait()
			return ctx.Err()
		case <-tick.C:
			v.reload(&keys)
			v.reload(&revoked)
		}
	}
}

// Fetch gets the keys from their address now, if they have one: for those who
// want to know that it works before they run, or who never run.
func (v *Verifier) Fetch(ctx context.Context) error {
	if v.fetch == nil {
		return nil
	}
	if err := v.fetch.once(ctx, v.metrics); err != nil {
		return fmt.Errorf("fetch keys from %s: %w", Redact(v.config.JWKSURL), err)
	}
	return nil
}

// source is a file that Run reads again and again.
type source struct {
	name, path string
	load       func() error
	failure    string // of the last time, empty if there was none
}

// reload reads the file, if there is one. A failure is logged when it begins and
// when it changes, not every few seconds.
func (v *Verifier) reload(s *source) {
	if s.path == "" {
		return
	}
	err := s.load()
	if err == nil {
		s.failure = ""
		v.metrics.reloads.WithLabelValues(s.name, resultOK).Inc()
		return
	}
	v.metrics.reloads.WithLabelValues(s.name, resultFailed).Inc()
	if text := err.Error(); text != s.failure {
		s.failure = text
		v.config.Logger.Error("file not taken over: what was read before stays in force", "what", s.name, "error", err)
	}
}

// loadKeys puts the keys of the files or of the environment in force. A file is
// read whole each time and compared by content: times of modification lie, when
// files are swapped below a symbolic link or written twice in a tick.
func (v *Verifier) loadKeys() error {
	name, raw, err := v.readKeys()
	if raw == nil || err != nil {
		return err
	}
	v.mu.Lock()
	same := bytes.Equal(raw, v.keysRaw)
	v.mu.Unlock()
	if same {
		return nil
	}
	parse := parsePublic
	if v.config.HS256Key != "" || v.config.HS256KeyFile != "" {
		parse = parseSecrets
	}
	keys, err := parse(raw)
	if err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	v.mu.Lock()
	v.keysRaw = raw
	v.mu.Unlock()
	v.metrics.keysAt.SetToCurrentTime()
	v.useKeys(keys)
	return nil
}

// readKeys returns the bytes of the keys, nil if they come from an address.
func (v *Verifier) readKeys() (name string, raw []byte, err error) {
	switch c := v.config; {
	case c.HS256KeyFile != "":
		name = "hs256-key-file " + c.HS256KeyFile
		raw, err = readFile(c.HS256KeyFile, MaxKeyFileBytes)
	case c.PublicKeyFile != "":
		name = "public-key-file " + c.PublicKeyFile
		raw, err = readFile(c.PublicKeyFile, MaxKeyFileBytes)
	case c.HS256Key != "":
		return "hs256-key", []byte(c.HS256Key), nil
	case c.PublicKey != "":
		return "public-key", []byte(c.PublicKey), nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return name, raw, err
}

// loadRevocations puts the file of revocations in force, if there is one.
func (v *Verifier) loadRevocations() error {
	path := v.config.RevokedFile
	if path == "" {
		return nil
	}
	raw, err := readFile(path, MaxRevocationBytes)
	if err != nil {
		return fmt.Errorf("revoked-file %s: %w", path, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.goneRaw != nil && bytes.Equal(raw, v.goneRaw) {
		return nil
	}
	revoked, err := parseRevocations(raw)
	if err != nil {
		return fmt.Errorf("revoked-file %s: %w", path, err)
	}
	if raw == nil {
		raw = []byte{}
	}
	v.goneRaw = raw
	st := *v.state.Load()
	st.revoked = revoked
	v.replaceLocked(&st)
	v.config.Logger.Info("revocations taken over", "tokens", len(revoked.ids), "subjects", len(revoked.subjects))
	return nil
}

// useKeys puts a set of keys in force, if it differs from the one that is.
func (v *Verifier) useKeys(keys []*key) {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b *key) int { // so that the order in which a server lists them changes nothing
		return cmp.Or(strings.Compare(a.name, b.name), bytes.Compare(a.print[:], b.print[:]))
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	st := *v.state.Load()
	next := &keySet{keys: keys, strict: st.keys.strict}
	if next.equal(st.keys) {
		return
	}
	st.keys = next
	v.replaceLocked(&st)
	for _, k := range keys {
		v.config.Logger.Info("key in force", "algorithm", string(k.algorithm), "kid", k.name)
	}
}

// replaceLocked makes st the state. Permits verified under the one before it
// count no longer until they are verified again; those that live streams hold
// are for [Permit.Revoked].
func (v *Verifier) replaceLocked(st *state) {
	st.generation++
	v.state.Store(st)
	v.cache.begin(st.generation)
}
