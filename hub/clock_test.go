package hub

import (
	"sync/atomic"
	"testing"
	"time"
)

// Streams end and records are forgotten by what has passed, and by nothing else.
func TestAgesCountWhatHasPassed(t *testing.T) {
	s := newStage(t, func(c *Config) {
		c.Topics[0].MaxAge, c.Topics[0].Recent = time.Minute, 1
		c.MaxStreamAge, c.Shards = 10*time.Minute, 1
	})
	var passed atomic.Int64
	s.clock.elapsed = func() time.Duration { return time.Duration(passed.Load()) }
	s.put("events/0@0 a=0", "events/0@1 a=1")
	if n := len(s.topics[0].journal.records); n != 2 {
		t.Fatalf("the journal holds %d records, want 2", n)
	}
	passed.Store(int64(2 * time.Minute))
	s.put("events/0@2 a=2")
	if n := len(s.topics[0].journal.records); n != 1 {
		t.Errorf("the journal holds %d records after two minutes, want the last", n)
	}
	sub := both()
	sub.Expires = time.Now().Add(time.Hour)
	c, err := s.Join(sub)
	if err != nil {
		t.Fatal(err)
	}
	age := c.cursor.expires - s.clock.now()
	c.Reject()
	if least, most := (8 * time.Minute).Milliseconds(), (12 * time.Minute).Milliseconds(); int64(age) < least || int64(age) > most {
		t.Errorf("a stream is to end in %d ms, want %d to %d", age, least, most)
	}
	sub.Expires = time.Now().Add(time.Minute)
	if c, err = s.Join(sub); err != nil {
		t.Fatal(err)
	}
	left := c.cursor.expires - s.clock.now()
	c.Reject()
	if int64(left) > time.Minute.Milliseconds() || closeReasons[c.cursor.reason] != CloseExpired {
		t.Errorf("a permission that ends in a minute ends in %d ms, as %s", left, closeReasons[c.cursor.reason])
	}
}
