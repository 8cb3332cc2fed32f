package hub

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeySet(t *testing.T) {
	for _, c := range []struct {
		keys, beginnings []string
		want             string // keys | beginnings
	}{
		{nil, nil, "[] | []"},
		{[]string{"b", "a", "b"}, nil, "[a b] | []"},
		{nil, []string{"b/", "a/", "a/b/", "a/"}, "[] | [a/ b/]"},
		{[]string{"a/1", "b", "a"}, []string{"a/"}, "[a b] | [a/]"},
		{[]string{"a"}, []string{""}, "[] | []"},
	} {
		set, err := keySetOf(Subscription{Keys: c.keys, Beginnings: c.beginnings})
		if got := fmt.Sprint(set.keys, " | ", set.beginnings); got != c.want || err != nil {
			t.Errorf("%q, %q: got %s, %v, want %s", c.keys, c.beginnings, got, err, c.want)
		}
	}
	many := manyKeys(MaxViewKeys)
	for name, s := range map[string]Subscription{
		"none":          {Keys: []string{}},
		"none at all":   {Keys: []string{}, Beginnings: []string{}},
		"many together": {Keys: many, Beginnings: []string{"other/"}},
	} {
		if _, err := keySetOf(s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A key with a wildcard and the same bytes without one are two sets, and so are
// lists that would read alike if they were joined.
func TestBeginningsAreOtherSets(t *testing.T) {
	sets := []keySet{
		{keys: []string{"a"}}, {beginnings: []string{"a"}}, {keys: []string{"a"}, beginnings: []string{"b"}},
		{keys: []string{"a", "b"}}, {beginnings: []string{"a", "b"}}, {keys: []string{"\x00", "a"}}, {keys: []string{"", "a"}},
	}
	if got := viewName([]string{"world"}, "user/"); got != "\x05world\x80\x00\x05user/" { // as docs/format/id.md has it
		t.Errorf("%q", got)
	}
	seen := map[string]int{}
	for i, s := range sets {
		name := viewName(s.keys, s.beginnings...)
		if j, ok := seen[name]; ok || hashKeys(s.keys, s.beginnings...) == (keyHash{}) {
			t.Errorf("set %d is named as set %d, or as that of all keys", i, j)
		}
		seen[name] = i
	}
}

// Keys that nobody had heard of when the client came, in order with those it
// names; and nothing is kept once the last such view is gone.
func TestBeginnings(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 user/a/1=old", "figures/0@1 user/b/1=other", "figures/0@2 world=w", "events/0@0 user/a/1=e0", "events/0@1 user/ab=e1")
	other := s.join(both()) // a ring that is there already, with frames in it
	s.put("events/0@2 user/a/=e2", "events/0@3 =keyless?")
	sub := both("world")
	sub.Beginnings = []string{"user/a/"}
	c := s.join(sub)
	wantEvents(t, c.read(), "events e0", "events e2", "figures old", "figures w")
	s.put("figures/0@3 user/a/2=new", "figures/0@4 user/b/2=no", "events/0@4 user/a=no", "events/0@5 world=e5", "events/0@6 user/a/3=e6")
	wantEvents(t, c.read(), "figures new", "events e5", "events e6")
	id := c.leave()
	s.put("events/0@7 user/a/4=e7", "events/0@8 user/b/4=no")
	c = s.join(with(sub, id))
	wantEvents(t, c.read(), "events e7")
	c.leave()
	other.leave()
	for _, r := range s.rings {
		if b := r.wild; len(b.postings)+len(b.counts)+len(b.lengths) != 0 {
			t.Errorf("left behind: %v", b)
		}
	}
}

// A client that its ring left behind learns of it through a beginning too.
func TestBeginningsLapped(t *testing.T) {
	s := newStage(t, func(c *Config) { c.RingBytes = segmentBytes })
	sub := only("events")
	sub.Beginnings = []string{"k"}
	c := s.join(sub)
	c.read()
	for i := range 4000 {
		s.put(fmt.Sprintf("events/0@%d key%d=%0100d", i, i, i))
	}
	got := c.read()
	if len(got) == 0 || got[0] != `gap {"topic":"events","partition":0,"reason":"slow","from":0,"to":4000,"at_most":4000}` {
		t.Errorf("got %d events, first %.1q", len(got), got)
	}
	for _, r := range s.rings {
		for _, p := range r.wild.postings {
			if len(p.frames) == 0 || p.frames[0] < r.first || !slices.IsSorted(p.frames) {
				t.Errorf("posting holds %d frames from %v, the ring begins at %d", len(p.frames), p.frames[:1], r.first)
			}
		}
	}
	c.leave()
}

// A permission that was withdrawn ends its own streams only, tells the client
// what it tells of an expired one, sends no further record, and who admitted the
// client hears once that it is gone.
func TestRecheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		permission := &testPermission{}
		sub := both()
		sub.Permission = permission
		p, ended := s.serve(sub)
		other, otherEnded := s.serve(both())
		synctest.Wait()
		s.Recheck()
		synctest.Wait()
		if permission.left.Load() != 0 || s.Clients() != 2 {
			t.Fatal("ended although nothing was revoked")
		}
		p.taken()
		permission.withdrawn.Store(true)
		s.Recheck()
		if reason := <-ended; reason != CloseRevoked || permission.left.Load() != 1 || s.Clients() != 1 {
			t.Errorf("ended as %s, told %d times, %d clients left", reason, permission.left.Load(), s.Clients())
		}
		<-p.done
		var g got
		g.take(t, []byte(p.taken()))
		wantEvents(t, g.events, `goodbye {"reason":"expired"}`)
		other.hangUp()
		<-otherEnded
	})
}

// Whose permission is over is not written to for as long as it stalls.
func TestPermissionOverStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		go s.Run(t.Context()) // the bubble waits for it
		permission := &testPermission{}
		for _, sub := range []Subscription{
			{Topics: []string{"events"}, Expires: time.Now().Add(2 * time.Second)},
			{Topics: []string{"events"}, Permission: permission},
		} {
			client, err := s.Join(sub)
			if err != nil {
				t.Fatal(err)
			}
			p := newStalledPipe(t)
			begin, ended := time.Now(), make(chan CloseReason, 1)
			go func() { ended <- client.Serve(p.ctx, p, nil) }()
			synctest.Wait()
			if sub.Permission != nil {
				permission.withdrawn.Store(true)
				s.Recheck()
			}
			if reason := <-ended; !reason.permissionOver() || time.Since(begin) > 4*time.Second {
				t.Errorf("ended as %s after %s", reason, time.Since(begin))
			}
			p.hangUp()
		}
	})
}
